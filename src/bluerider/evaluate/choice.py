"""Which scenes are asked for: combinations that no training has seen, the same on every machine."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from bluerider.errors import InputError
from bluerider.evaluate.drawings import Drawings
from bluerider.evaluate.marks import shows
from bluerider.evaluate.truth import Truth
from bluerider.evaluate.words import open_places
from bluerider.scenes.scene import KINDS, Scene, is_held_out, scene_of
from bluerider.scenes.wording import languages, render

LINES = Path(__file__).parent / "data" / "lines.json"
ENGLISH, OTHERS = 100, 20  # scenes of a kind, unless told
TRIES = 20_000  # pairs looked through for each relation


@dataclass(frozen=True, kw_only=True)
class AskedScene:
    """A scene in the words of a language, and the places of its things in the set of drawings."""

    language: str
    scene: Scene
    prompt: str
    targets: tuple[int, ...]

    @property
    def key(self) -> tuple[str, str]:
        """What a journal keeps its picture under."""
        return self.language, " ".join([*self.scene.said, *self.scene.things])


def choose_scenes(
    drawings: Drawings,
    truth: Truth,
    kinds: Sequence[str],
    tongues: Sequence[str],
    *,
    subset: int | None = None,
    split: str = "held-out",
) -> list[AskedScene]:
    """Scenes of every kind in every language; a smaller subset is the beginning of a larger one.

    All languages are asked for the same scenes, as far as they have the names. None stands for 100
    of a kind in English and 20 in any other.
    """
    places = {emoji: place for place, emoji in enumerate(drawings.emoji)}
    most = max(subset or (ENGLISH if tongue == "en" else OTHERS) for tongue in tongues)
    chosen = {kind: list(islice(scenes_of(kind, drawings, truth, split), most)) for kind in kinds}
    asked = []
    for tongue in tongues:
        names = drawings.names[tongue]
        for kind in kinds:
            named = [s for s in chosen[kind] if all(thing in names for thing in s.things)]
            for scene in named[: subset or (ENGLISH if tongue == "en" else OTHERS)]:
                targets = tuple(places[thing] for thing in scene.things)
                prompt = render(scene, names, tongue)
                asked.append(
                    AskedScene(language=tongue, scene=scene, prompt=prompt, targets=targets)
                )
    return asked


def choose_lines(
    drawings: Drawings, kinds: Sequence[str], tongues: Sequence[str], *, subset: int | None = None
) -> list[AskedScene]:
    """The same twenty held-out scenes in every language, in words written by hand as people type
    them: with articles, cases and plurals. `subset`: so many of a kind a language.
    """
    table: dict[str, Any] = json.loads(LINES.read_text("utf-8"))
    places = {emoji: place for place, emoji in enumerate(drawings.emoji)}
    scenes = [scene_of(tuple(things), said) for said, *things in table["scenes"]]
    asked = []
    for tongue in tongues:
        lines = list(zip(scenes, table["lines"][tongue], strict=True))
        for kind in kinds:
            group = [(s, line) for s, line in lines if s.kind == kind and {*s.things} <= {*places}]
            for scene, line in group[:subset]:
                targets = tuple(places[thing] for thing in scene.things)
                asked.append(AskedScene(language=tongue, scene=scene, prompt=line, targets=targets))
    return asked


def scenes_of(kind: str, drawings: Drawings, truth: Truth, split: str) -> Iterator[Scene]:
    """The scenes of a kind without end or until things run out, what they say taking turns."""
    order = open_places(drawings)
    turns = [candidates(said, order, drawings, truth, split) for said in KINDS[kind]]
    while turns:
        for turn in tuple(turns):
            scene = next(turn, None)
            if scene is None:
                turns.remove(turn)
            else:
                yield scene


def candidates(
    said: str, order: Sequence[int], drawings: Drawings, truth: Truth, split: str
) -> Iterator[Scene]:
    """Scenes that say one thing, of the split, whose true picture is right by the measure."""
    emoji = drawings.emoji
    if said in (*KINDS["and"], *KINDS["relation"]):
        pairs = (pair_of(f"{said} {number}", order) for number in range(TRIES))
        things = ((emoji[a], emoji[b]) for a, b in pairs if a != b)
        scenes = (scene_of(each, said) for each in things)
    else:
        # Every said thing begins elsewhere in the order, so that all are asked of various things.
        start = int.from_bytes(hashlib.sha256(said.encode()).digest()[:4], "big") % len(order)
        scenes = (scene_of((emoji[i],), said) for i in (*order[start:], *order[:start]))
    for scene in scenes:
        free = scene.kind == "thing" or split == "all" or is_held_out(scene) == (split != "seen")
        if free and shows(scene, truth.picture(scene)):
            yield scene


def pair_of(text: str, order: Sequence[int]) -> tuple[int, int]:
    """Two places that a text stands for."""
    hashed = hashlib.sha256(text.encode()).digest()
    first, second = (int.from_bytes(hashed[i : i + 8], "big") % len(order) for i in (0, 8))
    return order[first], order[second]


def parse_kinds(text: str) -> list[str]:
    """'place,count' or 'all' -> kinds of scenes. Raises InputError."""
    return parse_list("kinds", text, list(KINDS))


def parse_tongues(text: str, drawings: Drawings) -> list[str]:
    """'en,ru' or 'all' -> languages with templates and names. Raises InputError."""
    return parse_list("languages", text, [name for name in languages() if name in drawings.names])


def parse_list(name: str, text: str, accepted: list[str]) -> list[str]:
    """A list with commas, each entry once, or all. Raises InputError."""
    if text.strip() == "all":
        return accepted
    asked = list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    unknown = [each for each in asked if each not in accepted]
    if unknown or not asked:
        given = ", ".join(unknown) or "nothing"
        raise InputError(f"{name}: got {given}; accepted: all, {', '.join(accepted)}")
    return asked
