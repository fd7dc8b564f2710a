"""The loop and its rules against closed forms: identities, orders of convergence, right moments."""

from collections.abc import Callable
from itertools import pairwise
from math import exp, log, log2, sqrt

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

from bluerider.config import ScheduleConfig
from bluerider.diffusion.denoiser import Denoiser, Estimate
from bluerider.diffusion.samplers import (
    RULES,
    Constrain,
    Moment,
    Rule,
    ancestral,
    ddpm,
    dpmpp_2m,
    heun,
    plms,
    rule_named,
    sample,
    unipc,
)
from bluerider.diffusion.schedule import Posterior, Schedule, Step
from bluerider.errors import BlueriderError, InputError

F64 = torch.float64
K21 = Schedule(ScheduleConfig(kind="linear", predict="eps"))
few = settings(max_examples=60, derandomize=True, deadline=None)


def draw(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=F64)


def source(seed: int, *shape: int) -> Callable[[], Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return lambda: torch.randn(*shape, generator=generator, dtype=F64)


def no_noise() -> Tensor:
    raise AssertionError("this rule draws no noise")


def end_of(rule: Rule, denoise: object, x: Tensor, steps: list[Step], noise: object) -> Tensor:
    """The last x of a run."""
    for _, moved, _ in sample(denoise, x, steps, rule, noise):  # type: ignore[arg-type]
        x = moved
    return x


def moment(x: Tensor, x0: Tensor, now: Step, then: Step, **fields: object) -> Moment:
    blank: dict[str, object] = {"spread": None, "past": (), "look": None, "noise": no_noise}
    return Moment(x=x, x0=x0, now=now, then=then, **{**blank, **fields})  # type: ignore[arg-type]


def gaussian(x: Tensor, step: Step) -> Estimate:
    """The perfect estimate for data of mean 0.3 and standard deviation 0.5."""
    return Estimate(0.3 + (x - 0.3) * 0.25 / (0.25 + step.sigma**2))


def gaussian_path(x: Tensor, start: float, end: float) -> Tensor:
    """Where the probability flow of that data takes x from noise level start to end."""
    return 0.3 + (x - 0.3) * sqrt((0.25 + end**2) / (0.25 + start**2))


def even_logs(n: int, high: float = 8.0, low: float = 0.05) -> list[Step]:
    """n steps, smooth in log sigma, that stop above zero."""
    sigmas = [exp(log(high) + i / n * (log(low) - log(high))) for i in range(n + 1)]
    return [Step(sigma=sigma, t=0.0) for sigma in sigmas]


# Identities


@few
@given(
    now=st.integers(1, 999),
    gap=st.integers(1, 999),
    eta=st.floats(0, 1),
    seed=st.integers(0, 99),
)
def test_ancestral_is_ddim_of_eta(now: int, gap: int, eta: float, seed: int) -> None:
    """Song et al. 2020, eq. 12 and 16, in the coordinates they are published in."""
    a, b = K21.at([now, max(now - gap, 0)], end=0.0)[:2]
    xt, eps, z = draw(3, seed=seed), draw(3, seed=seed + 1), draw(3, seed=seed + 2)
    bar, before = float(K21.alpha_bar[now]), float(K21.alpha_bar[max(now - gap, 0)])
    x0 = (xt - sqrt(1 - bar) * eps) / sqrt(bar)
    std = eta * sqrt((1 - before) / (1 - bar)) * sqrt(1 - bar / before)
    theirs = sqrt(before) * x0 + sqrt(1 - before - std**2) * eps + std * z
    ours = ancestral(eta)(moment(xt / a.scale, x0, a, b, noise=lambda: z)) * b.scale
    torch.testing.assert_close(ours, theirs, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("variance", ["fixed_small", "fixed_large", "learned"])
@pytest.mark.parametrize("n", [2, 7, 50])
def test_ddpm_is_the_posterior_of_the_respaced_chain(n: int, variance: str) -> None:
    steps = K21.steps(n, "linspace")
    kept = torch.tensor([int(step.t) for step in reversed(steps[:-1])])
    table = Posterior(K21.alpha_bar[kept])
    xt, x0, z, spread = (draw(4, seed=seed) for seed in range(4))
    for i, (now, then) in zip(reversed(range(n)), pairwise(steps), strict=True):
        mean = table.of_x0[i] * x0 + table.of_x[i] * xt
        small, large = table.log_variance[i], table.betas[i].log()
        logs = {"fixed_small": small, "fixed_large": large}
        width = logs.get(variance, spread * large + (1 - spread) * small)
        theirs = mean + (width / 2).exp() * z if i else mean
        seen = moment(xt / now.scale, x0, now, then, spread=spread, noise=lambda: z)
        ours = ddpm(variance)(seen) * then.scale
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-11)


def test_ddpm_of_small_variance_is_ancestral_of_eta_1() -> None:
    for now, then in pairwise(K21.steps(13)):
        x, x0, z = draw(5), draw(5, seed=1), draw(5, seed=2)
        seen = moment(x, x0, now, then, noise=lambda z=z: z)
        torch.testing.assert_close(ddpm()(seen), ancestral(1.0)(seen), rtol=1e-13, atol=1e-13)


@pytest.mark.parametrize(("name", "eta"), [("euler", 0.0), ("euler_a", 1.0)])
def test_euler_and_euler_a_are_ddim_at_the_ends_of_eta(name: str, eta: float) -> None:
    x, steps = draw(6) / K21.steps(9)[0].scale, K21.steps(9)
    ours = end_of(rule_named(name, eta=0.5), gaussian, x, steps, source(3, 6))
    theirs = end_of(ancestral(eta), gaussian, x, steps, source(3, 6))
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0)


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("n", [1, 2, 3, 10])
def test_when_x0_is_known_every_rule_lands_on_it(name: str, n: int) -> None:
    x0 = draw(4, seed=7)
    steps = K21.steps(n)
    landed = end_of(
        rule_named(name), lambda x, step: Estimate(x0), draw(4) * 9, steps, source(1, 4)
    )
    torch.testing.assert_close(landed, x0, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", ["ddim", "euler", "heun", "plms"])
def test_where_eps_is_constant_x_falls_in_a_straight_line_in_sigma(name: str) -> None:
    eps, steps = draw(4, seed=7), even_logs(11)
    x = draw(4) * steps[0].sigma
    landed = end_of(
        rule_named(name), lambda x, step: Estimate(x - step.sigma * eps), x, steps, no_noise
    )
    exact = x + (steps[-1].sigma - steps[0].sigma) * eps
    torch.testing.assert_close(landed, exact, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", ["ddim", "euler", "heun", "plms", "dpmpp_2m", "unipc"])
def test_where_x0_is_constant_x_heads_for_it(name: str) -> None:
    x0, steps = draw(4, seed=7), even_logs(11)
    x = draw(4) * steps[0].sigma
    landed = end_of(rule_named(name), lambda x, step: Estimate(x0), x, steps, no_noise)
    exact = x0 + steps[-1].sigma / steps[0].sigma * (x - x0)
    torch.testing.assert_close(landed, exact, rtol=1e-12, atol=1e-12)


# Orders of convergence


@pytest.mark.parametrize(
    ("make", "order"), [(ancestral, 1), (heun, 2), (plms, 2), (dpmpp_2m, 2), (unipc, 3)]
)
def test_orders_on_a_gaussian_are_those_published(make: Callable[[], Rule], order: int) -> None:
    """UniPC's corrector lifts its order, 2, by one (Zhao et al. 2023, theorem 3.1)."""
    x = torch.full((1,), 8.0, dtype=F64)
    exact = gaussian_path(x, 8.0, 0.05)
    coarse, fine = (
        float((end_of(make(), gaussian, x, even_logs(n), no_noise) - exact).abs())
        for n in (128, 256)
    )
    assert log2(coarse / fine) == pytest.approx(order, abs=0.05)


@pytest.mark.parametrize("name", ["heun", "plms", "dpmpp_2m", "unipc"])
@pytest.mark.parametrize("n", [10, 20, 50])
def test_higher_orders_are_nearer_than_ddim_at_few_steps(name: str, n: int) -> None:
    x, steps = draw(64) * 14, K21.steps(n, "karras")
    exact = gaussian_path(x, steps[0].sigma, 0.0)
    ours, ddim = (
        float((end_of(rule_named(rule), gaussian, x, steps, no_noise) - exact).abs().mean())
        for rule in (name, "ddim")
    )
    assert ours < ddim / 2


# Moments


def mixture(x: Tensor, step: Step) -> Estimate:
    """The perfect estimate for data that is N(-1, 0.2^2) with weight 0.3 and N(0.8, 0.4^2) else."""
    parts, weighted = [], []
    for weight, mean, std in ((0.3, -1.0, 0.2), (0.7, 0.8, 0.4)):
        spread = std**2 + step.sigma**2
        parts.append(mean + (x - mean) * std**2 / spread)
        weighted.append(log(weight / sqrt(spread)) - (x - mean) ** 2 / (2 * spread))
    shares = torch.softmax(torch.stack(weighted), 0)
    return Estimate((shares * torch.stack(parts)).sum(0))


@pytest.mark.parametrize("name", RULES)
def test_moments_of_a_gaussian_mixture_are_recovered(name: str) -> None:
    steps, count = K21.steps(100, "karras"), 40_000
    x = draw(count) / steps[0].scale
    data = end_of(rule_named(name, eta=0.5), mixture, x, steps, source(5, count))
    mean = 0.3 * -1.0 + 0.7 * 0.8
    variance = 0.3 * (0.04 + 1.0) + 0.7 * (0.16 + 0.64) - mean**2
    low = float((data < -0.3).double().mean())
    assert float(data.mean()) == pytest.approx(mean, abs=0.02)
    assert float(data.var()) == pytest.approx(variance, abs=0.03)
    assert low == pytest.approx(0.3003, abs=0.01)
    assert float(data[data < -0.3].std()) == pytest.approx(0.2, abs=0.02)


def test_fixed_large_variance_recovers_the_spread_of_noise_from_a_point() -> None:
    """Ho et al. 2020, section 3.2: the large variance is right for data that is itself N(0, 1)."""
    steps, count = K21.steps(20, "linspace"), 40_000
    normal = end_of(
        ddpm("fixed_large"),
        lambda x, step: Estimate(x / (1 + step.sigma**2)),
        draw(count) / steps[0].scale,
        steps[:-1],
        source(5, count),
    )
    assert float((normal * steps[-2].scale).std()) == pytest.approx(1.0, abs=0.02)


# The loop


def test_every_step_yields_its_index_x_and_x0() -> None:
    steps, x = K21.steps(4), draw(3)
    walked = list(sample(gaussian, x, steps, ancestral(), no_noise))
    assert [index for index, _, _ in walked] == [0, 1, 2, 3]
    for now, (_, after, x0) in zip(steps, walked, strict=False):
        torch.testing.assert_close(x0, gaussian(x, now).x0)
        x = after
    torch.testing.assert_close(x, walked[-1][2])


def test_a_list_of_one_level_asks_nothing() -> None:
    assert list(sample(gaussian, draw(3), K21.steps(5, first=5), ancestral(), no_noise)) == []


@pytest.mark.parametrize(
    ("name", "looks"),
    [("heun", 2 * 6 - 1), ("plms", 7), *((name, 6) for name in RULES if name[0] not in "hp")],
)
def test_number_of_looks(name: str, looks: int) -> None:
    seen: list[float] = []

    def counted(x: Tensor, step: Step) -> Estimate:
        seen.append(step.sigma)
        return gaussian(x, step)

    end_of(rule_named(name), counted, draw(3), K21.steps(6), source(0, 3))
    assert len(seen) == looks
    assert 0.0 not in seen


def test_past_holds_the_last_three_steps_oldest_first() -> None:
    seen: list[tuple[float, ...]] = []

    def rule(m: Moment) -> Tensor:
        seen.append(tuple(step.now.t for step in m.past))
        return m.x

    end_of(rule, gaussian, draw(1), K21.at([5, 4, 3, 2, 1]), no_noise)
    assert seen == [(), (5,), (5, 4), (5, 4, 3), (4, 3, 2)]


@pytest.mark.parametrize("name", ["ddim", "heun", "plms", "unipc"])
def test_constrain_on_x0_acts_on_every_look(name: str) -> None:
    known = torch.full((3,), 0.25, dtype=F64)
    hooks = Constrain(x0=lambda x0, step: known)
    walk = sample(gaussian, draw(3) * 9, K21.steps(5), rule_named(name), no_noise, hooks)
    *_, (_, x, x0) = walk
    torch.testing.assert_close(x, known)
    torch.testing.assert_close(x0, known)


def test_constrain_on_x_is_told_the_level_x_has_reached() -> None:
    levels: list[Step] = []

    def put_back(x: Tensor, step: Step) -> Tensor:
        levels.append(step)
        return torch.full_like(x, step.sigma)

    steps = K21.steps(5)
    walk = sample(gaussian, draw(3), steps, ancestral(), no_noise, Constrain(x=put_back))
    reached = [x[0].item() for _, x, _ in walk]
    assert levels == steps[1:]
    assert reached == [step.sigma for step in steps[1:]]


@pytest.mark.parametrize("name", RULES)
def test_a_batch_is_walked_as_its_pictures_alone(name: str) -> None:
    steps = K21.steps(6)
    x, z = draw(2, 5) * 9, [draw(2, 5, seed=seed) for seed in range(9)]
    both = end_of(rule_named(name, eta=0.7), mixture, x, steps, iter(z).__next__)
    alone = iter([noise[1:] for noise in z])
    second = end_of(rule_named(name, eta=0.7), mixture, x[1:], steps, alone.__next__)
    torch.testing.assert_close(both[1:], second, rtol=0, atol=0)


class Syncs(TorchDispatchMode):
    """Counts the reads of a tensor's value by the program, each of which would wait for a
    device.
    """

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
        self.count += func is torch.ops.aten._local_scalar_dense.default
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("name", RULES)
@pytest.mark.parametrize("variance", ["fixed_large", "learned"])
def test_the_loop_never_waits_for_a_value(name: str, variance: str) -> None:
    schedule = Schedule(ScheduleConfig(kind="linear", predict="eps", clamp=2.0))

    def predict(x: Tensor, t: Tensor, both: bool) -> tuple[Tensor | None, Tensor]:
        return torch.cat([x, x], 1), torch.cat([x.tanh(), x.sin()], 1)

    denoise = Denoiser(predict, schedule, guidance=[4.0, 2.0], interval=(0.0, 0.5))
    with Syncs() as syncs:
        steps = schedule.steps(8)
        end_of(rule_named(name, variance=variance), denoise, draw(2, 4), steps, source(0, 2, 4))
    assert syncs.count == 0


def test_x_stays_in_float32() -> None:
    for name in RULES:
        x = end_of(
            rule_named(name),
            lambda x, step: Estimate(x / (1 + step.sigma**2)),
            draw(3).float(),
            K21.steps(5),
            lambda: torch.zeros(3),
        )
        assert x.dtype == torch.float32


def test_small_x0_survives_the_largest_noise_in_float32() -> None:
    """The prior's cosine schedule starts at sigma 2e4, where float32 has steps of 0.002."""
    prior = Schedule(ScheduleConfig(kind="cosine", predict="x0"))
    steps = prior.steps(25, "linspace")
    x0 = torch.linspace(-1, 1, 9)
    x = draw(9).float() / steps[0].scale
    for name in RULES:
        landed = end_of(rule_named(name), lambda x, step: Estimate(x0), x, steps, lambda: x0)
        torch.testing.assert_close(landed, x0, rtol=1e-6, atol=1e-6)


# Doors


def test_the_table_is_the_documented_one() -> None:
    documented = "ddim ddpm heun plms dpmpp_2m dpmpp_2m_sde unipc euler euler_a"
    assert tuple(RULES) == tuple(documented.split())


@pytest.mark.parametrize(
    ("name", "fields", "words"),
    [
        ("ddmi", {}, "sampler: got 'ddmi'; choose from ddim, ddpm, heun"),
        ("ddim", {"eta": 1.5}, "eta: got 1.5; 0 to 1 are accepted"),
        ("ddim", {"eta": float("nan")}, "eta: got nan; 0 to 1 are accepted"),
        ("ddpm", {"variance": "big"}, "variance: got 'big'; choose from fixed_small"),
    ],
)
def test_what_cannot_be_is_refused_with_what_can(
    name: str, fields: dict[str, float], words: str
) -> None:
    with pytest.raises(InputError, match=words):
        rule_named(name, **fields)  # type: ignore[arg-type]


def test_learned_variance_needs_a_net_that_learned_it() -> None:
    with pytest.raises(BlueriderError, match="the net returns none"):
        end_of(ddpm("learned"), gaussian, draw(3), K21.steps(3), source(0, 3))
