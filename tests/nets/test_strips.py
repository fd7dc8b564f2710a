"""Working in strips is working on the whole, in less memory."""

import pytest
import torch

from bluerider.config import AutoencoderConfig
from bluerider.nets.autoencoder import Autoencoder
from bluerider.nets.strips import Held, Shape, Strips

MOVQ = AutoencoderConfig(channels=(32, 32, 64), depth=1, codes=8)
KL = AutoencoderConfig(
    channels=(32, 32, 64), depth=1, latent="gaussian", norm="group", attends=False, scale=0.18
)


@pytest.fixture(params=[MOVQ, KL], ids=["movq", "kl"])
def autoencoder(request: pytest.FixtureRequest) -> Autoencoder:
    torch.manual_seed(1)
    return Autoencoder(request.param).eval()


@pytest.mark.parametrize(("pixels", "height"), [(1, 4), (90, 6), (2**20, 6)])
@torch.inference_mode()
def test_a_decode_in_strips_equals_the_whole(
    autoencoder: Autoencoder, pixels: int, height: int
) -> None:
    latent = torch.randn(2, 4, height, 5)
    whole = autoencoder.decode(latent)
    parts = Strips(pixels=pixels).decode(autoencoder, latent)
    assert parts.shape == whole.shape
    assert (parts - whole).abs().max() <= 1e-5 * whole.abs().max()


@pytest.mark.parametrize(("pixels", "height"), [(1, 16), (90, 24), (2**20, 24)])
@torch.inference_mode()
def test_an_encode_in_strips_equals_the_whole(
    autoencoder: Autoencoder, pixels: int, height: int
) -> None:
    picture = torch.randn(2, 3, height, 20)
    whole = autoencoder.encode(picture)
    parts = Strips(pixels=pixels).encode(autoencoder, picture)
    assert parts.shape == whole.shape
    assert (parts - whole).abs().max() <= 1e-5 * whole.abs().max()


@torch.inference_mode()
def test_statistics_of_strips_are_those_of_the_whole_far_from_zero() -> None:
    x = torch.randn(2, 8, 50, 3) + 1000.0
    mean, variance = Strips(pixels=7).moments(Held.of(x))
    expected = x.double().var(dim=(2, 3), correction=0)
    assert torch.allclose(variance.double(), expected, rtol=1e-3)
    assert torch.allclose(mean.double(), x.double().mean((2, 3)))


@torch.inference_mode()
def test_nothing_larger_than_a_strip_is_made_but_what_the_caller_keeps() -> None:
    autoencoder = Autoencoder(KL).eval()
    kept: list[Shape] = []
    largest = 0

    def keep(shape: Shape, like: torch.Tensor) -> Held:
        kept.append(shape)
        return Held(shape, like)

    def watch(module: torch.nn.Module, given: object, made: torch.Tensor) -> None:
        nonlocal largest
        largest = max(largest, made.shape[-2])

    for module in autoencoder.decoder.up.modules():
        module.register_forward_hook(watch)
    Strips(keep, pixels=64).decode(autoencoder, torch.randn(1, 4, 16, 16))
    assert (1, 32, 64, 64) in kept
    assert 0 < largest <= 4


@torch.inference_mode()
def test_every_map_is_freed() -> None:
    made: list[Held] = []

    def keep(shape: Shape, like: torch.Tensor) -> Held:
        made.append(Held(shape, like))
        return made[-1]

    autoencoder = Autoencoder(MOVQ).eval()
    Strips(keep).decode(autoencoder, torch.randn(1, 4, 4, 4))
    Strips(keep).encode(autoencoder, torch.randn(1, 3, 16, 16))
    assert len(made) > 10
    assert not any(each.data.numel() for each in made)
