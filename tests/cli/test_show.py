import json
from pathlib import Path

import pytest
from PIL import Image

from bluerider.images import write
from tests.cli.conftest import Run


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.webp"])
def test_show_prints_the_request_as_json(run: Run, name: str) -> None:
    painted = run("generate", "красное яблоко", "--seed", "7", "-o", name, "--json").data
    shown = run("show", name, "--json")
    assert shown.code == 0
    assert shown.data == painted["request"]


def test_show_prints_a_line_a_field(run: Run) -> None:
    run("generate", "красное яблоко", "--seed", "7", "-o", "a.png")
    lines = run("show", "a.png").out.splitlines()
    assert lines[0].split(maxsplit=1) == ["prompt", "красное яблоко"]
    assert "seed               7" in lines
    assert "guidance_interval  [0.0, 1.0]" in lines


def test_a_stranger_cannot_steer_the_terminal(run: Run) -> None:
    write(Image.new("RGB", (8, 8)), Path("a.png"), request={"prompt": "\x1b[2Jgone\u202e"})
    assert run("show", "a.png").out == "prompt  \\x1b[2Jgone\\u202e\n"


def test_a_picture_of_another_program(run: Run) -> None:
    Image.new("RGB", (8, 8)).save("b.png")
    ran = run("show", "b.png")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("bluerider: b.png holds no request of bluerider")


def test_json_holds_in_every_terminal(run: Run) -> None:
    run("generate", "яблоко", "-o", "a.png")
    out = run("show", "a.png", "--json").out
    assert out.isascii()
    assert json.loads(out)["prompt"] == "яблоко"
