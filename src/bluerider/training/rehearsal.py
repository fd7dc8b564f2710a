"""Stage `rehearse`: the prior goes on alone, from what it has read.

With the text tower at rest, what the query holds and finds after reading a text does not change
any more. It is kept once for many texts, and the rest of the way is trained on it: most of what has
to be learned by heart, at a tenth of the cost.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from bluerider.nets.attention import Attention, split
from bluerider.nets.clip import TextTower
from bluerider.training.appearance import Appearance
from bluerider.training.recall import TRAIT, Recall, meant, missed
from bluerider.training.reminders import Reminder, Reminders
from bluerider.training.stage import Settings, Stage, half
from bluerider.training.stream import Stream

MARKED = 300.0  # how far, before the softmax, what is beside the tokens stays behind them
LEAST = 0.1  # of what is about 1
RIDGE = 0.01  # of a token's mean variance


class Kept(NamedTuple):
    """What was read of texts, and what they mean."""

    held: Tensor  # (N, width)
    found: Tensor  # (N, heads, width)
    wanted: Tensor  # (N, D) float32


class Ears(torch.nn.Module):
    """Text tower and recall up to where it has read: ids (B, S) -> `held` and `found`."""

    def __init__(self, text: TextTower, recall: Recall, pad: int) -> None:
        super().__init__()
        self.text, self.recall, self.pad = text, recall, pad

    def forward(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        words = self.text(ids)
        heard = self.recall.hear(words.states, words.embedding, ids != self.pad)
        return heard.held, heard.found


def keep(
    ears: Ears, reminders: Reminders, appearance: Appearance, count: int, dtype: torch.dtype
) -> Kept:
    """What is read of the first `count` texts or a few more, in `dtype`."""
    parts = [of_batch(ears, batch, appearance, dtype) for batch in batches(reminders, count)]
    return Kept(*(torch.cat(each) for each in zip(*parts, strict=True)))


def batches(reminders: Reminders, count: int) -> Iterator[Reminder]:
    """Batches of at least `count` texts."""
    for step in range(-(-count // reminders.size)):
        yield reminders.batch(step)


@torch.no_grad()
def of_batch(ears: Ears, batch: Reminder, appearance: Appearance, dtype: torch.dtype) -> Kept:
    """What is read of one batch."""
    pairs = [half(ears, dtype, group) for group in batch.ids]
    held, found = (torch.cat(each).to(dtype) for each in zip(*pairs, strict=True))
    return Kept(held, found, meant(appearance, batch.first, batch.second, batch.traits))


@torch.no_grad()
def bystanders(ears: Ears, reminders: Reminders, count: int, levels: int) -> Tensor:
    """What stands beside the tokens of the texts that are kept first, in the second block, normed
    (B, 4, width): the text's embedding, times below `levels`, noise, the query itself.
    """
    prior, rng = ears.recall.prior, torch.Generator().manual_seed(reminders.seed)
    found = []
    for ids in (group for batch in batches(reminders, count) for group in batch.ids):
        words = ears.text(ids)
        x = torch.randn(len(ids), prior.config.embed_dim, generator=rng)
        t = torch.randint(levels, (len(ids),), generator=rng)
        told = words.states, words.embedding, ids != ears.pad
        tokens = prior.blocks[0](*prior.lay_out(x, t, *told))
        found.append(prior.blocks[1].norm1(tokens[:, -4:]))
    return torch.cat(found)


@torch.no_grad()
def settle(net: torch.nn.Module) -> None:
    """Round weights to what an export stores, so that what is learned on top of those at rest fits
    what is shipped: where the query looks may hang on little.
    """
    for parameter in net.parameters():
        parameter.copy_(parameter.bfloat16())


@torch.no_grad()
def attune(recall: Recall, kept: Kept, beside: Tensor) -> None:
    """Centre and scale what the second block's norm gives, so that its part that differs from token
    to token has deviation 1, and let the query look at nothing but tokens, whatever stands `beside`
    (B, 4, width) those of the first B texts; what it reads of them stays what it is.

    The tokens' mark, and whatever the first block adds to every token alike, is larger than what
    tells the tokens apart: on that, a layer would learn slowly, and the mark may be lost in it.
    """
    block = recall.prior.blocks[1]
    norm, attn = block.norm1, block.attn
    found = kept.found.float()
    mean = found.mean(dim=(0, 1))
    gain = 1 / (found - mean).std(dim=(0, 1)).mean().clamp(min=1e-6)
    turn_away(attn, norm(kept.held.float()), found, beside)
    norm.weight.mul_(gain)
    norm.bias.sub_(mean).mul_(gain)
    for layer in (attn.q, attn.k, attn.v):
        layer.bias.add_(layer.weight @ mean)
        layer.weight.div_(gain)
    attn.out.bias.add_(attn.out.weight @ attn.v.bias)  # the values' constant part
    attn.v.bias.zero_()
    attn.v.weight.mul_(gain)
    attn.out.weight.div_(gain)


def turn_away(attn: Attention, query: Tensor, found: Tensor, beside: Tensor) -> None:
    """Change the keys so that queries (N, width) look at tokens like those `found` (N, heads,
    width) and not at what stands `beside` (B, 4, width), all normed.
    """
    q = split(attn.q(query)[:, None], attn.heads)[:, :, 0]  # (N, heads, d)
    size = q.shape[2] ** 0.5
    # Some queries point away from the mean of all: along it they would be turned the wrong way.
    toward = torch.stack([steady(each) for each in q.unbind(dim=1)]) * size  # (heads, d)
    weight = attn.k.weight.unflatten(0, (attn.heads, -1))
    told, seen = q[: len(beside)], found[: len(beside)]
    tokens = torch.einsum("nhw,hdw,nhd->nh", seen, weight, told)[:, :, None]
    others = torch.einsum("nsw,hdw,nhd->nhs", beside, weight, told)
    ahead = ((others - tokens) / size + MARKED).clamp(min=0)  # (B, heads, 4)
    away = telling(found.flatten(0, 1), beside)
    far = (seen @ away)[:, :, None] - (beside @ away)[:, None]  # (B, heads, 4), about 1
    heeds = torch.einsum("nhd,hd->nh", told, toward)[:, :, None] / size  # (B, heads, 1), about 1
    far = far.clamp(min=LEAST) * heeds.clamp(min=LEAST)
    strength = (ahead / far).amax(dim=(0, 2))  # (heads,)
    attn.k.weight.add_(torch.outer((toward * strength[:, None]).flatten(), away))


def steady(x: Tensor) -> Tensor:
    """The direction (width,) along which the mean of rows (N, width) is 1 and they differ least."""
    mean = x.mean(dim=0).double()
    way = torch.linalg.solve(covariance(x), mean)
    return (way / (way @ mean)).float()


def telling(tokens: Tensor, others: Tensor) -> Tensor:
    """The direction (width,) along which the mean of tokens (N, width) is 1 farther than each of
    those of others (B, kinds, width), and all differ least among themselves (as in Fisher's
    discriminant).
    """
    apart = tokens.mean(dim=0) - others.mean(dim=0)  # (kinds, width)
    spread = covariance(tokens) + covariance((others - others.mean(dim=0)).flatten(0, 1))
    ways = torch.linalg.solve(spread, apart.T.double())  # (width, kinds)
    shares = torch.linalg.solve(apart.double() @ ways, torch.ones(len(apart)).double())
    return (ways @ shares).float()


def covariance(x: Tensor) -> Tensor:
    """Of rows (N, width), as a part of their mean variance, with a ridge; float64."""
    x = (x - x.mean(dim=0)).double()
    found = x.T @ x
    return found / found.diagonal().mean() + RIDGE * torch.eye(len(found)).double()


class RehearseStage(Stage):
    """Squared error of the answer's codes and traits, as in stage `recall`."""

    net: Recall

    def __init__(self, recall: Recall, settings: Settings) -> None:
        recall.prior.requires_grad_(False)
        attn = recall.prior.blocks[1].attn
        for part in (attn.v, attn.out, recall.prior.norm_out, recall.prior.proj_out):
            part.requires_grad_(True)
        for block in recall.prior.blocks[1:]:
            block.norm2.requires_grad_(True)
            block.mlp.requires_grad_(True)
        super().__init__(recall, settings)

    def training_step(self, batch: Kept, index: int) -> Tensor:
        answer = self.net.answer(batch.held, batch.found)
        code, traits = missed(answer, batch.wanted)
        self.log_dict({"code": code.detach(), "traits": traits.detach()})
        return code + TRAIT * traits


class Rehearsals(Stream[Kept]):
    """Batches for the `rehearse` stage, drawn from what is kept."""

    def __init__(self, kept: Kept, *, batch: int, seed: int) -> None:
        self.kept, self.size, self.seed = kept, batch, seed

    def draw(self, rng: np.random.Generator) -> Kept:
        rows = torch.from_numpy(rng.integers(len(self.kept.held), size=self.size))
        return Kept(*(each[rows].float() for each in self.kept))
