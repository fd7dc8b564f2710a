"""The word that stands for a subject: rare in every tokenizer the model has."""

import re
from collections.abc import Sequence
from itertools import product

from bluerider.errors import InputError
from bluerider.tokenizers import Tokenizer

LETTERS = "bcdfghjklmnpqrstvwxz"  # no vowels: hardly a word of any language
SMALL = 20_000  # a vocabulary under this holds whole words only where they were common
PIECES = 2  # a word in more pieces is harder to learn


def pieces(tokenizer: Tokenizer, word: str) -> list[int]:
    """The ids of a word in the middle of a text."""
    with_it, without = tokenizer.rows([f"a {word} a", "a a"])
    start = next(i for i, (x, y) in enumerate(zip(with_it, without, strict=False)) if x != y)
    return with_it[start : start + len(with_it) - len(without)]


def size(tokenizer: Tokenizer) -> int:
    """Words in the vocabulary."""
    return int(tokenizer.fast.get_vocab_size())


def choose(tokenizers: Sequence[Tokenizer]) -> str:
    """Three consonants, in as few pieces as can be, none of them a common word of any tokenizer; of
    equals, the rarest.
    """
    words = ["".join(letters) for letters in product(LETTERS, repeat=3)]
    words = [word for word in words if len(set(word)) == 3]
    scores = {word: [0, 0] for word in words}
    for tokenizer in tokenizers:
        rows = tokenizer.rows([f"a {word} a" for word in words])
        extra = len(tokenizer.rows(["a a"])[0])
        limit = size(tokenizer) if size(tokenizer) < SMALL else size(tokenizer) // 2
        for word, row in zip(words, rows, strict=True):
            own = row[2 : 2 + len(row) - extra] or row
            common = len(own) == 1 and own[0] < limit
            scores[word][0] += 100 if common else len(own)
            scores[word][1] += max(own)
    return min(words, key=lambda word: (scores[word][0], -scores[word][1], word))


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
        elif len(own) == 1 and own[0] < size(tokenizer) // 2:
            found.append(
                f"identifier {word!r} is a common word of this model; it will lose its meaning"
            )
    return found
