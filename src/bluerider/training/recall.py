"""Stage `recall`: the prior learns by heart which picture each text's embedding means.

A text's embedding stands nearest to the code it means, yet far from it, and a decoder paints what
lies at the place it is given. Of the prior, only the way from the text's embedding to the answer is
trained here, which spares the other tokens and all attention but the first; the text tower learns
along, so that both remember as one.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from bluerider.nets.clip import TextTower
from bluerider.nets.prior import Prior
from bluerider.tokenizers import Tokenizer
from bluerider.training.appearance import NONE, TRAITS, Appearance
from bluerider.training.captions import Captions, cut_rows, in_groups
from bluerider.training.clip import GROUPS, apart, chosen
from bluerider.training.stage import Settings, Stage, half
from bluerider.training.stream import Stream

LOUD = 20.0  # length of what marks the text's embedding and the query; embeddings are about 6 long
SHARP = 20.0  # of the query's attention to the text's embedding
TRAIT = 4.0  # weight of a trait's squared error; a number of a code has 1
SHARPNESS = 0.5  # of the text's choice among drawings, at first
SILENT = 50  # one text in so many is empty


class Reminder(NamedTuple):
    """Texts, and what each means."""

    ids: list[Tensor]  # (B, S) in groups by length
    first: Tensor  # (B,) row of the drawing; NONE where there are no words
    second: Tensor  # (B,) of a second one, NONE without
    traits: Tensor  # (B, TRAITS)


def loud_of(prior: Prior) -> Tensor:
    """The two directions (2, width), the same for every prior of one width."""
    drawn = torch.randn(prior.query.shape[-1], 2, generator=torch.Generator().manual_seed(0))
    return torch.linalg.qr(drawn - drawn.mean(0))[0].T


def begin_as_echo(prior: Prior) -> Tensor:
    """Set a prior's weights so that its answer is the text's embedding, whatever else it is given.

    The query attends to the text's embedding alone, in the first block; all that blocks add is
    zero. Each of the two carries a loud direction of its own, by which the one finds the other, and
    beside which an embedding's length hardly changes the norms' scale. Returns both directions
    (2, width). Lost is what lies in them and in the mean.
    """
    width, given = prior.query.shape[-1], prior.config.embed_dim
    loud = loud_of(prior)
    same = torch.eye(width)
    rest = (same - loud.T @ loud - 1 / width) * LOUD / width**0.5
    each = torch.zeros(width)
    each[:: prior.config.head_dim] = 1.0
    with torch.no_grad():
        prior.positions.zero_()
        prior.positions[0, -4], prior.query[0, 0] = LOUD * loud[0], LOUD * loud[1]
        put(prior.proj_pooled, same[:, :given])
        for block in prior.blocks:
            block.norm1.reset_parameters()
            block.norm2.reset_parameters()
            nn.init.normal_(block.mlp.in_.weight, std=width**-0.5)
            block.mlp.in_.bias.zero_()
            put(block.mlp.out, torch.zeros_like(block.mlp.out.weight))
            put(block.attn.out, torch.zeros_like(same))
        first = prior.blocks[0].attn
        put(first.q, torch.zeros_like(same), SHARP * each)
        put(first.k, torch.outer(each, loud[0]) * (prior.config.head_dim / width) ** 0.5)
        put(first.v, rest)
        put(first.out, same)
        if isinstance(prior.norm_out, nn.LayerNorm):
            prior.norm_out.reset_parameters()
        std, mean = prior.std[0], prior.mean[0]
        put(prior.proj_out, rest[:given] / std[:, None], -mean / std)
    return loud


def put(layer: nn.Linear, weight: Tensor, bias: Tensor | None = None) -> None:
    """Set a layer's weight, and its bias, or zero."""
    layer.weight.copy_(weight)
    layer.bias.copy_(torch.zeros_like(layer.bias) if bias is None else bias)


