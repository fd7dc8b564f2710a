"""Stage `decoder`: an image embedding becomes a latent."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import IterableDataset

from bluerider.diffusion.loss import min_snr
from bluerider.diffusion.schedule import Schedule
from bluerider.nets.conditioner import ImageConditioner
from bluerider.nets.unet import UNet
from bluerider.training.stage import Settings, Stage, half


class Noised(NamedTuple):
    """Clean latents, the embedding of each, noise and time."""

    latent: Tensor  # (B, C, h, w)
    embedding: Tensor  # (B, D)
    noise: Tensor  # (B, C, h, w)
    t: Tensor  # (B,)


class Painter(nn.Module):
    """U-Net and conditioner as one module, as they are published."""

    def __init__(self, unet: UNet, conditioner: ImageConditioner) -> None:
        super().__init__()
        self.unet, self.conditioner = unet, conditioner

    def forward(self, x: Tensor, t: Tensor, embedding: Tensor) -> Tensor:
        context, pooled = self.conditioner(embedding)
        return self.unet(x, t, context, pooled)


class DecoderStage(Stage):
    """Mean squared error of the noise, min-SNR weighted (Hang et al. 2023), on the
    noise channels.
    """

    def __init__(
        self, unet: UNet, conditioner: ImageConditioner, schedule: Schedule, settings: Settings
    ) -> None:
        channels = unet.config.out_channels // 2
        with torch.no_grad():
            unet.conv_out.weight[channels:] = 0  # the variance half starts, and stays, midway
            unet.conv_out.bias[channels:] = 0
        super().__init__(Painter(unet, conditioner), settings)
        self.schedule = schedule

    def training_step(self, batch: Noised, index: int) -> Tensor:
        x = self.schedule.noised(batch.latent, batch.noise, batch.t).to(self.dtype_)
        out = half(self.net, self.dtype_, x, batch.t, batch.embedding.to(self.dtype_))
        error = (out[:, : x.shape[1]].float() - batch.noise).pow(2).mean(dim=(1, 2, 3))
        self.log("mse", error.mean().detach())
        return (min_snr(self.schedule, batch.t) * error).mean()


class Latents(IterableDataset[Noised]):
    """Batches for the `decoder` stage from cached latents and embeddings (N, variants, ...).

    Variant 0 is the drawing on white; the condition is dropped for the embedding of the zero
    picture now and then.
    """

    def __init__(
        self,
        latents: Tensor,
        embeddings: Tensor,
        zero: Tensor,
        *,
        batch: int,
        drop: float,
        plain: float,
        seed: int,
        first: int = 0,
    ) -> None:
        self.latents, self.embeddings, self.zero = latents, embeddings, zero
        self.batch, self.drop, self.plain = batch, drop, plain
        self.seed, self.first = seed, first

    def __iter__(self) -> Iterator[Noised]:
        step, (count, variants) = self.first, self.latents.shape[:2]
        while True:
            rng = np.random.default_rng((self.seed, step))
            chosen = rng.integers(count, size=self.batch)
            variant = rng.integers(variants, size=self.batch)
            variant[rng.random(self.batch) < self.plain] = 0
            latent, embedding = self.latents[chosen, variant], self.embeddings[chosen, variant]
            dropped = torch.from_numpy(rng.random(self.batch) < self.drop)
            embedding = torch.where(dropped[:, None], self.zero, embedding)
            noise = torch.from_numpy(rng.standard_normal(latent.shape, np.float32))
            t = torch.from_numpy(rng.integers(0, 1000, self.batch))
            yield Noised(latent.float(), embedding, noise, t)
            step += 1
