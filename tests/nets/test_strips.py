"""Decoding in strips is decoding, in less memory."""

import pytest
import torch

from bluerider.config import AutoencoderConfig
from bluerider.nets.autoencoder import Autoencoder
from bluerider.nets.strips import decode_in_strips

MOVQ = AutoencoderConfig(channels=(32, 32, 64), depth=1, codes=8)
KL = AutoencoderConfig(
    channels=(32, 32, 64), depth=1, latent="gaussian", norm="group", attends=False, scale=0.18
)


@pytest.mark.parametrize("config", [MOVQ, KL], ids=["movq", "kl"])
@pytest.mark.parametrize(("strip", "height"), [(1, 4), (5, 6), (64, 6)])
def test_a_decode_in_strips_equals_the_whole(
    config: AutoencoderConfig, strip: int, height: int
) -> None:
    torch.manual_seed(1)
    autoencoder = Autoencoder(config).eval()
    latent = torch.randn(2, 4, height, 5)
    with torch.inference_mode():
        whole = autoencoder.decode(latent)
        parts = decode_in_strips(autoencoder, latent, strip)
    assert parts.shape == whole.shape
    assert (parts - whole).abs().max() <= 1e-5 * whole.abs().max()


def test_no_norm_is_made_of_a_whole_activation() -> None:
    autoencoder = Autoencoder(MOVQ).eval()
    made = []
    hooks = [
        module.register_forward_hook(lambda *given: made.append(given[2].shape[-2]))
        for module in autoencoder.decoder.up[-1].modules()
        if isinstance(module, torch.nn.GroupNorm)
    ]
    with torch.inference_mode():
        decode_in_strips(autoencoder, torch.randn(1, 4, 8, 8), 4)
    assert hooks and not made
