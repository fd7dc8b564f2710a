"""Group norm whose statistics stay exact over any number of pixels."""

import torch
from torch import Tensor, nn

PIXELS = 2**14  # up to here torch's own is exact to float32's rounding: 128 x 128
PART = 2**12  # pixels looked at together, which stay in a core's cache


def moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and variance of every channel of x (B, C, H, W) -> (B, C) each, in float32 or wider.

    In two passes (Chan, Golub & LeVeque 1983, section 1), each by sums in pairs, so that the error
    does not grow with the pixels.
    """
    height, width = x.shape[2:]
    mean = x.mean(dim=(2, 3), dtype=torch.promote_types(x.dtype, torch.float32))
    squares = torch.zeros_like(mean)
    for part in x.split(max(PART // width, 1), dim=2):
        squares = squares + (part - mean[..., None, None]).square().sum(dim=(2, 3))
    return mean, squares / (height * width)


def grouped(mean: Tensor, variance: Tensor, groups: int) -> tuple[Tensor, Tensor]:
    """Mean and variance of every channel's group, from those of the channels; (B, C) each."""
    means, variances = (each.unflatten(1, (groups, -1)) for each in (mean, variance))
    centre = means.mean(dim=2, keepdim=True)
    spread = (variances + (means - centre).square()).mean(dim=2, keepdim=True)
    return centre.expand_as(means).flatten(1), spread.expand_as(means).flatten(1)


class GroupNorm(nn.GroupNorm):
    """Group norm (Wu & He 2018).

    Torch's, on a CPU and channels-last, takes E[x^2] - E[x]^2 of plain running float32 sums, which
    is off by 1 % and more over 512 x 512 pixels; large inputs are normed by `moments` here.
    """

    def forward(self, x: Tensor) -> Tensor:
        """x (B, C, H, W) -> the same shape."""
        if x.shape[2] * x.shape[3] <= PIXELS or not x.is_cpu:
            return super().forward(x)
        weight, bias = self.affine_of(*moments(x))
        return torch.addcmul(bias[..., None, None], x, weight[..., None, None]).to(x.dtype)

    def affine_of(self, mean: Tensor, variance: Tensor) -> tuple[Tensor, Tensor]:
        """What to multiply every channel by and to add, (B, C) each, from its moments."""
        mean, variance = grouped(mean, variance, self.num_groups)
        weight = self.weight.to(mean.dtype) / (variance + self.eps).sqrt()
        return weight, self.bias.to(mean.dtype) - mean * weight
