"""Losses and weights against independent float64 computations, and the published tables."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any, Literal

import diffusers
import numpy as np
import pytest
import torch
from diffusers.training_utils import compute_snr
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from bluerider.config import ScheduleConfig
from bluerider.diffusion.loss import (
    elbo_weight,
    min_snr,
    simple_loss,
    target,
    variance_loss,
)
from bluerider.diffusion.schedule import Posterior, Schedule

Kind = Literal["eps", "x0", "v"]
KINDS: list[Kind] = ["eps", "x0", "v"]
EPS = ScheduleConfig(kind="linear", predict="eps")
K21 = Schedule(EPS)


def draw(*shape: int, seed: int = 0, dtype: torch.dtype = torch.float64) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def of(kind: Kind) -> Schedule:
    return Schedule(replace(EPS, predict=kind))


@pytest.mark.parametrize("kind", KINDS)
def test_target_and_x_t_hold_x0(kind: Kind) -> None:
    """Whatever is predicted, x0 is got back from it and x_t."""
    x0, noise, t = draw(3, 4, 2, 2), draw(3, 4, 2, 2, seed=1), torch.tensor([0, 400, 999])
    xt, wanted = K21.noised(x0, noise, t), target(of(kind), x0, noise, t)
    bar = K21.alpha_bar[t].reshape(3, 1, 1, 1)
    back = {
        "eps": (xt - (1 - bar).sqrt() * wanted) / bar.sqrt(),
        "x0": wanted,
        "v": bar.sqrt() * xt - (1 - bar).sqrt() * wanted,
    }
    torch.testing.assert_close(back[kind], x0, rtol=1e-9, atol=1e-9)


def test_v_is_what_diffusers_calls_velocity() -> None:
    x0, noise, t = draw(3, 4), draw(3, 4, seed=1), torch.tensor([3, 400, 999])
    scheduler: Any = diffusers.DDPMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="linear"
    )
    theirs = scheduler.get_velocity(x0, noise, t)
    torch.testing.assert_close(target(of("v"), x0, noise, t), theirs, rtol=1e-4, atol=1e-5)


def test_simple_loss_is_the_mean_of_each_sample() -> None:
    output, wanted = draw(3, 4, 5), draw(3, 4, 5, seed=1)
    theirs = [np.mean((o - w) ** 2) for o, w in zip(output.numpy(), wanted.numpy(), strict=True)]
    torch.testing.assert_close(simple_loss(output, wanted), torch.tensor(theirs))


def test_simple_loss_leaves_the_variance_channels_out() -> None:
    output, wanted = draw(2, 8, 3), draw(2, 4, 3, seed=1)
    torch.testing.assert_close(simple_loss(output, wanted), simple_loss(output[:, :4], wanted))


def test_simple_loss_of_half_precision_is_taken_in_float32() -> None:
    output, wanted = draw(2, 400).bfloat16(), draw(2, 400, seed=1).bfloat16()
    loss = simple_loss(output, wanted)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, simple_loss(output.float(), wanted.float()))


@pytest.mark.parametrize("kind", KINDS)
def test_min_snr_weights_are_the_published(kind: Kind) -> None:
    t = torch.tensor([0, 100, 300, 600, 999])
    scheduler: Any = diffusers.DDPMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="linear"
    )
    snr = compute_snr(scheduler, t)
    capped = snr.clamp_max(5.0)
    theirs = {"x0": capped, "eps": capped / snr, "v": capped / (snr + 1)}[kind]
    torch.testing.assert_close(min_snr(of(kind), t), theirs, rtol=1e-3, atol=1e-6)


def test_min_snr_weighs_an_error_of_x0_alike_for_every_kind() -> None:
    """An error e of x0 is one of e sqrt(snr) in eps and of e sqrt(snr + 1) in v."""
    t = torch.arange(0, 1000, 37)
    snr = 1 / K21.sigmas[t].float() ** 2
    x0 = min_snr(of("x0"), t, gamma=3.0)
    torch.testing.assert_close(min_snr(of("eps"), t, gamma=3.0) * snr, x0)
    torch.testing.assert_close(min_snr(of("v"), t, gamma=3.0) * (snr + 1), x0)


def test_a_floor_gives_the_noisiest_levels_a_weight() -> None:
    """With a floor of 1 and no cap, the loss of v is the plain one (Salimans & Ho 2022)."""
    t = torch.arange(0, 1000, 37)
    ours = min_snr(of("v"), t, gamma=float("inf"), floor=1.0)
    torch.testing.assert_close(ours, torch.ones_like(ours))


def test_elbo_weights_of_eps_are_latent_diffusions(
    golden: Callable[[str], dict[str, Tensor]], published: dict[str, Schedule]
) -> None:
    ours = elbo_weight(published["ldm"], torch.arange(1000))
    torch.testing.assert_close(ours, golden("h3_ldm_schedule")["out.lvlb_weights"])


def test_elbo_weights_make_the_simple_loss_the_divergence() -> None:
    """With the small variance, for eps and for v, the weighted loss is the bound's term in nats."""
    x0, noise, t = draw(3, 6), draw(3, 6, seed=1), torch.tensor([1, 300, 999])
    xt = K21.noised(x0, noise, t)
    seen = x0 + 0.1 * draw(3, 6, seed=2)
    bar = K21.alpha_bar[t].reshape(3, 1)
    gap = K21.posterior.of_x0[t].reshape(3, 1) * (seen - x0)
    wanted = (gap**2).mean(1) / (2 * K21.posterior.variance[t])
    eps = (xt - bar.sqrt() * seen) / (1 - bar).sqrt()
    v = (bar.sqrt() * xt - seen) / (1 - bar).sqrt()
    answers: dict[Kind, Tensor] = {"eps": eps, "v": v}
    for kind, answer in answers.items():
        loss = simple_loss(answer, target(of(kind), x0, noise, t))
        torch.testing.assert_close(elbo_weight(of(kind), t) * loss, wanted, rtol=1e-5, atol=0)


