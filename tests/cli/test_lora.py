"""`--lora` and `[V]` on the command line."""

import json
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from bluerider.images import read_request
from bluerider.request import LoraUse
from tests.cli.conftest import Run


def test_a_place_without_a_lora_is_a_mistake(run: Run, fake: Any) -> None:
    ran = run("generate", "a [V] robot")
    assert ran.code == 2 and "[V]" in ran.err and "--lora" in ran.err
    assert not fake.loads


def test_the_pipeline_gets_the_files(run: Run, fake: Any) -> None:
    run("generate", "a robot", "--lora", "one.safetensors:0.5", "--lora", "two.safetensors")
    assert fake.loads[0]["lora"] == ("one.safetensors:0.5", "two.safetensors")


@pytest.fixture
def painted(here: Path, run: Run, fake: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A picture painted with robot.safetensors at half its strength."""
    (here / "robot.safetensors").write_bytes(b"factors")
    use = LoraUse(name="robot.safetensors", sha256=sha256(b"factors").hexdigest(), scale=0.5)
    plain = fake._result
    monkeypatch.setattr(
        fake, "_result", lambda self, request: plain(self, replace(request, lora=(use,)))
    )
    run("generate", "a robot", "--lora", "robot.safetensors:0.5", "-o", "a.png")
    fake.loads.clear()
    return here / "a.png"


def test_a_picture_keeps_its_lora_by_name_and_hash(painted: Path) -> None:
    (stored,) = read_request(painted)["lora"]
    assert (stored["name"], stored["scale"]) == ("robot.safetensors", 0.5)
    assert stored["sha256"] == sha256(b"factors").hexdigest()


def test_like_loads_it_again(painted: Path, run: Run, fake: Any) -> None:
    assert run("generate", "--like", "a.png", "-o", "b.png").code == 0
    assert fake.loads[0]["lora"] == ("robot.safetensors:0.5",)


def test_like_refuses_another_file_of_that_name(painted: Path, run: Run, fake: Any) -> None:
    (painted.parent / "robot.safetensors").write_bytes(b"other")
    ran = run("generate", "--like", "a.png")
    assert ran.code == 2 and "robot.safetensors" in ran.err and not fake.loads


def test_damaged_loras_in_a_picture_are_refused(here: Path, run: Run) -> None:
    from bluerider.images import embedding

    image, data = Image.new("RGB", (8, 8)), {"prompt": "cat", "lora": [3]}
    image.save(here / "x.png", **embedding(json.loads(json.dumps(data)), ".png"))
    assert run("generate", "--like", "x.png").code == 2
