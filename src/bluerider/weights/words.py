"""Words that were learned: a token that no vocabulary has, and its row for every text encoder."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from bluerider.errors import InputError

MARK = "lora_words"
"""How the names of their tensors begin: lora_words.WORD.PART, apart from those of layers."""
NAMES = {"text": "text_encoder", "mclip": "mclip", "t5": "t5"}


@dataclass(frozen=True, kw_only=True)
class Word:
    """What stands for it in a prompt, and its rows (width,) by part."""

    text: str
    rows: Mapping[str, Tensor]

    def tensors(self) -> dict[str, Tensor]:
        """Its rows by their name in a file."""
        return {f"{MARK}.{self.text}.{NAMES[part]}": row for part, row in self.rows.items()}


def take_words(tensors: dict[str, Tensor]) -> list[Word]:
    """The words among a file's tensors, which are taken out of them."""
    parts = {name: part for part, name in NAMES.items()}
    found: dict[str, dict[str, Tensor]] = {}
    for name in [name for name in tensors if name.startswith(f"{MARK}.")]:
        _, _, rest = name.partition(".")
        text, _, part = rest.rpartition(".")
        if text and part in parts and tensors[name].ndim == 1:
            found.setdefault(text, {})[parts[part]] = tensors.pop(name)
    return [Word(text=text, rows=rows) for text, rows in found.items()]


def check_words(words: Sequence[Word], widths: Mapping[str, int], said: str, model: str) -> None:
    """Raise InputError for words of other text encoders than a model's, `said` naming the file."""
    for word in words:
        sizes = {part: len(row) for part, row in word.rows.items()}
        if sizes != dict(widths):
            told = ", ".join(f"{part} {size}" for part, size in sizes.items())
            wanted = ", ".join(f"{part} {size}" for part, size in widths.items())
            raise InputError(
                f"{said}: made for another model than {model}: its word {word.text} has rows for "
                f"{told}; {wanted} are needed"
            )


def stacked(words: Sequence[Word], part: str) -> Tensor:
    """The rows (K, width) of a text encoder, in the words' order."""
    return torch.stack([word.rows[part] for word in words])


def merged(words: Sequence[Word]) -> tuple[Word, ...]:
    """Each word once. Raises InputError for one word of two meanings."""
    found: dict[str, Word] = {}
    for word in words:
        known = found.setdefault(word.text, word)
        if any(not torch.equal(row, word.rows[part]) for part, row in known.rows.items()):
            raise InputError(f"--lora: two files mean different things by {word.text}; give one")
    return tuple(found.values())
