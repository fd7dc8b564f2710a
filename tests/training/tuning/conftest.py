"""A tiny model of Kandinsky 2.2's kind, four pictures of a thing, and a run of a few steps."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image, ImageDraw

from bluerider.training.dreambooth import dreambooth
from bluerider.training.finetune import finetune

Train = Callable[..., Path]
QUICK = (
    "steps=4",
    "batch=1",
    "prior.batch=2",
    "class_pictures=2",
    "class_embeddings=3",
    "checkpoint_every=1",
    "keep=100",
    "samples=0",
    "tensorboard=false",
    "size=64",
    "average=0.9",
    "prior.rate=1e-2",
    "decoder.rate=1e-2",
)


SHORT = (
    "steps=2",
    "batch=2",
    "prior.batch=2",
    "checkpoint_every=1",
    "keep=100",
    "samples=0",
    "tensorboard=false",
    "size=64",
    "prior.rate=1e-2",
    "decoder.rate=1e-2",
)


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def one_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where class pictures and latents are kept from test to test."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture(autouse=True)
def _at_home(one_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLUERIDER_HOME", str(one_home))


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four pictures of a red disc with a blue core."""
    folder = tmp_path_factory.mktemp("pictures")
    for i, colour in enumerate(("white", "khaki", "lightblue", "pink")):
        image = Image.new("RGB", (80, 80), colour)
        pen = ImageDraw.Draw(image)
        pen.ellipse((10 + 3 * i, 10, 60 + 3 * i, 60), fill="red")
        pen.ellipse((30 + 3 * i, 30, 40 + 3 * i, 40), fill="blue")
        image.save(folder / f"{i}.png")
    return folder


@pytest.fixture
def train(tiny: Any, pictures: Path) -> Train:
    """`dreambooth` on the tiny model, a few steps unless told otherwise."""

    def run(out: Path, *changes: str, **options: Any) -> Path:
        given: dict[str, Any] = {
            "subject": "a [V] disc",
            "class_": "a disc",
            "model": str(tiny("kandinsky-2.2")),
            "device": "cpu",
        }
        given |= options
        return dreambooth(
            given.pop("pictures", pictures), out=out, changes=[*QUICK, *changes], **given
        )

    return run


@pytest.fixture(scope="session")
def captioned(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same pictures, three of them with captions in a table."""
    folder = Path(shutil.copytree(pictures, tmp_path_factory.mktemp("captioned") / "set"))
    path = folder / "captions.csv"
    path.write_text("file_name,text\n0.png,disc on white\n1.png,a disc\n2.png,blue\n3.png,\n")
    return path


@pytest.fixture
def study(tiny: Any, captioned: Path) -> Train:
    """`finetune` of the tiny model on the captioned set, two steps unless told otherwise."""

    def run(out: Path, *changes: str, **options: Any) -> Path:
        given: dict[str, Any] = {"model": str(tiny("kandinsky-2.2")), "device": "cpu"}
        given |= options
        data = given.pop("data", captioned)
        return finetune(data, out=out, changes=[*SHORT, *changes], **given)

    return run
