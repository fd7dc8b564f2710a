"""Text -> the terms it is searched by: folded words, their stems, pairs of letters where no blanks
part words.
"""

import json
import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from importlib import resources

# Scripts written without blanks, or with endings glued on: cut into overlapping pairs.
PAIRED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf"
    "\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003134f"
)
# Words of every other script; the vowel signs of Indic scripts are no letters to `\w`.
INDIC = "\u0900-\u0963\u0966-\u0dff\u0f00-\u0fff"
TOKEN = re.compile(rf"[{PAIRED}]+|(?:[^\W_{PAIRED}]|[{INDIC}])+")
PAIRS = re.compile(rf"[{PAIRED}]")
# Marks that a typist leaves out: accents, harakat, niqqud; joiners and soft hyphens.
MARKS = re.compile("[\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u0640\u064b-\u065f\u0670]")
INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060\ufe00-\ufe0f\ufeff]")
LETTERS = str.maketrans({"ى": "ي", "ة": "ه", "ß": "ss", "ı": "i", "ø": "o", "ł": "l", "đ": "d"})
STEMMERS = {
    "ar": "arabic",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "es": "spanish",
    "fi": "finnish",
    "fr": "french",
    "hi": "hindi",
    "hu": "hungarian",
    "id": "indonesian",
    "it": "italian",
    "nl": "dutch",
    "no": "norwegian",
    "pl": "polish",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sv": "swedish",
    "tr": "turkish",
    "uk": "russian",
}
SCRIPTS = (  # first letter of a block, last letter, the languages looked at
    ("\u0370", "\u03ff", ("el",)),
    ("\u0400", "\u052f", ("ru",)),
    ("\u0600", "\u06ff", ("ar",)),
    ("\u0900", "\u097f", ("hi",)),
)
SHORTEST = 3  # a shorter word is its own stem
COMPOUNDING = ("de", "nl", "sv", "da", "no", "fi")
HALF = 3  # letters of a part of a compound, at least
JOINTS = ("s", "n", "en", "es")


def fold(text: str) -> str:
    """One form of many spellings: width, case, accents and invisible marks are gone."""
    text = text.encode("utf-8", "replace").decode("utf-8")  # lone surrogates of a command line
    if text.isascii():
        return text.lower()
    text = unicodedata.normalize("NFKC", INVISIBLE.sub("", text)).casefold()
    plain = MARKS.sub("", unicodedata.normalize("NFD", text))
    return unicodedata.normalize("NFC", plain).translate(LETTERS)


def words(folded: str) -> list[str]:
    """Words of folded text, runs of unspaced scripts whole."""
    return TOKEN.findall(folded)


def is_paired(word: str) -> bool:
    """Whether a word is a run of a script that is cut into pairs."""
    return PAIRS.match(word) is not None


def pairs(run: str) -> list[str]:
    """Overlapping pairs of letters, or the one letter there is."""
    return [run[i : i + 2] for i in range(len(run) - 1)] or [run]


@cache
def stemmer(language: str) -> object:
    """The Snowball stemmer of a language."""
    import snowballstemmer

    return snowballstemmer.stemmer(STEMMERS[language])


@lru_cache(maxsize=200_000)
def stem(word: str, language: str) -> str:
    """A folded word without its endings; the word itself where there is no stemmer."""
    if len(word) < SHORTEST or language not in STEMMERS or word.isdigit():
        return word
    return MARKS.sub("", stemmer(language).stemWord(word))  # type: ignore[attr-defined]


def terms(text: str, language: str) -> Iterator[str]:
    """What a text in a language is indexed under."""
    language = language.split("-")[0]
    for word in words(fold(text)):
        if is_paired(word):
            yield from pairs(word)
            continue
        yield word
        if (short := stem(word, language)) != word:
            yield short


def halves(word: str) -> Iterator[tuple[str, str]]:
    """Where a compound may be cut in two, with and without the letters that join its halves."""
    for cut in range(HALF, len(word) - HALF + 1):
        left, right = word[:cut], word[cut:]
        yield left, right
        for joint in JOINTS:
            if left.endswith(joint) and len(left) - len(joint) >= HALF:
                yield left.removesuffix(joint), right


def key(text: str) -> str:
    """A name as it is looked up: letters and digits only, so GPT-4, gpt 4 and gpt4 are one."""
    return "".join(words(fold(text)))


@cache
def stopwords() -> dict[str, frozenset[str]]:
    """Words that say nothing about a subject, by language, folded."""
    text = resources.files("bluerider.guide").joinpath("data/stopwords.json").read_text("utf-8")
    return {
        language: frozenset(fold(word) for word in row.split())
        for language, row in json.loads(text).items()
    }


def languages(found: Iterable[str]) -> tuple[str, ...]:
    """The languages a query's words may be in, the likeliest first, by script and small words."""
    found = list(found)
    for first, last, named in SCRIPTS:
        if any(first <= word[0] <= last for word in found):
            return named
    known = stopwords()
    hits = {name: sum(word in row for word in found) for name, row in known.items()}
    best = max(hits.values(), default=0)
    if not best:
        return ("en", *(name for name in LATIN if name != "en"))
    return tuple(sorted((n for n in hits if hits[n] == best), key=lambda n: (n != "en", n)))


LATIN = ("en", "de", "es", "fr", "it", "nl", "pl", "pt", "sv", "tr", "id")
