"""Weights kept in a half format by networks that compute in float32."""

from torch import Tensor, nn
from torch.nn import functional as F


class StoredLinear(nn.Linear):
    """A linear layer that casts its weight each time it works."""

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight.to(x.dtype), self.bias)


class StoredConv2d(nn.Conv2d):
    """A convolution that casts its weight each time it works."""

    def forward(self, x: Tensor) -> Tensor:
        return self._conv_forward(x, self.weight.to(x.dtype), self.bias)


class StoredEmbedding(nn.Embedding):
    """A table whose rows are cast when they are looked up."""

    def forward(self, ids: Tensor) -> Tensor:
        return super().forward(ids).float()


STORED: dict[type[nn.Module], type[nn.Module]] = {
    nn.Linear: StoredLinear,
    nn.Conv2d: StoredConv2d,
    nn.Embedding: StoredEmbedding,
}


def widen(net: nn.Module) -> None:
    """Make a frozen network compute in float32 while its large weights stay as they are stored.

    Norms, biases and other small tensors are cast once. Costs no more memory than the largest
    weight in float32.
    """
    for module in net.modules():
        stored = STORED.get(type(module))
        if stored is not None:
            module.__class__ = stored
        for name, parameter in module.named_parameters(recurse=False):
            if stored is None or name != "weight":
                parameter.data = parameter.data.float()
