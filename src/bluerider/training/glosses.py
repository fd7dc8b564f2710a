"""Texts that nobody wrote, in every language, and what their words say by all that was read.

A name that was not read can be understood by its words: they stand in other names and among
keywords, and kin languages write them alike. What a drawing looks like is no sum of what its words
mean, but what it is about nearly is. So its meaning is a vector made of all that it is called and
looked for by (latent semantic analysis, Deerwester et al. 1990), and every language has a
regression from pieces of words to meanings, which reads texts that stage `recall` learns from.
"""

import math
import time
import unicodedata
import warnings
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from bluerider.training.appearance import NONE, TRAITS
from bluerider.training.captions import Captions, Told
from bluerider.training.workshop import Say, Workshop, once

SIZES = (3, 4, 5)  # letters of a piece
WORD, LETTER, COUPLE = 2.0, 0.5, 0.7  # weights of whole words, and of letters that are words
SHORT = 12  # letters of the longest word, not in Latin letters, that is read letter by letter
NAME = 2  # times a name counts among keywords, in what a drawing is about
FLATTER = 0.25  # power of the components' sizes; 0.5 keeps them, 0 makes all alike
WIDTH = 256  # numbers of a meaning
KIN, LEAST = 6, 0.015  # languages that help another at most; what both have, as a part, at least
RIDGE = 0.2
PART = 2048  # texts compared with all others at a time
NEAREST = 8  # drawings whose names are mixed with another's
MIXED, LISTED = 0.5, 0.2  # of texts: a name with a word exchanged; of the others: with commas
MOST = 5  # words of a drawing that a text strings together


class Pieces:
    """Which pieces of words there are, and how telling each is."""

    def __init__(self, texts: Iterable[str]) -> None:
        having: Counter[str] = Counter()
        count = 0
        for text in texts:
            having.update(pieces(text).keys())
            count += 1
        self.place = {piece: i for i, piece in enumerate(having)}
        self.telling = [math.log(1 + count / n) for n in having.values()]
        self.rarest = math.log(1 + count)

    def rows(self, texts: list[str]) -> Tensor:
        """Texts (N) as sparse rows (N, pieces) of length 1, less where they have unknown pieces."""
        where: list[tuple[int, int]] = []
        weights: list[float] = []
        for i, text in enumerate(texts):
            found = [(self.place.get(p), flattened(n)) for p, n in pieces(text).items()]
            told = [(at, n * (self.rarest if at is None else self.telling[at])) for at, n in found]
            size = math.sqrt(sum(w * w for _, w in told)) or 1.0
            known = [(at, w / size) for at, w in told if at is not None]
            where += [(i, at) for at, _ in known]
            weights += [w for _, w in known]
        index = torch.tensor(where, dtype=torch.int64).reshape(-1, 2).T
        shape = (len(texts), len(self.place))
        return torch.sparse_coo_tensor(
            index, torch.tensor(weights), shape, check_invariants=False
        ).coalesce()


def flattened(much: float) -> float:
    """Of a piece that is there again and again, every time counts less."""
    return 1 + math.log(much) if much > 1 else much


def words_of(text: str) -> list[str]:
    """A text's words: letters, digits and the marks on them."""
    kept = (
        c if c.isalnum() or unicodedata.category(c)[0] == "M" or c in "'’" else " "
        for c in text.casefold()
    )
    return "".join(kept).split()


def pieces(text: str) -> dict[str, float]:
    """A text's words and parts of words, and how much of each there is."""
    found: dict[str, float] = defaultdict(float)
    for word in words_of(text):
        found[f"{word} "] += WORD
        closed = f"<{word}>"
        for size in SIZES:
            for i in range(len(closed) - size + 1):
                found[closed[i : i + size]] += 1 / len(SIZES)
        if not word.isascii() and len(word) < SHORT:
            for letter in word:
                found[f" {letter}"] += LETTER
            for i in range(len(word) - 1):
                found[f" {word[i : i + 2]}"] += COUPLE
    return found


def products(rows: Tensor) -> Tensor:
    """Products (N, N) of sparse rows (N, pieces), dense; some at a time, for what two rows share is
    kept beside them.
    """
    columns, parts = rows.t().coalesce(), torch.arange(len(rows)).split(PART)
    with warnings.catch_warnings():  # compressed rows are what is multiplied within
        warnings.filterwarnings("ignore", "Sparse CSR tensor support is in beta")
        # Compressed rows themselves would be multiplied faster, by a library that leaks.
        found = (torch.sparse.mm(rows.index_select(0, part), columns) for part in parts)
        return torch.cat([each.to_dense() for each in found])


def meanings(captions: Captions) -> Tensor:
    """What each drawing is about (N, WIDTH), of length 1: from names and keywords that training
    reads, every language as much as another.
    """
    count = len(captions.motifs.emoji)
    alike = torch.zeros(count, count)
    for lang in captions.languages:
        names, keywords = captions.names[lang], dict(captions.keywords[lang])
        texts = [
            " ".join([*[names.get(row, "")] * NAME, *keywords.get(row, [])]) for row in range(count)
        ]
        rows = Pieces(texts).rows(texts)
        alike += products(rows)
    sizes, axes = torch.linalg.eigh(alike.double())
    axes, sizes = axes.flip(1)[:, :WIDTH], sizes.flip(0)[:WIDTH].clamp(min=0)
    found = axes * sizes**FLATTER
    return F.normalize((found - found.mean(dim=0)).float(), dim=1).contiguous()


def words_told(captions: Captions) -> dict[str, set[tuple[int, str]]]:
    """Every word of each language's names, with the row that it is said of."""
    return {
        lang: {(row, word) for row, name in names.items() for word in words_of(name)}
        for lang, names in captions.names.items()
    }


