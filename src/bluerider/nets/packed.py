"""Frozen layers that keep their weights in the order in which the CPU's kernels read them.

oneDNN multiplies blocks of a weight, in an order that depends on the processor and on the shape of
the input. A plain weight is put into it at every call, which takes longer than the multiplication
itself where the input is small: a convolution of 1536 channels over 8 x 8 cells.
"""

from typing import Any

import torch
from torch import Tensor, nn

from bluerider.nets.attention import GatedMLP


class PackedConv2d(nn.Conv2d):
    """A convolution whose weight is packed for the shape of the last input."""

    packed_for: torch.Size | None = None

    def forward(self, x: Tensor) -> Tensor:
        folds = (self.padding, self.stride, self.dilation, self.groups)
        if x.shape != self.packed_for:  # another shape's order is right too, but may be far slower
            weight = plain(self.weight).contiguous(memory_format=torch.channels_last)
            weight = torch.ops.mkldnn._reorder_convolution_weight(weight, *folds, list(x.shape))
            self.weight = nn.Parameter(weight, requires_grad=False)
            self.packed_for = x.shape
        return torch.ops.mkldnn._convolution_pointwise(
            x, self.weight, self.bias, *folds, "none", [], ""
        )


class PackedLinear(nn.Linear):
    """A linear layer whose weight is packed for the number of rows of the last input."""

    packed_for: int | None = None

    def forward(self, x: Tensor, then: str = "none") -> Tensor:
        """The product, each of its numbers put through what oneDNN calls `then`."""
        weight = self.weight_for(x)
        return torch.ops.mkldnn._linear_pointwise(x, weight, self.bias, then, [], "none")

    def joined(self, x: Tensor, how: str, other: Tensor) -> Tensor:
        """The product, joined number by number with another of its shape by "mul" or "add"."""
        weight = self.weight_for(x)
        return torch.ops.mkldnn._linear_pointwise.binary(x, other, weight, self.bias, how)

    def weight_for(self, x: Tensor) -> Tensor:
        """The weight, packed for the rows of x."""
        rows = x.shape[:-1].numel()
        if rows != self.packed_for:
            weight = torch.ops.mkldnn._reorder_linear_weight(plain(self.weight), rows)
            self.weight = nn.Parameter(weight, requires_grad=False)
            self.packed_for = rows
        return self.weight


class PackedGatedMLP(GatedMLP):
    """A gated MLP that gates while it multiplies, not in passes over the product."""

    value: PackedLinear
    gate: PackedLinear

    def gated(self, x: Tensor) -> Tensor:
        return self.value.joined(x, "mul", self.gate(x, "gelu"))


def halve(mlp: GatedMLP) -> None:
    """Make the halves of a gated MLP's first layer layers of their own, and let it gate with
    them.
    """
    whole = mlp.in_
    for i, name in enumerate(("value", "gate")):
        layer = nn.Linear(whole.in_features, whole.out_features // 2, device="meta")
        for key, tensor in whole.named_parameters():
            setattr(layer, key, nn.Parameter(tensor.detach().chunk(2)[i], requires_grad=False))
        setattr(mlp, name, layer)
    del mlp.in_
    mlp.__class__ = PackedGatedMLP


def plain(weight: Tensor) -> Tensor:
    """A weight in the order of its indices."""
    return weight.to_dense() if weight.is_mkldnn else weight.detach()


def pack(net: nn.Module) -> None:
    """Let a frozen network on a CPU pack its weights as inputs come; it computes the same.

    Linear layers only in half formats: in float32 torch leaves them to another library.
    """
    for mlp in [module for module in net.modules() if type(module) is GatedMLP]:
        if mlp.out.weight.dtype != torch.float32:
            halve(mlp)
    for module in net.modules():
        kind: Any = {nn.Conv2d: PackedConv2d, nn.Linear: PackedLinear}.get(type(module))
        if kind is None or (kind is PackedLinear and module.weight.dtype == torch.float32):
            continue
        module.__class__ = kind
