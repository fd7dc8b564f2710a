"""The word that stands for a subject: rare in every tokenizer the model has."""

import hashlib
import json
import re
from collections.abc import Sequence
from itertools import product
from typing import Any

from bluerider.errors import InputError
from bluerider.tokenizers import Tokenizer

LETTERS = "bcdfghjklmnpqrstvwxz"  # no vowels: hardly a word of any language
SMALL = 20_000  # a vocabulary under this holds whole words only where they were common
PIECES = 2  # a word in more pieces is harder to learn


def pieces(tokenizer: Tokenizer, word: str) -> list[int]:
    """The ids of a word in the middle of a text."""
    with_it, without, one = tokenizer.rows([f"a {word} a", "a a", "a"])
    start = len(one) - 1  # the last is the end of the text
    return with_it[start : start + len(with_it) - len(without)]


def is_common(tokenizer: Tokenizer, own: Sequence[int]) -> bool:
    """Whether a word is one that the vocabulary knows, from its more frequent half."""
    count = size(tokenizer)
    return len(own) == 1 and own[0] < (count if count < SMALL else count // 2)


def size(tokenizer: Tokenizer) -> int:
    """Words in the vocabulary."""
    return int(tokenizer.fast.get_vocab_size())


def choose(tokenizers: Sequence[Tokenizer], count: int = 1) -> list[str]:
    """Words of three consonants, in as few pieces as can be, none of them a common word of any
    tokenizer; of equals, the rarest. No two of them share a first letter.
    """
    words = ["".join(letters) for letters in product(LETTERS, repeat=3)]
    words = [word for word in words if len(set(word)) == 3]
    scores = {word: [0, 0] for word in words}
    for tokenizer in tokenizers:
        rows = tokenizer.rows([f"a {word} a" for word in words])
        start, extra = len(tokenizer.rows(["a"])[0]) - 1, len(tokenizer.rows(["a a"])[0])
        for word, row in zip(words, rows, strict=True):
            own = row[start : start + len(row) - extra] or row
            scores[word][0] += 100 if is_common(tokenizer, own) else len(own)
            scores[word][1] += max(own)
    found: list[str] = []
    for word in sorted(words, key=lambda word: (scores[word][0], -scores[word][1], word)):
        if len(found) < count and word[0] not in {known[0] for known in found}:
            found.append(word)
    return found


def made(facts: Sequence[Any]) -> str:
    """A word for a new token, the same for the same facts."""
    text = json.dumps(list(facts), ensure_ascii=False)
    return f"v{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def check(word: str, tokenizers: Sequence[Tokenizer]) -> list[str]:
    """What speaks against a word of the user's own. Raises InputError for none at all."""
    if not word.strip() or "[" in word or re.search(r"\s", word):
        raise InputError(f"identifier: got {word!r}; one word is accepted, or auto")
    found = []
    for tokenizer in tokenizers:
        own = pieces(tokenizer, word)
        if len(own) > PIECES:
            found.append(
                f"identifier {word!r}: the model reads it in {len(own)} pieces; shorter words are "
                "learned more easily"
            )
        elif is_common(tokenizer, own):
            found.append(
                f"identifier {word!r} is a common word of this model; it will lose its meaning"
            )
    return found
