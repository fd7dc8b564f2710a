"""The readers of the families whose decoder takes words: 2.1, 2.0 and Stable Diffusion."""

from collections.abc import Generator, Sequence

import torch
from torch import Tensor

from bluerider.nets.xlmr import Meaning
from bluerider.pipeline.batch import Batch, Event
from bluerider.pipeline.conditions import Inputs, Kandinsky22, Reader
from bluerider.pipeline.parts import Parts
from bluerider.pipeline.words import doubts, lead, token_weights, weigh
from bluerider.prompts.weights import parse

PRIOR_ONLY = "negative-prior"
NO_PRIOR = f"{PRIOR_ONLY}: this model has no prior; it does nothing"


class Kandinsky21(Kandinsky22):
    """An image embedding as in 2.2, and both halves' words once more through XLM-R."""

    def read(self, batch: Batch) -> Generator[Event, None, Inputs]:
        """Embeddings (2B, D), XLM-R's states (2B, S, W) and pooled vectors (2B, P)."""
        (embedding,) = yield from super().read(batch)
        states, pooled, weights = multilingual(self.parts, [*batch.negatives, *batch.prompts])
        return embedding, weigh(states, weights), pooled

    def warnings(self, name: str, text: str) -> list[str]:
        """The words that either text encoder does not read."""
        cut = unread(self.parts, "mclip_tokenizer", f"{name}, in the decoder", text)
        return [*super().warnings(name, text), *cut]


class Kandinsky20:
    """Words alone, through XLM-R and mT5 side by side; without negative words, against none."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts

    def read(self, batch: Batch) -> Generator[Event, None, Inputs]:
        """XLM-R's states (2B, S, W) and pooled vectors (2B, P), mT5's states (2B, S2, W2), and the
        weights (2B, S + S2) of all their tokens.
        """
        yield Event("text", 1, 1)
        words = [parse(text) for text in texts(batch)]
        tokenizer = self.parts.words("t5_tokenizer")
        ids, mask = (x.to(self.parts.device) for x in tokenizer([each.text for each in words]))
        with self.parts.using("t5") as t5:
            states2 = t5(ids, mask).to(self.parts.dtype)
        weights2 = token_weights(tokenizer, words, states2.shape[1])
        states, pooled, weights = multilingual(self.parts, texts(batch))
        return states, pooled, states2, torch.cat([weights, weights2], dim=1).to(states)

    def warnings(self, name: str, text: str) -> list[str]:
        """The words that XLM-R or mT5 does not read, and what has no effect."""
        if name == PRIOR_ONLY:
            return [NO_PRIOR]
        return [
            *doubts(self.parts.words("mclip_tokenizer"), name, text),
            *unread(self.parts, "t5_tokenizer", f"{name}, in mT5", text),
        ]


class StableDiffusion:
    """Words alone, as the token states of CLIP's text tower; padding is read like the rest."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts

    def read(self, batch: Batch) -> Generator[Event, None, Inputs]:
        """CLIP's states (2B, S, W)."""
        yield Event("text", 1, 1)
        words = [parse(text) for text in texts(batch)]
        tokenizer = self.parts.words("tokenizer")
        ids = tokenizer([each.text for each in words]).ids.to(self.parts.device)
        with self.parts.using("text") as text:
            states = text(ids).states
        return (weigh(states, token_weights(tokenizer, words, states.shape[1])),)

    def warnings(self, name: str, text: str) -> list[str]:
        """The words that the text tower does not read, and what has no effect."""
        if name == PRIOR_ONLY:
            return [NO_PRIOR]
        return doubts(self.parts.words("tokenizer"), name, text)


def texts(batch: Batch) -> list[str]:
    """The words of both halves: the decoder's negative ones, then what to paint."""
    return [*batch.decoder_negatives, *batch.prompts]


def multilingual(parts: Parts, prompts: Sequence[str]) -> tuple[Tensor, Tensor, Tensor]:
    """XLM-R's states (B, S, W), pooled vectors (B, P) and the weights (B, S) of its tokens, padded
    to the length they were trained with: the U-Net attends to the padding too. Weights lead the
    pooled vectors.
    """
    words = [parse(prompt) for prompt in prompts]
    tokenizer = parts.words("mclip_tokenizer")
    with parts.using("mclip") as mclip:

        def read(plain: Sequence[str]) -> Meaning:
            ids, mask = (x.to(parts.device) for x in tokenizer(list(plain)))
            meaning: Meaning = mclip(ids, mask)
            return meaning

        states, pooled = read([each.text for each in words])
        pooled = lead(pooled, words, lambda plain: read(plain).pooled)
    return states, pooled, token_weights(tokenizer, words, states.shape[1])


def unread(parts: Parts, tokenizer: str, name: str, text: str) -> list[str]:
    """What does not fit in a text encoder, in a sentence."""
    words = parts.words(tokenizer)
    _, cut = words.fit(parse(text).text)
    return [f"{name}: the model reads {words.length} tokens; cut: {' '.join(cut)}"] if cut else []


READERS: dict[str, type[Reader]] = {
    "kandinsky-2.0": Kandinsky20,
    "kandinsky-2.1": Kandinsky21,
    "kandinsky-2.2": Kandinsky22,
    "stable-diffusion-1": StableDiffusion,
}


def reader(parts: Parts) -> Reader:
    """How the family of these parts reads."""
    kind: type = READERS[parts.files.family]
    made: Reader = kind(parts)
    return made