def test_elbo_weights_of_x0_are_those_of_the_published_code() -> None:
    t = torch.tensor([0, 1, 500])
    bar = K21.alpha_bar[torch.tensor([1, 1, 500])].float()
    torch.testing.assert_close(elbo_weight(of("x0"), t), 0.5 * bar.sqrt() / (2 - bar))


def divergence(posterior: Posterior, output: Tensor, x0: Tensor, noise: Tensor, t: int) -> float:
    """KL(posterior || model) of one sample above t = 0, in bits, by torch's own normals."""
    bar = posterior.alpha_bar[t]
    xt = bar.sqrt() * x0 + (1 - bar).sqrt() * noise
    eps, v = output.chunk(2)
    seen = (xt - (1 - bar).sqrt() * eps) / bar.sqrt()
    means = [posterior.of_x0[t] * clean + posterior.of_x[t] * xt for clean in (x0, seen)]
    part = (v + 1) / 2
    model = part * posterior.betas[t].log() + (1 - part) * posterior.log_variance[t]
    true = Normal(means[0], posterior.variance[t].sqrt())
    return float(kl_divergence(true, Normal(means[1], (model / 2).exp())).mean()) / math.log(2)


@pytest.mark.parametrize("t", [1, 2, 250, 999])
def test_variance_loss_is_the_divergence_in_bits(t: int) -> None:
    x0, noise, output = draw(2, 4, 3), draw(2, 4, 3, seed=1), draw(2, 8, 3, seed=2)
    ours = variance_loss(K21.posterior, output, x0, noise, torch.full((2,), t))
    theirs = [divergence(K21.posterior, output[i], x0[i], noise[i], t) for i in range(2)]
    torch.testing.assert_close(ours, torch.tensor(theirs, dtype=ours.dtype), rtol=1e-9, atol=1e-9)


def cdf(x: float) -> float:
    return 0.5 * (1 + math.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))


def bits_of_a_level(value: float, mean: float, std: float) -> float:
    """What it costs to tell the grey level of `value`, one of 256 in -1..1."""
    above, below = cdf((value - mean + 1 / 255) / std), cdf((value - mean - 1 / 255) / std)
    chance = above if value < -0.999 else 1 - below if value > 0.999 else above - below
    return -math.log2(max(chance, 1e-12))


