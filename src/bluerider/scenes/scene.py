"""A scene as a value: which things, where, how large, how many, on what, in which look."""

import hashlib
from dataclasses import dataclass
from typing import Any

from bluerider.errors import InputError

# Eleven basic colour terms (Berlin and Kay 1969) and light blue, a basic one in many languages.
BACKGROUNDS = {
    "white": (255, 255, 255),
    "black": (20, 20, 20),
    "grey": (150, 150, 150),
    "red": (220, 40, 40),
    "orange": (255, 150, 30),
    "yellow": (255, 225, 60),
    "green": (60, 165, 75),
    "light_blue": (150, 210, 250),
    "blue": (40, 85, 205),
    "purple": (135, 60, 180),
    "pink": (255, 160, 200),
    "brown": (130, 85, 50),
}
SIZES = ("small", "big")
PLACES = ("left", "right", "top", "bottom")
RELATIONS = ("left_of", "right_of", "above", "below")  # of the first thing to the second
COUNTS = {2: "two", 3: "three"}
LOOKS = ("black_and_white", "outline", "silhouette", "pixel")
# What a scene may say beside its things, by the kind of question it asks; `and`: two things.
KINDS = {
    "thing": ("thing",),
    "background": tuple(BACKGROUNDS),
    "size": SIZES,
    "place": PLACES,
    "and": ("and",),
    "relation": RELATIONS,
    "count": tuple(COUNTS.values()),
    "look": LOOKS,
}
HELD_OUT = 10  # one combination in so many is kept out of training


@dataclass(frozen=True, kw_only=True)
class Scene:
    """One thing, or two, and what is said of them; None where nothing is said.

    Two things take a relation, a background and a look; a count takes no place and no size.
    Raises InputError for anything else.
    """

    things: tuple[str, ...]  # emoji
    background: str | None = None  # white, where nothing is said
    size: str | None = None
    place: str | None = None
    relation: str | None = None  # two things without one stand side by side
    count: int = 1
    look: str | None = None

    def __post_init__(self) -> None:
        for name, value, accepted in (
            ("background", self.background, tuple(BACKGROUNDS)),
            ("size", self.size, SIZES),
            ("place", self.place, PLACES),
            ("relation", self.relation, RELATIONS),
            ("look", self.look, LOOKS),
        ):
            if value is not None and value not in accepted:
                raise InputError(f"{name}: got {value!r}; accepted: {', '.join(accepted)}")
        if self.count not in (1, *COUNTS):
            raise InputError(f"count: got {self.count!r}; accepted: 1, 2, 3")
        if len(self.things) not in (1, 2):
            raise InputError(f"a scene of {len(self.things)} things; one or two are accepted")
        self._check_company()

    def _check_company(self) -> None:
        """Whether what is said goes together."""
        alone = self.size or self.place or self.count > 1
        if len(self.things) == 2 and alone:
            raise InputError("a scene of two things takes no size, no place and no count")
        if len(self.things) == 1 and self.relation:
            raise InputError(f"relation {self.relation}: two things are needed, got one")
        if self.count > 1 and (self.size or self.place):
            raise InputError("a count takes no size and no place")

    @property
    def said(self) -> tuple[str, ...]:
        """What is said beside the things, by the names of `KINDS`, in a fixed order."""
        both = None if len(self.things) == 1 else self.relation or "and"
        count = COUNTS.get(self.count)
        found = (both, count, self.look, self.size, self.place, self.background)
        return tuple(each for each in found if each) or ("thing",)

    @property
    def kind(self) -> str:
        """The kind of the first thing that is said: what a picture of it is asked about."""
        first = self.said[0]
        return next(kind for kind, values in KINDS.items() if first in values)

    @property
    def combinations(self) -> tuple[tuple[str, ...], ...]:
        """What is put together in it: each thing with each thing said, and the two things.

        A pair is one combination in either order and under every relation.
        """
        pair = (tuple(sorted(self.things)),) if len(self.things) == 2 else ()
        said = [each for each in self.said if each not in ("thing", "and", *RELATIONS)]
        return (*pair, *((thing, each) for thing in self.things for each in said))


def is_held_out(scene: Scene) -> bool:
    """Whether a scene holds a combination that no training may see, the same on every machine."""
    return any(kept_out(each) for each in scene.combinations)


def kept_out(combination: tuple[str, ...]) -> bool:
    """Whether this combination is among the tenth that is kept out, by its SHA-256."""
    hashed = hashlib.sha256("\n".join(combination).encode()).digest()
    return int.from_bytes(hashed[:8], "big") % HELD_OUT == 0


def scene_of(things: tuple[str, ...], said: str) -> Scene:
    """The scene that says one thing, named as in `KINDS`."""
    counts = {name: count for count, name in COUNTS.items()}
    if said in counts:
        return Scene(things=things, count=counts[said])
    kind = next((kind for kind, values in KINDS.items() if said in values), None)
    if kind is None:
        raise InputError(f"got {said!r}; accepted: {', '.join(sum(KINDS.values(), ()))}")
    said_too: dict[str, Any] = {} if kind in ("thing", "and") else {kind: said}
    return Scene(things=things, **said_too)
