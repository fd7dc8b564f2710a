"""Stage `prior`: words learn to call up the embedding of the picture they name."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import IterableDataset

from bluerider.diffusion.schedule import Schedule
from bluerider.nets.clip import TextTower
from bluerider.nets.prior import Prior
from bluerider.training.captions import Captions
from bluerider.training.stage import Settings, Stage, half


class Asked(NamedTuple):
    """Texts, the embedding each should call up, noise and time."""

    ids: Tensor  # (B, S)
    mask: Tensor  # (B, S)
    embedding: Tensor  # (B, D)
    noise: Tensor  # (B, D)
    t: Tensor  # (B,)


class PriorStage(Stage):
    """Mean squared error of the clean, normalised embedding (Kandinsky 2.1's prior); the text tower is frozen."""

    def __init__(self, net: Prior, text: TextTower, schedule: Schedule, settings: Settings) -> None:
        net.mean.requires_grad_(False)
        net.std.requires_grad_(False)
        super().__init__(net, settings)
        self.text = [text.eval().requires_grad_(False)]  # in a list: frozen, so not in checkpoints
        self.schedule = schedule

    def training_step(self, batch: Asked, index: int) -> Tensor:
        with torch.no_grad():
            words = self.text[0](batch.ids)
            x0 = self.net.normalise(batch.embedding)
            x = self.schedule.noised(x0, batch.noise, batch.t)
        dtype = self.dtype_
        args = (x.to(dtype), batch.t, words.states.to(dtype), words.embedding.to(dtype), batch.mask)
        loss = nn.functional.mse_loss(half(self.net, dtype, *args).float(), x0)
        self.log("loss", loss.detach())
        return loss


class Questions(IterableDataset[Asked]):
    """Batches for the `prior` stage: any language, now and then no words at all."""

    def __init__(
        self,
        captions: Captions,
        embeddings: Tensor,
        *,
        batch: int,
        drop: float,
        seed: int,
        first: int = 0,
    ) -> None:
        self.captions, self.embeddings = captions, embeddings
        self.batch, self.drop, self.seed, self.first = batch, drop, seed, first

    def __iter__(self) -> Iterator[Asked]:
        step = self.first
        while True:
            rng = np.random.default_rng((self.seed, step))
            chosen = rng.integers(len(self.embeddings), size=self.batch)
            ids = self.captions.draw(rng, chosen, 1)
            dropped = torch.from_numpy(rng.random(self.batch) < self.drop)
            ids[dropped] = self.captions.pad
            ids[dropped, :2] = torch.tensor(self.captions.empty)
            mask = torch.ones_like(ids, dtype=torch.bool)
            mask[:, 1:] = (ids[:, :-1] != self.captions.empty[1]).cumprod(1).bool()
            noise = rng.standard_normal((self.batch, self.embeddings.shape[1]), np.float32)
            t = rng.integers(0, 1000, self.batch)
            yield Asked(
                ids, mask, self.embeddings[chosen], torch.from_numpy(noise), torch.from_numpy(t)
            )
            step += 1
