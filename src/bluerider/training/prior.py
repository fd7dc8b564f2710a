"""Stage `prior`: words learn to call up the embedding of the picture they name."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from bluerider.diffusion.loss import simple_loss
from bluerider.diffusion.schedule import Schedule
from bluerider.nets.clip import TextTower
from bluerider.nets.prior import Prior
from bluerider.training.captions import Captions
from bluerider.training.stage import Settings, Stage, half
from bluerider.training.stream import Stream

SHARPNESS = 20.0  # of the text embedding's choice among drawings


class Asked(NamedTuple):
    """Texts, the embedding each should call up, noise and time."""

    ids: Tensor  # (B, S)
    mask: Tensor  # (B, S)
    drawing: Tensor  # (B,) which drawing
    blank: Tensor  # (B,) no words
    noise: Tensor  # (B, D)
    t: Tensor  # (B,)


class Imagination(nn.Module):
    """Text tower and prior as one module, so that the words can learn what the prior
    needs of them.
    """

    def __init__(self, prior: Prior, text: TextTower) -> None:
        super().__init__()
        self.prior, self.text = prior, text

    def forward(self, x: Tensor, t: Tensor, ids: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        """Noisy normalised embedding (B, D), t (B,), ids and mask (B, S) -> clean embedding, text
        embedding.
        """
        words = self.text(ids)
        return self.prior(x, t, words.states, words.embedding, mask), words.embedding


class PriorStage(Stage):
    """Mean squared error of the clean, normalised embedding (Kandinsky 2.1's prior); the text tower
    learns along.

    The text embedding is also asked to find its drawing among all of them, which teaches the tower
    faster than the prior alone does.
    """

    def __init__(
        self,
        net: Prior,
        text: TextTower,
        embeddings: Tensor,
        schedule: Schedule,
        settings: Settings,
    ) -> None:
        net.mean.requires_grad_(False)
        net.std.requires_grad_(False)
        super().__init__(Imagination(net, text), settings)
        self.schedule = schedule
        self.register_buffer("targets", net.normalise(embeddings).detach(), persistent=False)

    def training_step(self, batch: Asked, index: int) -> Tensor:
        x0 = self.targets[batch.drawing]
        x = self.schedule.noised(x0, batch.noise, batch.t).to(self.dtype_)
        seen, words = half(self.net, self.dtype_, x, batch.t, batch.ids, batch.mask)
        error = simple_loss(seen, x0)
        unit = nn.functional.normalize(self.targets, dim=-1)
        logits = SHARPNESS * nn.functional.normalize(words.float(), dim=-1) @ unit.T
        told = ~batch.blank
        missed = nn.functional.cross_entropy(logits, batch.drawing, reduction="none")
        find = missed[told].sum() / told.sum().clamp(min=1)  # a batch may hold no words at all
        right = (logits.argmax(dim=1) == batch.drawing)[told].float().mean()
        late = error[(batch.t > 800) & told].mean()  # where words alone decide
        self.log_dict({"loss": error.mean().detach(), "late": late.detach(), "right": right})
        self.log("find", find.detach())
        return error.mean() + 0.1 * find


class Questions(Stream[Asked]):
    """Batches for the `prior` stage: any language, now and then no words at all."""

    def __init__(
        self,
        captions: Captions,
        width: int,
        count: int,
        *,
        batch: int,
        drop: float,
        levels: int,
        seed: int,
    ) -> None:
        self.captions, self.width, self.count = captions, width, count
        self.size, self.drop = batch, drop
        self.levels, self.seed = levels, seed

    def draw(self, rng: np.random.Generator) -> Asked:
        chosen = rng.integers(self.count, size=self.size)
        ids = self.captions.draw(rng, chosen, 1)
        dropped = torch.from_numpy(rng.random(self.size) < self.drop)
        ids[dropped] = self.captions.pad
        ids[dropped, :2] = torch.tensor(self.captions.empty)
        mask = torch.ones_like(ids, dtype=torch.bool)
        mask[:, 1:] = (ids[:, :-1] != self.captions.empty[1]).cumprod(1).bool()
        noise = rng.standard_normal((self.size, self.width), np.float32)
        t = rng.integers(0, self.levels, self.size)
        return Asked(
            ids,
            mask,
            torch.from_numpy(chosen),
            dropped,
            torch.from_numpy(noise),
            torch.from_numpy(t),
        )
