"""Scenes in words -> pictures -> whether what was said is there: composition, measured."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bluerider.evaluate.choice import AskedScene
from bluerider.evaluate.crop import Array
from bluerider.evaluate.journal import Journal
from bluerider.evaluate.marks import glimpses, shows
from bluerider.evaluate.painting import Painter, paint_all
from bluerider.evaluate.regions import seen
from bluerider.evaluate.retrieval import Share, rank_targets, share_of, squared_errors
from bluerider.evaluate.truth import Truth

CHUNK = 256  # crops compared with all drawings at once
Flags = NDArray[np.bool_]


@dataclass(frozen=True, eq=False, kw_only=True)
class PaintedScene:
    """A scene and its picture as it is looked at, (128, 128, 3)."""

    asked: AskedScene
    pixels: Array


@dataclass(frozen=True, kw_only=True)
class Mark:
    """Of one picture: is there what was said (`right`), and are the things themselves there."""

    right: bool
    things: bool


@dataclass(frozen=True, kw_only=True)
class Marks:
    """Of pictures of one kind: shares in 0..1 with intervals; `both` at once."""

    count: int
    right: Share
    things: Share
    both: Share


@dataclass(frozen=True, kw_only=True)
class SceneReport:
    """Marks by language and kind, their mean over languages by kind, and the bounding rows."""

    languages: dict[str, dict[str, Marks]]
    mean: dict[str, Marks]
    truth: dict[str, Marks]  # the scenes painted from the drawings themselves
    shuffled: dict[str, Marks]  # each picture held against another scene of its kind and language

    def to_json(self) -> dict[str, Any]:
        """A plain table."""

        def plain(table: dict[str, Marks]) -> dict[str, Any]:
            return {kind: asdict(marks) for kind, marks in table.items()}

        return {
            "languages": {name: plain(table) for name, table in self.languages.items()},
            "mean": plain(self.mean),
            "ground_truth": plain(self.truth),
            "shuffled_prompts": plain(self.shuffled),
        }


def paint_scenes(
    painter: Painter,
    asked: Sequence[AskedScene],
    journal: Journal | None = None,
    *,
    batch: int = 8,
    **fields: Any,
) -> Iterator[PaintedScene]:
    """Every scene's picture."""
    for one, image in paint_all(painter, asked, journal, batch=batch, **fields):
        yield PaintedScene(asked=one, pixels=seen(image))


def mark_all(asked: Sequence[AskedScene], pictures: Sequence[Array], truth: Truth) -> list[Mark]:
    """Each picture (128, 128, 3) held against a scene."""
    looked: dict[str | None, list[tuple[int, int, Array, int]]] = {}
    for number, (one, pixels) in enumerate(zip(asked, pictures, strict=True)):
        for way, found in enumerate(glimpses(one.scene, pixels)):
            for crop, thing in found:
                row = (number, way, crop, one.targets[thing])
                looked.setdefault(one.scene.look, []).append(row)
    ways: dict[int, dict[int, bool]] = {}
    for look, rows in looked.items():
        for (number, way, _, _), hit in zip(rows, hits(rows, truth.crops(look)), strict=True):
            known = ways.setdefault(number, {})
            known[way] = known.get(way, True) and hit
    things = [any(ways[number].values()) for number in range(len(asked))]
    paired = zip(asked, pictures, things, strict=True)
    return [mark(one, pixels, found) for one, pixels, found in paired]


def mark(one: AskedScene, pixels: Array, things: bool) -> Mark:
    """What is said of things alone is right when they are there (where they are said to be)."""
    right = things if one.scene.kind in ("thing", "and", "relation") else shows(one.scene, pixels)
    return Mark(right=right, things=things)


