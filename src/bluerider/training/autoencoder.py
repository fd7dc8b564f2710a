"""Stage `autoencoder`: MoVQ's encoder and decoder learn to give pictures back."""

import copy
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from bluerider.nets.autoencoder import Autoencoder
from bluerider.training.pictures import Views
from bluerider.training.stage import Settings, Stage, half

RIM = 4.0  # weight of the outermost pixels


class Reconstruction(torch.nn.Module):
    """Pictures -> (pictures given back, latents), as one module so that one cast serves both
    halves; painted latents are given back behind them.
    """

    def __init__(self, autoencoder: Autoencoder) -> None:
        super().__init__()
        self.autoencoder = autoencoder

    def forward(self, picture: Tensor, painted: Tensor) -> tuple[Tensor, Tensor]:
        latent = self.autoencoder.encode(picture)
        shown = torch.cat([latent, painted]) if len(painted) else latent
        return self.autoencoder.decode(shown), latent


def pyramid(x: Tensor, y: Tensor, levels: int = 3) -> Tensor:
    """Mean absolute and squared difference at full, half and quarter size: edges and
    areas alike.
    """
    loss = x.new_zeros(())
    for level in range(levels):
        if level:
            x, y = F.avg_pool2d(x, 2), F.avg_pool2d(y, 2)
        loss = loss + F.l1_loss(x, y) + 2.0 * F.mse_loss(x, y)
    return loss


def rim(x: Tensor) -> Tensor:
    """The outermost pixels of pictures (B, C, H, W), the corners twice: (B, C, 2 * (H + W))."""
    return torch.cat([x[..., 0, :], x[..., -1, :], x[..., 0], x[..., -1]], dim=-1)


def decibels(x: Tensor, y: Tensor) -> Tensor:
    """PSNR of every picture of a batch in [-1, 1] (B,), in dB."""
    return 10 * torch.log10(4 / (x - y).square().flatten(1).mean(dim=1).clamp(min=1e-8))


@dataclass(frozen=True, kw_only=True)
class Weights:
    """What weighs beside the pyramid loss.

    `near`: how far (squared) latents go from what they were at the start, so that those another
    stage has learned keep their meaning, nearly, while both halves get better. `psnr`: every
    picture's decibels, in which an error in a plain picture counts for more than one in a busy one.
    """

    near: float = 0.0
    psnr: float = 0.0


ALONE = Weights()


class AutoencoderStage(Stage):
    """Pyramid loss, the outermost pixels once more, and a weak pull of the latent to unit size, for
    no pipeline scales a MoVQ latent.

    `still` 1 keeps the encoder as it is and trains the way back alone. 2 trains only the last
    layers before the pixels, in minutes.
    """

    def __init__(
        self,
        net: Autoencoder,
        settings: Settings,
        *,
        still: int = 0,
        weights: Weights = ALONE,
    ) -> None:
        super().__init__(Reconstruction(net), settings)
        self.weights = weights
        # In a tuple, for what the net was at the start is neither trained nor kept.
        kept = copy.deepcopy(net).requires_grad_(False).to(self.dtype_) if weights.near else None
        self.first = (kept,)
        if still:
            net.requires_grad_(False)
            last = (net.decoder.norm_out, net.decoder.conv_out)
            for part in last if still == 2 else (net.post_quant_conv, net.decoder):
                part.requires_grad_(True)

    def training_step(self, batch: Views, index: int) -> Tensor:
        picture = batch.picture
        shown = picture.to(self.dtype_), batch.painted.to(self.dtype_)
        back, latent = half(self.net, self.dtype_, *shown)
        back, wanted = back.float(), torch.cat([picture, batch.wanted])
        # Beside the padding, a corner is a speck of its own, lost in the mean of a whole picture.
        loss = pyramid(back, wanted) + RIM * pyramid(rim(back), rim(wanted), levels=1)
        size = latent.float().pow(2).mean()
        each = decibels(back, wanted)
        self.log_dict({"loss": loss.detach(), "psnr": each[: len(picture)].mean().detach()})
        self.log_dict({"latent": size.detach()})
        if len(batch.painted):
            self.log("painted", each[len(picture) :].mean().detach())
        loss = loss - self.weights.psnr * each.mean() + 0.01 * (size - 1).pow(2)
        return loss + self.strayed(picture, latent)

    def strayed(self, picture: Tensor, latent: Tensor) -> Tensor:
        """The weighted squared distance of latents from what they were at the start."""
        (first,) = self.first
        if first is None:
            return latent.new_zeros(())
        with torch.no_grad():
            was = first.to(latent.device).encode(picture.to(self.dtype_))
        away = F.mse_loss(latent.float(), was.float())
        self.log("away", away.detach().sqrt())
        return self.weights.near * away
