"""Kinds of prediction, guidance and its interval, limits on x0, and what the net is given."""

from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
import torch
from torch import Tensor

from bluerider.config import ScheduleConfig
from bluerider.diffusion.denoiser import Denoiser
from bluerider.diffusion.schedule import Schedule, Step

EPS = ScheduleConfig(kind="linear", predict="eps")
STEP = Schedule(EPS).at([500])[0]


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def denoiser(cond: Tensor, uncond: Tensor | None = None, **fields: object) -> Denoiser:
    """A denoiser around a net that always answers the same; fields of the schedule or of
    guidance.
    """
    guidance = fields.pop("guidance", 1.0)
    interval = fields.pop("interval", (0.0, 1.0))
    schedule = Schedule(replace(EPS, **fields))  # type: ignore[arg-type]

    def predict(x: Tensor, t: Tensor, both: bool) -> tuple[Tensor | None, Tensor]:
        return (uncond if both else None), cond

    return Denoiser(predict, schedule, guidance=guidance, interval=interval)  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", ["eps", "x0", "v"])
def test_a_perfect_net_of_every_kind_gives_back_x0(kind: Literal["eps", "x0", "v"]) -> None:
    x0, eps = draw(2, 4, 3, 5), draw(2, 4, 3, 5, seed=1)
    noise_part = STEP.scale * STEP.sigma
    answers = {"eps": eps, "x0": x0, "v": STEP.scale * eps - noise_part * x0}
    seen = denoiser(answers[kind], predict=kind)(x0 + STEP.sigma * eps, STEP)
    torch.testing.assert_close(seen.x0, x0, rtol=1e-4, atol=1e-5)


def test_the_net_is_given_unit_scale_and_a_float_t() -> None:
    given: list[tuple[Tensor, Tensor, bool]] = []

    def predict(x: Tensor, t: Tensor, both: bool) -> tuple[None, Tensor]:
        given.append((x, t, both))
        return None, x

    x = draw(3, 4, 2, 2)
    Denoiser(predict, Schedule(EPS))(x, Step(sigma=2.0, t=41.5))
    seen, t, both = given[0]
    torch.testing.assert_close(seen, x / 5**0.5)
    assert t.tolist() == [41.5] * 3 and t.dtype == torch.float32
    assert both is False


@pytest.mark.parametrize("kind", ["eps", "x0", "v"])
def test_guidance_extrapolates_from_uncond_through_cond(kind: str) -> None:
    cond, uncond, x = draw(2, 4), draw(2, 4, seed=1), draw(2, 4, seed=2)
    guided = denoiser(cond, uncond, predict=kind, guidance=7.0)(x, STEP).x0
    by_hand = denoiser(uncond + 7 * (cond - uncond), predict=kind)(x, STEP).x0
    torch.testing.assert_close(guided, by_hand)


def test_every_picture_may_have_its_own_guidance() -> None:
    cond, uncond, x = draw(3, 4, 2, 2), draw(3, 4, 2, 2, seed=1), draw(3, 4, 2, 2, seed=2)
    together = denoiser(cond, uncond, guidance=[1.0, 4.0, 9.0])(x, STEP).x0
    for i, scale in enumerate([1.0, 4.0, 9.0]):
        alone = denoiser(cond[i : i + 1], uncond[i : i + 1], guidance=scale)(x[i : i + 1], STEP).x0
        torch.testing.assert_close(together[i : i + 1], alone)


@pytest.mark.parametrize("guidance", [1.0, 1, [1.0, 1.0]])
def test_guidance_1_never_runs_the_unconditional_half(guidance: object) -> None:
    assert not denoiser(draw(2, 4), guidance=guidance).guides(STEP)


@pytest.mark.parametrize(
    ("interval", "guided"),
    [
        ((0.0, 1.0), list(range(10))),
        ((0.2, 0.5), [2, 3, 4]),
        ((0.0, 0.3), [0, 1, 2]),
        ((0.9, 1.0), [9]),
        ((0.5, 0.5), []),
    ],
)
def test_the_interval_is_a_fraction_of_the_steps(
    interval: tuple[float, float], guided: list[int]
) -> None:
    inside = denoiser(draw(1, 4), guidance=4.0, interval=interval).guides
    steps = Schedule(EPS).steps(10)
    assert [i for i, step in enumerate(steps[:-1]) if inside(step)] == guided


def test_outside_the_interval_x0_is_the_conditional_one() -> None:
    cond, x = draw(2, 4), draw(2, 4, seed=2)
    outside = denoiser(cond, draw(2, 4, seed=1), guidance=7.0, interval=(0.5, 1.0))
    torch.testing.assert_close(outside(x, STEP).x0, denoiser(cond)(x, STEP).x0)


def test_clamp_holds_x0_under_its_value() -> None:
    x0 = torch.tensor([[-12.0, -3.0, 0.5, 11.0]])
    assert denoiser(x0, predict="x0", clamp=10.0)(x0, STEP).x0.tolist() == [[-10, -3, 0.5, 10]]


def test_threshold_takes_the_quantile_of_every_picture_by_itself() -> None:
    x0 = draw(3, 4, 6, 7) * torch.tensor([0.2, 1.5, 4.0]).reshape(3, 1, 1, 1)
    ours = denoiser(x0, predict="x0", threshold=0.995)(x0, STEP).x0.numpy()
    for picture, seen in zip(x0.numpy(), ours, strict=True):
        s = max(1.0, np.percentile(np.abs(picture), 99.5))
        np.testing.assert_allclose(seen, np.clip(picture, -s, s) / s, rtol=1e-5)


def test_clamp_comes_before_threshold() -> None:
    x0 = torch.tensor([[5.0, -2.0, 1.0, 0.5]])
    seen = denoiser(x0, predict="x0", clamp=2.0, threshold=1.0)(x0, STEP).x0
    assert seen.tolist() == [[1.0, -1.0, 0.5, 0.25]]


def test_the_variance_half_is_unguided_and_conditional() -> None:
    cond, uncond, x = draw(2, 8, 3), draw(2, 8, 3, seed=1), draw(2, 4, 3, seed=2)
    seen = denoiser(cond, uncond, guidance=5.0)(x, STEP)
    torch.testing.assert_close(seen.spread, (cond[:, 4:] + 1) / 2)
    plain = denoiser(cond[:, :4], uncond[:, :4], guidance=5.0)(x, STEP)
    torch.testing.assert_close(seen.x0, plain.x0)
    assert plain.spread is None


def test_a_net_in_bfloat16_leaves_x0_in_float32() -> None:
    cond, uncond = draw(2, 8).bfloat16(), draw(2, 8, seed=1).bfloat16()
    seen = denoiser(cond, uncond, guidance=3.0)(draw(2, 4), STEP)
    assert seen.spread is not None
    assert (seen.x0.dtype, seen.spread.dtype) == (torch.float32, torch.float32)
