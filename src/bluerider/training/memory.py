"""How much memory a training will take, before it starts: from the parts' sizes and a dry pass.

A pass on PyTorch's meta device computes shapes only, so activations are counted, not guessed, at
any size and in no time.
"""

import sys
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import saved_tensors_hooks
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

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
    parts: Sequence[Part],
    *,
    optimiser: str = "adamw",
    averaged: bool = False,
    activations: int = 0,
    copies: int = 0,
) -> Estimate:
    """Weights, gradients, optimiser, moving average and activations in bytes.

    `activations` is `saved_bytes` of one pass of one batch as it will be trained, `copies` what
    weights take once more in the numbers of the step, where these are others.
    """
    trained = sum(part.trained for part in parts)
    frozen = sum((part.parameters - part.trained) * part.width for part in parts)
    rows = {
        "frozen weights": frozen,
        "trained weights": trained * MASTER,
        "gradients": trained * MASTER,
        f"optimiser ({optimiser})": trained * OPTIMISERS[optimiser],
        "moving average": trained * MASTER if averaged else 0,
        "copies of weights": copies,
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


class Fused(TorchFunctionMode):
    """Attention as fused kernels keep it: what goes in, a mask as numbers, and what comes out, not
    the weights between. PyTorch's own choice on the meta device is the plain form.
    """

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if func is not F.scaled_dot_product_attention:
            return func(*args, **kwargs)
        mask = kwargs.get("attn_mask")
        if mask is not None and mask.dtype == torch.bool:
            mask = torch.zeros_like(mask, dtype=args[0].dtype)
        fused = torch.ops.aten._scaled_dot_product_efficient_attention
        return fused(*args[:3], mask, True)[0]


class Peak(TorchDispatchMode):
    """While it is on, `most` is the most bytes that were made and not yet let go."""

    def __init__(self) -> None:
        super().__init__()
        self.live: dict[int, int] = {}
        self.now = self.most = 0

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        made = func(*args, **(kwargs or {}))
        for tensor in tree_leaves(made):
            if isinstance(tensor, Tensor) and id_of(tensor) not in self.live:
                storage = tensor.untyped_storage()
                self.live[id_of(tensor)] = storage.nbytes()
                self.now += storage.nbytes()
                self.most = max(self.most, self.now)
                weakref.finalize(storage, self.let_go, id_of(tensor))
        return made

    def let_go(self, known: int) -> None:
        """A storage is gone."""
        self.now -= self.live.pop(known)


def resident() -> int:
    """Bytes of memory that this process holds; where the system does not tell, the most it held,
    and 0 on Windows, which tells neither this way.
    """
    if sys.platform == "win32":
        return 0
    import resource

    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
    return pages * resource.getpagesize()


def id_of(tensor: Tensor) -> int:
    """What a tensor's storage is known by; meta tensors have no address of their own."""
    return int(tensor.untyped_storage()._cdata)


def shown(size: int) -> str:
    """Bytes for a person: 3.2 GB, 450 MB, 12 KB."""
    for unit, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "KB")):
        if size >= unit:
            return f"{size / unit:.3g} {name}"
    return f"{size} bytes"
