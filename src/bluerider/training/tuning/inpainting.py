"""What makes a decoder an inpainting one: more channels, and what they are shown."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from bluerider.nets.autoencoder import Autoencoder
from bluerider.nets.unet import UNet
from bluerider.pipeline.tasks import beside
from bluerider.training.tuning.cache import pixels

WIDENED = "unet.conv_in"  # the layer of a decoder that gets more channels


def widen(unet: UNet, channels: int) -> None:
    """Give a U-Net so many input channels. The new ones weigh nothing yet, so it computes what it
    did.
    """
    old = unet.conv_in
    new = nn.Conv2d(channels, old.out_channels, 3, padding=1)
    weight = F.pad(old.weight.detach(), (0, 0, 0, 0, 0, channels - old.in_channels))
    new.weight, new.bias = nn.Parameter(weight), old.bias
    unet.conv_in, unet.config = new, replace(unet.config, in_channels=channels)


class Known(nn.Module):
    """Kandinsky: the latent where it is known, and 1 there."""

    def forward(self, row: Tensor, x0: Tensor, mask: Tensor) -> Tensor:
        """row (N,), x0 (N, C, h, w), mask (N, 1, h, w) -> (N, C + 1, h, w)."""
        return beside("image", x0, mask, lambda: x0)


class Blanked(nn.Module):
    """Stable Diffusion: the mask, and the latent of the picture with mid grey under it, which is
    made in the step, because every mask is another.
    """

    def __init__(
        self, autoencoder: Autoencoder, pictures: Sequence[Callable[[], Image.Image]]
    ) -> None:
        super().__init__()
        self.autoencoder, self.pictures = autoencoder, pictures

    def forward(self, row: Tensor, x0: Tensor, mask: Tensor) -> Tensor:
        """row (N,), x0 (N, C, h, w), mask (N, 1, h, w) -> (N, C + 1, h, w)."""

        @torch.no_grad()
        def blanked() -> Tensor:
            shown = torch.stack([pixels(self.pictures[int(i)]()) for i in row]).to(mask.device)
            holes = F.interpolate(mask, shown.shape[-2:], mode="nearest")
            return self.autoencoder.encode(shown * (1.0 - holes))

        return beside("none", x0, mask, blanked)
