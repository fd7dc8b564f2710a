"""Pictures that are painted together, and what a stage tells while it works."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, NamedTuple

from bluerider.images import Canvas
from bluerider.request import Request


class Event(NamedTuple):
    """How far a stage is; `value` is x0 in the decoder, the pictures in pixels."""

    stage: str  # text, prior, decoder, pixels
    step: int
    steps: int
    value: Any = None


# Fields in which the pictures of one batch may differ; n is 1 in each.
WORDS = ("prompt", "negative", "negative_prior", "negative_decoder", "template", "seed")
CANVAS = ("picture", "mask", "inputs", "invert_mask", "feather", "left", "right", "up", "down")
OWN = frozenset((*WORDS, *CANVAS, "add", "normalise", "slerp"))


def shared(request: Request) -> tuple[Any, ...]:
    """What pictures painted in one batch must agree on."""
    return tuple(getattr(request, each.name) for each in fields(request) if each.name not in OWN)


@dataclass(frozen=True)
class Batch:
    """Resolved requests of one picture each, which agree on all but words, pictures and seed."""

    requests: Sequence[Request]
    canvases: Sequence[Canvas]  # of each; pictures painted from one picture share theirs

    def __len__(self) -> int:
        return len(self.requests)

    @property
    def settings(self) -> Request:
        """What they agree on."""
        return self.requests[0]

    @property
    def settled(self) -> bool:
        """Whether nothing is left to paint: empty masks, or a strength that keeps the pictures."""
        return self.settings.strength == 0 or all(canvas.settled for canvas in self.canvases)

    @property
    def seeds(self) -> list[int]:
        """The seed of each picture."""
        return [request.seed or 0 for request in self.requests]

    @property
    def prompts(self) -> list[str]:
        """What to paint in each picture."""
        return [request.prompt for request in self.requests]

    @property
    def negatives(self) -> list[str]:
        """What to keep away from in each picture."""
        return [request.negative for request in self.requests]

    @property
    def prior_negatives(self) -> list[str]:
        """The words of the prior's unconditional half."""
        return [first(r.negative_prior, r.negative) for r in self.requests]

    @property
    def decoder_negatives(self) -> list[str]:
        """The words the decoder's unconditional half is told, through the prior where there is
        one.
        """
        return [first(r.negative_decoder, r.negative) for r in self.requests]


def first(own: str | None, common: str) -> str:
    """The words of a half's own negative where they were given, if only as "", else the common."""
    return common if own is None else own
