"""Stage `words`: the text tower learns what words mean before it learns what their order says.

Read as a bag of pieces, a text costs a tenth of what it costs in stage `recall`, and a bag cannot
learn a name by heart as a whole: it has to learn the words, which then tell names that were never
read (fastText, Joulin et al. 2016). The bag is made of the tower's own layers and says exactly
what the tower says where nothing but the first layer's attention looks at tokens, and at all of
them alike wherever they stand; so what it learned is where the tower's own training begins.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bluerider.nets.clip import TextTower
from bluerider.training.appearance import NONE, TRAITS, Appearance
from bluerider.training.recall import DECIDED, SHARPNESS, missed, reader
from bluerider.training.reminders import Reminder
from bluerider.training.stage import Settings, Stage, half

ASKING = 0.1  # of what the first layer looks for in every token, at first
CODE, TRAIT = 0.1, 4.0  # weights of the squared errors of codes and traits, beside a choice
SURE, UNSURE = 0.5, 1.5  # weights of a meaning's squared error, beside its choice; of glosses'


class Meant(NamedTuple):
    """What a bag of pieces means."""

    embedding: Tensor  # (B, D)
    meaning: Tensor  # (B, W)


def begin_as_bag(text: TextTower) -> None:
    """Let the first layer look at tokens wherever they stand, asking the same everywhere, and the
    others at none.
    """
    first, *others = text.layers
    nn.init.zeros_(text.positions.weight)
    nn.init.zeros_(first.attn.q.weight)
    nn.init.normal_(first.attn.q.bias, std=ASKING)
    for layer in others:
        nn.init.zeros_(layer.attn.out.weight)
        nn.init.zeros_(layer.attn.out.bias)


class Bag(nn.Module):
    """A text tower that began as a bag, read at the text's end alone, and what reads meanings
    before its last layer.
    """

    def __init__(self, text: TextTower, pad: int, width: int) -> None:
        super().__init__()
        self.text, self.pad = text, pad
        self.meaning = reader(text.config.width, width)
        self.sharpness = nn.Parameter(torch.tensor(SHARPNESS).log())
        self.decided = nn.Parameter(torch.tensor(DECIDED).log())

    def forward(self, *ids: Tensor) -> Meant:
        """Texts in groups by length, (b, S) each."""
        first, *others = self.text.layers
        x = self.text.embed.weight[self.text.config.eos] + torch.cat(list(map(self.found, ids)))
        x = x + first.mlp(first.norm2(x))  # (B, width)
        for layer in others[:-1]:
            x = x + layer.mlp(layer.norm2(x))
        meaning = self.meaning(x)
        x = x + others[-1].mlp(others[-1].norm2(x))
        return Meant(self.text.proj(self.text.norm_out(x)), meaning)

    def found(self, ids: Tensor) -> Tensor:
        """What the first layer's attention adds at the end of texts (b, S) -> (b, width)."""
        first = self.text.layers[0]
        attn, tokens = first.attn, first.norm1(self.text.embed(ids))  # (b, S, width)
        key, value = (
            part.weight.unflatten(0, (attn.heads, -1)) for part in (attn.k, attn.v)
        )  # (heads, d, width)
        asked = attn.q.bias.unflatten(0, (attn.heads, -1))
        # The key's bias adds as much to every look, and so nothing.
        looks = tokens @ torch.einsum("hd,hdw->wh", asked, key) * key.shape[1] ** -0.5
        looks = looks.masked_fill((ids == self.pad)[..., None], float("-inf")).softmax(dim=1)
        seen = torch.einsum("bsh,bsw->bhw", looks, tokens)
        values = torch.einsum("bhw,hdw->bhd", seen, value).flatten(1) + attn.v.bias
        added: Tensor = attn.out(values)
        return added


class WordsStage(Stage):
    """Texts about one thing choose it among all drawings, by what they are about and by what they
    look like; of scenes with one or two, the traits are told as well. Which of two is which, a bag
    cannot know.
    """

    def __init__(
        self,
        text: TextTower,
        appearance: Appearance,
        settings: Settings,
        *,
        pad: int,
        meanings: Tensor,
    ) -> None:
        begin_as_bag(text)
        super().__init__(Bag(text, pad, meanings.shape[1]), settings)
        self.appearance = Appearance(appearance.codes, appearance.second)
        self.meanings: Tensor
        self.register_buffer("meanings", meanings, persistent=False)

    def training_step(self, batch: Reminder, index: int) -> Tensor:
        read = half(self.net, self.dtype_, *batch.ids)
        told = batch.first != NONE
        alone = told & (batch.second == NONE)
        if not alone.any():
            return (read.embedding.sum() + read.meaning.sum()) * 0
        rows, nobody = batch.first[alone], batch.second[alone]
        embedding, meaning = read.embedding.float(), read.meaning.float()[alone]
        sharpness = self.net.sharpness.exp().clamp(max=50.0)
        find, right = self.appearance.chosen(embedding[alone], rows, nobody, sharpness)
        wanted = self.appearance.embed(rows, nobody, batch.traits[alone])
        code, _ = missed(embedding[alone], wanted)
        traits = (embedding[told, -TRAITS:] - batch.traits[told]).square().sum(dim=1).mean()
        decided = self.net.decided.exp().clamp(max=300.0)
        likely = decided * F.normalize(meaning, dim=1) @ self.meanings.T
        far = (meaning - batch.aims[alone]).square().sum(dim=1)
        about = F.cross_entropy(likely, rows)
        weight = torch.where(batch.sure[alone], SURE, UNSURE)
        apt = (likely.argmax(dim=1) == rows).float().mean()
        told_right = {"right": right.float().mean(), "apt": apt}
        self.log_dict({"code": code.detach(), "traits": traits.detach(), **told_right})
        return find + CODE * code + TRAIT * traits + about + (weight * far).mean()
