"""Which words are measured, on which subjects, and the words that mean nothing beside them."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib import resources

from bluerider.errors import InputError
from bluerider.guide.index import Guide
from bluerider.request import check_choice

SLOT = "{subject}"
PLACEBOS = (  # looked like words, or signs; none is a word of the languages models read
    *("blorf", "zantik", "quomber", "fleem", "drospil", "wug", "tarnic", "plindle", "vexib"),
    *("snorgle", "krabbit", "yomple", "gruntil", "hesperon", "mirabok", "oplinth"),
    *("!", "!!!", "()", "[]", "...", "--", "~", "((()))"),
)
CONTROLS = {  # what murnau saw in training, by the phrases it saw it in -> metric, sign
    "white": ("background-lightness", 1),
    "black": ("background-lightness", -1),
    "grey": ("background-lightness", -1),  # from white, which has no colour either
    "red": ("background-redness", 1),
    "orange": ("background-warmth", 1),
    "yellow": ("background-warmth", 1),
    "green": ("background-redness", -1),
    "light_blue": ("background-warmth", -1),
    "blue": ("background-warmth", -1),
    "purple": ("background-warmth", -1),
    "pink": ("background-redness", 1),
    "brown": ("background-lightness", -1),
    "small": ("area", -1),
    "silhouette": ("brightness", -1),
    "black_and_white": ("saturation", -1),
    "pixel": ("blockiness", 1),
}
LOOKS = ("small", "silhouette", "black_and_white", "pixel")


@dataclass(frozen=True)
class Word:
    """A word as it goes into a prompt, and what is known of it before."""

    text: str
    template: str  # with {subject}
    language: str = "en"
    record: str | None = None  # the modifier it belongs to
    arm: str = "word"
    expected: tuple[str, int] | None = None  # metric and sign, of a control

    def prompt(self, subject: str) -> str:
        """The subject with the word."""
        return self.template.replace(SLOT, subject)


def subjects(language: str) -> dict[str, str]:
    """What is painted, by English name, in a language. Raises InputError for one without names."""
    table = subject_table()
    check_choice("language", language, list(table))
    return dict(zip(table["en"], table[language], strict=True))


def subject_table() -> dict[str, list[str]]:
    """Names of the subjects by language, in one order."""
    text = resources.files("bluerider.guide").joinpath("data/subjects.json").read_text("utf-8")
    return dict(json.loads(text))


def placebos() -> list[Word]:
    """Words that mean nothing, brackets and signs."""
    return [Word(text, f"{SLOT}, {text}", arm="placebo") for text in PLACEBOS]


def controls(guide: Guide, languages: Sequence[str]) -> Iterator[Word]:
    """Words that a model trained on small scenes has seen, with what each has to do."""
    from bluerider.scenes.wording import table_of

    for language in languages:
        table = table_of(language)
        for name, expected in CONTROLS.items():
            if name in LOOKS:
                template, called = table["templates"][name][0], name.replace("_", "-")
            else:
                colour = table["colours"][name]
                template = table["templates"]["background"][0].replace("{c}", colour)
                called = f"{name.replace('_', '-')}-background"
            row = record_of(guide, called)
            record = str(row["id"]) if row else None
            template = template.replace("{x}", SLOT)
            yield Word(called.replace("-", " "), template, language, record, expected=expected)


def chosen(guide: Guide, given: Sequence[str], languages: Sequence[str]) -> list[Word]:
    """Words by name: a modifier's id or name, a phrase with {subject}, or any text. Raises
    InputError.
    """
    found: list[Word] = []
    for text in given:
        if SLOT in text:
            found.append(Word(text.replace(SLOT, "").strip(" ,"), text))
            continue
        row = record_of(guide, text)
        if row is None:
            found.append(Word(text, f"{SLOT}, {text}"))
            continue
        found += modifier(row, languages)
    if not found:
        raise InputError(
            "no word to measure; give --modifiers 'rim light,low key', or leave it out"
        )
    return found


def record_of(guide: Guide, text: str) -> dict[str, object] | None:
    """The modifier a text names, if it names one."""
    try:
        row = guide.record(text)
    except InputError:
        if text.startswith("prompt-modifier/"):
            raise
        return None
    return row if row["type"] == "prompt-modifier" else None


def modifier(row: dict[str, object], languages: Sequence[str]) -> list[Word]:
    """A modifier's word in each language that it has one in."""
    texts, found = row["text"], []
    assert isinstance(texts, dict)
    for language in languages:
        if written := texts.get(language):
            template = f"{SLOT}, {written[0]}"
            found.append(Word(written[0], template, language, str(row["id"])))
    return found


def everything(guide: Guide, languages: Sequence[str]) -> list[Word]:
    """Every modifier of the guide that is about pictures."""
    rows = [row for row in guide.records("prompt-modifier") if "image" in row["domain"]]
    return [word for row in rows for word in modifier(row, languages)]
