"""Contact sheets of an evaluation: the drawing asked for beside what was painted, hits marked."""

import io
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from bluerider.evaluate.drawings import Drawings
from bluerider.evaluate.retrieval import rank_targets, squared_errors
from bluerider.evaluate.words import SMALL, Painted
from bluerider.files import write_whole
from bluerider.images import sheet

PAIRS_ACROSS, PAIRS_DOWN = 8, 10
FRAME = 4  # px around each pair
FIRST, FIVE, MISS = (24, 150, 60), (235, 170, 0), (200, 40, 40)


def draw_pair(one: Painted, drawing: Image.Image, rank: int) -> Image.Image:
    """Drawing left, picture right, framed: green nearest, yellow among five, red neither."""
    colour = FIRST if rank < 1 else FIVE if rank < 5 else MISS
    pair = Image.new("RGB", (2 * SMALL + 2 * FRAME, SMALL + 2 * FRAME), "white")
    pair.paste(drawing.resize((SMALL, SMALL), Image.Resampling.LANCZOS), (FRAME, FRAME))
    pair.paste(one.image.resize((SMALL, SMALL)), (SMALL + FRAME, FRAME))
    box = (0, 0, pair.width - 1, pair.height - 1)
    ImageDraw.Draw(pair).rectangle(box, outline=colour, width=FRAME - 1)
    return pair


def draw_sheets(painted: Sequence[Painted], drawings: Drawings) -> Iterator[Image.Image]:
    """Sheets of 8 x 10 pairs, in the order given."""
    targets = np.array([one.word.target for one in painted], np.int64)
    crops = np.stack([one.crop for one in painted])
    ranks = rank_targets(squared_errors(crops, drawings.pictures), targets)
    pairs = [
        draw_pair(one, Image.fromarray(drawings.pictures[one.word.target]), int(rank))
        for one, rank in zip(painted, ranks, strict=True)
    ]
    for start in range(0, len(pairs), PAIRS_ACROSS * PAIRS_DOWN):
        yield sheet(pairs[start : start + PAIRS_ACROSS * PAIRS_DOWN], across=PAIRS_ACROSS, gap=0)


def save_sheets(painted: Sequence[Painted], drawings: Drawings, folder: Path) -> list[Path]:
    """Write `sheets/<language>-<number>.png` for every language; returns their paths."""
    place = folder / "sheets"
    place.mkdir(parents=True, exist_ok=True)
    paths = []
    for language in sorted({one.word.language for one in painted}):
        group = [one for one in painted if one.word.language == language]
        for number, page in enumerate(draw_sheets(group, drawings), start=1):
            encoded = io.BytesIO()
            page.save(encoded, "PNG")
            paths.append(place / f"{language}-{number}.png")
            write_whole(paths[-1], encoded.getvalue())
    return paths
