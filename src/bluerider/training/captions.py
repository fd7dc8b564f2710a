"""What pictures are called: names in many languages, small scenes in sixteen, written as people
type.
"""

from collections import Counter
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bluerider.scenes.names import articled, is_kept_out, typed
from bluerider.scenes.scene import Scene
from bluerider.scenes.wording import languages as scene_languages
from bluerider.scenes.wording import render
from bluerider.tokenizers import Tokenizer
from bluerider.training.appearance import NONE, TRAITS
from bluerider.training.asides import signed, with_asides
from bluerider.training.emoji import EmojiSet
from bluerider.training.motifs import Motif, Motifs

# languages with the most readers are drawn more often; the rest share what is left evenly
WIDESPREAD = tuple("zh hi es fr ar bn pt ru ur id de ja sw mr te tr ta vi ko".split())
ENGLISH, WIDE = 0.12, 0.21  # of all names; the others share the rest
# of them, those whose names were learned worst are drawn more often
HARD = frozenset(
    "af ak am az be cy dsb el et eu fa fi fo ga gd ha he hsb hu ig is jv kk km ky lt lv mn ms ne nl"
    " no pcm ps qu sd so sq th tk to uz yo zu".split()
)
HARDER = 2.0
SCENES_ENGLISH = 0.08  # of scenes; the other fifteen languages share the rest
# of scenes: "and" is written onto a name, names are long or take many endings: more often
SCENES_HARDER = {"ar": 2.5, "hi": 1.8, "tr": 1.5, "pl": 1.4, "ru": 1.4, "uk": 1.4}
ARTICLES = 0.3  # of English scenes: "a dog on a red background"
WITH_ASIDES = 0.5  # of English texts about one thing: "a photo of a dog, highly detailed"
FIRST = 0.25  # of scenes: in the first words for them, the ones that ask nothing of a name
NICKNAMED = 0.15  # of things in scenes: by a keyword that no other drawing has
SIGNED = 0.05  # of all texts: "dog!"
GROUPS = 4  # of a batch's texts by length
MARKS = ("\ue000", "\ue001")  # behind the names of the first and the second thing, until it is told


class Told(NamedTuple):
    """Texts and what each tells: rows of drawings, a second one (NONE without), traits; and after
    how many letters the names of both end, 0 where that is not known.
    """

    texts: list[str]
    first: Tensor  # (B,)
    second: Tensor  # (B,)
    traits: Tensor  # (B, TRAITS)
    ends: Tensor  # (B, 2)


def language_weights(languages: list[str]) -> NDArray[np.float64]:
    """English 12 %, nineteen widespread languages 21 %, the others the rest, the hard ones more."""
    others = {lang: HARDER if lang in HARD else 1.0 for lang in languages}
    others = {lang: w for lang, w in others.items() if lang != "en" and lang not in WIDESPREAD}
    rest = (1 - ENGLISH - WIDE) / max(1.0, sum(others.values()))
    weights = {lang: rest * weight for lang, weight in others.items()}
    weights |= dict.fromkeys(WIDESPREAD, WIDE / len(WIDESPREAD)) | {"en": ENGLISH}
    found = np.array([weights[lang] for lang in languages])
    return found / found.sum()


def scene_weights(languages: list[str]) -> NDArray[np.float64]:
    """English 8 % of scenes, the others the rest, the hard ones more."""
    others = {lang: SCENES_HARDER.get(lang, 1.0) for lang in languages if lang != "en"}
    english = SCENES_ENGLISH / (1 - SCENES_ENGLISH) * (sum(others.values()) or 1.0)
    found = np.array([others.get(lang, english) for lang in languages])
    return found / found.sum()


