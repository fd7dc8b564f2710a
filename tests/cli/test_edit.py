"""The editing commands: their flags, what they hand on, what they refuse at the door."""

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bluerider.images import read_request
from tests.cli.conftest import Run
from tests.cli.fake_pipeline import FakePipeline

COMMANDS = ("img2img", "inpaint", "outpaint", "mix", "vary", "depth")


@pytest.fixture
def photo(here: Path) -> str:
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (48, 80, 3)).astype(np.uint8)).save(
        here / "photo.png"
    )
    mask = Image.new("L", (80, 48))
    mask.paste(255, (8, 8, 24, 24))
    mask.save(here / "mask.png")
    return "photo.png"


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        ("img2img photo.png cat --strength 0.3", {"task": "img2img", "strength": 0.3}),
        ("inpaint photo.png cat --mask mask.png --feather 4 --invert-mask",
         {"task": "inpaint", "mask": "mask.png", "feather": 4, "invert_mask": True}),
        ("outpaint photo.png cat --left 3 --up 5", {"task": "outpaint", "left": 3, "up": 5}),
        ("vary photo.png -n 2 --prior-strength 0.5", {"prior_strength": 0.5, "n": 2}),
        ("mix --add photo.png:0.5 --add cat --slerp", {"task": "mix", "slerp": True}),
    ],
)  # fmt: skip
def test_flags_become_the_request(
    run: Run, fake: type[FakePipeline], photo: str, line: str, fields: dict
) -> None:
    done = run(*line.split(), "--seed", "1", "--steps", "2", "-o", "out")
    assert done.code == 0, done.err
    request = fake.painted[0]
    assert {name: getattr(request, name) for name in fields} == fields
    assert request.steps == 2 and request.seed == 1


def test_what_is_mixed_may_stand_behind_the_flag(
    run: Run, fake: type[FakePipeline], photo: str
) -> None:
    assert run("mix", "--add", "photo.png:0.5", "cat:2", "a dog").code == 0
    told = [each.to_json() for each in fake.painted[0].add]
    assert told == [
        {"picture": "photo.png", "weight": 0.5},
        {"words": "cat", "weight": 2.0},
        {"words": "a dog", "weight": 1.0},
    ]


def test_the_picture_keeps_names_and_hashes_and_no_paths(run: Run, here: Path, photo: str) -> None:
    (here / "in").mkdir()
    for name in ("photo.png", "mask.png"):
        (here / name).rename(here / "in" / name)
    line = ("inpaint", "in/photo.png", "cat", "--mask", "in/mask.png", "-o", "out.png")
    assert run(*line).code == 0
    stored = read_request("out.png")
    assert (stored["picture"], stored["mask"]) == ("photo.png", "mask.png")
    assert [one["name"] for one in stored["inputs"]] == ["photo.png", "mask.png"]
    shown = run("show", "out.png").out
    assert "photo.png" in shown and "in/" not in shown


def test_like_repeats_an_edit_and_refuses_a_changed_input(
    run: Run, fake: type[FakePipeline], here: Path, photo: str
) -> None:
    line = ("mix", "--add", photo, "--add", "cat:0.5", "--seed", "4", "-o", "out.png")
    assert run(*line).code == 0
    assert run("generate", "--like", "out.png", "-o", "again.png").code == 0
    assert fake.painted[0].to_json() == fake.painted[1].to_json()
    Image.new("RGB", (80, 48)).save(here / photo)
    refused = run("generate", "--like", "out.png", "-o", "again.png")
    assert refused.code == 2 and "another photo.png" in refused.err
    (here / photo).unlink()
    assert "put it beside it" in run("generate", "--like", "out.png", "-o", "again.png").err


