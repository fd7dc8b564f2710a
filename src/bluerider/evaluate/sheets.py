"""Contact sheets of an evaluation: what was asked for beside what was painted, hits marked."""

import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from bluerider.evaluate.crop import Array
from bluerider.evaluate.drawings import Drawings
from bluerider.evaluate.mix import Mixed
from bluerider.evaluate.retrieval import rank_targets, squared_errors
from bluerider.evaluate.scenes import PaintedScene, mark_all
from bluerider.evaluate.truth import Truth
from bluerider.evaluate.words import SMALL, Painted
from bluerider.files import write_whole
from bluerider.images import sheet

PAIRS_ACROSS, PAIRS_DOWN = 8, 10
TRIPLES_ACROSS, TRIPLES_DOWN = 5, 10
FRAME = 4  # px around each pair
FIRST, FIVE, MISS = (24, 150, 60), (235, 170, 0), (200, 40, 40)
Colour = tuple[int, int, int]


def draw_pair(truth: Image.Image, painted: Image.Image, colour: Colour) -> Image.Image:
    """What was asked for left, the picture right, framed in a colour."""
    pair = Image.new("RGB", (2 * SMALL + 2 * FRAME, SMALL + 2 * FRAME), "white")
    pair.paste(truth.resize((SMALL, SMALL), Image.Resampling.LANCZOS), (FRAME, FRAME))
    pair.paste(painted.resize((SMALL, SMALL)), (SMALL + FRAME, FRAME))
    box = (0, 0, pair.width - 1, pair.height - 1)
    ImageDraw.Draw(pair).rectangle(box, outline=colour, width=FRAME - 1)
    return pair


def pages(pairs: Sequence[Image.Image]) -> Iterator[Image.Image]:
    """Sheets of 8 x 10 pairs, in the order given."""
    for start in range(0, len(pairs), PAIRS_ACROSS * PAIRS_DOWN):
        yield sheet(pairs[start : start + PAIRS_ACROSS * PAIRS_DOWN], across=PAIRS_ACROSS, gap=0)


def draw_sheets(painted: Sequence[Painted], drawings: Drawings) -> Iterator[Image.Image]:
    """Sheets of words: green where the drawing is nearest, yellow among five, red neither."""
    targets = np.array([one.word.target for one in painted], np.int64)
    crops = np.stack([one.crop for one in painted])
    ranks = rank_targets(squared_errors(crops, drawings.pictures), targets)
    yield from pages(
        [
            draw_pair(
                Image.fromarray(drawings.pictures[one.word.target]),
                one.image,
                FIRST if rank < 1 else FIVE if rank < 5 else MISS,
            )
            for one, rank in zip(painted, ranks.tolist(), strict=True)
        ]
    )


def draw_scene_sheets(painted: Sequence[PaintedScene], truth: Truth) -> Iterator[Image.Image]:
    """Sheets of scenes: green where all is right, yellow what was said but not the things, red."""
    marks = mark_all([one.asked for one in painted], [one.pixels for one in painted], truth)
    yield from pages(
        [
            draw_pair(
                Image.fromarray(truth.picture(one.asked.scene)),
                Image.fromarray(one.pixels),
                (FIRST if mark.things else FIVE) if mark.right else MISS,
            )
            for one, mark in zip(painted, marks, strict=True)
        ]
    )


def save_sheets(painted: Sequence[Painted], drawings: Drawings, folder: Path) -> list[Path]:
    """Write `sheets/<language or spelling>-<number>.png` for each; returns their paths."""
    paths = []
    for row in sorted({one.word.row for one in painted}):
        group = [one for one in painted if one.word.row == row]
        paths += write_pages(draw_sheets(group, drawings), folder, row)
    return paths


def save_scene_sheets(painted: Sequence[PaintedScene], truth: Truth, folder: Path) -> list[Path]:
    """Write `sheets/<language>-<kind>-<number>.png`; returns their paths."""
    groups: dict[str, list[PaintedScene]] = {}
    for one in painted:
        groups.setdefault(f"{one.asked.language}-{one.asked.scene.kind}", []).append(one)
    paths = []
    for name, group in sorted(groups.items()):
        paths += write_pages(draw_scene_sheets(group, truth), folder, name)
    return paths


def save_mix_sheets(
    painted: Sequence[tuple[Mixed, Array]], truth: Truth, folder: Path
) -> list[Path]:
    """Write `sheets/mix-<number>.png`: the two drawings, then what was painted of both."""
    cells, captions = [], []
    for pair, pixels in painted:
        shown = [truth.drawings.pictures[place] for place in pair.targets]
        cells += [Image.fromarray(each).resize((SMALL, SMALL)) for each in (*shown, pixels)]
        captions += [*pair.words, "mix"]
    whole = TRIPLES_ACROSS * TRIPLES_DOWN * 3
    parts = [slice(start, start + whole) for start in range(0, len(cells), whole)]
    sheets = (sheet(cells[p], captions=captions[p], across=3 * TRIPLES_ACROSS) for p in parts)
    return write_pages(sheets, folder, "mix")


def write_pages(sheets: Iterator[Image.Image], folder: Path, name: str) -> list[Path]:
    """Write `sheets/<name>-<number>.png`."""
    place = folder / "sheets"
    place.mkdir(parents=True, exist_ok=True)
    paths = []
    for number, page in enumerate(sheets, start=1):
        encoded = io.BytesIO()
        page.save(encoded, "PNG")
        paths.append(place / f"{name}-{number}.png")
        write_whole(paths[-1], encoded.getvalue())
    return paths