class Captions:
    """Draws texts for the drawings that training may see."""

    def __init__(self, emoji: EmojiSet, scenes: float = 0.0, keywords: float = 0.0) -> None:
        self.scenes, self.often = scenes, keywords
        seen = [emoji.emoji[i] for i in emoji.seen]
        self.names: dict[str, dict[int, str]] = {}
        for lang, table in sorted(emoji.names.items()):
            known = {row: table[e] for row, e in enumerate(seen) if e in table}
            self.names[lang] = {
                row: name for row, name in known.items() if not is_kept_out(lang, seen[row])
            }
        self.hidden = hidden(emoji, seen)
        self.keywords = {lang: keywords_of(emoji, lang, seen) for lang in self.names}
        self.nicknames = {
            lang: nicknames_of(emoji, lang, found) for lang, found in self.keywords.items()
        }
        self.languages = [lang for lang in self.names if self.names[lang]]
        self.weights = language_weights(self.languages)
        self.rows = {lang: np.array(sorted(self.names[lang])) for lang in self.languages}
        self.telling = [lang for lang in scene_languages() if lang in self.languages]
        self.tales = scene_weights(self.telling)
        self.motifs = Motifs(seen)

    def every_name(self) -> list[str]:
        """All names that training reads."""
        return [name for lang in self.languages for name in self.names[lang].values()]

    def every_keyword(self) -> list[str]:
        """All keywords that training reads; none is a name that is kept out."""
        told = (words for found in self.keywords.values() for _, words in found)
        return [word for words in told for word in words if word.casefold() not in self.hidden]

    def names_by_emoji(self) -> dict[str, dict[str, str]]:
        """The same names by language and emoji."""
        emoji = self.motifs.emoji
        return {lang: {emoji[i]: n for i, n in self.names[lang].items()} for lang in self.languages}

    def draw(self, rng: np.random.Generator, count: int) -> Told:
        """Texts: names by language, a part of them (`scenes`) in a scene; in place of a part
        (`keywords`) of the names, what else a drawing is looked for by.
        """
        texts, first, second, ends = [], [], [], []
        traits = np.zeros((count, TRAITS), np.float32)
        for i in range(count):
            if self.telling and rng.random() < self.scenes:
                text, row, other, traits[i] = self.scene(rng)
            else:
                text, row = self.name(rng)
                other = NONE
            text, both = unmarked(signed(text, rng) if rng.random() < SIGNED else text)
            texts.append(text)
            ends.append(both)
            first.append(row)
            second.append(other)
        rows = torch.tensor(first), torch.tensor(second)
        return Told(texts, *rows, torch.from_numpy(traits), torch.tensor(ends))

    def name(self, rng: np.random.Generator) -> tuple[str, int]:
        """A name, as somebody may type it, its end marked, and its row."""
        lang = self.languages[rng.choice(len(self.languages), p=self.weights)]
        if self.keywords[lang] and rng.random() < self.often:
            return self.looked_for(rng, lang)
        row = int(rng.choice(self.rows[lang]))
        if lang == "en" and rng.random() < WITH_ASIDES:
            return with_asides(self.names[lang][row] + MARKS[0], rng), row
        return typed(self.names[lang][row], rng, english=lang == "en") + MARKS[0], row

    def looked_for(self, rng: np.random.Generator, lang: str) -> tuple[str, int]:
        """Two to four keywords of a drawing in any order, or the one that is its alone; its row."""
        row, words = self.keywords[lang][int(rng.integers(len(self.keywords[lang])))]
        alone = self.nicknames[lang].get(row)
        if alone and rng.random() < 0.5:
            return alone[int(rng.integers(len(alone)))], row
        chosen = rng.permutation(words)[: int(rng.integers(2, 5))]
        text = (", " if rng.random() < 0.3 else " ").join(chosen)
        return (text, row) if text.casefold() not in self.hidden else self.looked_for(rng, lang)

    def called(self, rng: np.random.Generator, lang: str, row: int) -> str:
        """A drawing's name, now and then a keyword that is its alone."""
        alone = self.nicknames[lang].get(row)
        if alone and rng.random() < NICKNAMED:
            return alone[int(rng.integers(len(alone)))]
        return self.names[lang][row]

    def scene(self, rng: np.random.Generator) -> tuple[str, int, int, NDArray[np.float32]]:
        """A scene in words, the ends of names marked, the rows of its things, its traits."""
        lang = self.telling[rng.choice(len(self.telling), p=self.tales)]
        motif = self.motifs.draw(rng, self.rows[lang])
        return self.tell(rng, motif, lang), motif.first, motif.second, motif.traits

    def tell(self, rng: np.random.Generator, motif: Motif, lang: str) -> str:
        """A scene in the words of a language, the ends of names marked."""
        emoji, rows = self.motifs.emoji, (motif.first, motif.second)
        marks = MARKS if motif.scene.count == 1 else ("", "")  # a plural has another end
        names = {
            emoji[row]: self.called(rng, lang, row) + mark
            for row, mark in zip(rows, marks, strict=True)
            if row != NONE
        }
        return self.told(rng, motif.scene, names, lang)

    def words_of(self, rng: np.random.Generator, motif: Motif) -> str:
        """A scene in words, in any language that has them and may be read; "" without one."""
        things = [row for row in (motif.first, motif.second) if row != NONE]
        able = [lang for lang in self.telling if all(row in self.names[lang] for row in things)]
        if not able:
            return ""
        return unmarked(self.tell(rng, motif, able[int(rng.integers(len(able)))]))[0]

    def name_of(self, rng: np.random.Generator, row: int) -> str:
        """A drawing's name, in any language that has one that may be read; "" without one."""
        able = [i for i, lang in enumerate(self.languages) if row in self.names[lang]]
        if not able:
            return ""
        odds = self.weights[able] / self.weights[able].sum()
        return self.names[self.languages[able[rng.choice(len(able), p=odds)]]][row]

    def told(self, rng: np.random.Generator, scene: Scene, names: dict[str, str], lang: str) -> str:
        """A scene's words; in English with articles now and then, or with asides."""
        variant = int(rng.integers(12)) if rng.random() >= FIRST else 0
        luck = rng.random()
        if lang != "en" or scene.count > 1:
            return render(scene, names, lang, variant)
        if luck < ARTICLES:
            return with_articles(scene, names, variant)
        text = render(scene, names, lang, variant)
        return with_asides(text, rng) if len(names) == 1 and luck < ARTICLES + WITH_ASIDES else text


