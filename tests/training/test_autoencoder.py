"""Stage `autoencoder`."""

import pytest
import torch

from bluerider.config import AutoencoderConfig
from bluerider.nets.autoencoder import Autoencoder
from bluerider.training.autoencoder import AutoencoderStage, Weights, decibels, rim
from bluerider.training.pictures import Views
from bluerider.training.stage import Settings

NET = AutoencoderConfig(channels=(32, 32), depth=1, codes=8)
SETTINGS = Settings(steps=1, batch=1, rate=1.0, precision="float32")


def views(painted: int = 0) -> Views:
    """Two pictures, and latents beside them."""
    picture, wanted = torch.rand(2, 3, 16, 16), torch.rand(painted, 3, 16, 16)
    return Views(picture, torch.rand(painted, NET.latent_channels, 8, 8), wanted)


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
    stage.training_step(views(), 0).backward()
    net = stage.net.autoencoder
    moved = {name for name, p in net.named_parameters() if p.grad is not None}
    asked = {name for name, p in net.named_parameters() if p.requires_grad}
    wanted = {name for name, _ in net.named_parameters() if name.startswith(tuple(trained))}
    assert moved == wanted
    assert asked - moved <= {"codebook.weight"}  # which only the quantiser looks at


def loss_of(weights: Weights, moved: float = 0.5) -> float:
    torch.manual_seed(0)
    net = Autoencoder(NET)
    stage = AutoencoderStage(net, SETTINGS, weights=weights)
    stage.log_dict = stage.log = lambda *values: None  # type: ignore[assignment]
    with torch.no_grad():
        net.quant_conv.bias += moved
    return float(stage.training_step(views(), 0).detach())


def test_latents_that_stray_cost_their_squared_distance() -> None:
    assert loss_of(Weights(near=4.0)) - loss_of(Weights()) == pytest.approx(4.0 * 0.5**2, rel=1e-4)
    assert loss_of(Weights(near=4.0), moved=0.0) == loss_of(Weights(), moved=0.0)


def test_what_latents_were_is_neither_trained_nor_kept() -> None:
    near, free = (
        AutoencoderStage(Autoencoder(NET), SETTINGS, weights=Weights(near=n)) for n in (4.0, 0.0)
    )
    assert near.state_dict().keys() == free.state_dict().keys()
    assert [n for n, _ in near.named_parameters()] == [n for n, _ in free.named_parameters()]


def test_decibels_are_those_of_each_picture() -> None:
    x = torch.zeros(2, 3, 4, 4)
    y = torch.stack([torch.full((3, 4, 4), 0.2), torch.full((3, 4, 4), 0.02)])
    assert decibels(x, y).tolist() == pytest.approx([20.0, 40.0], abs=1e-4)


def test_decibels_are_taken_off_the_loss() -> None:
    with_them, without = loss_of(Weights(psnr=0.1)), loss_of(Weights())
    torch.manual_seed(0)
    net = Autoencoder(NET)
    with torch.no_grad():
        net.quant_conv.bias += 0.5
        picture = torch.rand(2, 3, 16, 16)
        psnr = decibels(net.decode(net.encode(picture)), picture).mean()
    assert without - with_them == pytest.approx(0.1 * float(psnr), rel=1e-3)


def test_painted_latents_become_what_they_were_to_be() -> None:
    stage = AutoencoderStage(Autoencoder(NET), SETTINGS)
    stage.log_dict = stage.log = lambda *values: None  # type: ignore[assignment]
    batch = views(painted=3)
    stage.training_step(batch, 0).backward()
    net = stage.net.autoencoder
    both = {name: p.grad.clone() for name, p in net.named_parameters() if p.grad is not None}
    net.zero_grad()
    alone = batch._replace(painted=batch.painted[:0], wanted=batch.wanted[:0])
    stage.training_step(alone, 0).backward()
    moved = {name for name, p in net.named_parameters() if name in both and p.grad is not None}
    assert moved == set(both)
    assert not torch.equal(both["decoder.conv_out.weight"], net.decoder.conv_out.weight.grad)


def test_of_painted_latents_only_the_way_back_learns() -> None:
    stage = AutoencoderStage(Autoencoder(NET), SETTINGS)
    batch = views(painted=3)
    back, latent = stage.net(batch.picture, batch.painted)
    assert len(back) == 5 and len(latent) == 2
    back[2:].sum().backward()
    net = stage.net.autoencoder
    assert not any(p.grad is not None and p.grad.any() for p in net.encoder.parameters())
    assert net.decoder.conv_out.weight.grad.any()
