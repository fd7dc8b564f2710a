"""Stage `recall`: the prior learns by heart which picture each text means.

A text's embedding stands nearest to the code it means, yet far from it, and a decoder paints what
lies at the place it is given. Of the prior, only the way to the answer is trained here: from the
text's embedding, which the query reads in the first block, and from the text's tokens, which it
reads in the second, for one vector holds one thing's name much better than two. The other blocks
attend to nothing, so most of the prior's work is spared. The text tower learns along, so that both
remember as one.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bluerider.nets.attention import Attention, split
from bluerider.nets.clip import TextTower
from bluerider.nets.prior import Prior
from bluerider.training.appearance import NONE, TRAITS, Appearance
from bluerider.training.reminders import Reminder
from bluerider.training.stage import Settings, Stage, half

LOUD = 20.0  # length of what marks the text's embedding and the query; embeddings are about 6 long
LOUDER = 60.0  # length of what marks the text's tokens, whose states are about 16 long
SHARP = 20.0  # of the query's attention to what is marked
FAINT = 0.02  # deviation of what the query looks for in tokens, at first
TRAIT = 16.0  # weight of a trait's squared error; a number of a code has 1
SHARPNESS = 0.5  # of the text's choice among drawings, at first
NAMED, LOOKED = 1.0, 0.5  # weights of what names mean where they end, and of looking there
EXACT = 0.5  # weight of a code's squared error, beside the choice of a name
SURE, UNSURE = (1.0, 3.0), (0.5, 6.0)  # weights of a meaning's choice and error; of those texts'
DECIDED = 20.0  # of the choice of a meaning, at first
BEGIN = 0  # the token that is looked at where there is no second name


class Heard(NamedTuple):
    """The query when it has read a text."""

    held: Tensor  # (B, width) what it holds of the text's embedding
    found: Tensor  # (B, heads, width) what each head found in the tokens
    looks: Tensor  # (B, heads, S) how much each looked at which, before the softmax


class Recalled(NamedTuple):
    """What texts call up."""

    answer: Tensor  # (B, D) image embeddings
    looks: Tensor  # (B, heads, S) how much the query looks at each token, before the softmax


class Read(NamedTuple):
    """What was read of texts."""

    embedding: Tensor  # (B, D)
    answer: Tensor  # (B, D) what they call up
    looks: list[Tensor]  # (b, heads, S) in groups
    named: Tensor  # (B, 2, D) embeddings read where the names end
    meaning: Tensor  # (B, 3, W) meanings read at the text's end and where the names end


def loud_of(prior: Prior) -> Tensor:
    """The three directions (3, width), the same for every prior of one width."""
    width = prior.query.shape[-1]
    seeds = ((0, 2), (1, 1))  # and how many directions are drawn with each
    drawn = [torch.randn(width, n, generator=torch.Generator().manual_seed(s)) for s, n in seeds]
    return torch.linalg.qr(torch.cat([x - x.mean(0) for x in drawn], dim=1))[0].T


def begin_as_echo(prior: Prior) -> Tensor:
    """Set a prior's weights so that its answer is the text's embedding, whatever else it is given.

    The query attends to the text's embedding alone, in the first block; all that blocks add is
    zero. Each of the two carries a loud direction of its own, by which the one finds the other, and
    beside which an embedding's length hardly changes the norms' scale. Returns all directions
    (3, width). Lost is what lies in the first two and in the mean.
    """
    width, given = prior.query.shape[-1], prior.config.embed_dim
    loud = loud_of(prior)
    same = torch.eye(width)
    rest = (same - loud[:2].T @ loud[:2] - 1 / width) * LOUD / width**0.5
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
        attend_to(first, loud[0])
        put(first.v, rest)
        put(first.out, same)
        if isinstance(prior.norm_out, nn.LayerNorm):
            prior.norm_out.reset_parameters()
        std, mean = prior.std[0], prior.mean[0]
        put(prior.proj_out, rest[:given] / std[:, None], -mean / std)
    begin_to_read(prior)
    return loud


def begin_to_read(prior: Prior) -> None:
    """Let the query attend to the text's tokens, and to nothing else, in the second block: evenly
    at first, and adding nothing. They too carry a loud direction.
    """
    loud = loud_of(prior)
    count = prior.proj_text.in_features
    with torch.no_grad():
        prior.positions[0, :-4] = LOUDER * loud[2]
        put(prior.proj_text, (torch.eye(len(loud[0])) - loud.T @ loud)[:, :count])
        second = prior.blocks[1].attn
        attend_to(second, loud[2])
        second.q.weight.normal_(std=FAINT)
        second.k.weight.add_(torch.randn_like(second.k.weight), alpha=FAINT)
        put(second.v, torch.eye(len(loud[0])))
        put(second.out, torch.zeros_like(second.out.weight))


def attend_to(attention: Attention, mark: Tensor) -> None:
    """Set queries and keys so that whatever asks finds what carries the mark (width,)."""
    each = torch.zeros(len(mark))
    each[:: len(mark) // attention.heads] = 1.0
    put(attention.q, torch.zeros_like(attention.q.weight), SHARP * each)
    put(attention.k, torch.outer(each, mark) * attention.heads**-0.5)


def put(layer: nn.Linear, weight: Tensor, bias: Tensor | None = None) -> None:
    """Set a layer's weight, and its bias, or zero."""
    layer.weight.copy_(weight)
    layer.bias.copy_(torch.zeros_like(layer.bias) if bias is None else bias)


