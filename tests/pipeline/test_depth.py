"""Depth maps from a picture, by a tiny model of the transformers library."""

from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from PIL import Image

from bluerider.catalog import MURNAU
from bluerider.errors import InputError
from bluerider.pipeline.depth import estimate_depth
from bluerider.request import Request

COLOUR = Image.effect_noise((48, 40), 60).convert("RGB")
COLOUR.paste("red", (0, 0, 20, 20))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(3)
    config = transformers.DPTConfig(
        hidden_size=32,
        num_hidden_layers=4,
        num_attention_heads=2,
        intermediate_size=32,
        backbone_out_indices=[0, 1, 2, 3],
        image_size=32,
        patch_size=8,
        neck_hidden_sizes=[8, 8, 8, 8],
        fusion_hidden_size=8,
        reassemble_factors=[4, 2, 1, 0.5],
        is_hybrid=False,
    )
    place = tmp_path_factory.mktemp("depth")
    transformers.DPTForDepthEstimation(config).save_pretrained(place)
    size = {"height": 32, "width": 32}
    transformers.DPTImageProcessorPil(size=size).save_pretrained(place)
    return place


def test_a_picture_gets_a_depth_map_of_its_size(folder: Path) -> None:
    found = estimate_depth(str(folder), COLOUR)
    levels = np.asarray(found)
    assert found.size == COLOUR.size and levels.min() == 0 and levels.max() == 255
    assert (levels[..., 0] == levels[..., 2]).all()


def test_a_folder_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(InputError, match="no such model there"):
        estimate_depth(str(tmp_path), COLOUR)


def test_a_picture_in_colour_asks_for_a_model(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="in colour, so no depth map; .* --depth-model FOLDER"):
        Request(prompt="cat", task="depth", picture=COLOUR).resolve(MURNAU.defaults)
    request = Request(prompt="cat", task="depth", picture=COLOUR, depth_model=str(tmp_path))
    with pytest.raises(InputError, match="no model there"):
        request.resolve(MURNAU.defaults)


def test_a_grey_picture_is_a_depth_map() -> None:
    request = Request(prompt="cat", task="depth", picture=COLOUR.convert("L"))
    assert request.resolve(MURNAU.defaults).width == 48
