"""Pixels <-> latent: MoVQ (Kandinsky 2.1, 2.2) and the KL autoencoder (2.0, Stable Diffusion) in
one class.
"""

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bluerider.config import AutoencoderConfig
from bluerider.nets.attention import attend, split
from bluerider.nets.layers import Downsample, Upsample
from bluerider.nets.norms import GroupNorm

GROUPS = 32


class PlainNorm(GroupNorm):
    """Group norm with the signature of SpatialNorm; the latent is not looked at."""

    def __init__(self, channels: int) -> None:
        super().__init__(GROUPS, channels, eps=1e-6)

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        return super().forward(x)


class SpatialNorm(nn.Module):
    """Group norm modulated at every place by the latent (MoVQ, Zheng et al. 2022, eq. 3)."""

    def __init__(self, channels: int, latent_channels: int) -> None:
        super().__init__()
        self.norm = GroupNorm(GROUPS, channels, eps=1e-6)
        self.scale = nn.Conv2d(latent_channels, channels, 1)
        self.shift = nn.Conv2d(latent_channels, channels, 1)

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        """x (B, C, H, W), z (B, c, h, w). A 1x1 convolution commutes with repetition, so it runs at
        latent size.
        """
        scale = F.interpolate(self.scale(z), size=x.shape[-2:], mode="nearest")
        shift = F.interpolate(self.shift(z), size=x.shape[-2:], mode="nearest")
        return torch.addcmul(shift, self.norm(x), scale)


def make_norm(config: AutoencoderConfig, channels: int, decoding: bool) -> nn.Module:
    """The norm of this side of the autoencoder; encoders never look at a latent."""
    if decoding and config.norm == "spatial":
        return SpatialNorm(channels, config.latent_channels)
    return PlainNorm(channels)


class ResBlock(nn.Module):
    """Two convolutions round a skip."""

    def __init__(self, config: AutoencoderConfig, inner: int, outer: int, decoding: bool) -> None:
        super().__init__()
        self.norm1 = make_norm(config, inner, decoding)
        self.conv1 = nn.Conv2d(inner, outer, 3, padding=1)
        self.norm2 = make_norm(config, outer, decoding)
        self.conv2 = nn.Conv2d(outer, outer, 3, padding=1)
        self.skip = nn.Conv2d(inner, outer, 1) if inner != outer else nn.Identity()

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        h = self.conv1(F.silu(self.norm1(x, z)))
        return self.skip(x) + self.conv2(F.silu(self.norm2(h, z)))


class PixelAttention(nn.Module):
    """Every place attends to every other, with one head."""

    def __init__(self, config: AutoencoderConfig, channels: int, decoding: bool) -> None:
        super().__init__()
        self.norm = make_norm(config, channels, decoding)
        self.q = nn.Linear(channels, channels)
        self.k = nn.Linear(channels, channels)
        self.v = nn.Linear(channels, channels)
        self.out = nn.Linear(channels, channels)

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        pixels = self.norm(x, z).flatten(2).transpose(1, 2)  # (B, H * W, C)
        y = attend(*(split(layer(pixels), 1) for layer in (self.q, self.k, self.v)))
        return x + self.out(y).transpose(1, 2).reshape(x.shape)


class Level(nn.Module):
    """Residual blocks at one resolution, attention after each where the level attends, then
    resampling.
    """

    def __init__(
        self,
        config: AutoencoderConfig,
        widths: Iterable[tuple[int, int]],
        *,
        attends: bool,
        decoding: bool,
        resample: nn.Module | None = None,
    ) -> None:
        super().__init__()
        pairs = list(widths)
        self.res = nn.ModuleList(ResBlock(config, a, b, decoding) for a, b in pairs)
        self.attn = nn.ModuleList(
            PixelAttention(config, b, decoding) for _, b in pairs[: len(pairs) if attends else 0]
        )
        self.resample = resample

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        for j, res in enumerate(self.res):
            x = res(x, z)
            if j < len(self.attn):
                x = self.attn[j](x, z)
        return x if self.resample is None else self.resample(x)


def middle(config: AutoencoderConfig, decoding: bool) -> Level:
    """Residual, attention, residual at the coarsest resolution."""
    width = config.channels[-1]
    level = Level(config, [(width, width)] * 2, attends=False, decoding=decoding)
    level.attn.append(PixelAttention(config, width, decoding))
    return level


