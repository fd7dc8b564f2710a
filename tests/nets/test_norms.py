"""Group norm over many pixels."""

import pytest
import torch
from torch import Tensor, nn

from bluerider.nets.norms import PIXELS, GroupNorm, grouped, moments

SIDE = 160


@pytest.fixture(scope="module")
def flat() -> Tensor:
    """A large channels-last activation with little contrast, as late in a decoder."""
    noise = torch.randn(1, 8, SIDE, SIDE, generator=torch.Generator().manual_seed(3))
    return (noise * 0.05 + 10.0).to(memory_format=torch.channels_last)


def filled(norm: nn.GroupNorm) -> nn.GroupNorm:
    generator = torch.Generator().manual_seed(4)
    for parameter in norm.parameters():
        nn.init.normal_(parameter, generator=generator)
    return norm


@torch.inference_mode()
def test_many_pixels_are_normed_as_in_twice_the_precision(flat: Tensor) -> None:
    assert SIDE * SIDE > PIXELS
    norm = filled(GroupNorm(4, 8, eps=1e-6))
    found = norm(flat)
    truth = norm.double()(flat.double())
    assert (found - truth).abs().max() <= 2e-4 * truth.abs().max()
    assert found.is_contiguous(memory_format=torch.channels_last)


@torch.inference_mode()
def test_both_ways_mean_the_same() -> None:
    norm = filled(GroupNorm(4, 8, eps=1e-6)).double()
    x = torch.randn(2, 8, SIDE, SIDE, dtype=torch.float64)
    expected = nn.functional.group_norm(x, 4, norm.weight, norm.bias, norm.eps)
    assert torch.allclose(norm(x), expected, rtol=1e-10, atol=1e-10)


def test_many_pixels_have_the_gradient_of_torch() -> None:
    norm = filled(GroupNorm(2, 2)).double()
    x = torch.randn(1, 2, SIDE, SIDE, dtype=torch.float64, requires_grad=True)
    toward = torch.randn_like(x)
    (found,) = torch.autograd.grad((norm(x) * toward).sum(), x)
    plain = nn.functional.group_norm(x, 2, norm.weight, norm.bias, norm.eps)
    (expected,) = torch.autograd.grad((plain * toward).sum(), x)
    assert torch.allclose(found, expected, atol=1e-10)


@torch.inference_mode()
def test_a_half_format_stays_one_and_is_summed_in_float32(flat: Tensor) -> None:
    half = flat.bfloat16()
    assert moments(half)[0].dtype == torch.float32
    assert GroupNorm(4, 8).bfloat16()(half).dtype == torch.bfloat16


def test_moments_of_a_group_are_those_of_its_channels_together() -> None:
    x = torch.randn(2, 6, 5, 7, dtype=torch.float64) * 3 + torch.arange(6.0)[:, None, None]
    mean, variance = grouped(*moments(x), 2)
    groups = x.unflatten(1, (2, 3))
    assert torch.allclose(mean, groups.mean((2, 3, 4)).repeat_interleave(3, 1))
    expected = groups.var((2, 3, 4), correction=0).repeat_interleave(3, 1)
    assert torch.allclose(variance, expected)
