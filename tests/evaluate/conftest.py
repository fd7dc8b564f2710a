"""A set of a few drawings that differ, and a painter that knows them."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pytest
from PIL import Image, ImageDraw

from bluerider.evaluate.drawings import Drawings, crop_drawings
from bluerider.request import Request, Result

COLOURS = ("red", "lime", "blue", "black", "orange", "purple", "teal", "brown", "pink", "gold")
EMOJI = tuple("🍎🍏🫐🐈🍊🍇🐬🐻🌸🌟")


def disc(colour: str, side: int = 128, at: tuple[int, int, int, int] = (14, 24, 114, 104)):
    image = Image.new("RGB", (side, side), "white")
    ImageDraw.Draw(image).ellipse(at, fill=colour)
    return image


@pytest.fixture
def drawings() -> Drawings:
    names = {"en": dict(zip(EMOJI, COLOURS, strict=True)), "xx": {e: f"x{e}" for e in EMOJI[:6]}}
    return crop_drawings(EMOJI, [disc(colour) for colour in COLOURS], names, EMOJI[-1:])


class Painter:
    """Paints a smaller disc elsewhere in the colour that an English name says; counts prompts."""

    def __init__(self, wrong: Sequence[str] = (), fail_after: int | None = None) -> None:
        self.wrong = wrong
        self.fail_after = fail_after
        self.asked: list[str] = []

    def generate_many(self, requests: Sequence[Request], *, batch: int) -> Iterator[Result]:
        for request in requests:
            if len(self.asked) == self.fail_after:
                raise KeyboardInterrupt
            self.asked.append(request.prompt)
            word = request.prompt
            colour = COLOURS[EMOJI.index(word[1:])] if word.startswith("x") else word
            if word in self.wrong:
                colour = COLOURS[COLOURS.index(colour) - 1]
            image = disc(colour, at=(40, 50, 100, 98))
            yield Result(images=[image], seeds=[request.seed or 0], request=request, seconds=0.0)


@pytest.fixture(name="painter")
def painter_class() -> type[Painter]:
    return Painter


@pytest.fixture(name="disc")
def disc_of() -> Callable[..., Image.Image]:
    return disc


@pytest.fixture
def noise() -> np.random.Generator:
    return np.random.default_rng(3)
