"""How names change in a sentence: cases, plurals, articles and agreement, by their endings.

The rules know no dictionary. They hold for most names and err where only a dictionary would know;
they are what a training reads, so that a sentence typed with right endings is not a strange one.
"""

import json
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from bluerider.errors import InputError

FORMS = Path(__file__).parent / "forms.json"
WORD = re.compile(r"([^\s\ue000-\uf8ff]+)([\ue000-\uf8ff]*)(\s*)")
Rule = Sequence[str]  # a pattern, what the match becomes, and "on" where the next word changes too


@cache
def read_forms() -> dict[str, dict[str, list[list[Rule]]]]:
    """The shipped file: language -> form (`genitive`, `plural`, `one` ...) -> passes of rules."""
    table: dict[str, dict[str, list[list[Rule]]]] = json.loads(FORMS.read_text("utf-8"))
    return table


def inflected(name: str, form: str, language: str) -> str:
    """'красное яблоко', genitive -> 'красного яблока'. Raises InputError for an unknown form."""
    forms = read_forms().get(language, {})
    if form not in forms:
        raise InputError(f"form: got {form!r} for {language}; accepted: {', '.join(forms)}")
    for rules in forms[form]:
        name = changed(name, rules)
    return name


def changed(name: str, rules: Sequence[Rule]) -> str:
    """Word by word from the left, the first rule that fits, until one says no more.

    A pattern with a space at its end looks for words that another one follows. What is not read
    (characters for private use, with which texts are marked) stays behind its word.
    """
    words = WORD.findall(name)
    for at, (word, mark, space) in enumerate(words):
        for pattern, becomes, *on in rules:
            part = word + space if pattern.endswith(" $") else word
            if not re.search(pattern, part):
                continue
            found = re.sub(pattern, becomes, part, count=1)
            words[at] = found.rstrip(), mark, space
            if not on:
                return joined(words)
            break
    return joined(words)


def joined(words: Sequence[Sequence[str]]) -> str:
    """Words, their marks and the spaces behind them, as one text."""
    return "".join("".join(parts) for parts in words)
