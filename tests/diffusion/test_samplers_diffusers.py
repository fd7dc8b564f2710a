"""The same closed-form net through our loop and through diffusers' schedulers, to the last x0.

The formulas are the same; their tables are float32, ours float64, so runs agree to float32 only.
Where a convention differs it is named in the test.
"""

from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import diffusers
import pytest
import torch
from torch import Tensor

from bluerider.config import ScheduleConfig
from bluerider.diffusion.denoiser import Denoiser
from bluerider.diffusion.samplers import Rule, rule_named, sample
from bluerider.diffusion.schedule import Schedule, Step

# diffusers hands tensors to numpy in a way that numpy 2 will not take for ever.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")

# A type checker sees stand-ins of diffusers' classes only.
SCHEDULERS: Any = diffusers
CONFIG = ScheduleConfig(kind="linear", predict="eps")
BETAS = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "linear"}
COUNTS = [1, 2, 3, 10, 30, 50]
SHAPE = (2, 4, 5, 3)
Net = Callable[[Tensor, float], Tensor]


def eps_net(x: Tensor, t: float) -> Tensor:
    """Curved in x and in t, and near enough to eps that paths stay bounded."""
    return 0.9 * x + 0.2 * torch.sin(2 * x + t / 300)


def with_variance(x: Tensor, t: float) -> Tensor:
    return torch.cat([eps_net(x, t), torch.cos(3 * x + t / 100)], 1)


def start() -> Tensor:
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def ours(
    config: ScheduleConfig,
    steps: list[Step],
    rule: Rule,
    net: Net = eps_net,
    drawn: torch.dtype = torch.float64,
) -> Tensor:
    """Our last picture, with noise drawn as theirs is."""
    generator = torch.Generator().manual_seed(1)

    def predict(x: Tensor, t: Tensor, both: bool) -> tuple[None, Tensor]:
        return None, net(x, float(t[0]))

    def noise() -> Tensor:
        return torch.randn(SHAPE, generator=generator, dtype=drawn).double()

    x = start() / steps[0].scale
    for _, moved, _ in sample(Denoiser(predict, Schedule(config)), x, steps, rule, noise):
        x = moved
    return x * steps[-1].scale


def theirs(
    scheduler: Any, net: Net = eps_net, *, scale: float | None = None, **fields: Any
) -> Tensor:
    """Their last picture; `set_timesteps` was called."""
    x = start() * (scale or scheduler.init_noise_sigma)
    for t in scheduler.timesteps:
        answer = net(scheduler.scale_model_input(x, t), float(t))
        x = scheduler.step(answer, t, x, **fields).prev_sample
    return x


def seeded() -> dict[str, Any]:
    return {"generator": torch.Generator().manual_seed(1)}


def same(a: Tensor, b: Tensor, atol: float = 5e-5) -> None:
    torch.testing.assert_close(a, b.to(a.dtype), rtol=atol, atol=atol)


@pytest.mark.parametrize("n", COUNTS)
@pytest.mark.parametrize("clamp", [None, 1.0])
@pytest.mark.parametrize("spacing", ["leading", "trailing"])
def test_ddpm_fixed_small(n: int, clamp: float | None, spacing: str) -> None:
    """The 2.2 decoder. Ours draws no noise in the last step, theirs noise of 1e-10."""
    scheduler = SCHEDULERS.DDPMScheduler(
        **BETAS,
        steps_offset=1,
        timestep_spacing=spacing,
        clip_sample=clamp is not None,
        clip_sample_range=clamp or 1.0,
    )
    scheduler.set_timesteps(n)
    steps = Schedule(CONFIG).steps(n, spacing)
    same(
        ours(replace(CONFIG, clamp=clamp), steps, rule_named("ddpm")), theirs(scheduler, **seeded())
    )


@pytest.mark.parametrize("n", COUNTS[1:])
def test_ddpm_fixed_large(n: int) -> None:
    """From `linspace`, which ends at t 0: from t 1 theirs adds noise to the finished picture."""
    scheduler = SCHEDULERS.DDPMScheduler(
        **BETAS, timestep_spacing="linspace", clip_sample=False, variance_type="fixed_large"
    )
    scheduler.set_timesteps(n)
    rule = rule_named("ddpm", variance="fixed_large")
    same(ours(CONFIG, Schedule(CONFIG).steps(n, "linspace"), rule), theirs(scheduler, **seeded()))


@pytest.mark.parametrize("n", COUNTS[1:])
def test_ddpm_learned_range_with_threshold(n: int) -> None:
    """The 2.1 `ddpm_scheduler`; theirs holds the quantile under 2, ours (and the original) x0.

    Where 2 lies between the two values a quantile is drawn from, as once in the 50 steps here, they
    differ; in the others the runs agree to float32.
    """
    scheduler = SCHEDULERS.DDPMScheduler(
        **BETAS,
        timestep_spacing="linspace",
        clip_sample=False,
        thresholding=True,
        dynamic_thresholding_ratio=0.995,
        sample_max_value=2.0,
        variance_type="learned_range",
    )
    scheduler.set_timesteps(n)
    config = replace(CONFIG, clamp=2.0, threshold=0.995)
    rule = rule_named("ddpm", variance="learned")
    steps = Schedule(CONFIG).steps(n, "linspace")
    walked = theirs(scheduler, with_variance, **seeded())
    same(ours(config, steps, rule, with_variance), walked, atol=5e-5 if n < 50 else 2e-3)


