"""Two things mixed: are both to be seen in the picture."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from bluerider.evaluate.choice import pair_of
from bluerider.evaluate.crop import SIZE, Array
from bluerider.evaluate.drawings import Drawings
from bluerider.evaluate.journal import Journal
from bluerider.evaluate.painting import Painter, paint_all
from bluerider.evaluate.regions import seen
from bluerider.evaluate.retrieval import Share, share_of, squared_errors
from bluerider.evaluate.words import open_places

NEAR = 20  # both drawings have to be among so many
HALF = 0.5  # of either in a mix
WHOLE = 64  # px of the drawings' whole pictures, of which 32 are known
TRIES = 10_000
Distances = Callable[[Sequence[Array]], NDArray[np.float64]]  # pictures -> (P, N) to all drawings


@dataclass(frozen=True, kw_only=True)
class Mixed:
    """Two things in English, and their drawings' places."""

    words: tuple[str, str]
    targets: tuple[int, int]

    @property
    def prompt(self) -> str:
        """How a sheet and a journal name it."""
        return " + ".join(self.words)

    @property
    def key(self) -> tuple[str, str]:
        """What a journal keeps its picture under."""
        return "mix", " ".join(map(str, self.targets))


def choose_pairs(drawings: Drawings, count: int) -> list[Mixed]:
    """Random pairs outside the holdout; fewer are the beginning of more."""
    names = drawings.names["en"]
    order = [i for i in open_places(drawings) if drawings.emoji[i] in names]
    found: dict[tuple[int, int], Mixed] = {}
    for number in range(TRIES):
        a, b = pair_of(f"mix {number}", order)
        if a != b and len(found) < count:
            words = (names[drawings.emoji[a]], names[drawings.emoji[b]])
            found.setdefault((min(a, b), max(a, b)), Mixed(words=words, targets=(a, b)))
    return list(found.values())


def paint_pairs(
    painter: Painter,
    pairs: Sequence[Mixed],
    journal: Journal | None = None,
    *,
    batch: int = 8,
    **fields: Any,
) -> Iterator[tuple[Mixed, Array]]:
    """Every pair's picture (128, 128, 3): the even sum of the two image embeddings."""

    def own(pair: Mixed) -> Mapping[str, Any]:
        return {"prompt": "", "task": "mix", "add": tuple((word, HALF) for word in pair.words)}

    for pair, image in paint_all(painter, pairs, journal, batch=batch, own=own, **fields):
        yield pair, seen(image)


def by_pixels(drawings: Array) -> Distances:
    """Mean squared error at 32 x 32, as for words, to the drawings (N, S, S, 3)."""
    small = shrunk(drawings)
    return lambda pictures: squared_errors(shrunk(pictures), small)


def shrunk(pictures: Iterable[Array]) -> Array:
    """Square pictures at 32 x 32, (P, 32, 32, 3)."""
    images = (Image.fromarray(pixels) for pixels in pictures)
    small = [image.resize((SIZE, SIZE), Image.Resampling.LANCZOS) for image in images]
    return np.stack([np.asarray(image) for image in small])


def by_encoder(
    encode: Callable[[Sequence[Image.Image]], NDArray[np.float64]], drawings: Array
) -> Distances:
    """One minus the cosine of an encoder's vectors of the pictures and of all drawings."""
    known = encode([Image.fromarray(pixels) for pixels in drawings])
    return lambda pictures: 1 - encode([Image.fromarray(pixels) for pixels in pictures]) @ known.T


@dataclass(frozen=True, kw_only=True)
class MixRow:
    """How often both drawings, and each alone, are among the 20 nearest."""

    count: int
    both: Share
    first: Share
    second: Share


@dataclass(frozen=True, kw_only=True)
class MixReport:
    """A row by one measure, and those that bound it."""

    painted: MixRow
    blend: MixRow  # the two drawings laid over each other, half and half
    one: MixRow  # the first drawing alone
    shuffled: MixRow  # each picture held against another pair

    def to_json(self) -> dict[str, Any]:
        """A plain table."""
        return asdict(self)


def measure_mix(
    painted: Sequence[tuple[Mixed, Array]], drawings: Array, distances: Distances
) -> MixReport:
    """The rows of pictures by one measure of their distances to the drawings (N, S, S, 3)."""
    pairs = [pair for pair, _ in painted]
    errors = distances([pixels for _, pixels in painted])
    halves = [[drawings[place].astype(float) for place in pair.targets] for pair in pairs]
    blends = [np.rint((a + b) / 2).astype(np.uint8) for a, b in halves]
    turned = pairs[1:] + pairs[:1]
    return MixReport(
        painted=row_of(pairs, errors),
        blend=row_of(pairs, distances(blends)),
        one=row_of(pairs, distances([drawings[pair.targets[0]] for pair in pairs])),
        shuffled=row_of(turned, errors),
    )


def row_of(pairs: Sequence[Mixed], errors: NDArray[np.float64]) -> MixRow:
    """Shares of pairs whose drawings are near enough."""
    targets = np.array([pair.targets for pair in pairs])
    own = np.take_along_axis(errors, targets, axis=1)
    near = (errors[:, None] < own[..., None]).sum(axis=2) < NEAR
    things = [np.arange(len(pairs))]

    def share(flags: NDArray[np.bool_]) -> Share:
        return share_of([flags], things)

    return MixRow(
        count=len(pairs),
        both=share(near.all(axis=1)),
        first=share(near[:, 0]),
        second=share(near[:, 1]),
    )
