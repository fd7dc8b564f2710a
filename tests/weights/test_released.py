"""First releases and single files: found by what they hold, or refused in one line."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from bluerider import catalog
from bluerider.errors import BlueriderError, InputError, WeightsError
from bluerider.weights.convert import convert
from bluerider.weights.load import open_model
from bluerider.weights.originals import OPENAI_TEXT, OPENAI_VISION
from bluerider.weights.pickles import read_pickle


@pytest.fixture(scope="module")
def first_21(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("first") / "k21"
    convert(open_model(tiny("kandinsky-2.1")), folder, "original")
    return folder


@pytest.fixture
def copy_21(first_21: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(first_21, tmp_path / "k21"))


@pytest.fixture
def copy_20(tiny: Any, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny("kandinsky-2.0"), tmp_path / "k20"))


@pytest.fixture
def single(tiny: Any, tmp_path: Path) -> Path:
    path = tmp_path / "one.safetensors"
    convert(open_model(tiny("sd-1.5")), path, "single")
    return path


def complaint(path: Path, **given: Any) -> str:
    with pytest.raises(BlueriderError) as caught:
        files = open_model(path, **given)
        for part in files.sources:
            files.load(part)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_noise_levels_of_a_release_are_the_catalogs(first_21: Path) -> None:
    files = open_model(first_21)
    assert files.schedule("schedule") == catalog.SCHEDULE_21
    assert files.schedule("schedule", "ddpm") == catalog.DDPM_21
    assert files.schedule("prior_schedule") == catalog.PRIOR_SCHEDULE


def test_the_decoders_file_stands_for_its_folder(copy_20: Path) -> None:
    assert open_model(copy_20 / "Kandinsky-2-0.pt").family == "kandinsky-2.0"


def test_21_without_clip_asks_for_it(copy_21: Path) -> None:
    shutil.rmtree(copy_21 / "clip")
    said = complaint(copy_21)
    assert "lack CLIP ViT-L/14" in said
    assert "--clip" in said


def test_21_takes_the_clip_it_is_given(copy_21: Path, tiny: Any) -> None:
    shutil.rmtree(copy_21 / "clip")
    files = open_model(copy_21, clip=tiny("kandinsky-2.1") / "prior")
    assert files.config("text").embed_dim == 24
    assert files.zero_embedding().shape == (1, 24)
    with pytest.raises(InputError, match="no CLIP 'nowhere'"):
        open_model(copy_21, clip="nowhere")


def test_clip_in_openais_names_is_read(first_21: Path, tmp_path: Path) -> None:
    from dataclasses import replace

    from bluerider.nets.clip import TextTower, VisionTower
    from tests.tiny import CLIP, VISION

    # Its heads are 64 wide, as in all that was published.
    text = TextTower(replace(CLIP, width=64, heads=1, mlp=32, tokens=12))
    image = VisionTower(replace(VISION, width=64, heads=1))
    named = OPENAI_TEXT.write(text.state_dict()) | OPENAI_VISION.write(image.state_dict())
    save_file({k: v.clone() for k, v in named.items()}, tmp_path / "clip.safetensors")
    said = complaint(first_21, clip=tmp_path / "clip.safetensors")
    assert "takes 12 tokens of 24; the text tower gives 12 of 64" in said


def test_an_encoder_that_is_missing_is_named(copy_20: Path) -> None:
    shutil.rmtree(copy_20 / "text_encoder2")
    assert "text_encoder2" in complaint(copy_20)


def test_an_autoencoder_that_is_missing_is_named(copy_20: Path) -> None:
    (copy_20 / "vae.ckpt").unlink()
    assert "lacks vae.ckpt" in complaint(copy_20)


def test_a_decoder_of_the_other_family_is_told(copy_20: Path, first_21: Path) -> None:
    shutil.copy(first_21 / "decoder.ckpt", copy_20 / "Kandinsky-2-0.pt")
    assert "a decoder of kandinsky-2.1 among the files of kandinsky-2.0" in complaint(copy_20)


def test_half_of_a_release_is_told(copy_20: Path) -> None:
    path = copy_20 / "Kandinsky-2-0.pt"
    weights = read_pickle(path)
    half = {k: v.clone() for i, (k, v) in enumerate(weights.items()) if i % 2 or "block" not in k}
    torch.save(half, path)
    said = complaint(copy_20)
    assert "missing" in said


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("conditioner.embedders.0.x", "Stable Diffusion XL"),
        ("cond_stage_model.model.x", "Stable Diffusion 2"),
        ("double_blocks.0.x", "FLUX"),
        ("model.transformer.resblocks.0.x", "a prior of Kandinsky 2.1"),
        ("lora_unet_x", "a LoRA"),
        ("encoder.down.0.x", "an autoencoder"),
        ("wte.weight", "weights of an unknown model (wte.weight"),
    ],
)
def test_a_file_of_another_model_is_named(tmp_path: Path, name: str, what: str) -> None:
    save_file({name: torch.zeros(2)}, tmp_path / "x.safetensors")
    said = complaint(tmp_path / "x.safetensors")
    assert what in said
    assert "Stable Diffusion 1.x" in said


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hello")
    assert "a file of another kind" in complaint(tmp_path / "notes.txt")


def test_a_strange_tensor_in_a_single_file_is_told(single: Path) -> None:
    save_file(load_file(single) | {"surprise.weight": torch.zeros(2)}, single)
    assert "1 unexpected (surprise.weight)" in complaint(single)


def test_a_single_file_without_its_text_tower_is_told(single: Path) -> None:
    kept = {k: v for k, v in load_file(single).items() if not k.startswith("cond_stage")}
    save_file(kept, single)
    assert "incomplete" in complaint(single)


def test_a_truncated_single_file_is_told(single: Path) -> None:
    single.write_bytes(single.read_bytes()[:-100])
    with pytest.raises(WeightsError, match="truncated"):
        open_model(single)


def test_a_single_file_holds_all_it_needs(single: Path, tiny: Any) -> None:
    with pytest.raises(InputError, match="takes no other prior"):
        open_model(single, prior=tiny("kandinsky-2.1"))
