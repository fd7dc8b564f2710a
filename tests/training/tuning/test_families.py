"""Every family learns a subject: parts it has, one file, a picture with it."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open

from bluerider.errors import InputError
from bluerider.pipeline import Pipeline
from bluerider.weights.load import open_model
from tests.training.tuning.conftest import Train

PARTS = {
    "kandinsky-2.0": {"unet"},
    "kandinsky-2.1": {"prior", "unet"},
    "sd-1.5": {"text_encoder", "unet"},
}


@pytest.mark.parametrize("name", PARTS)
def test_a_subject_is_learned(train: Train, tiny: Any, tmp_path: Path, name: str) -> None:
    changes = ["steps=1", "text_encoder.train=lora"] if name == "sd-1.5" else ["steps=1"]
    if name != "kandinsky-2.1":
        changes.append("prior.train=off")
    result = train(tmp_path / "run", *changes, model=str(tiny(name)))
    with safe_open(result, "pt") as file:
        parts = {key.split(".")[0] for key in file.keys()}  # noqa: SIM118
    assert parts == PARTS[name]
    pipe = Pipeline.load(str(tiny(name)), lora=[result], device="cpu")
    assert len(pipe.generate("a [V] disc", seed=1, steps=1).images) == 1


@pytest.mark.parametrize("name", ["kandinsky-2.0", "kandinsky-2.1"])
def test_every_layer_can_be_corrected(train: Train, tiny: Any, tmp_path: Path, name: str) -> None:
    out = tmp_path / "run"
    changes = ("steps=1", "prior.train=off", "decoder.layers=all", "class_weight=0")
    result = train(out, *changes, model=str(tiny(name)))
    (lora,) = open_model(tiny(name)).adapted([result]).loras
    trained = torch.load(out / "checkpoints" / "000001.ckpt", weights_only=True)["state_dict"]
    assert 2 * len(lora.factors["unet"]) == len(trained)
    assert {"conditioner.text", "conditioner.pooled.linear"} <= set(lora.factors["unet"])


def test_a_part_that_a_model_lacks_is_refused(train: Train, tiny: Any, tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match="prior: tiny-sd-1.5 has none; it has decoder, text_encoder"
    ):
        train(tmp_path / "run", "prior.train=lora", model=str(tiny("sd-1.5")))
