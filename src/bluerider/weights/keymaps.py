"""Published names of weights <-> ours, as two-way rules.

A template holds {i} {j} {k} for numbers and {p} for weight or bias. A rule with an operation turns
one published tensor into several of ours and back (fused attention, 1x1 convolutions that are
linear layers).
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property

import torch
from torch import Tensor

PLACES = {"i": r"\d+", "j": r"\d+", "k": r"\d+", "p": "weight|bias"}


@dataclass(frozen=True)
class Operation:
    """One published tensor -> the tensors it holds, and back."""

    split: Callable[[Tensor], tuple[Tensor, ...]]
    join: Callable[[tuple[Tensor, ...]], Tensor]


def interleaved(pieces: int, width: int = 64, trailing: int = 0) -> Operation:
    """Projections fused head by head, `width` rows a piece; `trailing` axes of size 1 follow the
    weights.
    """

    def split(tensor: Tensor) -> tuple[Tensor, ...]:
        tensor = unpointed(trailing).split(tensor)[0]
        parts = tensor.reshape(-1, pieces, width, *tensor.shape[1:])
        return tuple(parts[:, index].flatten(0, 1) for index in range(pieces))

    def join(parts: tuple[Tensor, ...]) -> Tensor:
        stacked = torch.stack([part.unflatten(0, (-1, width)) for part in parts], dim=1)
        return unpointed(trailing).join((stacked.flatten(0, 2),))

    return Operation(split, join)


def unpointed(axes: int) -> Operation:
    """A convolution of kernel 1 <-> a linear layer; vectors (biases) stay as they are."""

    def split(tensor: Tensor) -> tuple[Tensor, ...]:
        if tensor.dim() < 2:
            return (tensor,)
        if tensor.shape[2:] != (1,) * axes:
            raise RuntimeError("not a kernel of size 1")
        return (tensor.flatten(1),)

    def join(parts: tuple[Tensor, ...]) -> Tensor:
        (tensor,) = parts
        return tensor if tensor.dim() < 2 else tensor[(...,) + (None,) * axes]

    return Operation(split, join)


def stacked(pieces: int) -> Operation:
    """Projections fused one after the other, as torch's own attention has them."""
    return Operation(split=lambda tensor: tensor.chunk(pieces), join=torch.cat)


def turned() -> Operation:
    """A matrix that stands to the right of its input <-> a linear layer's."""
    return Operation(
        split=lambda tensor: (tensor.t(),), join=lambda parts: parts[0].t().contiguous()
    )


def rowed() -> Operation:
    """A vector <-> a matrix of one row."""
    return Operation(split=lambda tensor: (tensor[None],), join=lambda parts: parts[0][0])


KEEP = Operation(split=lambda tensor: (tensor,), join=lambda parts: parts[0])


@dataclass(frozen=True)
class Rule:
    """A published name, our name or names, and what is done to the tensor."""

    published: str
    ours: tuple[str, ...]
    operation: Operation = KEEP


def compiled(template: str) -> re.Pattern[str]:
    """A template as a pattern with one group a place."""
    pattern = re.escape(template)
    for name, accepted in PLACES.items():
        pattern = pattern.replace(rf"\{{{name}\}}", f"(?P<{name}>{accepted})")
    return re.compile(pattern)


@dataclass(frozen=True)
class Piece:
    """Where one of our tensors comes from."""

    published: str
    index: int
    operation: Operation


@dataclass(frozen=True)
class Keymap:
    """The rules of one layout.

    `ignored` are published names that carry nothing our networks need (position counters, tables
    of a schedule), as shell patterns; `older` are spellings of earlier files, as pairs of a regular
    expression and its replacement.
    """

    rules: tuple[Rule, ...]
    ignored: tuple[str, ...] = ()
    older: tuple[tuple[str, str], ...] = ()

    @cached_property
    def forward(self) -> list[tuple[re.Pattern[str], Rule]]:
        return [(compiled(rule.published), rule) for rule in self.rules]

    @cached_property
    def backward(self) -> list[tuple[re.Pattern[str], int, Rule]]:
        return [
            (compiled(name), index, rule)
            for rule in self.rules
            for index, name in enumerate(rule.ours)
        ]

    def ours(self, published: str) -> tuple[tuple[str, ...], Operation] | None:
        """Our names for a published one, and the operation; None where no rule knows it."""
        for pattern, rule in self.forward:
            if match := pattern.fullmatch(published):
                names = tuple(name.format(**match.groupdict()) for name in rule.ours)
                return names, rule.operation
        return None

    def published(self, ours: str) -> Piece | None:
        """Where our tensor stands in the published layout; None where no rule knows it."""
        for pattern, index, rule in self.backward:
            if match := pattern.fullmatch(ours):
                return Piece(rule.published.format(**match.groupdict()), index, rule.operation)
        return None

    def is_ignored(self, published: str) -> bool:
        """Whether a published name carries nothing."""
        return any(fnmatchcase(published, form) for form in self.ignored)

    def today(self, published: str) -> str:
        """A published name in today's spelling."""
        for pattern, replacement in self.older:
            published = re.sub(pattern, replacement, published)
        return published

    def read(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Published tensors under our names; raises KeyError naming one that no rule knows."""
        result: dict[str, Tensor] = {}
        for name, tensor in tensors.items():
            if self.is_ignored(name):
                continue
            found = self.ours(self.today(name))
            if found is None:
                raise KeyError(name)
            result.update(zip(found[0], found[1].split(tensor), strict=True))
        return result

    def write(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Our tensors under published names; raises KeyError naming one that no rule knows."""
        parts: dict[str, dict[int, Tensor]] = {}
        operations: dict[str, Operation] = {}
        for name, tensor in tensors.items():
            piece = self.published(name)
            if piece is None:
                raise KeyError(name)
            parts.setdefault(piece.published, {})[piece.index] = tensor
            operations[piece.published] = piece.operation
        return {
            name: operations[name].join(tuple(found[index] for index in range(len(found))))
            for name, found in parts.items()
        }


def rename(*pairs: tuple[str, str]) -> list[Rule]:
    """Rules that only rename; the {p} of a layer's weight and bias is added where no place or leaf
    is named.
    """
    return [Rule(leafed(published), (leafed(ours),)) for published, ours in pairs]


def leafed(name: str) -> str:
    """A layer's name with the place of its weight or bias; a name ending in `!` is a tensor of its
    own.
    """
    return name[:-1] if name.endswith("!") else name + ".{p}"


def nested(published: str, ours: str, rules: Iterable[Rule]) -> list[Rule]:
    """Rules of a part, under the names of the whole."""
    return [
        Rule(
            f"{published}.{rule.published}",
            tuple(f"{ours}.{name}" for name in rule.ours),
            rule.operation,
        )
        for rule in rules
    ]


def placed(ours: str, rules: Iterable[Rule]) -> list[Rule]:
    """Rules whose networks stand under a name on our side only."""
    return [
        Rule(rule.published, tuple(f"{ours}.{name}" for name in rule.ours), rule.operation)
        for rule in rules
    ]


def under(published: str, rules: Iterable[Rule]) -> list[Rule]:
    """Rules whose networks stand under a name on the published side only."""
    return [Rule(f"{published}.{rule.published}", rule.ours, rule.operation) for rule in rules]
