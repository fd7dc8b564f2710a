"""Stage `autoencoder`."""

import pytest
import torch

from bluerider.config import AutoencoderConfig
from bluerider.nets.autoencoder import Autoencoder
from bluerider.training.autoencoder import AutoencoderStage, rim
from bluerider.training.stage import Settings

NET = AutoencoderConfig(channels=(32, 32), depth=1, codes=8)
SETTINGS = Settings(steps=1, batch=1, rate=1.0, precision="float32")


def test_the_rim_is_every_outermost_pixel_and_no_other() -> None:
    picture = torch.zeros(1, 1, 5, 4)
    picture[..., 1:-1, 1:-1] = 9.0
    picture[..., 0, 0] = 1.0
    edge = rim(picture)
    assert edge.shape == (1, 1, 18)
    assert edge.sum() == 2.0  # the corner, seen from both of its sides


@pytest.mark.parametrize(
    ("still", "trained"),
    [
        (0, {"encoder", "quant_conv", "post_quant_conv", "decoder"}),
        (1, {"post_quant_conv", "decoder"}),
        (2, {"decoder.norm_out", "decoder.conv_out"}),
    ],
)
def test_what_is_not_still_is_trained(still: int, trained: set[str]) -> None:
    stage = AutoencoderStage(Autoencoder(NET), SETTINGS, still=still)
    stage.log_dict = lambda values: None  # type: ignore[assignment,misc]
    stage.training_step(torch.rand(2, 3, 16, 16), 0).backward()
    net = stage.net.autoencoder
    moved = {name for name, p in net.named_parameters() if p.grad is not None}
    asked = {name for name, p in net.named_parameters() if p.requires_grad}
    wanted = {name for name, _ in net.named_parameters() if name.startswith(tuple(trained))}
    assert moved == wanted
    assert asked - moved <= {"codebook.weight"}  # which only the quantiser looks at