def kin(told: dict[str, set[tuple[int, str]]], lang: str) -> list[str]:
    """Languages that call drawings by the same words, most alike first."""
    own = told[lang]
    shared = {
        other: len(own & each) / math.sqrt(len(own) * len(each) or 1)
        for other, each in told.items()
        if other != lang
    }
    near = sorted((part, other) for other, part in shared.items() if part > LEAST)
    return [other for _, other in near[::-1][:KIN]]


class Dictionary:
    """What texts of a language mean: a ridge regression from their pieces to meanings, from its
    names and keywords and the names of its kin.
    """

    def __init__(self, captions: Captions, lang: str, kin: Iterable[str], meanings: Tensor) -> None:
        known = [(name, row) for row, name in captions.names[lang].items()]
        known += [(" ".join(words), row) for row, words in captions.keywords[lang]]
        for other in kin:
            known += [(name, row) for row, name in captions.names[other].items()]
        texts, rows = [text for text, _ in known], torch.tensor([row for _, row in known])
        self.pieces = Pieces(texts)
        told = self.pieces.rows(texts)
        alike = products(told)
        alike.diagonal().add_(RIDGE)
        shares = torch.cholesky_solve(meanings[rows], torch.linalg.cholesky(alike))
        self.weights = torch.sparse.mm(told.t().coalesce(), shares)  # (pieces, width)

    def __call__(self, texts: list[str]) -> Tensor:
        """Meanings (N, width) of length 1."""
        return F.normalize(torch.sparse.mm(self.pieces.rows(texts), self.weights), dim=1)


class Glosses(NamedTuple):
    """Texts of every language, as many of each, what they mean, and what drawings mean."""

    languages: list[str]
    texts: list[list[str]]
    aims: Tensor  # (L, T, width) bfloat16, of length 1
    rows: Tensor  # (L, T) the drawings that are nearest
    meanings: Tensor  # (N, width) of the drawings, of length 1

    def draw(
        self, rng: np.random.Generator, count: int, odds: NDArray[np.float64]
    ) -> tuple[Told, Tensor]:
        """Texts by the `odds` of languages, told as captions are, and what they mean (B, width)."""
        lang = rng.choice(len(self.languages), size=count, p=odds)
        place = rng.integers(self.rows.shape[1], size=count)
        texts = [self.texts[i][j] for i, j in zip(lang, place, strict=True)]
        nothing, nowhere = torch.zeros(count, TRAITS), torch.zeros(count, 2, dtype=torch.int64)
        told = Told(texts, self.rows[lang, place].long(), nowhere[:, 0] + NONE, nothing, nowhere)
        return told, self.aims[lang, place].float()


def glosses(shop: Workshop, captions: Captions) -> Glosses:
    """As many a language as stage `recall` has; made in a quarter of an hour, and kept in the run
    folder for every stage that reads them.
    """
    count = shop.recipe.stages["recall"]["glosses"]
    file = shop.out / "recall" / f"glosses-{count}.safetensors"
    kept = once(file, lambda: glossed(captions, count, shop.say))
    texts = bytes(kept["texts"].numpy()).decode().split("\n")
    of_each = [texts[at : at + count] for at in range(0, len(texts), count)]
    return Glosses(captions.languages, of_each, kept["aims"], kept["rows"], kept["meanings"])


def glossed(captions: Captions, count: int, say: Say) -> dict[str, Tensor]:
    """All of it as tensors; texts as UTF-8, a line each."""
    begun = time.monotonic()
    about, told = meanings(captions), words_told(captions)
    texts, aims = [], []
    for done, lang in enumerate(captions.languages, start=1):
        invented = inventions(captions, lang, about, count, np.random.default_rng([0, done]))
        texts += invented
        aims.append(Dictionary(captions, lang, kin(told, lang), about)(invented))
        left = (time.monotonic() - begun) / done * (len(captions.languages) - done) / 60
        say(f"language {done}/{len(captions.languages)}: {lang}  {left:.1f} min left")
    every = torch.stack(aims)
    return {
        "texts": torch.tensor(list("\n".join(texts).encode()), dtype=torch.uint8),
        "aims": every.bfloat16(),
        "rows": torch.stack([(each @ about.T).argmax(dim=1) for each in every]).to(torch.int32),
        "meanings": about,
    }


def inventions(
    captions: Captions, lang: str, meanings: Tensor, count: int, rng: np.random.Generator
) -> list[str]:
    """`count` texts of a language; no name that is kept out is among them."""
    near = (meanings @ meanings.T).topk(min(NEAREST + 1, len(meanings)), dim=1).indices.numpy()
    keywords, names = dict(captions.keywords[lang]), captions.names[lang]
    texts: list[str] = []
    while len(texts) < count:
        row = int(rng.integers(len(near)))
        like = names.get(int(near[row, rng.integers(near.shape[1])]), "")
        own = dict.fromkeys(" ".join([names.get(row, ""), *keywords.get(row, [])]).split())
        text = invented(list(own), like.split(), rng)
        if text and text.casefold() not in captions.hidden:
            texts.append(text)
    return texts


def invented(own: list[str], like: list[str], rng: np.random.Generator) -> str:
    """Some words of a drawing (`own`), or the name of one like it with one of them in another's
    place; "" where there are none.
    """
    if not own or (like and rng.random() < MIXED):
        at = int(rng.integers(len(like) or 1))
        swapped = own[int(rng.integers(len(own)))] if own else None
        return " ".join(swapped if i == at and swapped else word for i, word in enumerate(like))
    chosen = rng.permutation(len(own))[: int(rng.integers(1, MOST + 1))]
    return (", " if rng.random() < LISTED else " ").join(own[i] for i in chosen)
