"""The two halves of a loss, its weights and its terms."""

from dataclasses import replace

import pytest
import torch

from bluerider.catalog import SCHEDULE_22
from bluerider.diffusion.loss import min_snr
from bluerider.diffusion.schedule import Schedule
from bluerider.training.tuning.lessons import halved, sample_loss

SCHEDULE = Schedule(SCHEDULE_22)


def drawn(count: int, channels: int = 4) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(0)
    shape = (count, channels, 3, 5)
    answer, x0, noise = (torch.randn(shape, generator=generator) for _ in range(3))
    return answer, x0, noise, torch.randint(0, 1000, (count,), generator=generator)


def test_one_batch_of_both_halves_is_two_passes() -> None:
    answer, x0, noise, t = drawn(6)
    both = sample_loss(SCHEDULE, answer, x0, noise, t, gamma=5.0)
    apart = [
        sample_loss(SCHEDULE, answer[s], x0[s], noise[s], t[s], gamma=5.0).mean()
        for s in (slice(3), slice(3, 6))
    ]
    assert halved(both, 3, 0.3)[0] == pytest.approx(float(apart[0] + 0.3 * apart[1]))


@pytest.mark.parametrize("count", [1, 4])
def test_each_sample_is_weighted_by_its_own_time(count: int) -> None:
    """A weight per sample of either half, whatever the batch."""
    answer, x0, noise, t = drawn(2 * count)
    plain = (answer - noise).square().mean((1, 2, 3))
    wanted = plain * torch.stack([min_snr(SCHEDULE, one[None], 5.0)[0] for one in t])
    assert torch.allclose(sample_loss(SCHEDULE, answer, x0, noise, t, gamma=5.0), wanted)


def test_no_weight_leaves_the_class_out() -> None:
    losses = torch.arange(4.0, requires_grad=True)
    halved(losses, 2, 0.0)[0].backward()
    assert losses.grad is not None and losses.grad.tolist() == [0.5, 0.5, 0.0, 0.0]


def test_the_bound_teaches_the_variance_alone() -> None:
    answer, x0, noise, t = drawn(2)
    eps = answer.clone().requires_grad_()
    spread = torch.zeros_like(answer, requires_grad=True)
    learned = Schedule(replace(SCHEDULE_22, variance="learned"))
    both = torch.cat([eps, spread], dim=1)
    plain = sample_loss(learned, both, x0, noise, t).sum()
    whole = sample_loss(learned, both, x0, noise, t, variance=True).sum()
    (plain_eps,) = torch.autograd.grad(plain, eps, retain_graph=True)
    whole_eps, whole_spread = torch.autograd.grad(whole, (eps, spread))
    assert torch.equal(plain_eps, whole_eps) and whole_spread.abs().max() > 0


def test_the_absolute_error_is_the_other_choice() -> None:
    answer, x0, noise, t = drawn(2)
    wanted = (answer - noise).abs().mean((1, 2, 3))
    assert torch.allclose(sample_loss(SCHEDULE, answer, x0, noise, t, absolute=True), wanted)
