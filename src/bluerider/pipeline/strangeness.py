"""Whether a text is far from all that a model has read: by its words, and by whether what the prior
answers to them is anything that the model has seen.
"""

from collections.abc import Sequence

from torch import Tensor

from bluerider.pipeline.parts import Parts
from bluerider.pipeline.prior import imagine
from bluerider.prompts.weights import escape, parse
from bluerider.request import Request
from bluerider.weights.known import Known

SHOWN = 60  # letters of a text in a warning
AT_ONCE = 64  # texts that are read together


def strangeness(parts: Parts, prompt: str) -> list[str]:
    """One line where a text is far from all that the model has read in training, as far as its
    folder tells what that was.
    """
    known, text = parts.known, " ".join(parse(prompt).text.split())
    if known is None or known.threshold is None or not text:
        return []
    [found] = familiarities(parts, known, [text])
    if found >= known.threshold:
        return []
    shown = text if len(text) <= SHOWN else f"{text[: SHOWN - 3].rstrip()}..."
    told = f'"{shown}" is far from all that {parts.files.name} has read'
    return [f"{told}; it paints the nearest thing it knows"]


def familiarities(parts: Parts, known: Known, texts: Sequence[str]) -> list[float]:
    """How familiar texts are, 1 at the most; the prior is asked about those that it has not just
    answered.
    """
    rows = parts.tokenizer.rows(list(texts))
    if known.codes is None:
        return [known.familiarity(row) for row in rows]
    found = {text: parts.answers[text] for text in texts if text in parts.answers}
    asked = sorted({text for text in texts if text not in found}, key=len)  # short beside short
    for start in range(0, len(asked), AT_ONCE):
        some = asked[start : start + AT_ONCE]
        found |= dict(zip(some, answers(parts, some), strict=True))
    return [known.familiarity(row, found[text]) for row, text in zip(rows, texts, strict=True)]


def answers(parts: Parts, texts: Sequence[str]) -> Tensor:
    """The prior's embeddings (B, D) of texts in which no sign is a weight."""
    words, nothing = [escape(text) for text in texts], [""] * len(texts)
    settings = Request(prompt=texts[0], seed=0).resolve(parts.files.defaults)
    told = imagine(parts, words, nothing, [0] * len(texts), settings)
    while True:
        try:
            next(told)
        except StopIteration as end:
            made: Tensor = end.value
            return made
