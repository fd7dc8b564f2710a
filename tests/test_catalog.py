from typing import Any

import pytest
import torch
from torch import nn

from bluerider import catalog
from bluerider.catalog import MODELS, Shapes, find
from bluerider.errors import InputError
from bluerider.nets.autoencoder import Autoencoder
from bluerider.nets.clip import TextTower, VisionTower
from bluerider.nets.conditioner import make_conditioner
from bluerider.nets.prior import Prior
from bluerider.nets.t5 import T5Encoder
from bluerider.nets.unet import UNet
from bluerider.nets.xlmr import MultilingualCLIP

NAMES = [
    "murnau",
    "kandinsky-2.0",
    "kandinsky-2.0-inpaint",
    "kandinsky-2.1",
    "kandinsky-2.1-inpaint",
    "kandinsky-2.2",
    "kandinsky-2.2-inpaint",
    "kandinsky-2.2-depth",
    "sd-1.4",
    "sd-1.5",
    "sd-1.5-inpaint",
]
XLMR, MT5 = 559_890_432, 146_940_608  # XLM-RoBERTa-large, mT5-small's encoder


def count(*nets: nn.Module) -> int:
    return sum(parameter.numel() for net in nets for parameter in net.parameters())


def on_meta(*makers: tuple[Any, Any]) -> int:
    with torch.device("meta"):
        return count(*(network(config) for network, config in makers))


def decoder(shapes: Shapes) -> int:
    return on_meta((UNet, shapes.unet), (make_conditioner, shapes.conditioner))


def test_the_names_one_can_give() -> None:
    assert list(MODELS) == NAMES


def test_an_unknown_name_is_told_with_the_known_ones() -> None:
    with pytest.raises(InputError, match="'kandinsky-3'; known models: murnau, kandinsky-2.0"):
        find("kandinsky-3")


@pytest.mark.parametrize(
    ("shapes", "parameters"),
    [
        (catalog.SHAPES_22, 1_253_057_288),
        (catalog.SHAPES_22_INPAINT, 1_253_074_568),
        (catalog.SHAPES_22_DEPTH, 1_253_429_212),
        (catalog.SHAPES_21, 1_228_661_768),
        (catalog.widened(catalog.SHAPES_21), 1_228_679_048),
        (catalog.SHAPES_20, 1_223_352_584),
        (catalog.widened(catalog.SHAPES_20), 1_223_369_864),
    ],
)
def test_decoders_have_the_published_size(shapes: Shapes, parameters: int) -> None:
    assert decoder(shapes) == parameters


@pytest.mark.parametrize(
    ("shapes", "parameters"),
    [(catalog.SHAPES_22, 1_026_225_920), (catalog.SHAPES_21, 1_022_030_080)],
)
def test_priors_have_the_published_size_with_their_statistics(
    shapes: Shapes, parameters: int
) -> None:
    assert on_meta((Prior, shapes.prior)) == parameters


@pytest.mark.parametrize(
    ("shapes", "parameters"),
    [
        (catalog.SHAPES_22, 67_832_495),
        (catalog.SHAPES_20, 83_653_863),
        (catalog.SHAPES_SD, 83_653_863),
    ],
)
def test_autoencoders_have_the_published_size(shapes: Shapes, parameters: int) -> None:
    assert on_meta((Autoencoder, shapes.autoencoder)) == parameters


def test_the_unet_of_stable_diffusion_has_the_published_size() -> None:
    assert on_meta((UNet, catalog.SHAPES_SD.unet)) == 859_520_964


@pytest.mark.parametrize("name", ["kandinsky-2.2", "kandinsky-2.2-inpaint", "kandinsky-2.2-depth"])
def test_the_parameters_of_22_are_those_of_its_networks(name: str) -> None:
    shapes = MODELS[name].shapes
    assert shapes is not None
    rest = on_meta(
        (Prior, shapes.prior),
        (Autoencoder, shapes.autoencoder),
        (TextTower, shapes.text),
        (VisionTower, shapes.vision),
    )
    assert MODELS[name].parameters == decoder(shapes) + rest


@pytest.mark.parametrize("name", ["kandinsky-2.0", "kandinsky-2.1"])
def test_the_parameters_of_20_and_21_count_all_their_networks(name: str) -> None:
    shapes = MODELS[name].shapes
    assert shapes is not None
    parts = (
        (Prior, shapes.prior),
        (TextTower, shapes.text),
        (VisionTower, shapes.vision),
        (MultilingualCLIP, shapes.mclip),
        (T5Encoder, shapes.t5),
        (Autoencoder, shapes.autoencoder),
    )
    there = ((net, config) for net, config in parts if config is not None)
    assert MODELS[name].parameters == decoder(shapes) + on_meta(*there)


def test_the_multilingual_encoders_have_the_published_size() -> None:
    assert on_meta((MultilingualCLIP, catalog.XLMR_LARGE)) == XLMR + 1024 * 768 + 768
    assert on_meta((T5Encoder, catalog.MT5_SMALL)) == MT5


@pytest.mark.parametrize("name", ["sd-1.4", "sd-1.5", "sd-1.5-inpaint"])
def test_the_parameters_of_stable_diffusion(name: str) -> None:
    shapes = MODELS[name].shapes
    assert shapes is not None
    parts = ((UNet, shapes.unet), (Autoencoder, shapes.autoencoder), (TextTower, shapes.text))
    assert MODELS[name].parameters == on_meta(*parts)


@pytest.mark.parametrize("name", ["kandinsky-2.0-inpaint", "kandinsky-2.1-inpaint"])
def test_inpainting_adds_five_channels_to_the_first_convolution(name: str) -> None:
    plain = MODELS[name.removesuffix("-inpaint")]
    assert MODELS[name].parameters == (plain.parameters or 0) + 5 * 384 * 9


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_defaults_can_be_painted(model: catalog.Model) -> None:
    defaults = model.defaults
    assert defaults.width % defaults.grid == defaults.height % defaults.grid == 0
    assert 1 <= defaults.steps <= 1000
    assert 0 <= defaults.guidance <= 100
    assert model.source
    assert model.licence


def test_a_pipeline_of_22_fits_together() -> None:
    for shapes in (catalog.SHAPES_22, catalog.SHAPES_22_INPAINT, catalog.SHAPES_22_DEPTH):
        assert shapes.prior and shapes.text and shapes.vision
        width = shapes.conditioner.image_dim
        assert width == shapes.prior.embed_dim == shapes.text.embed_dim == shapes.vision.embed_dim
        assert shapes.conditioner.time_dim == shapes.unet.time_dim
        assert shapes.text.tokens == shapes.prior.tokens
