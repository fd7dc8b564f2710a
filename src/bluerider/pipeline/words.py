"""Words as a text tower tells them, with the weights of the prompt applied."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import pad

from bluerider.pipeline.parts import Parts
from bluerider.prompts.weights import MAX_WEIGHT, Weighted, parse
from bluerider.tokenizers import Tokenizer


class Told(NamedTuple):
    """What a text tower says of a batch of prompts."""

    states: Tensor  # (B, S, W)
    pooled: Tensor  # (B, D)
    mask: Tensor  # (B, S), true on real tokens


def tell(parts: Parts, prompts: Sequence[str]) -> Told:
    """Prompts, weights and all, through the text tower; each different one goes in once, and what
    it says of no words is kept.
    """
    texts = [prompt for prompt in dict.fromkeys(prompts) if prompt.strip()]
    table = join(nothing(parts), encode(parts, texts)) if texts else nothing(parts)
    rows = [texts.index(prompt) + 1 if prompt.strip() else 0 for prompt in prompts]
    return Told(*(column[rows] for column in table))


def nothing(parts: Parts) -> Told:
    """What the text tower says of no words, one row. It is always read alone, so that it is the
    same bits whatever is painted.
    """
    if "nothing" not in parts.constants:
        parts.constants["nothing"] = encode(parts, [""])
    told: Told = parts.constants["nothing"]
    return told


def encode(parts: Parts, prompts: Sequence[str]) -> Told:
    """Prompts through the text tower, one row each, as long as the longest.

    Weights scale the token states. The prior's norms undo most of that (on murnau nearly all), so
    the embedding is led as well.
    """
    words = [parse(prompt) for prompt in prompts]
    with parts.using("text") as text:

        def read(texts: Sequence[str]) -> tuple[Tensor, Tensor, Tensor]:
            ids, mask = (x.to(parts.device) for x in parts.tokenizer(list(texts), full=False))
            told = text(ids)
            return told.states, told.embedding, mask

        states, pooled, mask = read([each.text for each in words])
        if all(each.plain for each in words):
            return Told(states, pooled, mask)
        states = weigh(states, token_weights(parts.tokenizer, words, states.shape[1]))
        return Told(states, lead(pooled, words, lambda texts: read(texts)[1]), mask)


def join(first: Told, second: Told) -> Told:
    """The rows of both, the shorter texts padded with what the mask hides."""
    width = max(first.states.shape[1], second.states.shape[1])
    states = [pad(told.states, (0, 0, 0, width - told.states.shape[1])) for told in (first, second)]
    masks = [pad(told.mask, (0, width - told.mask.shape[1])) for told in (first, second)]
    pooled = torch.cat([first.pooled, second.pooled])
    return Told(torch.cat(states), pooled, torch.cat(masks))


def token_weights(tokenizer: Tokenizer, words: Sequence[Weighted], width: int) -> Tensor:
    """The weight (B, width) of every token; 1 on begin, end and padding."""
    weights = torch.ones(len(words), width)
    for row, each in zip(weights, words, strict=True):
        if not each.plain:
            found = each.per_token(tokenizer.offsets(each.text))
            row[: len(found)] = torch.tensor(found)
    return weights


def weigh(states: Tensor, weights: Tensor) -> Tensor:
    """Token states (B, S, W) scaled by the weights (B, S) of their tokens.

    For states that are attended to as they are. A norm that follows undoes it: where a family has
    one, weigh what comes out of the norm.
    """
    return states * weights.to(states)[:, :, None]


def lead(
    pooled: Tensor, words: Sequence[Weighted], embed: Callable[[Sequence[str]], Tensor]
) -> Tensor:
    """Embeddings (B, D) led towards the weighted spans, their length kept.

    A span of weight w adds w - 1 times what it changes: the embedding of the whole text less that
    of the text without the span. At 0 that is the text without it.
    """
    spans = [
        (row, i, span.weight - 1)
        for row, each in enumerate(words)
        for i, span in enumerate(each.spans)
        if span.weight != 1 and span.text.strip()
    ]
    if not spans:
        return pooled
    rows = torch.tensor([row for row, _, _ in spans], device=pooled.device)
    more = torch.tensor([weight for _, _, weight in spans], device=pooled.device)
    without = embed([words[row].without(i) for row, i, _ in spans])
    change = (pooled[rows] - without).float() * more[:, None]
    led = pooled.float().index_add(0, rows, change)
    length = pooled.float().norm(dim=-1, keepdim=True)
    led = led * (length / led.norm(dim=-1, keepdim=True).clamp(min=1e-6))
    touched = torch.zeros(len(pooled), 1, dtype=torch.bool, device=pooled.device)
    touched[rows] = True
    return torch.where(touched, led.to(pooled.dtype), pooled)


def doubts(tokenizer: Tokenizer, name: str, prompt: str) -> list[str]:
    """What the user should know of a prompt, which `name` says the role of: words that do not fit,
    brackets left open, weights out of range.
    """
    words = parse(prompt)
    _, cut = tokenizer.fit(words.text)
    found = []
    if cut:
        found.append(f"{name}: the model reads {tokenizer.length} tokens; cut: {' '.join(cut)}")
    if words.unclosed:
        found.append(
            f"{name}: a bracket left open was closed at the end; for a plain one write \\("
        )
    if words.clipped:
        found.append(f"{name}: weights of 0 to {MAX_WEIGHT:g} are accepted; the nearest was taken")
    return found
