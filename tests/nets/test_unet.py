"""The U-Net on one latent for both halves of guidance."""

from dataclasses import replace
from typing import Any

import pytest
import torch

from bluerider.config import UNetConfig
from bluerider.nets.unet import UNet
from tests.tiny import CROSS, JOINT

LATE = replace(CROSS, attends=(False, True))
DEEP = replace(CROSS, depth=2)
CASES: list[Any] = [
    pytest.param(config, pooled, count, id=f"{name}-{'pooled-' * pooled}{count}")
    for name, config in {"late": LATE, "deep": DEEP, "joint": JOINT}.items()
    for pooled in (False, True)
    for count in (1, 2)
]


@pytest.mark.parametrize(("config", "pooled", "count"), CASES)
def test_a_latent_for_both_halves_is_the_latent_doubled(
    config: UNetConfig, pooled: bool, count: int
) -> None:
    torch.manual_seed(0)
    net = UNet(config).requires_grad_(False).eval()
    x, t = torch.randn(count, 4, 8, 8), 500.0 + torch.arange(count)
    context = torch.randn(2 * count, 5, config.context_dim)
    told = torch.randn(2 * count, config.time_dim) if pooled else None
    wanted = net(x.repeat(2, 1, 1, 1), t.repeat(2), context, told)
    torch.testing.assert_close(net(x, t, context, told), wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("pooled", [False, True])
def test_a_doubled_latent_stays_channels_last(pooled: bool) -> None:
    net = UNet(LATE).requires_grad_(False).to(memory_format=torch.channels_last)
    seen: list[bool] = []
    for name, module in net.named_modules():
        if name.startswith("up") and isinstance(module, torch.nn.Conv2d):
            module.register_forward_pre_hook(
                lambda _, given: seen.append(
                    given[0].is_contiguous(memory_format=torch.channels_last)
                )
            )
    x = torch.randn(1, 4, 8, 8).to(memory_format=torch.channels_last)
    told = torch.randn(2, LATE.time_dim) if pooled else None
    net(x, torch.tensor([3.0]), torch.randn(2, 5, LATE.context_dim), told)
    assert seen and all(seen)