def test_a_request_that_names_a_picture_without_its_hash_is_refused(
    run: Run, here: Path, photo: str
) -> None:
    from bluerider.images import write

    stored = {"prompt": "cat", "task": "img2img", "picture": photo}
    write(Image.new("RGB", (8, 8)), here / "x.png", request=stored)
    done = run("generate", "--like", "x.png")
    assert done.code == 2 and "damaged" in done.err


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int) -> bytes:
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(b"\0" * 100)
    parts = (chunk(b"IHDR", head), chunk(b"IDAT", rows), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


def saved(image: Image.Image, kind: str) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return buffer.getvalue()


BAD = {
    "no picture": b"hello, world",
    "empty": b"",
    "cut short": saved(Image.effect_noise((64, 64), 50), "PNG")[:900],
    "0 x 0": png(0, 0),
    "a header of 65535 x 65535": png(65535, 65535),
    "GIF": saved(Image.new("P", (8, 8)), "GIF"),
    "BMP": saved(Image.new("RGB", (8, 8)), "BMP"),
    "TIFF": saved(Image.new("RGB", (8, 8)), "TIFF"),
    "1 x 20000": saved(Image.new("L", (1, 20000)), "PNG"),
}


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("as_mask", [False, True])
def test_a_bad_picture_is_refused_before_the_model_is_loaded(
    run: Run, fake: type[FakePipeline], here: Path, photo: str, kind: str, as_mask: bool
) -> None:
    (here / "bad.png").write_bytes(BAD[kind])
    picture, mask = (photo, "bad.png") if as_mask else ("bad.png", "mask.png")
    done = run("inpaint", picture, "cat", "--mask", mask)
    assert done.code == 2 and "bad.png" in done.err and done.err.count("\n") == 1
    assert not fake.loads


@pytest.mark.parametrize("mode", ["L", "LA", "P", "RGBA", "CMYK", "I;16"])
def test_a_picture_of_any_mode_is_painted_from(
    run: Run, fake: type[FakePipeline], here: Path, mode: str
) -> None:
    image = Image.new("RGB", (8, 8), "red")
    if mode == "I;16":
        image = Image.fromarray(np.full((8, 8), 40000, np.uint16))
    else:
        image = image.convert(mode)
    image.save(here / ("a.jpg" if mode == "CMYK" else "a.png"))
    assert run("img2img", "a.jpg" if mode == "CMYK" else "a.png", "cat").code == 0


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("img2img nowhere.png cat", "nowhere.png: No such file"),
        ("img2img photo.png", "say what to paint"),
        ("img2img photo.png red cat", "put them in quotes"),
        ("img2img photo.png cat --strength 2", "strength: got 2"),
        ("img2img photo.png cat --strength x", "strength: got 'x'"),
        ("img2img photo.png cat --size 65x65", "multiples of 64"),
        ("img2img photo.png cat --model kandinsky-2.2-depth", "kandinsky-2.2-depth cannot img2img"),
        ("inpaint photo.png cat", "needs to know where"),
        ("inpaint photo.png cat --mask photo.png --feather -1", "feather: got -1"),
        ("outpaint photo.png cat", "no side grows"),
        ("mix", "mix needs something to mix"),
        ("mix --add cat:nan", "the weight: got nan"),
        ("mix --add cat:0 --add dog:0", "add up to nothing"),
        ("mix --add nowhere.png", "nowhere.png: No such file"),
        ("mix --add cat --model sd-1.5", "models that can: murnau, kandinsky-2.1, kandinsky-2.2"),
        ("vary photo.png --model kandinsky-2.0", "kandinsky-2.0 cannot vary"),
        ("depth photo.png cat", "murnau cannot depth; models that can: kandinsky-2.2-depth"),
    ],
)
def test_a_line_that_cannot_be_painted_says_why(
    run: Run, fake: type[FakePipeline], photo: str, line: str, told: str
) -> None:
    done = run(*line.split())
    assert done.code == 2 and told in done.err and done.err.count("\n") == 1
    assert not fake.loads


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_shares_the_flags_of_generate(run: Run, command: str) -> None:
    told = run(command, "--help").out
    assert all(flag in told for flag in ("--steps", "--seed", "--sampler", "--model", "--json"))
    assert "--like" not in told
