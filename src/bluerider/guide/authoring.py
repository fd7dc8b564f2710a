"""A new record, asked for field by field, checked before it is kept."""

import datetime
import tempfile
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin

from bluerider.errors import InputError
from bluerider.files import write_whole
from bluerider.guide.frontmatter import dump, scalar
from bluerider.guide.index import Guide, home
from bluerider.guide.library import Library, Refused, check, read
from bluerider.guide.terms import fold, words
from bluerider.guide.vocabulary import ASIDE, DOMAINS
from bluerider.request import check_choice

Asker = Callable[[str, str], str]  # a question and what is accepted -> an answer
OWN = ("text", "effects")  # fields that are filled in another way


def add(kind: str, ask: Asker, guide: Guide, today: datetime.date) -> Path:
    """Ask for a record of a type and write it among the user's own. Raises InputError."""
    from bluerider.guide.schema import MODELS, Record

    check_choice("type", kind, [name for name in MODELS if name not in ASIDE])
    data = common(kind, ask, guide, today)
    for name, field in MODELS[kind].model_fields.items():
        if name not in Record.model_fields and field.is_required() and name not in OWN:
            data[name] = value(ask(name, accepted(field.annotation)), field.annotation)
    if kind == "source":
        data["url"] = ask("url", "its address, https://...")
    if kind == "event":
        data["date"] = ask("date", "2023, 2023-07 or 2023-07-12")
    data["claims"] = [claim(ask, today)]
    if kind == "prompt-modifier":
        data["text"] = {"en": [data["title"]["en"].lower()]}
        data["effects"] = [effect(ask)]
    path = home() / "records" / kind / f"{data['id'].split('/')[1]}.md"
    text = dump(data, ask("prose", "a sentence or two in your own words"))
    validate(kind, path.stem, text, guide)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, text.encode("utf-8"))
    return path


def common(kind: str, ask: Asker, guide: Guide, today: datetime.date) -> dict[str, Any]:
    """The fields of every record."""
    title = ask("title", "its name in English")
    slug = "-".join(word for word in words(fold(title)) if word.isascii())
    if not slug:
        raise InputError(f"title: got {title!r}; a name with Latin letters or digits is accepted")
    if f"{kind}/{slug}" in guide.ids():
        raise InputError(f"{kind}/{slug} is there already; bluerider guide show {kind}/{slug}")
    return {
        "id": f"{kind}/{slug}",
        "title": {"en": title},
        "summary": {"en": ask("summary", "what it is, in one or two sentences")},
        "domain": listed(ask("domain", f"one or more of {', '.join(DOMAINS)}")),
        "reviewed": today.isoformat(),
    }


def claim(ask: Asker, today: datetime.date) -> dict[str, Any]:
    """One claim; checked when its place in the source is given."""
    made = {
        "key": "first",
        "text": ask("claim", "one statement that can be checked"),
        "source": ask("source", "the address it stands at, https://..."),
    }
    place = ask("locator", "section, table, page or line; empty when you have not opened it")
    if not place:
        return made
    return {**made, "locator": place, "opened": today.isoformat(), "status": "checked"}


def effect(ask: Asker) -> dict[str, str]:
    """What a word is said to change."""
    from bluerider.guide.vocabulary import ASPECTS, DIRECTIONS

    made = {
        "aspect": ask("aspect", ", ".join(ASPECTS)),
        "direction": ask("direction", ", ".join(DIRECTIONS)),
        "claim": "first",
    }
    if made["direction"] == "toward":
        made["toward"] = ask("toward", "what it moves to")
    return made


def validate(kind: str, stem: str, text: str, guide: Guide) -> None:
    """Raise InputError with every complaint about a record that is not written yet."""
    with tempfile.TemporaryDirectory() as place:
        path = Path(place) / kind / f"{stem}.md"
        path.parent.mkdir()
        path.write_text(text, encoding="utf-8")
        try:
            entry = read(path)
        except Refused as error:
            raise InputError("; ".join(each.text for each in error.problems)) from None
        alone = Library({entry.record.id: entry}, broken=set(guide.ids()))
        wrong = [each.text for each in check(entry, alone, None) if not each.warning]
    if wrong:
        raise InputError("; ".join(wrong))


def accepted(annotation: Any) -> str:
    """What a field takes, in words."""
    choices = choices_of(annotation)
    if choices:
        several = "one or more of " if is_list(annotation) else ""
        return several + ", ".join(choices)
    if is_list(annotation):
        return "one or more, parted by commas"
    return "a number" if annotation in (int, float) else "text"


def value(text: str, annotation: Any) -> Any:
    """An answer as the field's type."""
    if is_list(annotation):
        return listed(text)
    return scalar(text) if bare(annotation) in (int, float, bool) else text


def listed(text: str) -> list[str]:
    """Parts of an answer between commas."""
    return [part for part in (piece.strip() for piece in text.split(",")) if part]


def bare(annotation: Any) -> Any:
    """A type without None and annotations."""
    if get_origin(annotation) in (Union, types.UnionType):
        return bare(next(each for each in get_args(annotation) if each is not type(None)))
    return annotation


def is_list(annotation: Any) -> bool:
    """Whether a field holds several values."""
    return get_origin(bare(annotation)) is list


def choices_of(annotation: Any) -> tuple[str, ...]:
    """The words a field takes, none where it takes any."""
    kind = bare(annotation)
    if get_origin(kind) is list:
        kind = get_args(kind)[0]
    return get_args(kind) if get_origin(kind) is Literal else ()