def with_articles(scene: Scene, names: dict[str, str], variant: int) -> str:
    """A scene's English words with articles before both of two things, or before all that is said
    of one.
    """
    if len(names) == 1:
        return articled(render(scene, names, "en", variant))
    return render(scene, {emoji: articled(name) for emoji, name in names.items()}, "en", variant)


def unmarked(text: str) -> tuple[str, list[int]]:
    """A text without marks, and after how many of its letters each stood, 0 without it."""
    plain = text.translate(dict.fromkeys(map(ord, MARKS)))
    at = [text.find(mark) for mark in MARKS]
    return plain, [
        place - sum(0 <= other < place for other in at) if place > 0 else 0 for place in at
    ]


def hidden(emoji: EmojiSet, seen: list[str]) -> frozenset[str]:
    """Names in any language that no stage reads, casefolded."""
    tables = emoji.names.items()
    kept = [(lang, e, table[e]) for lang, table in tables for e in seen if e in table]
    return frozenset(name.casefold() for lang, e, name in kept if is_kept_out(lang, e))


def keywords_of(emoji: EmojiSet, lang: str, seen: list[str]) -> list[tuple[int, list[str]]]:
    """Rows of drawings and their keywords in a language, where there are two at least; the name
    itself is none, so that what is kept out stays out.
    """
    found = []
    for row, one in enumerate(seen):
        name = emoji.names[lang].get(one, "").casefold()
        words = [w for w in emoji.keywords.get(lang, {}).get(one, []) if w.casefold() != name]
        if len(words) > 1:
            found.append((row, words))
    return found


def nicknames_of(
    emoji: EmojiSet, lang: str, keywords: list[tuple[int, list[str]]]
) -> dict[int, list[str]]:
    """Rows of drawings and the keywords that are theirs alone, and nobody's name."""
    taken = {name.casefold() for name in emoji.names[lang].values()}
    every = emoji.keywords.get(lang, {}).values()
    having = Counter(word for words in every for word in {*map(str.casefold, words)})
    found = {
        row: [w for w in words if having[w.casefold()] == 1 and w.casefold() not in taken]
        for row, words in keywords
    }
    return {row: words for row, words in found.items() if words}


def in_groups(rows: list[list[int]], pad: int) -> tuple[list[Tensor], Tensor]:
    """Rows of ids by length, in `GROUPS` that are each padded to its longest; and the order (B,) in
    which they stand. Short names are spared the long ones' padding.
    """
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    size = -(-len(rows) // GROUPS)
    parts = [order[i : i + size] for i in range(0, len(order), size)]
    return [pad_rows([rows[i] for i in part], pad) for part in parts], torch.tensor(order)


def pad_rows(rows: list[list[int]], value: int) -> Tensor:
    """Rows of ids, made one tensor."""
    width = max(map(len, rows))
    return torch.tensor([r + [value] * (width - len(r)) for r in rows])


def cut_rows(tokenizer: Tokenizer, texts: list[str], longest: int) -> list[list[int]]:
    """Ids of texts, cut to `longest` with the end kept."""
    rows = tokenizer.rows(texts)
    return [r if len(r) <= longest else [*r[: longest - 1], r[-1]] for r in rows]
