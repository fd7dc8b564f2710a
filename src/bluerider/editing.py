"""The tasks: what each takes besides words, and the pictures and ingredients it is made from."""

import math
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bluerider.checks import check_keys, check_number, check_text, flag, shown
from bluerider.errors import InputError

if TYPE_CHECKING:
    pass

Given = "str | Image"  # a picture: the path of its file, or one that is open already

# The fields of a request that each task reads; other tasks refuse them.
TAKES = {
    "text2img": (),
    "img2img": ("picture", "strength"),
    "inpaint": ("picture", "mask", "invert_mask", "feather", "strength"),
    "outpaint": ("picture", "left", "right", "up", "down", "feather"),
    "mix": ("add", "normalise", "slerp"),
    "vary": ("picture", "prior_strength"),
    "depth": ("picture", "depth_model"),
}
TASKS = tuple(TAKES)
FIELDS = tuple(dict.fromkeys(name for names in TAKES.values() for name in names))
NEEDS = ("picture", "add")  # what a task that takes it cannot do without
WORDLESS = ("mix", "vary")  # tasks whose pictures say what to paint
KEEPS_SIZE = ("img2img", "inpaint", "outpaint", "depth")  # the result is as large as the picture
STRENGTHS = {"img2img": 0.6, "inpaint": 1.0}  # where none is given
MAX_INGREDIENTS = 100
MAX_WEIGHT = 100.0
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
UNNAMED = "a picture in memory"


@dataclass(frozen=True, kw_only=True)
class Input:
    """A picture a request was painted from: its file's name and SHA-256."""

    name: str
    sha256: str

    @classmethod
    def of(cls, given: object) -> "Input":
        """An input, from itself or from JSON. Raises InputError."""
        if isinstance(given, cls):
            return given
        if not isinstance(given, Mapping) or set(given) != {"name", "sha256"}:
            raise InputError(f"inputs: got {shown(given)}; name and sha256 are accepted")
        for key in ("name", "sha256"):
            check_text(f"inputs.{key}", given[key])
        return cls(**given)


# Words or a file, and a number right after a colon that no backslash makes plain.
WEIGHT = re.compile(
    r"(?P<what>.*)(?<!\\):(?P<weight>[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|nan|inf)",
    re.DOTALL | re.IGNORECASE,
)


@dataclass(frozen=True, kw_only=True)
class Ingredient:
    """One part of a mix: words or a picture, and how much of it."""

    words: str | None = None
    picture: Any = None
    weight: float = 1.0

    def __post_init__(self) -> None:
        if (self.words is None) == (self.picture is None):
            raise InputError("add: an ingredient is words or a picture; one of the two")
        if self.words is not None:
            check_text("add", self.words)
            if not self.words.strip():
                raise InputError("add: an ingredient of no words; words or a picture are accepted")
        else:
            object.__setattr__(self, "picture", check_picture("add", self.picture))
        weight = check_number("add: the weight", self.weight, -MAX_WEIGHT, MAX_WEIGHT)
        object.__setattr__(self, "weight", weight)

    @classmethod
    def of(cls, given: object) -> "Ingredient":
        """An ingredient from itself, text, a picture, (either, weight), or JSON.

        Raises InputError.
        """
        if isinstance(given, cls):
            return given
        if isinstance(given, str):
            return cls.parse(given)
        if isinstance(given, Mapping):
            check_keys(given, ("words", "picture", "weight"))
            return cls(**given)
        if isinstance(given, tuple | list) and len(given) == 2:
            what, weight = given
            if isinstance(what, str) and not is_picture(what):
                return cls(words=what, weight=weight)
            return cls(picture=what, weight=weight)
        return cls(picture=given)

    @classmethod
    def parse(cls, text: str) -> "Ingredient":
        """FILE_OR_WORDS[:WEIGHT]: what is a file, or is named like a picture, is one.

        A number right after the last colon is the weight, `\\:` a plain colon. Raises InputError
        where words end in a digit before that colon: a weight, or a ratio or a time of day?
        """
        found = None if is_picture(text) else WEIGHT.fullmatch(text)
        what, weight = (found["what"], float(found["weight"])) if found else (text, 1.0)
        if is_picture(what):
            return cls(picture=what, weight=weight)
        if found and what[-1:].isdigit():
            plain = f"{what}\\:{found['weight']}"
            raise InputError(
                f"add: in {shown(text)}, is {found['weight']} a weight? write {what} :"
                f"{found['weight']} if it is, {plain} if it belongs to the words"
            )
        return cls(words=what.replace("\\:", ":").strip(), weight=weight)

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        if self.words is not None:
            return {"words": self.words, "weight": self.weight}
        return {"picture": name_of(self.picture), "weight": self.weight}


def is_picture(text: str) -> bool:
    """Whether text means a file: one that is there, or a name that ends like a picture's."""
    try:
        return text.lower().endswith(SUFFIXES) or os.path.isfile(text)
    except ValueError:  # a zero byte inside
        return False


def check_picture(name: str, given: object) -> Any:
    """A picture's path as text, or a Pillow image as it is. Raises InputError."""
    if isinstance(given, Path):
        given = str(given)
    if isinstance(given, str):
        check_text(name, given)
        if given.strip():
            return given
    if hasattr(given, "convert") and hasattr(given, "size"):
        return given
    raise InputError(
        f"{flag(name)}: got {shown(given)}; the file of a picture, or a Pillow image, is accepted"
    )


def name_of(given: Any) -> str:
    """A picture's path, for JSON."""
    return given if isinstance(given, str) else UNNAMED


def check_ingredients(given: object, slerp: bool) -> tuple[Ingredient, ...]:
    """The ingredients of a mix. Raises InputError for too many, and for weights without a sum."""
    if isinstance(given, str) or not isinstance(given, list | tuple):
        raise InputError(f"add: got {shown(given)}; a list of words and pictures is accepted")
    found = tuple(Ingredient.of(each) for each in given)
    if len(found) > MAX_INGREDIENTS:
        raise InputError(f"add: got {len(found)} ingredients; at most {MAX_INGREDIENTS} go in")
    weights = [each.weight for each in found]
    if found and math.fsum(weights) <= 0:
        told = ", ".join(f"{weight:g}" for weight in weights)
        raise InputError(f"add: the weights {told} add up to nothing; a sum over 0 is needed")
    if slerp and min(weights, default=1.0) < 0:
        raise InputError(f"slerp: got a weight of {min(weights):g}; 0 or more is accepted with it")
    return found


def check_takes(task: str, values: Mapping[str, Any], plain: Mapping[str, Any]) -> None:
    """Raise InputError for a field the task does not read, or one it needs and lacks.

    `plain` are the values that stand for nothing given.
    """
    for name in FIELDS:
        given = values[name] != plain[name]
        if given and name not in TAKES[task]:
            readers = [each for each, names in TAKES.items() if name in names]
            raise InputError(f"{flag(name)}: {task} does not read it; {', '.join(readers)} do")
        if not given and name in NEEDS and name in TAKES[task]:
            raise InputError(f"{task} needs {WANTED[name]}")


WANTED = {
    "picture": "a picture: the path of a PNG, JPEG or WebP",
    "add": "something to mix; name words or pictures with --add",
}
