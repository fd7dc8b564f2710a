"""Stage `prior`: words learn to call up the embedding of the picture they name."""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from bluerider.diffusion.loss import simple_loss
from bluerider.diffusion.schedule import Schedule
from bluerider.nets.clip import TextTower
from bluerider.nets.prior import Prior
from bluerider.tokenizers import Tokenizer
from bluerider.training.appearance import NONE, Appearance
from bluerider.training.captions import Captions, cut_rows, in_groups
from bluerider.training.clip import apart, chosen
from bluerider.training.stage import Settings, Stage, half
from bluerider.training.stream import Stream

SHARPNESS = 2.0  # of the choice among drawings
KEEP, READ = 0.2, 0.1  # weights of the choices of the clean embedding and of the text's


class Asked(NamedTuple):
    """Texts, what each should call up, noise and time."""

    ids: list[Tensor]  # (B, S) in groups by length
    mask: list[Tensor]  # (B, S), as ids
    first: Tensor  # (B,) row of the drawing; NONE where there are no words
    second: Tensor  # (B,) of a second one, NONE without
    traits: Tensor  # (B, TRAITS)
    noise: Tensor  # (B, D)
    t: Tensor  # (B,)


class Imagination(nn.Module):
    """Text tower and prior as one module, so that the words can learn what the prior
    needs of them.
    """

    def __init__(self, prior: Prior, text: TextTower) -> None:
        super().__init__()
        self.prior, self.text = prior, text

    def forward(self, x: Tensor, t: Tensor, *texts: Tensor) -> tuple[Tensor, Tensor]:
        """Noisy normalised embedding (B, D), t (B,), the groups' ids, then their masks (B, S) ->
        clean embedding, text embedding.
        """
        groups = len(texts) // 2
        sizes = [len(ids) for ids in texts[:groups]]
        seen, read = [], []
        for part, level, ids, mask in zip(
            x.split(sizes), t.split(sizes), texts[:groups], texts[groups:], strict=True
        ):
            words = self.text(ids)
            seen.append(self.prior(part, level, words.states, words.embedding, mask))
            read.append(words.embedding)
        return torch.cat(seen), torch.cat(read)


class PriorStage(Stage):
    """Mean squared error of the clean, normalised embedding (Kandinsky 2.1's prior); the text tower
    learns along.

    The clean embedding, and the text's, are also asked to be nearest to their drawing's code, so
    that the prior keeps look-alikes apart.
    """

    def __init__(
        self,
        net: Prior,
        text: TextTower,
        appearance: Appearance,
        schedule: Schedule,
        settings: Settings,
    ) -> None:
        net.mean.requires_grad_(False)
        net.std.requires_grad_(False)
        super().__init__(Imagination(net, text), settings)
        self.schedule = schedule
        self.appearance = Appearance(appearance.codes, appearance.second)

    def training_step(self, batch: Asked, index: int) -> Tensor:
        wanted = self.appearance.embed(batch.first.clamp(min=0), batch.second, batch.traits)
        x0 = self.net.prior.normalise(wanted).detach()
        x = self.schedule.noised(x0, batch.noise, batch.t).to(self.dtype_)
        seen, words = half(self.net, self.dtype_, x, batch.t, *batch.ids, *batch.mask)
        error = simple_loss(seen, x0)
        told = batch.first != NONE
        late = error[(batch.t > 800) & told].mean()  # where words alone decide
        self.log_dict({"loss": error.mean().detach(), "late": late.detach()})
        if not told.any():
            return error.mean()
        sharpness = error.new_tensor(SHARPNESS)
        clean = self.net.prior.restore(seen.float())
        keep, _ = chosen(
            self.appearance, clean[told], batch.first[told], batch.second[told], sharpness
        )
        read, right = chosen(
            self.appearance, words.float()[told], batch.first[told], batch.second[told], sharpness
        )
        read = read + apart(self.appearance, words.float()[told], wanted[told])
        self.log_dict({"keep": keep.detach(), "read": read.detach(), "right": right.float().mean()})
        return error.mean() + KEEP * keep + READ * read


class Questions(Stream[Asked]):
    """Batches for the `prior` stage: any language, now and then no words at all.

    What no words call up is any drawing's embedding.
    """

    def __init__(
        self,
        captions: Captions,
        tokenizer: Tokenizer,
        width: int,
        *,
        batch: int,
        drop: float,
        longest: int,
        levels: int,
        seed: int,
    ) -> None:
        self.captions, self.tokenizer, self.width = captions, tokenizer, width
        self.size, self.drop, self.longest = batch, drop, longest
        self.levels, self.seed = levels, seed

    def draw(self, rng: np.random.Generator) -> Asked:
        told = self.captions.draw(rng, self.size)
        silent = rng.random(self.size) < self.drop
        texts = ["" if mute else text for mute, text in zip(silent, told.texts, strict=True)]
        rows = cut_rows(self.tokenizer, texts, self.longest)
        ids, order = in_groups(rows, self.tokenizer.pad)
        end = self.tokenizer.rows([""])[0][-1]
        masks = []
        for group in ids:
            mask = torch.ones_like(group, dtype=torch.bool)
            mask[:, 1:] = (group[:, :-1] != end).cumprod(1).bool()
            masks.append(mask)
        noise = torch.from_numpy(rng.standard_normal((self.size, self.width), np.float32))
        t = torch.from_numpy(rng.integers(0, self.levels, self.size))
        first = torch.where(torch.from_numpy(silent), NONE, told.first)
        return Asked(ids, masks, first[order], told.second[order], told.traits[order], noise, t)