class Recall(nn.Module):
    """The way from a text's tokens and embedding to the answer, through a prior that began as an
    echo: here if `anew`, else in the run before. The first block stays as it begins: it would come
    to add so much to all tokens alike that half precision loses what tells them apart.
    """

    def __init__(self, prior: Prior, *, anew: bool = True) -> None:
        super().__init__()
        self.prior = prior
        if anew:
            begin_as_echo(prior)
        prior.requires_grad_(False)
        for block in prior.blocks[1:]:
            block.norm2.requires_grad_(True)
            block.mlp.requires_grad_(True)
        prior.blocks[1].attn.requires_grad_(True)
        prior.norm_out.requires_grad_(True)
        prior.proj_out.requires_grad_(True)

    def forward(self, states: Tensor, text: Tensor, mask: Tensor) -> Recalled:
        """Token states (B, S, W), true in `mask` (B, S) where there are tokens, and text embeddings
        (B, D) -> image embeddings, as the whole prior answers.
        """
        heard = self.hear(states, text, mask)
        return Recalled(self.answer(heard.held, heard.found), heard.looks)

    def hear(self, states: Tensor, text: Tensor, mask: Tensor) -> Heard:
        """The query's way up to where it has looked at the tokens, in the second block."""
        prior, length = self.prior, states.shape[1]
        first, second = prior.blocks[0], prior.blocks[1]
        own = prior.proj_pooled(text) + prior.positions[0, -4]
        query = prior.query[0, 0] + prior.positions[0, -1]
        held = query + first.attn.out(first.attn.v(first.norm1(own)))  # (B, width)
        held = held + first.mlp(first.norm2(held))
        causal = torch.ones(length, length, dtype=torch.bool, device=states.device).tril()
        tokens = prior.proj_text(states) + prior.positions[:, :length]
        tokens = second.norm1(first(tokens, causal & mask[:, None, None]))
        heads = second.attn.heads
        q = split(second.attn.q(second.norm1(held))[:, None], heads)  # (B, heads, 1, d)
        looks = (q @ split(second.attn.k(tokens), heads).transpose(-1, -2))[:, :, 0]
        looks = (looks * q.shape[-1] ** -0.5).masked_fill(~mask[:, None], float("-inf"))
        return Heard(held, looks.softmax(dim=-1) @ tokens, looks)

    def answer(self, held: Tensor, found: Tensor) -> Tensor:
        """The rest of its way: what it holds (B, width) and what each head found (B, heads, width)
        -> image embeddings (B, D).
        """
        prior = self.prior
        attn = prior.blocks[1].attn
        # Values are linear in the tokens: of what is found, not of every token.
        value = attn.v.weight.unflatten(0, (attn.heads, -1))  # (heads, d, width)
        values = torch.einsum("bhw,hdw->bhd", found, value).flatten(1) + attn.v.bias
        x = held + attn.out(values)
        for block in prior.blocks[1:]:
            x = x + block.mlp(block.norm2(x))
        restored: Tensor = prior.restore(prior.proj_out(prior.norm_out(x)))
        return restored


