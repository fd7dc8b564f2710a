"""Words that people put around what they ask for, and for which nothing is drawn: a text that has
them means what it meant without.
"""

from collections.abc import Iterable, Sequence

import numpy as np

from bluerider.scenes.names import articled
from bluerider.training.motifs import pick

FRAMED, STRANGE = 0.35, 0.4
EACH = 6  # texts of a name
FRAMES = tuple(
    "a photo of {a};photo of {x};a picture of {a};picture of {a};an image of {a};a drawing of {a};"
    "drawing of {x};a painting of {a};painting of {x};an illustration of {a};a sketch of {a};"
    "an oil painting of {a};a watercolor of {a};a cartoon of {a};a portrait of {a};"
    "a close-up of {a};a render of {a};an icon of {a};a sticker of {a};draw {a};draw me {a};"
    "paint {a};show me {a};i want {a};please paint {a};this is {a};here is {a};my {x};our {x};"
    "{x} emoji;{x} icon;{x} drawing;{x} picture;{x} illustration;just {a};only {a};some {x}".split(
        ";"
    )
)
QUALITIES = tuple(
    "beautiful cute young happy funny lovely pretty nice good shiny simple plain ancient modern "
    "realistic detailed colorful vintage elegant magical dark wild brave friendly fluffy wooden "
    "fancy fresh abstract minimalist cartoon anime watercolor 3d digital dramatic cinematic moody "
    "dreamy gloomy epic stunning amazing awesome perfect favorite famous strange weird mysterious "
    "dirty clean lonely tasty clever calm".split()
)
TAILS = tuple(
    "highly detailed;very detailed;4k;8k;hd;high quality;best quality;masterpiece;sharp focus;"
    "soft light;studio lighting;dramatic lighting;natural light;golden hour;bokeh;wide angle;"
    "depth of field;low angle;film grain;vivid colors;pastel colors;muted colors;trending;"
    "digital art;concept art;oil painting;watercolor painting;pencil sketch;vector art;flat style;"
    "comic style;art nouveau;impressionism;surrealism;unreal engine;octane render;isometric;"
    "centered;symmetrical;minimalism;in detail;on a table;in the garden;in the forest;in a room;"
    "in the city;on the street;at home;outside;for kids;very nice;please".split(";")
)
SIGNS = ("!", "!!", "?", "...", "()", "[]", "--", "~", "4k", "hd", "8k", "#1", "**", ":)")
ONSETS = tuple("b br c ch cl d dr f fl g gl gr h j k kl l m n p pl pr qu r s sk st t v z".split())
CODAS = ("", "", "b", "g", "k", "l", "lt", "m", "n", "nd", "p", "r", "rf", "sh", "t", "x", "zz")


def with_asides(text: str, rng: np.random.Generator) -> str:
    """An English text without an article, in a frame ("a photo of"), behind qualities ("cute") or
    before tails (", 4k"); of those, a part are words that do not exist.
    """
    if rng.random() < FRAMED:
        return pick(rng, FRAMES).format(x=text, a=articled(text))
    told = qualified(text, rng, STRANGE)
    return articled(told) if told.endswith(text) and rng.random() < 0.3 else told


def qualified(text: str, rng: np.random.Generator, strange: float) -> str:
    """A text behind qualities or before tails, of which a part `strange` are invented."""
    if rng.random() < 0.5:
        return " ".join([*some(rng, QUALITIES, 2, strange), text])
    joint = ", " if rng.random() < 0.7 else " "
    return joint.join([text, *some(rng, TAILS, 3, strange)])


def some(rng: np.random.Generator, words: Sequence[str], most: int, strange: float) -> list[str]:
    """One to `most` of the words, or invented ones."""
    count = int(rng.integers(1, most + 1))
    return [invented(rng) if rng.random() < strange else pick(rng, words) for _ in range(count)]


def asides_read(names: Iterable[str]) -> list[str]:
    """Names among some of the words that exist, the same texts every time; without frames, whose
    words stand before anything people ask for, known or not.
    """
    rng = np.random.default_rng(0)
    return [qualified(name, rng, 0.0) for name in names for _ in range(EACH)]


def signed(text: str, rng: np.random.Generator) -> str:
    """A text of any language with a sign before or behind it."""
    sign, joint = pick(rng, SIGNS), pick(rng, (" ", " ", ", ", ""))
    return f"{text}{joint}{sign}" if rng.random() < 0.7 else f"{sign} {text}"


def invented(rng: np.random.Generator) -> str:
    """A word of one to three syllables that hardly exists."""
    parts = [(pick(rng, ONSETS), pick(rng, "aeiou"), pick(rng, CODAS)) for _ in "123"]
    return "".join("".join(part) for part in parts[: int(rng.integers(1, 4))])