def test_variance_loss_at_0_is_the_likelihood_of_the_levels() -> None:
    x0 = torch.tensor([[-1.0, -0.4, 0.2, 1.0, 3.0, -1.7]], dtype=torch.float64)
    noise, v = draw(1, 6, seed=1), draw(1, 6, seed=2)
    eps = noise + torch.tensor([[0.0, 0.1, -0.2, 0.4, 0.0, -40.0]])
    ours = variance_loss(
        K21.posterior, torch.cat([eps, v], 1), x0, noise, torch.zeros(1, dtype=torch.long)
    )
    bar, post = float(K21.alpha_bar[0]), K21.posterior
    costs = []
    for x, z, e, s in zip(x0[0], noise[0], eps[0], (v[0] + 1) / 2, strict=True):
        xt = math.sqrt(bar) * float(x) + math.sqrt(1 - bar) * float(z)
        mean = (xt - math.sqrt(1 - bar) * float(e)) / math.sqrt(bar)
        logs = float(s * post.betas[0].log() + (1 - s) * post.log_variance[0])
        costs.append(bits_of_a_level(float(x), mean, math.exp(logs / 2)))
    assert float(ours) == pytest.approx(sum(costs) / 6, rel=1e-9)
    assert max(costs) == pytest.approx(-math.log2(1e-12))


def test_variance_loss_mixes_both_terms_in_a_batch() -> None:
    x0, noise, output = draw(3, 4), draw(3, 4, seed=1), draw(3, 8, seed=2)
    t = torch.tensor([0, 7, 0])
    together = variance_loss(K21.posterior, output, x0, noise, t)
    for i in range(3):
        one = slice(i, i + 1)
        alone = variance_loss(K21.posterior, output[one], x0[one], noise[one], t[one])
        torch.testing.assert_close(together[one], alone)


def test_variance_loss_over_a_respaced_chain_is_scaled_by_its_length() -> None:
    kept = Posterior(K21.alpha_bar[torch.linspace(0, 999, 10).round().long()])
    x0, noise, output = draw(1, 4), draw(1, 4, seed=1), draw(1, 8, seed=2)
    ours = float(variance_loss(kept, output, x0, noise, torch.tensor([6])))
    assert ours == pytest.approx(divergence(kept, output[0], x0[0], noise[0], 6) / 100, rel=1e-9)


@pytest.mark.parametrize("kind", KINDS)
def test_variance_loss_of_a_perfect_answer_is_least_at_the_posterior(kind: Kind) -> None:
    """v = -1 is the posterior's own variance, where the divergence is 0."""
    x0, noise, t = draw(2, 4), draw(2, 4, seed=1), torch.tensor([50, 700])
    answer = target(of(kind), x0, noise, t)
    costs = [
        variance_loss(
            K21.posterior,
            torch.cat([answer, torch.full_like(x0, v)], 1),
            x0,
            noise,
            t,
            predict=kind,
        )
        for v in (-3.0, -1.0, 1.0)
    ]
    torch.testing.assert_close(costs[1], torch.zeros(2, dtype=torch.float64), rtol=0, atol=1e-12)
    assert bool((costs[0] > 1e-9).all()) and bool((costs[2] > 1e-9).all())


def test_variance_loss_teaches_the_variance_half_only() -> None:
    output = draw(2, 8, 3).requires_grad_()
    t = torch.tensor([0, 500])
    variance_loss(
        K21.posterior, output, draw(2, 4, 3, seed=1), draw(2, 4, 3, seed=2), t
    ).sum().backward()
    assert output.grad is not None
    assert float(output.grad[:, :4].abs().max()) == 0.0
    assert float(output.grad[:, 4:].abs().amin(dim=(1, 2)).max()) > 0.0


def test_the_hybrid_loss_in_float32_is_that_of_float64() -> None:
    """mse + vb a sample, as Kandinsky's decoder is trained, of an answer that is nearly right."""
    x0, noise, t = draw(4, 4, 8, 12), draw(4, 4, 8, 12, seed=1), torch.tensor([0, 3, 420, 998])
    output = torch.cat([noise + 0.1 * draw(4, 4, 8, 12, seed=2), draw(4, 4, 8, 12, seed=3)], 1)
    wide, narrow = (
        simple_loss(o, z) + variance_loss(K21.posterior, o, x, z, t)
        for x, z, o in ((x0, noise, output), (x0.float(), noise.float(), output.float()))
    )
    assert narrow.dtype == torch.float32
    torch.testing.assert_close(narrow.double(), wide, rtol=1e-5, atol=1e-6)