def reader(width: int, meaning: int) -> nn.Sequential:
    """What reads meanings from states (B, width) before a text tower's last layer."""
    return nn.Sequential(nn.LayerNorm(width), nn.Linear(width, meaning))


class Memory(nn.Module):
    """Text tower and recall as one module, what reads meanings before the tower's last layer, and
    how sharply the text chooses among the drawings, by their looks and by their meanings.
    """

    def __init__(self, text: TextTower, recall: Recall, pad: int, width: int) -> None:
        super().__init__()
        self.text, self.recall, self.pad = text, recall, pad
        self.meaning = reader(text.config.width, width)
        self.sharpness = nn.Parameter(torch.tensor(SHARPNESS).log())
        self.decided = nn.Parameter(torch.tensor(DECIDED).log())

    def forward(self, ends: Tensor, *ids: Tensor) -> Read:
        """Texts in groups by length, (b, S) each, and the last tokens (B, 2) of their names."""
        words = [self.text(group) for group in ids]
        recalled = [
            self.recall(each.states, each.embedding, group != self.pad)
            for group, each in zip(ids, words, strict=True)
        ]
        stops = torch.cat([(g == self.text.config.eos).int().argmax(dim=1) for g in ids])
        spots = torch.cat([stops[:, None], ends], dim=1).split([len(group) for group in ids])
        early = [at_spots(each.early, at) for each, at in zip(words, spots, strict=True)]
        last = [at_spots(each.states, at[:, 1:]) for each, at in zip(words, spots, strict=True)]
        return Read(
            torch.cat([each.embedding for each in words]),
            torch.cat([each.answer for each in recalled]),
            [each.looks for each in recalled],
            self.text.proj(torch.cat(last)),
            self.meaning(torch.cat(early)),
        )


def at_spots(states: Tensor, at: Tensor) -> Tensor:
    """Of states (B, S, width) those at some places (B, n) -> (B, n, width)."""
    return states[torch.arange(len(at))[:, None], at]


