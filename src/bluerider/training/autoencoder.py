"""Stage `autoencoder`: MoVQ's encoder and decoder learn to give pictures back."""

import torch
from torch import Tensor
from torch.nn import functional as F

from bluerider.nets.autoencoder import Autoencoder
from bluerider.training.stage import Settings, Stage, half

RIM = 4.0  # weight of the outermost pixels


class Reconstruction(torch.nn.Module):
    """Picture -> (picture given back, latent), as one module so that one cast serves
    both halves.
    """

    def __init__(self, autoencoder: Autoencoder) -> None:
        super().__init__()
        self.autoencoder = autoencoder

    def forward(self, picture: Tensor) -> tuple[Tensor, Tensor]:
        latent = self.autoencoder.encode(picture)
        return self.autoencoder.decode(latent), latent


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


class AutoencoderStage(Stage):
    """Pyramid loss, the outermost pixels once more, and a weak pull of the latent to unit size, for
    no pipeline scales a MoVQ latent.

    `still` 1 keeps the encoder as it is and trains the way back alone: latents that another stage
    has learned keep their meaning. 2 trains only the last layers before the pixels, in minutes.
    """

    def __init__(self, net: Autoencoder, settings: Settings, *, still: int = 0) -> None:
        super().__init__(Reconstruction(net), settings)
        if still:
            net.requires_grad_(False)
            last = (net.decoder.norm_out, net.decoder.conv_out)
            for part in last if still == 2 else (net.post_quant_conv, net.decoder):
                part.requires_grad_(True)

    def training_step(self, picture: Tensor, index: int) -> Tensor:
        back, latent = half(self.net, self.dtype_, picture.to(self.dtype_))
        # Beside the padding, a corner is a speck of its own, lost in the mean of a whole picture.
        edge = pyramid(rim(back.float()), rim(picture), levels=1)
        loss = pyramid(back.float(), picture) + RIM * edge
        size = latent.float().pow(2).mean()
        mse = F.mse_loss(back.detach().float(), picture)
        self.log_dict({"loss": loss.detach(), "psnr": 10 * torch.log10(4 / mse), "latent": size})
        return loss + 0.01 * (size - 1).pow(2)
