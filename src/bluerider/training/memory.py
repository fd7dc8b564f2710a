"""How much memory a training will take, before it starts: from the parts' sizes and a dry pass.

A pass on PyTorch's meta device computes shapes only, so activations are counted, not guessed, at
any size and in no time.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks

OPTIMISERS = {"adamw": 8, "adamw8bit": 2, "sgd": 0}  # bytes of state a trained parameter
MASTER = 4  # bytes of a trained parameter, of its gradient and of its average: all in float32


@dataclass(frozen=True, kw_only=True)
class Part:
    """A network in memory: how many parameters, how many of them trained, how wide the frozen."""

    name: str
    parameters: int
    trained: int = 0
    width: int = 4  # bytes of a frozen parameter

    @classmethod
    def of(cls, name: str, net: nn.Module) -> "Part":
        """Counted from a network, whatever device it is on."""
        each = list(net.parameters())
        trained = sum(p.numel() for p in each if p.requires_grad)
        widths = {p.element_size() for p in each if not p.requires_grad}
        return cls(
            name=name,
            parameters=sum(p.numel() for p in each),
            trained=trained,
            width=max(widths, default=4),
        )


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """Bytes by what they are for."""

    rows: dict[str, int]

    @property
    def total(self) -> int:
        """All of it; what the process itself and its libraries take comes on top."""
        return sum(self.rows.values())


def estimate(
    parts: Sequence[Part], *, optimiser: str = "adamw", averaged: bool = False, activations: int = 0
) -> Estimate:
    """Weights, gradients, optimiser, moving average and activations in bytes.

    `activations` is `saved_bytes` of one pass of one batch as it will be trained.
    """
    trained = sum(part.trained for part in parts)
    frozen = sum((part.parameters - part.trained) * part.width for part in parts)
    rows = {
        "frozen weights": frozen,
        "trained weights": trained * MASTER,
        "gradients": trained * MASTER,
        f"optimiser ({optimiser})": trained * OPTIMISERS[optimiser],
        "moving average": trained * MASTER if averaged else 0,
        "activations": activations,
    }
    return Estimate(rows={name: size for name, size in rows.items() if size})


def saved_bytes(forward: Callable[[], Tensor], weights: Sequence[Tensor] = ()) -> int:
    """Bytes that a forward pass keeps for its backward pass, each storage counted once.

    `weights` are in memory anyway and do not count. Run it on the meta device to compute nothing.
    """
    seen = {id_of(each) for each in weights}
    total = 0
    kept: list[Tensor] = []  # a freed storage's address could come again

    def count(tensor: Tensor) -> Tensor:
        nonlocal total
        if (known := id_of(tensor)) not in seen:
            seen.add(known)
            kept.append(tensor)
            total += tensor.untyped_storage().nbytes()
        return tensor

    with saved_tensors_hooks(count, lambda tensor: tensor):
        forward()
    return total


def id_of(tensor: Tensor) -> int:
    """What a tensor's storage is known by; meta tensors have no address of their own."""
    return int(tensor.untyped_storage()._cdata)


def shown(size: int) -> str:
    """Bytes for a person: 3.2 GB, 450 MB, 12 KB."""
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "KB")):
        if size >= unit:
            return f"{size / unit:.3g} {name}"
    return f"{size} bytes"
