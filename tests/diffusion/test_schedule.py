"""Tables against the originals' goldens and diffusers, lists of steps for every n, and their
edges.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import diffusers
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from bluerider.config import ScheduleConfig
from bluerider.diffusion.samplers import Moment, ancestral
from bluerider.diffusion.schedule import SPACINGS, Posterior, Schedule, Step
from bluerider.errors import InputError

Golden = Callable[[str], dict[str, Tensor]]
Published = dict[str, Schedule]
RESPACED = ["5", "7", "10", "25", "50", "100", "10_15_20", "ddim5", "ddim7", "ddim25", "ddim50"]
K21 = Schedule(ScheduleConfig(kind="linear", predict="eps"))
SINE = ScheduleConfig(kind="sine", predict="eps")  # type: ignore[arg-type]
few = settings(max_examples=40, derandomize=True, deadline=None)


def close(ours: Tensor, theirs: Tensor) -> None:
    torch.testing.assert_close(ours, theirs, rtol=1e-11, atol=1e-12)


def posterior_is(posterior: Posterior, table: dict[str, Tensor], prefix: str) -> None:
    close(posterior.betas, table[f"{prefix}betas"])
    close(posterior.variance, table[f"{prefix}posterior_variance"])
    close(posterior.log_variance, table[f"{prefix}posterior_log_variance_clipped"])
    close(posterior.of_x0, table[f"{prefix}posterior_mean_coef1"])
    close(posterior.of_x, table[f"{prefix}posterior_mean_coef2"])


@pytest.mark.parametrize("family", ["k20", "k21", "prior"])
def test_full_tables_are_the_originals(family: str, golden: Golden, published: Published) -> None:
    table, schedule = golden("e0_schedules_full"), published[family]
    close(schedule.betas, table[f"out.{family}.full.betas"])
    close(schedule.alpha_bar, table[f"out.{family}.full.alphas_cumprod"])
    posterior_is(schedule.posterior, table, f"out.{family}.full.")


@pytest.mark.parametrize("respacing", RESPACED)
@pytest.mark.parametrize("family", ["k20", "k21", "prior"])
def test_respaced_tables_are_the_originals(
    family: str, respacing: str, golden: Golden, published: Published
) -> None:
    table, prefix = golden("e0_schedules_respaced"), f"out.{family}.r{respacing}."
    kept = published[family].alpha_bar[table[f"{prefix}timestep_map"]]
    close(kept, table[f"{prefix}alphas_cumprod"])
    posterior_is(Posterior(kept), table, prefix)


def test_scaled_linear_is_what_latent_diffusion_calls_linear(
    golden: Golden, published: Published
) -> None:
    table, schedule = golden("h3_ldm_schedule"), published["ldm"]
    close(schedule.betas, table["out.make_beta_schedule.linear"])
    for ours, name in [
        (schedule.alpha_bar, "alphas_cumprod"),
        (schedule.posterior.variance, "posterior_variance"),
        (schedule.posterior.log_variance, "posterior_log_variance_clipped"),
        (schedule.posterior.of_x0, "posterior_mean_coef1"),
        (schedule.posterior.of_x, "posterior_mean_coef2"),
    ]:
        # Their first log variance is log 1e-20, which no rule reads: the last step draws no noise.
        first = 1 if "log" in name else 0
        theirs = table[f"out.{name}"][first:]
        torch.testing.assert_close(ours.float()[first:], theirs, rtol=2e-6, atol=1e-8)


def test_linear_is_what_latent_diffusion_calls_sqrt_linear(
    golden: Golden, published: Published
) -> None:
    theirs = golden("h3_ldm_schedule")["out.make_beta_schedule.sqrt_linear"]
    close(published["k21"].betas, theirs)


def test_cosine_is_latent_diffusions(golden: Golden, published: Published) -> None:
    close(published["prior"].betas, golden("h3_ldm_schedule")["out.make_beta_schedule.cosine"])


@pytest.mark.parametrize("family", ["k20", "k21"])
@pytest.mark.parametrize("t", [0, 299, 699, 999])
def test_noised_is_the_originals_q_sample(
    family: str, t: int, golden: Golden, published: Published
) -> None:
    case = golden("e0_q_sample")
    ts = torch.full((3,), t)
    ours = published[family].noised(case["in.x_start"], case["in.noise"], ts)
    torch.testing.assert_close(
        ours, case[f"out.diffusion_q_sample.{family}.t{t}"], rtol=1e-5, atol=2e-6
    )


@pytest.mark.parametrize("t", [0, 299, 699, 999])
def test_the_originals_img2img_noise_is_that_of_2_0(
    t: int, golden: Golden, published: Published
) -> None:
    case = golden("e0_q_sample")
    ours = published["k20"].noised(case["in.x_start"], case["in.noise"], torch.full((3,), t))
    torch.testing.assert_close(ours, case[f"out.utils_q_sample.t{t}"], rtol=1e-5, atol=2e-6)


@pytest.mark.parametrize("n", [5, 7, 10, 25, 50, 100])
def test_linspace_is_the_original_respacing(n: int, golden: Golden) -> None:
    kept = golden("e0_schedules_respaced")[f"out.k21.r{n}.timestep_map"]
    assert [step.t for step in K21.steps(n, "linspace")[:-1]] == kept.flip(0).tolist()


def test_linspace_misses_the_originals_running_sum_by_rounded_halves_only() -> None:
    for n in range(2, 1001):
        at, stride, theirs = 0.0, 999 / (n - 1), []
        for _ in range(n):
            theirs.append(round(at))
            at += stride
        ours = [step.t for step in K21.steps(n, "linspace")[:-1]][::-1]
        for i, (a, b) in enumerate(zip(ours, theirs, strict=True)):
            assert a == b or 2 * 999 * i % (n - 1) == 0


def up(now: Step, then: Step, eta: float) -> float:
    """The standard deviation of the noise DDIM adds, read off the rule, at unit-variance scale."""
    zero, one = torch.zeros(1, dtype=torch.float64), torch.ones(1, dtype=torch.float64)
    moment = Moment(
        now=now,
        then=then,
        x=zero,
        x0=zero,
        spread=None,
        past=(),
        look=lambda x, step: x,
        noise=lambda: one,
    )
    return float(ancestral(eta)(moment)) * then.scale


@pytest.mark.parametrize(
    "case", [f"S{n}.init{i}" for n in (5, 7, 10, 25, 50, 100) for i in ("None", "99", "300")]
)
def test_ddim_tables_are_the_originals(case: str, golden: Golden) -> None:
    table = {
        k.removeprefix(f"out.{case}."): v for k, v in golden("e0_ddim_tables").items() if case in k
    }
    kept = table["timesteps"].flip(0).tolist()
    n = int(case.split(".")[0][1:])
    end = float(K21.sigmas[0])
    every = range(0, 1000, 1000 // n)
    steps = K21.at([t + 1 for t in reversed(every)], end=end)[len(every) - len(kept) :]
    if 1000 % n == 0:
        assert steps == K21.steps(n, "leading", first=n - len(kept), end=end)
    assert [step.t for step in steps[:-1]] == kept
    pairs = list(pairwise(steps))[::-1]
    f64 = torch.float64
    close(torch.tensor([now.scale**2 for now, _ in pairs], dtype=f64), table["alphas"])
    close(torch.tensor([then.scale**2 for _, then in pairs], dtype=f64), table["alphas_prev"])
    for eta in ("0.0", "0.05", "0.8", "1.0"):
        ours = torch.tensor([up(*pair, float(eta)) for pair in pairs], dtype=f64)
        close(ours, table[f"sigmas_eta{eta}"])


@pytest.mark.parametrize("spacing", ["leading", "trailing", "linspace"])
@pytest.mark.parametrize("n", [2, 3, 7, 25, 30, 50, 150, 333, 501, 999, 1000])
def test_spacings_are_diffusers(n: int, spacing: str) -> None:
    theirs: Any = diffusers.DDPMScheduler(timestep_spacing=spacing, steps_offset=0)
    theirs.set_timesteps(n)
    ours = [step.t for step in K21.steps(n, spacing, offset=0)[:-1]]
    assert ours == theirs.timesteps.tolist()


def test_linspace_is_unclips_for_every_n() -> None:
    theirs: Any = diffusers.UnCLIPScheduler()
    for n in range(2, 1001):
        theirs.set_timesteps(n)
        assert [step.t for step in K21.steps(n, "linspace")[:-1]] == theirs.timesteps.tolist()


def test_the_published_decoder_runs_981_to_1() -> None:
    assert [step.t for step in K21.steps(50)[:-1]] == list(range(981, 0, -20))


@pytest.mark.parametrize("spacing", SPACINGS)
def test_every_number_of_steps_gives_distinct_falling_levels(spacing: str) -> None:
    for n in range(1, 1001):
        steps = K21.steps(n, spacing)
        assert len(steps) == n + 1
        assert all(now.sigma > then.sigma for now, then in pairwise(steps))
        assert all(0 <= step.t <= 999 for step in steps)
        assert steps[-1] == Step(sigma=0.0, t=0.0, done=1.0)


@pytest.mark.parametrize("spacing", ["trailing", "linspace", "karras"])
@pytest.mark.parametrize("n", [1, 2, 17, 1000])
def test_lists_that_should_start_at_the_noisiest_level_do(spacing: str, n: int) -> None:
    assert K21.steps(n, spacing)[0] == Step(sigma=float(K21.sigmas[-1]), t=999.0)


@few
@given(n=st.integers(3, 1000))
def test_karras_is_even_in_the_seventh_root(n: int) -> None:
    roots = np.array([step.sigma for step in K21.steps(n, "karras")[:-1]]) ** (1 / 7)
    np.testing.assert_allclose(np.diff(roots), (roots[-1] - roots[0]) / (n - 1), rtol=1e-9)
    assert roots[-1] == float(K21.sigmas[0]) ** (1 / 7)


@few
@given(t=st.floats(0, 999))
def test_t_undoes_sigma(t: float) -> None:
    assert K21.t(K21.sigma(t)) == pytest.approx(t, abs=1e-9)


def test_sigma_between_two_ts_is_their_geometric_mean_halfway() -> None:
    middle = (K21.sigma(41) * K21.sigma(42)) ** 0.5
    assert K21.sigma(41.5) == pytest.approx(middle, rel=1e-14)


def test_t_of_levels_outside_the_table_is_held_inside() -> None:
    assert (K21.t(0.0), K21.t(1e9)) == (0.0, 999.0)


def test_first_leaves_the_noisiest_steps_out() -> None:
    assert K21.steps(50, first=20) == K21.steps(50)[20:]
    assert K21.steps(50, first=50) == K21.steps(50)[50:]


def test_done_counts_the_steps_before() -> None:
    assert [step.done for step in K21.steps(4)] == [0.0, 0.25, 0.5, 0.75, 1.0]


def test_spacing_and_offset_are_the_configs_unless_given() -> None:
    schedule = Schedule(ScheduleConfig(kind="linear", predict="eps", spacing="leading", offset=3))
    assert [step.t for step in schedule.steps(2)[:-1]] == [503.0, 3.0]
    assert [step.t for step in schedule.steps(2, "trailing", offset=0)[:-1]] == [999.0, 499.0]


def test_noised_keeps_its_digits_in_float32() -> None:
    noise, t = torch.ones(1, 1), torch.tensor([0])
    small = float(K21.noised(torch.zeros(1, 1), noise, t))
    assert small == pytest.approx(float((1 - K21.alpha_bar[0]).sqrt()), rel=1e-7)


def test_noised_never_computes_below_float32() -> None:
    x0 = torch.zeros(2, 3, dtype=torch.bfloat16)
    assert K21.noised(x0, x0, torch.tensor([0, 1])).dtype == torch.float32


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: K21.steps(0), "steps: got 0; 1 to 1000 are accepted"),
        (lambda: K21.steps(1001), "steps: got 1001; 1 to 1000 are accepted"),
        (lambda: K21.steps(5, "even"), "spacing: got 'even'; choose from leading, trailing"),
        (lambda: K21.steps(5, first=6), "first step: got 6; 0 to 5 are accepted"),
        (lambda: K21.steps(5, first=-1), "first step: got -1; 0 to 5 are accepted"),
        (lambda: K21.at([1000]), "t: got 1000; 0 to 999 are accepted"),
        (lambda: K21.steps(5, end=0.5), "end: got 0.5; 0 to the last step's noise level"),
        (lambda: K21.steps(5, end=-0.5), "end: got -0.5; 0 to the last step's noise level"),
        (lambda: K21.sigma(float("nan")), "t: got nan; 0 to 999 are accepted"),
        (lambda: Schedule(SINE), "schedule: got 'sine'; choose from linear, scaled_linear, cosine"),
    ],
)
def test_what_cannot_be_is_refused_with_what_can(call: Callable[[], object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        call()