def hits(rows: Sequence[tuple[int, int, Array, int]], crops: Array) -> list[bool]:
    """Whether each row's crop has its drawing among the five nearest."""
    found: list[bool] = []
    for start in range(0, len(rows), CHUNK):
        part = rows[start : start + CHUNK]
        errors = squared_errors(np.stack([crop for _, _, crop, _ in part]), crops)
        ranks = rank_targets(errors, np.array([target for *_, target in part], np.int64))
        found += (ranks < 5).tolist()
    return found


def measure_scenes(painted: Sequence[PaintedScene], truth: Truth) -> SceneReport:
    """All marks, with the ground-truth and the shuffled row over the same scenes."""
    groups: dict[tuple[str, str], list[PaintedScene]] = {}
    for one in painted:
        groups.setdefault((one.asked.scene.kind, one.asked.language), []).append(one)
    kinds = list(dict.fromkeys(kind for kind, _ in groups))
    by_kind = {
        kind: {tongue: group for (k, tongue), group in groups.items() if k == kind}
        for kind in kinds
    }
    own = {kind: mark_groups(each, truth, as_asked) for kind, each in by_kind.items()}
    tongues = dict.fromkeys(tongue for _, tongue in groups)
    return SceneReport(
        languages={
            tongue: {
                kind: marks_of({tongue: own[kind][tongue]}, by_kind[kind])
                for kind in kinds
                if tongue in by_kind[kind]
            }
            for tongue in tongues
        },
        mean={kind: marks_of(own[kind], by_kind[kind]) for kind in kinds},
        truth={
            kind: marks_of(mark_groups(each, truth, lambda g: painted_truly(g, truth)), each)
            for kind, each in by_kind.items()
        },
        shuffled={
            kind: marks_of(mark_groups(each, truth, turned), each) for kind, each in by_kind.items()
        },
    )


def measure_kinds(painted: Sequence[PaintedScene], truth: Truth) -> Marks:
    """The marks of all pictures as one: shares over kinds, each counting the same."""
    groups: dict[str, list[PaintedScene]] = {}
    for one in painted:
        groups.setdefault(one.asked.scene.kind, []).append(one)
    return marks_of(mark_groups(groups, truth, as_asked), groups)


Held = tuple[Sequence[AskedScene], Sequence[Array]]  # scenes and the pictures held against them


def as_asked(group: Sequence[PaintedScene]) -> Held:
    """Every scene with its own picture."""
    return [one.asked for one in group], [one.pixels for one in group]


def turned(group: Sequence[PaintedScene]) -> Held:
    """Every scene with the picture of the one before; the same number of pictures."""
    pictures = [one.pixels for one in group]
    return [one.asked for one in group], pictures[-1:] + pictures[:-1]


def painted_truly(group: Sequence[PaintedScene], truth: Truth) -> Held:
    """Every scene with a picture made of the drawings."""
    asked = [one.asked for one in group]
    return asked, [truth.picture(one.scene) for one in asked]


def mark_groups(
    groups: dict[str, list[PaintedScene]],
    truth: Truth,
    held: Callable[[Sequence[PaintedScene]], Held],
) -> dict[str, list[Mark]]:
    """Marks by language, or by what else pictures are grouped."""
    return {name: mark_all(*held(group), truth) for name, group in groups.items()}


def marks_of(marks: dict[str, list[Mark]], groups: dict[str, list[PaintedScene]]) -> Marks:
    """Shares over groups, each counting the same; a scene is resampled in all at once."""
    scenes: dict[object, int] = {}
    numbers = [
        np.array([scenes.setdefault(one.asked.scene, len(scenes)) for one in groups[tongue]])
        for tongue in marks
    ]

    def share(flag: Callable[[Mark], bool]) -> Share:
        flags: list[Flags] = [np.array([flag(m) for m in marks[tongue]]) for tongue in marks]
        return share_of(flags, numbers)

    return Marks(
        count=sum(map(len, marks.values())),
        right=share(lambda m: m.right),
        things=share(lambda m: m.things),
        both=share(lambda m: m.right and m.things),
    )
