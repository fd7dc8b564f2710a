import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from bluerider import catalog
from bluerider.nets.autoencoder import Autoencoder
from bluerider.nets.prior import Prior
from bluerider.nets.unet import UNet
from bluerider.weights import layouts, originals
from bluerider.weights.keymaps import Keymap, interleaved, unpointed
from bluerider.weights.net import BUILDERS

SHAPES = json.loads((Path(__file__).parents[1] / "data/weights/original_shapes.json").read_text())
SHAPES_22 = catalog.SHAPES_22_DEPTH
HEADS = {  # the conditioners of 2.0 and 2.1 are networks of their own, with maps of their own
    "to_model_dim",
    "to_model_dim2",
    "to_model_dim_n",
    "proj",
    "proj2",
    "proj_n",
    "clip_to_seq",
    "img_layer",
    "ln_model1",
    "ln_model2",
    "ln_model3",
    "ln_model_n",
}


def real_size(kind: str) -> nn.Module:
    config: Any = {
        "unet": (SHAPES_22.unet, SHAPES_22.conditioner),
        "prior": SHAPES_22.prior,
        "autoencoder": SHAPES_22.autoencoder,
        "text": SHAPES_22.text,
        "image": SHAPES_22.vision,
    }[kind]
    with torch.device("meta"):
        return BUILDERS[kind](config)


@pytest.mark.parametrize("kind", list(layouts.KEYMAPS))
def test_every_name_of_a_real_size_network_maps_there_and_back(kind: str) -> None:
    ours = real_size(kind).state_dict()
    published = layouts.KEYMAPS[kind].write(ours)
    assert len(published) == len(ours)
    assert layouts.KEYMAPS[kind].read(published).keys() == ours.keys()


@pytest.mark.parametrize(("kind", "count"), [("unet", 740), ("prior", 338), ("autoencoder", 431)])
def test_as_many_tensors_as_the_published_files_have(kind: str, count: int) -> None:
    assert len(real_size(kind).state_dict()) == count


def check_original(
    keymap: Keymap, published: dict[str, list[int]], ours: dict[str, Tensor]
) -> None:
    tensors = {name: torch.empty(shape, device="meta") for name, shape in published.items()}
    read = keymap.read(tensors)
    assert {k: v.shape for k, v in read.items()} == {k: v.shape for k, v in ours.items()}
    back = keymap.write(read)
    assert {k: v.shape for k, v in back.items()} == {k: v.shape for k, v in tensors.items()}


@pytest.mark.parametrize("model", ["k20_unet", "k21_unet"])
def test_original_unet_names_map_one_to_one(model: str) -> None:
    config = catalog.SHAPES_21.unet
    with torch.device("meta"):
        ours = {f"unet.{k}": v for k, v in UNet(config).state_dict().items()}
    torso = {k: v for k, v in SHAPES[model].items() if k.split(".")[0] not in HEADS}
    check_original(originals.unet(config), torso, ours)


def test_original_movq_names_map_one_to_one() -> None:
    with torch.device("meta"):
        ours = Autoencoder(catalog.MOVQ).state_dict()
    check_original(originals.movq(catalog.MOVQ), SHAPES["k21_movq"], ours)


def test_original_prior_names_map_one_to_one_but_for_the_statistics() -> None:
    assert catalog.SHAPES_21.prior is not None
    with torch.device("meta"):
        ours = Prior(catalog.SHAPES_21.prior).state_dict()
    del ours["mean"], ours["std"]
    check_original(originals.prior(catalog.SHAPES_21.prior), SHAPES["k21_prior"], ours)


def test_a_name_no_rule_knows_is_named() -> None:
    with pytest.raises(KeyError, match="down_blocks.0.surprise.weight"):
        layouts.UNET.read({"down_blocks.0.surprise.weight": torch.zeros(1)})
    with pytest.raises(KeyError, match="surprise"):
        layouts.UNET.write({"surprise": torch.zeros(1)})


def test_fused_rows_are_taken_apart_head_by_head() -> None:
    rows = torch.arange(2 * 3 * 4).float()[:, None]  # 2 heads, q k v, width 4
    q, k, v = interleaved(3, width=4).split(rows)
    assert q[:, 0].tolist() == [0, 1, 2, 3, 12, 13, 14, 15]
    assert k[:, 0].tolist() == [4, 5, 6, 7, 16, 17, 18, 19]
    assert v[:, 0].tolist() == [8, 9, 10, 11, 20, 21, 22, 23]


@given(
    heads=st.integers(1, 4),
    pieces=st.integers(2, 3),
    width=st.sampled_from([1, 4, 8]),
    trailing=st.integers(0, 2),
    bias=st.booleans(),
)
@settings(max_examples=30, derandomize=True, deadline=None)
def test_taking_apart_and_joining_is_the_identity(
    heads: int, pieces: int, width: int, trailing: int, bias: bool
) -> None:
    rows = heads * pieces * width
    shape = (rows,) if bias else (rows, 5, *(1,) * trailing)
    tensor = torch.randn(shape, generator=torch.Generator().manual_seed(rows))
    operation = interleaved(pieces, width, trailing)
    assert torch.equal(operation.join(operation.split(tensor)), tensor)


def test_a_kernel_larger_than_one_is_not_a_linear_layer() -> None:
    with pytest.raises(RuntimeError, match="size 1"):
        unpointed(2).split(torch.zeros(4, 4, 3, 3))
