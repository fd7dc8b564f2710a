"""Stage `autoencoder`: MoVQ's encoder and decoder learn to give pictures back."""

import torch
from torch import Tensor
from torch.nn import functional as F

from bluerider.nets.autoencoder import Autoencoder
from bluerider.training.stage import Settings, Stage, half


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
    for _ in range(levels):
        loss = loss + F.l1_loss(x, y) + 2.0 * F.mse_loss(x, y)
        x, y = F.avg_pool2d(x, 2), F.avg_pool2d(y, 2)
    return loss


class AutoencoderStage(Stage):
    """Pyramid loss, and a weak pull of the latent to unit size, for no pipeline scales a MoVQ
    latent.

    With a `still` encoder only the way back is trained: latents that another stage has learned
    keep their meaning.
    """

    def __init__(self, net: Autoencoder, settings: Settings, *, still: bool = False) -> None:
        super().__init__(Reconstruction(net), settings)
        if still:
            net.encoder.requires_grad_(False)
            net.quant_conv.requires_grad_(False)

    def training_step(self, picture: Tensor, index: int) -> Tensor:
        back, latent = half(self.net, self.dtype_, picture.to(self.dtype_))
        loss = pyramid(back.float(), picture)
        size = latent.float().pow(2).mean()
        mse = F.mse_loss(back.detach().float(), picture)
        self.log_dict({"loss": loss.detach(), "psnr": 10 * torch.log10(4 / mse), "latent": size})
        return loss + 0.01 * (size - 1).pow(2)