class Encoder(nn.Module):
    """Picture (B, 3, H, W) -> moments or latent, 2 ** (levels - 1) times smaller."""

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        widths, last = config.channels, len(config.channels) - 1
        out = config.latent_channels * (2 if config.latent == "gaussian" else 1)
        self.conv_in = nn.Conv2d(3, widths[0], 3, padding=1)
        self.down = nn.ModuleList(
            Level(
                config,
                [(widths[max(i - 1, 0)], width)] + [(width, width)] * (config.depth - 1),
                attends=config.attends and i == last,
                decoding=False,
                resample=Downsample(width, even=False) if i < last else None,
            )
            for i, width in enumerate(widths)
        )
        self.mid = middle(config, decoding=False)
        self.norm_out = PlainNorm(widths[-1])
        self.conv_out = nn.Conv2d(widths[-1], out, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv_in(x)
        for level in [*self.down, self.mid]:
            x = level(x, x)
        return self.conv_out(F.silu(self.norm_out(x, x)))


class Decoder(nn.Module):
    """Latent -> picture; `z` is the latent that the spatial norms look at."""

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        widths, last = config.channels, len(config.channels) - 1
        self.conv_in = nn.Conv2d(config.latent_channels, widths[-1], 3, padding=1)
        self.mid = middle(config, decoding=True)
        self.up = nn.ModuleList(
            Level(
                config,
                [(widths[min(i + 1, last)], widths[i])] + [(widths[i], widths[i])] * config.depth,
                attends=config.attends and i == last,
                decoding=True,
                resample=Upsample(widths[i]) if i else None,
            )
            for i in reversed(range(len(widths)))
        )
        self.norm_out = make_norm(config, widths[0], decoding=True)
        self.conv_out = nn.Conv2d(widths[0], 3, 3, padding=1)

    def forward(self, x: Tensor, z: Tensor) -> Tensor:
        x = self.conv_in(x)
        for level in [self.mid, *self.up]:
            x = level(x, z)
        return self.conv_out(F.silu(self.norm_out(x, z)))


class Quantized(NamedTuple):
    """Codes nearest to a latent, with gradients passed straight through, and the loss that keeps
    both close.
    """

    latent: Tensor  # (B, C, h, w)
    codes: Tensor  # (B, h, w) int64
    loss: Tensor


class Autoencoder(nn.Module):
    """MoVQ or KL autoencoder; latents leave and enter multiplied by `config.scale`."""

    def __init__(self, config: AutoencoderConfig) -> None:
        super().__init__()
        self.config = config
        channels = config.latent_channels
        moments = channels * (2 if config.latent == "gaussian" else 1)
        self.encoder = Encoder(config)
        self.quant_conv = nn.Conv2d(moments, moments, 1)
        self.post_quant_conv = nn.Conv2d(channels, channels, 1)
        self.decoder = Decoder(config)
        if config.latent == "codebook":
            self.codebook = nn.Embedding(config.codes, channels)

    def moments(self, picture: Tensor) -> tuple[Tensor, Tensor | None]:
        """Mean and, of a Gaussian latent, log variance held to [-30, 20]; neither is scaled."""
        return self.posterior(self.quant_conv(self.encoder(picture)))

    def posterior(self, moments: Tensor) -> tuple[Tensor, Tensor | None]:
        """The moments (B, C or 2C, h, w) apart."""
        if self.config.latent == "codebook":
            return moments, None
        mean, log_variance = moments.chunk(2, dim=1)
        return mean, log_variance.clamp(-30.0, 20.0)

    @staticmethod
    def divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
        """KL divergence of the posterior from a standard normal, summed over each picture (B,)
        (VAE, Kingma & Welling 2014, appendix B).
        """
        terms = mean.square() + log_variance.exp() - 1.0 - log_variance
        return 0.5 * terms.flatten(1).sum(dim=1)

    def encode(self, picture: Tensor, noise: Tensor | None = None) -> Tensor:
        """Picture (B, 3, H, W) in [-1, 1] -> latent; `noise` samples a Gaussian one, without it the
        mean is taken.
        """
        mean, log_variance = self.moments(picture)
        if log_variance is not None and noise is not None:
            mean = mean + noise * torch.exp(0.5 * log_variance)
        return mean * self.config.scale

    def decode(self, latent: Tensor) -> Tensor:
        """Latent -> picture, nominally in [-1, 1]; the latent is used as it is, never quantised (as
        published).
        """
        z = latent / self.config.scale
        return self.decoder(self.post_quant_conv(z), z)

    def quantize(
        self, latent: Tensor, commitment: float = 0.25, codebook: float = 1.0
    ) -> Quantized:
        """Nearest codes (VQ-VAE, van den Oord et al. 2017, eq. 3): loss = commitment |z - sg(e)|^2
        + codebook |sg(z) - e|^2. The published MoVQ was trained with 1 and 0.25.
        """
        flat = latent.movedim(1, -1)  # (B, h, w, C)
        codes = torch.cdist(flat.flatten(0, 2), self.codebook.weight).argmin(dim=1)
        near = self.codebook(codes).view_as(flat)
        loss = commitment * F.mse_loss(near.detach(), flat)
        loss = loss + codebook * F.mse_loss(near, flat.detach())
        passed = flat + (near - flat).detach()
        return Quantized(passed.movedim(-1, 1), codes.view(flat.shape[:-1]), loss)
