"""A scene in words: templates of sixteen languages, into which names go as they are.

The templates need no case, gender or article of the name; where a language would ask for one they
say it otherwise ("кот, две штуки", "zweimal Katze"). Only an English count has the plural formed.
"""

import json
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from bluerider.errors import InputError
from bluerider.scenes.plural import plural
from bluerider.scenes.scene import COUNTS, Scene

PHRASES = Path(__file__).parent / "phrases.json"


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

    {x} stands for a name or a phrase, {xs} for its plural, {a} and {b} for two names, {c} for a
    colour. Raises InputError for a language without templates.
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
        return fill(texts[variant % len(texts)], parts, table.get("joint"))

    first, *second = (names[thing] for thing in scene.things)
    text = said(scene.relation or "and", a=first, b=second[0]) if second else first
    for key in (scene.look, scene.size, COUNTS.get(scene.count), scene.place):
        if key:
            text = said(key, x=text)
    if scene.background:
        text = said("background", x=text, c=table["colours"][scene.background])
    return text


def fill(template: str, parts: Mapping[str, str], joint: Mapping[str, str] | None) -> str:
    """A template with its blanks filled; `joint` changes the word before a name for its sound."""
    if joint and joint["found"] in template and re.match(joint["before"], parts["b"], re.I):
        template = template.replace(joint["found"], joint["becomes"])
    if "{xs}" in template:
        return template.replace("{xs}", plural(parts["x"]))
    blanks = re.compile(r"\{(\w)\}")
    return blanks.sub(lambda blank: parts[blank[1]], template)
