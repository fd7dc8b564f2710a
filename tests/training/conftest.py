"""Tiny clones of noto-emoji and cldr-json: five drawings, three languages; and a tiny recipe, every
stage of which was run.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from PIL import Image, ImageDraw

from bluerider.training import stages
from bluerider.training.emoji import EmojiSet
from bluerider.training.recipe import STAGES, Recipe
from bluerider.training.workshop import Workshop
from tests.training.drawn import tiny_emoji
from tests.training.tiny import TINY, workshop

COLOURS = {"1f34e": "red", "1f34b": "yellow", "2764": "crimson", "1fa80": "blue", "23_20e3": "gray"}
UNWANTED = ("1f44b_1f3fb", "1f3fb", "1f1e9_1f1ea", "1f3f4_e0067_e0062_e0065_e006e_e0067_e007f")
NAMES = {
    "en": {"🍎": "red apple", "🍋": "lemon", "❤": "red heart", "🪀": "yo-yo"},
    "ru": {"🍎": "красное яблоко", "🍋": "лимон", "❤": "красное сердце", "🪀": "йо-йо"},
    "en-AU": {"🍎": "apple"},
}
KEYCAP = {"en": "keycap: #", "ru": "клавиша: #"}


def draw(path: Path, colour: str, size: tuple[int, int] = (512, 512)) -> None:
    image = Image.new("RGBA", size)
    box = (size[0] // 8, size[1] // 8, size[0] * 7 // 8, size[1] * 7 // 8)
    ImageDraw.Draw(image).ellipse(box, fill=colour)
    image.save(path)


def annotate(path: Path, key: str, names: Mapping[str, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    entries = {e: {"default": [name, "thing"], "tts": [name]} for e, name in names.items()}
    path.write_text(json.dumps({key: {"identity": {}, "annotations": entries}}), "utf-8")


@pytest.fixture
def png(tmp_path: Path) -> Path:
    folder = tmp_path / "noto-emoji" / "png" / "512"
    folder.mkdir(parents=True)
    for name, colour in COLOURS.items():
        parts = "_".join(part.zfill(4) for part in name.split("_"))
        draw(folder / f"emoji_u{parts}.png", colour)
    for name in UNWANTED:
        draw(folder / f"emoji_u{name}.png", "green")
    draw(folder / "emoji_u1fae8.png", "green")  # no name in any language
    return tmp_path / "noto-emoji"


@pytest.fixture
def cldr(tmp_path: Path) -> Path:
    root = tmp_path / "cldr-json" / "cldr-json"
    for lang, names in NAMES.items():
        base = root / "cldr-annotations-full/annotations" / lang / "annotations.json"
        annotate(base, "annotations", {**names, "👋🏻": "hand", "🇩🇪": "flag"})
        if lang in KEYCAP:
            derived = root / "cldr-annotations-derived-full/annotationsDerived" / lang
            annotate(derived / "annotations.json", "annotationsDerived", {"#️⃣": KEYCAP[lang]})
    return tmp_path / "cldr-json"


@pytest.fixture
def bluerider(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run a command line: (exit code, stdout, stderr)."""
    from bluerider.cli.main import main

    def run(*args: object) -> tuple[int, str, str]:
        code = main([str(arg) for arg in args])
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture(scope="session")
def few_texts() -> Iterator[None]:
    """A tiny prior is attuned to as many texts as it is shown in a batch or two."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(stages, "TUNED", 512)
        yield


@pytest.fixture(scope="session")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    path = tmp_path_factory.mktemp("recipe") / "tiny.yaml"
    path.write_text(TINY)
    return Recipe.load(path)


@pytest.fixture(scope="session")
def emoji() -> EmojiSet:
    return tiny_emoji()


@pytest.fixture(scope="session")
def trained(
    few_texts: None, recipe: Recipe, emoji: EmojiSet, tmp_path_factory: pytest.TempPathFactory
) -> Workshop:
    shop = workshop(recipe, emoji, tmp_path_factory.mktemp("run"))
    for stage in STAGES:
        stages.run_stage(shop, stage, lambda text: None)
    return shop
