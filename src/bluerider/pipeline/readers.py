"""The readers of the families whose decoder takes words: 2.1, 2.0 and Stable Diffusion."""

from collections.abc import Generator

from torch import Tensor

from bluerider.pipeline.batch import Batch, Event
from bluerider.pipeline.conditions import Inputs, Kandinsky22, Reader
from bluerider.pipeline.parts import Parts


class Kandinsky21(Kandinsky22):
    """An image embedding as in 2.2, and both halves' words once more through XLM-R."""

    def read(self, batch: Batch) -> Generator[Event, None, Inputs]:
        """Embeddings (2B, D), XLM-R's states (2B, S, W) and pooled vectors (2B, P)."""
        (embedding,) = yield from super().read(batch)
        return (embedding, *multilingual(self.parts, batch))

    def warnings(self, name: str, text: str) -> list[str]:
        """The words that either text encoder does not read."""
        cut = unread(self.parts, "mclip_tokenizer", f"{name}, in the decoder", text)
        return [*super().warnings(name, text), *cut]


class Kandinsky20:
    """Words alone, through XLM-R and mT5 side by side; without negative words, against none."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts

    def read(self, batch: Batch) -> Generator[Event, None, Inputs]:
        """XLM-R's states (2B, S, W) and pooled vectors (2B, P), mT5's states (2B, S2, W2)."""
        yield Event("text", 1, 1)
        tokens = self.parts.words("t5_tokenizer")(texts(batch))
        ids, mask = (x.to(self.parts.device) for x in tokens)
        with self.parts.using("t5") as t5:
            states = t5(ids, mask).to(self.parts.dtype)
        return (*multilingual(self.parts, batch), states)

    def warnings(self, name: str, text: str) -> list[str]:
        """The words that XLM-R or mT5 does not read."""
        return [
            *unread(self.parts, "mclip_tokenizer", name, text),
            *unread(self.parts, "t5_tokenizer", f"{name}, in mT5", text),
        ]


class StableDiffusion:
    """Words alone, as the token states of CLIP's text tower; padding is read like the rest."""

    def __init__(self, parts: Parts) -> None:
        self.parts = parts

    def read(self, batch: Batch) -> Generator[Event, None, Inputs]:
        """CLIP's states (2B, S, W)."""
        yield Event("text", 1, 1)
        ids = self.parts.words("tokenizer")(texts(batch)).ids.to(self.parts.device)
        with self.parts.using("text") as text:
            return (text(ids).states,)

    def warnings(self, name: str, text: str) -> list[str]:
        """The words that the text tower does not read."""
        return unread(self.parts, "tokenizer", name, text)


def texts(batch: Batch) -> list[str]:
    """The words of both halves: the negative ones, then what to paint."""
    return [*batch.negatives, *batch.prompts]


def multilingual(parts: Parts, batch: Batch) -> tuple[Tensor, Tensor]:
    """XLM-R's states and pooled vectors of both halves, padded to the length they were trained
    with: the U-Net attends to the padding too.
    """
    tokens = parts.words("mclip_tokenizer")(texts(batch))
    ids, mask = (x.to(parts.device) for x in tokens)
    with parts.using("mclip") as mclip:
        meaning = mclip(ids, mask)
    return meaning.states, meaning.pooled


def unread(parts: Parts, tokenizer: str, name: str, text: str) -> list[str]:
    """What does not fit in a text encoder, in a sentence."""
    words = parts.words(tokenizer)
    _, cut = words.fit(text)
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
