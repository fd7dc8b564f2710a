"""What an autoencoder gives back, in dB."""

import json
import math

import numpy as np
import pytest
from PIL import Image

from bluerider.cli.main import main
from bluerider.evaluate.autoencoder import Reconstruction, psnr, summary
from bluerider.training.emoji import EmojiSet, save_emoji


def flat(level: int) -> Image.Image:
    return Image.new("RGB", (8, 8), (level,) * 3)


def test_psnr_of_one_level_is_its_closed_form() -> None:
    assert psnr(flat(10), flat(11)) == pytest.approx(20 * math.log10(255))


def test_equal_pictures_are_infinitely_close() -> None:
    assert psnr(flat(10), flat(10)) == math.inf


def test_pooled_psnr_is_that_of_the_mean_error() -> None:
    pairs = [(flat(0), flat(1)), (flat(0), flat(3))]
    found = [Reconstruction(one, other, psnr(one, other)) for one, other in pairs]
    told = summary(found)
    assert told["pooled"] == pytest.approx(10 * math.log10(255**2 / np.mean([1, 9])))
    assert told["lowest"] == found[1].psnr


def test_the_command_measures_the_held_out_alone(drawing_set, tmp_path, capsys) -> None:
    save_emoji(drawing_set, tmp_path / "set", parquet=False)
    sheet = tmp_path / "sheet.png"
    asked = ["evaluate", "autoencoder", "--data", str(tmp_path / "set"), "--out", str(sheet)]
    assert main([*asked, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["count"] == 1 and 5 < told["mean"] < 60
    with Image.open(sheet) as image:
        assert image.height > 256  # the drawing above, what came back below


@pytest.fixture
def drawing_set(disc) -> EmojiSet:
    import io

    files = []
    for colour in ("red", "blue"):
        out = io.BytesIO()
        disc(colour, side=256).convert("RGBA").save(out, "WEBP", lossless=True)
        files.append(out.getvalue())
    names = {"en": {"🍎": "red", "🫐": "blue"}}
    return EmojiSet(["🍎", "🫐"], files, names, {"en": {"🍎": [], "🫐": []}}, ("🫐",))
