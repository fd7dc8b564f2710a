"""From one published layout to another and back: every tensor as it was."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from bluerider import Pipeline
from bluerider.errors import InputError, WeightsError
from bluerider.weights.convert import convert
from bluerider.weights.load import open_model
from bluerider.weights.net import listed
from bluerider.weights.pickles import SUFFIXES, read_pickle


def tensors(folder: Path) -> dict[str, Tensor]:
    """Every tensor under a folder by file and name."""
    found: dict[str, Tensor] = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        if path.suffix == ".safetensors" and path.name != "zero_embedding.safetensors":
            found |= {f"{name}/{key}": value for key, value in load_file(path).items()}
        elif path.suffix in SUFFIXES:
            found |= {f"{name}/{key}": value for key, value in read_pickle(path).items()}
    return found


def same(one: Path, other: Path) -> None:
    first, second = tensors(one), tensors(other)
    assert first.keys() == second.keys()
    assert all(first[key].dtype == second[key].dtype for key in first)
    assert all(torch.equal(first[key], second[key]) for key in first)


def through(source: Path, between: Path, back: Path, layouts: tuple[str, str]) -> list[str]:
    lines = [each.line for each in convert(open_model(source), between, layouts[0])]
    return lines + [each.line for each in convert(open_model(between), back, layouts[1])]


@pytest.mark.parametrize("name", ["sd-1.5", "sd-1.5-inpaint"])
@pytest.mark.parametrize("ending", ["safetensors", "ckpt"])
def test_a_single_file_comes_back_whole(tiny: Any, tmp_path: Path, name: str, ending: str) -> None:
    single = tmp_path / f"one.{ending}"
    lines = through(tiny(name), single, tmp_path / "back", ("single", "diffusers"))
    same(tiny(name), tmp_path / "back")
    assert any(line.startswith("unet: ") and " left out" not in line for line in lines)
    again = tmp_path / f"two.{ending}"
    convert(open_model(tmp_path / "back"), again, "single")
    assert listed(single) == listed(again)


@pytest.mark.parametrize("name", ["kandinsky-2.1", "kandinsky-2.1-inpaint"])
def test_the_first_files_of_21_come_back_whole(tiny: Any, tmp_path: Path, name: str) -> None:
    through(tiny(name), tmp_path / "first", tmp_path / "back", ("original", "diffusers"))
    same(tiny(name), tmp_path / "back")
    names = {path.name for path in (tmp_path / "first").iterdir()}
    decoder = "inpainting.ckpt" if "inpaint" in name else "decoder.ckpt"
    assert {decoder, "movq_final.ckpt", "prior.ckpt", "ViT-L-14_stats.th", "clip"} <= names


@pytest.mark.parametrize("name", ["kandinsky-2.0", "kandinsky-2.0-inpaint"])
def test_the_first_files_of_20_come_back_whole(tiny: Any, tmp_path: Path, name: str) -> None:
    convert(open_model(tiny(name)), tmp_path / "again", "original")
    same(tiny(name), tmp_path / "again")
    suffix = "-inpainting" if "inpaint" in name else ""
    assert (tmp_path / "again" / f"Kandinsky-2-0{suffix}.pt").is_file()


def test_mixed_precision_is_kept(tiny: Any, tmp_path: Path) -> None:
    from tests.tiny import build

    half = build("kandinsky-2.1", tmp_path / "half", dtype=torch.float16)
    path = half / "decoder/unet/diffusion_pytorch_model.safetensors"
    weights = {k: v.float() if ".norm" in k else v for k, v in load_file(path).items()}
    save_file(weights, path, metadata={"format": "pt"})
    through(half, tmp_path / "first", tmp_path / "back", ("original", "diffusers"))
    assert (tmp_path / "first" / "decoder_fp16.ckpt").is_file()
    same(half, tmp_path / "back")


def test_a_converted_model_paints_the_same_picture(tiny: Any, tmp_path: Path) -> None:
    single = tmp_path / "one.safetensors"
    convert(open_model(tiny("sd-1.5")), single, "single")
    ask = {"seed": 3, "steps": 2, "width": 64, "height": 64, "guidance": 3.0}
    pictures = [
        Pipeline.load(place, device="cpu").generate("abc", **ask).images[0]
        for place in (tiny("sd-1.5"), single)
    ]
    assert pictures[0].tobytes() == pictures[1].tobytes()


def test_what_single_files_carry_besides_is_left_out_and_told(tiny: Any, tmp_path: Path) -> None:
    single = tmp_path / "one.safetensors"
    convert(open_model(tiny("sd-1.5")), single, "single")
    extra = {
        "model_ema.decay": torch.ones(1),
        "betas": torch.ones(4),
        "sqrt_recipm1_alphas_cumprod": torch.ones(4),
        "first_stage_model.loss.logvar": torch.ones(1),
        "cond_stage_model.transformer.text_model.embeddings.position_ids": torch.zeros(1, 12),
    }
    save_file(load_file(single) | extra, single)
    lines = [each.line for each in convert(open_model(single), tmp_path / "folder", "diffusers")]
    unet, vae, text = (
        next(line for line in lines if line.startswith(part))
        for part in ("unet", "autoencoder", "text")
    )
    assert "3 left out (betas, model_ema.decay, sqrt_recipm1_alphas_cumprod)" in unet
    assert "1 left out (first_stage_model.loss.logvar)" in vae
    assert "position_ids" in text


def test_a_single_file_of_another_vocabulary_needs_its_tokenizer(tiny: Any, tmp_path: Path) -> None:
    single = tmp_path / "one.safetensors"
    convert(open_model(tiny("sd-1.5")), single, "single")
    single.with_suffix(".tokenizer.json").unlink()
    with pytest.raises(WeightsError, match="put its tokenizer beside it as one.tokenizer.json"):
        open_model(single)


@pytest.mark.parametrize(
    ("name", "layout", "target", "complaint"),
    [
        ("kandinsky-2.2", "single", "x.ckpt", "has no layout 'single'; it has diffusers"),
        ("kandinsky-2.2", "original", "x", "has no layout 'original'; it has diffusers"),
        ("kandinsky-2.0", "diffusers", "x", "has no layout 'diffusers'; it has original"),
        ("sd-1.5", "single", "x.bin", "ends in .safetensors or .ckpt"),
        ("sd-1.5", "single", "nowhere/x.ckpt", "a folder that exists"),
        ("sd-1.5", "sideways", "x", "choose from diffusers, single, original"),
    ],
)
def test_what_cannot_be_written_is_refused(
    tiny: Any, tmp_path: Path, name: str, layout: str, target: str, complaint: str
) -> None:
    with pytest.raises(InputError, match=complaint):
        convert(open_model(tiny(name)), tmp_path / target, layout)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_holds_something_else_is_not_written_over(tiny: Any, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "diary.txt").write_text("dear diary")
    with pytest.raises(InputError, match="holds something that is not a model"):
        convert(open_model(tiny("sd-1.5")), tmp_path / "mine", "diffusers")
    assert (tmp_path / "mine" / "diary.txt").read_text() == "dear diary"


def test_what_we_convert_diffusers_opens(tiny: Any, tmp_path: Path) -> None:
    diffusers = pytest.importorskip("diffusers")
    single = tmp_path / "one.safetensors"
    through(tiny("sd-1.5"), single, tmp_path / "back", ("single", "diffusers"))
    pipe = diffusers.StableDiffusionPipeline.from_pretrained(tmp_path / "back", safety_checker=None)
    assert pipe.vae.config.scaling_factor == 0.18215
    index = json.loads((tmp_path / "back" / "model_index.json").read_text())
    assert index["text_encoder"] == ["transformers", "CLIPTextModel"]