@pytest.mark.parametrize("n", COUNTS[1:])
def test_unclip(n: int) -> None:
    """The prior, which predicts x0; theirs has to be told the next t.

    Theirs is given float64 tables: its own, in float32, take 0.05 % off the finished embedding.
    """
    scheduler = SCHEDULERS.UnCLIPScheduler(
        prediction_type="sample", clip_sample_range=0.8, variance_type="fixed_small_log"
    )
    scheduler.set_timesteps(n)
    config = ScheduleConfig(kind="cosine", predict="x0", clamp=0.8)
    tables = Schedule(config)
    scheduler.betas, scheduler.alphas = tables.betas, 1 - tables.betas
    scheduler.alphas_cumprod = tables.alpha_bar
    x, fields = start(), seeded()
    for t, after in pairwise([*scheduler.timesteps, None]):
        x = scheduler.step(eps_net(x, float(t)), t, x, prev_timestep=after, **fields).prev_sample
    same(ours(config, tables.steps(n, "linspace"), rule_named("ddpm")), x, atol=1e-8)


@pytest.mark.parametrize("n", COUNTS)
@pytest.mark.parametrize("eta", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("to_zero", [False, True])
def test_ddim(n: int, eta: float, to_zero: bool) -> None:
    scheduler = SCHEDULERS.DDIMScheduler(
        **BETAS, steps_offset=1, clip_sample=False, set_alpha_to_one=to_zero
    )
    scheduler.set_timesteps(n)
    schedule = Schedule(CONFIG)
    steps = schedule.steps(n, end=0.0 if to_zero else float(schedule.sigmas[0]))
    same(ours(CONFIG, steps, rule_named("ddim", eta=eta)), theirs(scheduler, eta=eta, **seeded()))


@pytest.mark.parametrize("n", COUNTS)
def test_ddim_of_a_net_that_predicts_v(n: int) -> None:
    scheduler = SCHEDULERS.DDIMScheduler(
        **BETAS, steps_offset=1, clip_sample=False, prediction_type="v_prediction"
    )
    scheduler.set_timesteps(n)
    config = replace(CONFIG, predict="v")
    same(ours(config, Schedule(config).steps(n), rule_named("ddim")), theirs(scheduler))


@pytest.mark.parametrize("n", COUNTS)
@pytest.mark.parametrize(
    ("name", "scheduler"),
    [
        ("euler", SCHEDULERS.EulerDiscreteScheduler),
        ("euler_a", SCHEDULERS.EulerAncestralDiscreteScheduler),
        ("heun", SCHEDULERS.HeunDiscreteScheduler),
    ],
)
def test_euler_and_heun(n: int, name: str, scheduler: Any) -> None:
    """Theirs walk in sigma coordinates too, and start from noise times sqrt(1 + sigma^2)."""
    their = scheduler(**BETAS, steps_offset=1, timestep_spacing="leading")
    their.set_timesteps(n)
    fields = seeded() if name == "euler_a" else {}
    same(ours(CONFIG, Schedule(CONFIG).steps(n), rule_named(name)), theirs(their, **fields))


@pytest.mark.parametrize("n", COUNTS[1:])
def test_euler_over_karras_levels(n: int) -> None:
    """From our start: over `linspace` and Karras' levels, theirs leave out a sqrt(1 + 1 /
    sigma^2).
    """
    their = SCHEDULERS.EulerDiscreteScheduler(
        **BETAS, timestep_spacing="linspace", use_karras_sigmas=True
    )
    their.set_timesteps(n)
    steps = Schedule(CONFIG).steps(n, "karras")
    walked = theirs(their, scale=1 / steps[0].scale)
    same(ours(CONFIG, steps, rule_named("euler")), walked)


@pytest.mark.parametrize("n", COUNTS[1:])
def test_plms(n: int) -> None:
    """`skip_prk_steps`, as Stable Diffusion has it; both see the first step twice."""
    scheduler = SCHEDULERS.PNDMScheduler(
        **BETAS, steps_offset=1, skip_prk_steps=True, set_alpha_to_one=False
    )
    scheduler.set_timesteps(n)
    schedule = Schedule(CONFIG)
    steps = schedule.steps(n, end=float(schedule.sigmas[0]))
    same(ours(CONFIG, steps, rule_named("plms")), theirs(scheduler))


@pytest.mark.parametrize("n", COUNTS)
@pytest.mark.parametrize("karras", [False, True])
@pytest.mark.parametrize(
    ("name", "algorithm"), [("dpmpp_2m", "dpmsolver++"), ("dpmpp_2m_sde", "sde-dpmsolver++")]
)
def test_dpmpp_2m(n: int, karras: bool, name: str, algorithm: str) -> None:
    """At their t's: their `leading` and `linspace` lay n + 1 levels and leave one out, and their
    Karras rounds t.
    """
    scheduler = SCHEDULERS.DPMSolverMultistepScheduler(
        **BETAS,
        algorithm_type=algorithm,
        solver_order=2,
        timestep_spacing="linspace",
        use_karras_sigmas=karras,
        final_sigmas_type="zero",
    )
    scheduler.set_timesteps(n)
    mine = ours(CONFIG, at_theirs(scheduler), rule_named(name), drawn=torch.float32)
    same(mine, theirs(scheduler, **seeded()))


@pytest.mark.parametrize("n", COUNTS)
@pytest.mark.parametrize("karras", [False, True])
def test_unipc(n: int, karras: bool) -> None:
    scheduler = SCHEDULERS.UniPCMultistepScheduler(
        **BETAS, solver_order=2, solver_type="bh2", use_karras_sigmas=karras
    )
    scheduler.set_timesteps(n)
    same(ours(CONFIG, at_theirs(scheduler), rule_named("unipc")), theirs(scheduler))


def at_theirs(scheduler: Any) -> list[Step]:
    """Their list of levels as ours."""
    sigmas = scheduler.sigmas.tolist()
    ts = [*scheduler.timesteps.tolist(), 0]
    return [Step(sigma=sigma, t=float(t)) for sigma, t in zip(sigmas, ts, strict=True)]
