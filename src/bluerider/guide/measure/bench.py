"""What a model makes of a prompt and a seed, each made once and kept: embeddings and pictures'
numbers.
"""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from bluerider.errors import BlueriderError
from bluerider.guide.measure.effects import measure

if TYPE_CHECKING:
    from bluerider.pipeline import Pipeline
    from bluerider.request import Request

Cell = tuple[str, int]  # prompt and seed
Watch = Callable[[int, int, str], None]  # done, of, what
TABLE = """CREATE TABLE IF NOT EXISTS cells (
    kind TEXT, prompt TEXT, seed INTEGER, data BLOB, PRIMARY KEY (kind, prompt, seed)
) WITHOUT ROWID"""
EMBEDDING, PICTURE = "embedding", "picture"


class Spent(BlueriderError):
    """The budget of pictures is used up; what was made is kept."""


class Bench:
    """A model under measurement, with all that it made before under the same settings."""

    def __init__(
        self, pipe: "Pipeline", settings: "Request", place: Path, *, batch: int, budget: int | None
    ) -> None:
        self.pipe = pipe
        self.settings = settings
        self.batch = batch
        self.left = budget
        place.parent.mkdir(parents=True, exist_ok=True)
        self.base = sqlite3.connect(place)
        self.base.execute(TABLE)

    def close(self) -> None:
        """Let the file go."""
        self.base.close()

    @property
    def imagines(self) -> bool:
        """Whether the model has a prior, so that words move an embedding before any pixel."""
        return "prior" in self.pipe.files.parts

    def embeddings(self, cells: Sequence[Cell], watch: Watch) -> NDArray[np.float64]:
        """The prior's image embeddings (N, D) of some cells."""
        return self._table(EMBEDDING, cells, self._imagine, np.float32, watch)

    def pictures(self, cells: Sequence[Cell], watch: Watch) -> NDArray[np.float64]:
        """The numbers (N, metrics) of some cells' pictures. Raises Spent when the budget ends."""
        return self._table(PICTURE, cells, self._paint, np.float64, watch)

    def missing(self, kind: str, cells: Sequence[Cell]) -> list[Cell]:
        """Cells that are not made yet, each once."""
        sql = "SELECT prompt, seed FROM cells WHERE kind = ?"
        there = set(self.base.execute(sql, (kind,)))
        return [cell for cell in dict.fromkeys(cells) if cell not in there]

    def _table(
        self,
        kind: str,
        cells: Sequence[Cell],
        make: Callable[[Sequence[Cell]], NDArray[Any]],
        form: type[Any],
        watch: Watch,
    ) -> NDArray[np.float64]:
        missing = self.missing(kind, cells)
        for start in range(0, len(missing), self.batch):
            chunk = missing[start : start + self.batch]
            made = make(chunk).astype(form)
            rows = [(kind, *cell, row.tobytes()) for cell, row in zip(chunk, made, strict=True)]
            with self.base:
                self.base.executemany("INSERT OR REPLACE INTO cells VALUES (?, ?, ?, ?)", rows)
            watch(start + len(chunk), len(missing), kind)
        sql = "SELECT prompt, seed, data FROM cells WHERE kind = ?"
        wanted = set(cells)
        found = {
            (prompt, seed): np.frombuffer(data, form)
            for prompt, seed, data in self.base.execute(sql, (kind,))
            if (prompt, seed) in wanted
        }
        return np.stack([found[cell] for cell in cells]).astype(np.float64)

    def _imagine(self, cells: Sequence[Cell]) -> NDArray[Any]:
        from bluerider.pipeline.prior import imagine

        prompts, seeds = [prompt for prompt, _ in cells], [seed for _, seed in cells]
        steps = imagine(self.pipe.parts, prompts, [""] * len(cells), seeds, self.settings)
        with torch.inference_mode():
            found: NDArray[Any] = last(steps).cpu().numpy()
        return found

    def _paint(self, cells: Sequence[Cell]) -> NDArray[Any]:
        if self.left is not None:
            if self.left < len(cells):
                raise Spent("the budget of pictures is spent; the same command goes on from here")
            self.left -= len(cells)
        images = paint(self.pipe, self.settings, cells, self.batch)
        return np.array([measure(np.asarray(image.convert("RGB"))) for image in images])


def paint(
    pipe: "Pipeline", settings: "Request", cells: Sequence[Cell], batch: int
) -> Iterator[Any]:
    """The picture of every cell."""
    from dataclasses import replace

    requests = [replace(settings, prompt=prompt, seed=seed, n=1) for prompt, seed in cells]
    for result in pipe.generate_many(requests, batch=batch):
        yield from result.images


def last(steps: Any) -> Any:
    """What a generator returns."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value
