"""Stage `decoder`: an image embedding becomes a latent."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from bluerider.diffusion.loss import min_snr, simple_loss, target
from bluerider.diffusion.schedule import Schedule
from bluerider.nets.conditioner import ImageConditioner
from bluerider.nets.unet import UNet
from bluerider.training.stage import Settings, Stage, half
from bluerider.training.stream import Stream

FLOOR = 1.0  # of the loss' weights: what stands where is decided at the noisiest levels


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
    """The simple loss, by min-SNR with a floor; a learned variance is not trained."""

    def __init__(
        self, unet: UNet, conditioner: ImageConditioner, schedule: Schedule, settings: Settings
    ) -> None:
        with torch.no_grad():  # the variance half, if there is one, starts and stays midway
            unet.conv_out.weight[unet.config.in_channels :] = 0
            unet.conv_out.bias[unet.config.in_channels :] = 0
        super().__init__(Painter(unet, conditioner), settings)
        self.schedule = schedule

    def training_step(self, batch: Noised, index: int) -> Tensor:
        x = self.schedule.noised(batch.latent, batch.noise, batch.t).to(self.dtype_)
        out = half(self.net, self.dtype_, x, batch.t, batch.embedding.to(self.dtype_))
        error = simple_loss(out, target(self.schedule, batch.latent, batch.noise, batch.t))
        self.log("mse", error.mean().detach())
        return (min_snr(self.schedule, batch.t, floor=FLOOR) * error).mean()


class Latents(Stream[Noised]):
    """Batches for the `decoder` stage from cached latents (N, C, h, w) and embeddings (N, D).

    The first `plain` of them are the drawings on white, of which a part `share` of every batch is
    drawn. A part `told` of all gets, in place of the embedding, one of `answers` (N, V, D), which
    are the prior's to their words. The condition is dropped now and then for the embedding of
    nothing.
    """

    def __init__(
        self,
        latents: Tensor,
        embeddings: Tensor,
        answers: Tensor,
        nothing: Tensor,
        *,
        batch: int,
        drop: float,
        plain: int,
        share: float,
        told: float,
        levels: int,
        seed: int,
    ) -> None:
        self.latents, self.embeddings, self.answers = latents, embeddings, answers
        self.nothing, self.size, self.drop = nothing, batch, drop
        self.plain, self.share, self.told = plain, share, told
        self.levels, self.seed = levels, seed

    def draw(self, rng: np.random.Generator) -> Noised:
        count = len(self.latents)
        chosen = rng.integers(min(self.plain, count - 1), count, size=self.size)
        white = rng.random(self.size) < self.share
        chosen[white] = rng.integers(self.plain, size=int(white.sum()))
        latent, embedding = self.latents[chosen], self.embeddings[chosen]
        told = rng.random(self.size) < self.told
        version = rng.integers(self.answers.shape[1], size=int(told.sum()))
        embedding[told] = self.answers[chosen[told], version].float()
        dropped = torch.from_numpy(rng.random(self.size) < self.drop)
        embedding = torch.where(dropped[:, None], self.nothing, embedding)
        noise = torch.from_numpy(rng.standard_normal(latent.shape, np.float32))
        t = torch.from_numpy(rng.integers(0, self.levels, self.size))
        return Noised(latent.float(), embedding, noise, t)
