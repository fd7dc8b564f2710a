"""A scene in words: templates of sixteen languages.

The first ones of each kind need no case, gender or article of the name; where a language would ask
for one they say it otherwise ("кот, две штуки", "zweimal Katze"). They are what is measured. The
others say it as people type, and change names by their endings ("два кота", "zwei Katzen").
"""

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from bluerider.errors import InputError
from bluerider.scenes.inflection import inflected
from bluerider.scenes.plural import plural
from bluerider.scenes.scene import COUNTS, Scene

PHRASES = Path(__file__).parent / "phrases.json"
BLANK = re.compile(r"\{(\w+)(?::(\w+))?\}")


@cache
def read_phrases() -> dict[str, dict[str, Any]]:
    """The shipped file: language -> colours as the templates need them, templates, euphony."""
    table: dict[str, dict[str, Any]] = json.loads(PHRASES.read_text("utf-8"))
    return table


def languages() -> tuple[str, ...]:
    """The languages that have templates, English first."""
    return tuple(read_phrases())


def phrases(language: str) -> dict[str, tuple[str, ...]]:
    """Templates by what they say (`thing`, `background`, `small`, `left_of`, `two` ...).

    {x} stands for a name or a phrase, {xs} for its English plural, {a} and {b} for two names,
    {b:genitive} for one in a form, {c} for a colour. Raises InputError for a language without
    templates.
    """
    return {name: tuple(texts) for name, texts in table_of(language)["templates"].items()}


def table_of(language: str) -> dict[str, Any]:
    """A language's part of the file."""
    if language not in read_phrases():
        raise InputError(f"language: got {language!r}; accepted: {', '.join(languages())}")
    return read_phrases()[language]


def render(scene: Scene, names: Mapping[str, str], language: str, variant: int = 0) -> str:
    """The scene in words; `names` has its things' names, `variant` turns through the templates."""
    table = table_of(language)

    def said(key: str, **parts: str) -> str:
        texts = table["templates"][key]
        return fill(texts[variant % len(texts)], parts, language)

    first, *second = (names[thing] for thing in scene.things)
    text = said(scene.relation or "and", a=first, b=second[0]) if second else first
    for key in (scene.look, scene.size, COUNTS.get(scene.count), scene.place):
        if key:
            text = said(key, x=text)
    if scene.background:
        text = said("background", x=text, c=table["colours"][scene.background])
    return text


def fill(template: str, parts: Mapping[str, str], language: str) -> str:
    """A template with its blanks filled; `joint` changes the word before a name for its sound."""
    joint = table_of(language).get("joint")
    if joint and joint["found"] in template and re.match(joint["before"], parts["b"], re.I):
        template = template.replace(joint["found"], joint["becomes"])
    if "{xs}" in template:
        return template.replace("{xs}", plural(parts["x"]))

    def put(blank: re.Match[str]) -> str:
        part = parts[blank[1]]
        return inflected(part, blank[2], language) if blank[2] else part

    return BLANK.sub(put, template)


def said(language: str) -> list[str]:
    """What the templates say beside names: their texts without blanks, and the colours."""
    table = table_of(language)
    texts = [text for group in table["templates"].values() for text in group]
    return [re.sub(r"\{[\w:]+\}", " ", text) for text in texts] + list(table["colours"].values())
