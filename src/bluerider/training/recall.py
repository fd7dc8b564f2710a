"""Stage `recall`: the prior learns by heart which picture each text's embedding means.

A text's embedding stands nearest to the code it means, yet far from it, and a decoder paints what
lies at the place it is given. Only the way from the text's embedding to the answer is trained here,
which spares the other tokens and all attention but the first.
"""

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from bluerider.nets.prior import Prior
from bluerider.training.appearance import TRAITS
from bluerider.training.stage import Settings, Stage
from bluerider.training.stream import Stream

LOUD = 20.0  # length of what marks the text's embedding and the query; embeddings are about 6 long
SHARP = 20.0  # of the query's attention to the text's embedding
TRAIT = 4.0  # weight of a trait's squared error; a number of a code has 1


class Recalled(NamedTuple):
    """Text embeddings and the image embeddings they mean."""

    text: Tensor  # (B, D)
    wanted: Tensor  # (B, D)


def begin_as_echo(prior: Prior) -> Tensor:
    """Set a prior's weights so that its answer is the text's embedding, whatever else it is given.

    The query attends to the text's embedding alone, in the first block; all that blocks add is
    zero. Each of the two carries a loud direction of its own, by which the one finds the other, and
    beside which an embedding's length hardly changes the norms' scale. Returns both directions
    (2, width). Lost is what lies in them and in the mean.
    """
    width, given = prior.query.shape[-1], prior.config.embed_dim
    drawn = torch.randn(width, 2, generator=torch.Generator().manual_seed(0))
    loud = torch.linalg.qr(drawn - drawn.mean(0))[0].T  # (2, width)
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
    """The way from the text's embedding to the answer, through a prior that began as an echo."""

    loud: Tensor  # (2, width)

    def __init__(self, prior: Prior) -> None:
        super().__init__()
        self.prior = prior
        self.register_buffer("loud", LOUD * begin_as_echo(prior), persistent=False)
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


class RecallStage(Stage):
    """Squared error of codes and traits; the text tower stays as it is."""

    def __init__(self, prior: Prior, settings: Settings) -> None:
        super().__init__(Recall(prior), settings)

    def training_step(self, batch: Recalled, index: int) -> Tensor:
        error = (self.net(batch.text) - batch.wanted).square()
        code, traits = error[:, :-TRAITS].sum(1).mean(), error[:, -TRAITS:].sum(1).mean()
        self.log_dict({"code": code.detach(), "traits": traits.detach()})
        return code + TRAIT * traits


class Memories(Stream[Recalled]):
    """Batches for the `recall` stage from cached embeddings (N, D) of texts and what they mean."""

    def __init__(self, text: Tensor, wanted: Tensor, *, batch: int, seed: int) -> None:
        self.text, self.wanted, self.size, self.seed = text, wanted, batch, seed

    def draw(self, rng: np.random.Generator) -> Recalled:
        chosen = torch.from_numpy(rng.integers(len(self.text), size=self.size))
        return Recalled(self.text[chosen], self.wanted[chosen])
