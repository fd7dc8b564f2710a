import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from bluerider import catalog
from bluerider.weights import infer, layouts, originals
from bluerider.weights.keymaps import Keymap, interleaved, stacked, turned, unpointed
from bluerider.weights.net import BUILDERS, Uninitialised

NAMES = Path(__file__).parents[1] / "data/goldens/k1_fullsize_state_dict_shapes.json"
SHAPES = json.loads(NAMES.read_text())
FAMILIES = {
    "2.2": catalog.SHAPES_22_DEPTH,
    "2.1": catalog.SHAPES_21,
    "2.0": catalog.SHAPES_20,
    "sd": catalog.SHAPES_SD,
}
PUBLISHED = [
    *(("2.2", kind) for kind in ("unet", "prior", "autoencoder", "text", "image")),
    *(("2.1", kind) for kind in ("unet", "prior", "autoencoder", "text", "image", "mclip")),
    *(("2.0", kind) for kind in ("autoencoder", "mclip", "t5")),
    *(("sd", kind) for kind in ("unet", "autoencoder", "text")),
]


def config_of(family: str, kind: str) -> Any:
    shapes = FAMILIES[family]
    if kind == "unet":
        return shapes.unet, shapes.conditioner
    return getattr(shapes, "vision" if kind == "image" else kind)


def real_size(family: str, kind: str) -> nn.Module:
    with torch.device("meta"), Uninitialised():
        return BUILDERS[kind](config_of(family, kind))


@pytest.mark.parametrize(("family", "kind"), PUBLISHED)
def test_every_name_of_a_real_size_network_maps_there_and_back(family: str, kind: str) -> None:
    config = config_of(family, kind)
    ours = real_size(family, kind).state_dict()
    keymap = layouts.keymap(kind, config)
    published = keymap.write(ours)
    assert len(published) == len(ours)
    assert keymap.read(published).keys() == ours.keys()


@pytest.mark.parametrize(
    ("family", "kind", "count"),
    [
        ("2.2", "unet", 740),
        ("2.2", "prior", 338),
        ("2.2", "autoencoder", 431),
        ("2.1", "unet", 726),
        ("sd", "unet", 686),
        ("sd", "autoencoder", 248),
    ],
)
def test_as_many_tensors_as_the_published_files_have(family: str, kind: str, count: int) -> None:
    assert len(real_size(family, kind).state_dict()) == count


def check_original(
    keymap: Keymap, published: dict[str, list[int]], ours: dict[str, Tensor]
) -> None:
    tensors = {name: torch.empty(shape, device="meta") for name, shape in published.items()}
    read = keymap.read(tensors)
    assert {k: v.shape for k, v in read.items()} == {k: v.shape for k, v in ours.items()}
    back = keymap.write(read)
    assert {k: v.shape for k, v in back.items()} == {k: v.shape for k, v in tensors.items()}


@pytest.mark.parametrize(
    ("model", "family", "kind"),
    [
        ("k20_unet", "2.0", "unet"),
        ("k21_unet", "2.1", "unet"),
        ("k21_movq", "2.1", "autoencoder"),
        ("k21_prior", "2.1", "prior"),
        ("k20_autoencoder_kl", "2.0", "autoencoder"),
        ("sd_v1_unet", "sd", "unet"),
    ],
)
def test_original_names_map_one_to_one_and_back(model: str, family: str, kind: str) -> None:
    config = config_of(family, kind)
    shapes = dict(SHAPES[model])
    if kind == "prior":  # its statistics stand in a file of their own
        shapes |= {"0": [config.embed_dim], "1": [config.embed_dim]}
    check_original(originals.keymap(kind, config), shapes, real_size(family, kind).state_dict())


@pytest.mark.parametrize(("model", "family"), [("k20_unet", "2.0"), ("k21_unet", "2.1")])
def test_an_inpainting_checkpoint_differs_in_its_first_convolution(model: str, family: str) -> None:
    config, heads = config_of(family, "unet")
    wide = replace(config, in_channels=9)
    with torch.device("meta"), Uninitialised():
        ours = BUILDERS["unet"]((wide, heads)).state_dict()
    shapes = SHAPES[model] | SHAPES[f"{model}_inpaint"]
    check_original(originals.unet(wide, heads), shapes, ours)


@pytest.mark.parametrize(
    ("model", "family"), [("k20_unet", "2.0"), ("k21_unet", "2.1"), ("sd_v1_unet", "sd")]
)
def test_the_shape_of_a_unet_is_read_off_its_weights(model: str, family: str) -> None:
    shapes = {name: tuple(shape) for name, shape in SHAPES[model].items()}
    config = infer.unet(shapes)
    assert (config, infer.conditioner(shapes, config)) == config_of(family, "unet")


def test_the_shape_of_other_networks_is_read_off_their_weights() -> None:
    tables = {
        name: {k: tuple(v) for k, v in SHAPES[name].items()}
        for name in ("k21_movq", "k20_autoencoder_kl", "k21_prior")
    }
    assert infer.autoencoder(tables["k21_movq"], 1.0) == catalog.MOVQ
    kl = infer.autoencoder(tables["k20_autoencoder_kl"], 0.0512)
    assert kl == catalog.SHAPES_20.autoencoder
    assert infer.prior(tables["k21_prior"]) == catalog.SHAPES_21.prior


def test_a_name_no_rule_knows_is_named() -> None:
    keymap = layouts.unet(catalog.SHAPES_22.unet, catalog.SHAPES_22.conditioner)
    with pytest.raises(KeyError, match="down_blocks.0.surprise.weight"):
        keymap.read({"down_blocks.0.surprise.weight": torch.zeros(1)})
    with pytest.raises(KeyError, match="surprise"):
        keymap.write({"surprise": torch.zeros(1)})


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


def test_stacked_and_turned_matrices_come_back() -> None:
    tensor = torch.randn(12, 5)
    assert torch.equal(stacked(3).join(stacked(3).split(tensor)), tensor)
    assert torch.equal(turned().join(turned().split(tensor)), tensor)


def test_earlier_spellings_are_read_as_todays() -> None:
    kl = layouts.autoencoder(catalog.SHAPES_SD.autoencoder)
    name = "encoder.mid_block.attentions.0.query.weight"
    assert kl.today(name) == "encoder.mid_block.attentions.0.to_q.weight"
    assert layouts.TEXT.today("final_layer_norm.bias") == "text_model.final_layer_norm.bias"