class Recall(nn.Module):
    """The way from the text's embedding to the answer, through a prior that began as an echo: here
    if `anew`, else in the run before.
    """

    loud: Tensor  # (2, width)

    def __init__(self, prior: Prior, *, anew: bool = True) -> None:
        super().__init__()
        self.prior = prior
        loud = begin_as_echo(prior) if anew else loud_of(prior)
        self.register_buffer("loud", LOUD * loud, persistent=False)
        prior.requires_grad_(False)
        for block in prior.blocks:
            block.norm2.requires_grad_(True)
            block.mlp.requires_grad_(True)
        prior.norm_out.requires_grad_(True)
        prior.proj_out.requires_grad_(True)

    def forward(self, text: Tensor) -> Tensor:
        """Text embeddings (B, D) -> image embeddings (B, D), as the whole prior answers."""
        prior = self.prior
        first = prior.blocks[0].attn
        heard = prior.proj_pooled(text) + self.loud[0]
        x = self.loud[1] + first.out(first.v(prior.blocks[0].norm1(heard)))  # (B, width)
        for block in prior.blocks:
            x = x + block.mlp(block.norm2(x))
        return prior.restore(prior.proj_out(prior.norm_out(x)))


class Reading(nn.Module):
    """A text tower that reads texts in groups by length."""

    def __init__(self, text: TextTower) -> None:
        super().__init__()
        self.text = text

    def forward(self, *ids: Tensor) -> Tensor:
        """Embeddings (B, D) of all texts."""
        return torch.cat([self.text(group).embedding for group in ids])


class Memory(nn.Module):
    """Reading and recall as one module, and how sharply the text chooses among the drawings."""

    def __init__(self, text: TextTower, recall: Recall) -> None:
        super().__init__()
        self.reading, self.recall = Reading(text), recall
        self.sharpness = nn.Parameter(torch.tensor(SHARPNESS).log())


class RecallStage(Stage):
    """Squared error of the answer's codes and traits; the text's embedding goes on choosing among
    the drawings as in stage `clip`.
    """

    def __init__(
        self, text: TextTower, recall: Recall, appearance: Appearance, settings: Settings
    ) -> None:
        super().__init__(Memory(text, recall), settings)
        self.appearance = Appearance(appearance.codes, appearance.second)

    def training_step(self, batch: Reminder, index: int) -> Tensor:
        words = half(self.net.reading, self.dtype_, *batch.ids).float()
        answer = self.net.recall(words)
        told = batch.first != NONE
        wanted = self.appearance.embed(batch.first.clamp(min=0), batch.second, batch.traits)
        wanted = torch.where(told[:, None], wanted, self.appearance.nothing())
        error = (answer - wanted).square()
        code, traits = error[:, :-TRAITS].sum(1).mean(), error[:, -TRAITS:].sum(1).mean()
        self.log_dict({"code": code.detach(), "traits": traits.detach()})
        loss = code + TRAIT * traits
        if not told.any():
            return loss
        sharpness = self.net.sharpness.exp().clamp(max=50.0)
        find, right = chosen(self.appearance, words, batch.first, batch.second, sharpness)
        self.log_dict({"find": find.detach(), "right": right.float().mean()})
        return loss + find + apart(self.appearance, words[told], wanted[told])


class Reminders(Stream[Reminder]):
    """Batches for the `recall` stage; one text in fifty is empty and means nothing at all."""

    def __init__(
        self, captions: Captions, tokenizer: Tokenizer, *, batch: int, longest: int, seed: int
    ) -> None:
        self.captions, self.tokenizer = captions, tokenizer
        self.size, self.longest, self.seed = batch, longest, seed

    def draw(self, rng: np.random.Generator) -> Reminder:
        told = self.captions.draw(rng, self.size)
        silent = rng.random(self.size) < 1 / SILENT
        texts = ["" if mute else text for mute, text in zip(silent, told.texts, strict=True)]
        ids, order = in_groups(
            cut_rows(self.tokenizer, texts, self.longest), self.tokenizer.pad, GROUPS
        )
        nobody = torch.from_numpy(silent)
        first, second = (torch.where(nobody, NONE, row)[order] for row in told[1:3])
        return Reminder(ids, first, second, told.traits[order])