class RecallStage(Stage):
    """Squared error of the answer's codes and traits; the text's embedding goes on choosing among
    the drawings by their codes. Where a thing's name ends, the text so far has to mean it, and
    half of the heads each look at the end of the first and of the second name. There, and where a
    text ends, the tower has to know before its last layer what drawings are about: what they look
    like follows from that, for names that were not read too.
    """

    def __init__(
        self,
        text: TextTower,
        recall: Recall,
        appearance: Appearance,
        settings: Settings,
        *,
        pad: int,
        meanings: Tensor,
    ) -> None:
        super().__init__(Memory(text, recall, pad, meanings.shape[1]), settings)
        self.appearance = Appearance(appearance.codes, appearance.second)
        self.meanings: Tensor
        self.register_buffer("meanings", meanings, persistent=False)

    def training_step(self, batch: Reminder, index: int) -> Tensor:
        read = half(self.net, self.dtype_, batch.ends, *batch.ids)
        words, answer = read.embedding.float(), read.answer.float()
        told = batch.first != NONE
        wanted = meant(self.appearance, batch.first, batch.second, batch.traits)
        code, traits = missed(answer, wanted)
        look = looked(read.looks, batch)
        self.log_dict({"code": code.detach(), "traits": traits.detach(), "look": look.detach()})
        loss = code + TRAIT * traits + LOOKED * look + self.about(read.meaning.float(), batch)
        if not told.any():
            return loss
        sharpness = self.net.sharpness.exp().clamp(max=50.0)
        find, right = self.appearance.chosen(words, batch.first, batch.second, sharpness)
        named = self.named(read.named.float(), batch, sharpness)
        self.log_dict(
            {"find": find.detach(), "right": right.float().mean(), "named": named.detach()}
        )
        find = find + NAMED * named
        return loss + find + self.appearance.apart(words[told], wanted[told])

    def about(self, read: Tensor, batch: Reminder) -> Tensor:
        """How badly meanings (B, 3, W) read at the ends of texts about one thing, and of names, are
        told: weighted squared error, and cross-entropy among all drawings; mean over places.
        """
        rows = torch.stack([batch.first, batch.first, batch.second], dim=1)
        alone = (batch.second == NONE) & (batch.first != NONE)
        there = torch.cat([alone[:, None], batch.ends > 0], dim=1) & (rows != NONE)
        if not there.any():
            return read.sum() * 0
        named = self.meanings[rows[:, 1:].clamp(min=0)]
        aims = torch.cat([batch.aims[:, None], named], dim=1)[there]
        found, rows, sure = read[there], rows[there], batch.sure[:, None].expand(-1, 3)[there]
        sharpness = self.net.decided.exp().clamp(max=300.0)
        likely = sharpness * F.normalize(found, dim=1) @ self.meanings.T
        choice = F.cross_entropy(likely, rows, reduction="none")
        far = (found - aims).square().sum(dim=1)
        self.log_dict(
            {"about": far.mean().detach(), "apt": (likely.argmax(dim=1) == rows).float().mean()}
        )
        by_choice, by_error = (torch.where(sure, *pair) for pair in zip(SURE, UNSURE, strict=True))
        return (by_choice * choice + by_error * far).mean()

    def named(self, read: Tensor, batch: Reminder, sharpness: Tensor) -> Tensor:
        """How badly embeddings (B, 2, D) read at the ends of names tell the things: cross-entropy
        among all drawings, and in pairs, which are read there, the weighted squared error of the
        code; means over names.
        """
        known = batch.ends > 0
        rows = torch.stack([batch.first, batch.second], dim=1)
        if not known.any():
            return read.sum() * 0
        none = torch.full_like(rows[known], NONE)
        choice, _ = self.appearance.chosen(read[known], rows[known], none, sharpness)
        paired = known & (batch.second != NONE)[:, None]
        code, *_ = self.appearance.parts(read[paired])
        far = (code - self.appearance.codes[rows[paired]]).square().sum()
        return choice + EXACT * far / paired.sum().clamp(min=1)


def meant(appearance: Appearance, first: Tensor, second: Tensor, traits: Tensor) -> Tensor:
    """The embeddings (B, D) that texts mean; where no first thing is told, nothing at all."""
    wanted = appearance.embed(first.clamp(min=0), second, traits)
    return torch.where((first != NONE)[:, None], wanted, appearance.nothing())


def missed(answer: Tensor, wanted: Tensor) -> tuple[Tensor, Tensor]:
    """Squared errors of the codes and of the traits, summed over numbers, mean over the batch."""
    error = (answer - wanted).square()
    return error[:, :-TRAITS].sum(1).mean(), error[:, -TRAITS:].sum(1).mean()


def looked(looks: list[Tensor], batch: Reminder) -> Tensor:
    """How badly the first half of the heads looks at the end of the first name, and the others at
    that of the second, or at the text's begin where there is none: cross-entropy, mean over both.
    """
    known = batch.ends > 0
    known[:, 1] |= batch.second == NONE  # looks at BEGIN
    chances = [each.float().log_softmax(dim=-1).unflatten(1, (2, -1)) for each in looks]
    parts = zip(chances, batch.ends.split([len(each) for each in looks]), strict=True)
    found = [
        each.gather(3, at[:, :, None, None].expand(-1, -1, each.shape[2], 1)).mean(dim=(2, 3))
        for each, at in parts
    ]  # (b, 2)
    lost = -torch.cat(found) * known
    return lost.sum() / known.sum().clamp(min=1)
