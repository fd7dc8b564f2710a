"""What the nets are trained to: the simple losses, their weights, and the bound that teaches the
variance.
"""

from math import log, pi, sqrt

import torch
from torch import Tensor

from bluerider.diffusion.schedule import Posterior, Schedule, gather, mixture

HALF_LEVEL = 1.0 / 255.0  # half a grey level of pictures in -1..1
EDGE = 0.999  # values beyond are black or white
TINY = 1e-12


def target(schedule: Schedule, x0: Tensor, noise: Tensor, t: Tensor) -> Tensor:
    """What the net should answer for `schedule.noised(x0, noise, t)`: eps, x0 or v, as the
    schedule says.
    """
    if schedule.config.predict == "x0":
        return x0
    if schedule.config.predict == "eps":
        return noise
    signal, rest = mixture(schedule.alpha_bar, t, x0)
    return signal * noise - rest * x0


def simple_loss(output: Tensor, wanted: Tensor, *, absolute: bool = False) -> Tensor:
    """Mean squared (or absolute) error of each sample (B,), in float32 or better; channels of a
    learned variance are left out.
    """
    dtype = torch.promote_types(wanted.dtype, torch.float32)
    error = output[:, : wanted.shape[1]].to(dtype) - wanted.to(dtype)
    return (error.abs() if absolute else error.square()).flatten(1).mean(1)


def min_snr(schedule: Schedule, t: Tensor, gamma: float = 5.0, floor: float = 0.0) -> Tensor:
    """Weights (B,) of the simple loss that cap the signal-to-noise ratio at gamma (Hang et al.
    2023, section 3.4).

    A `floor` is added to it: with 1, the error of x0 counts at the noisiest levels too (the SNR+1
    weighting of Salimans & Ho 2022, section 4, capped).
    """
    snr = 1.0 / schedule.sigmas.square()
    capped = snr.clamp_max(gamma) + floor
    below = {"x0": torch.ones_like(snr), "eps": snr, "v": snr + 1.0}[schedule.config.predict]
    return gather(capped / below, t, t)


def elbo_weight(schedule: Schedule, t: Tensor) -> Tensor:
    """Weights (B,) that turn the simple loss into the bound's terms (DDPM, eq. 12), as latent
    diffusion logs them.

    For x0 they are those of the published code, 0.5 sqrt(alpha_bar) / (2 - alpha_bar), which is not
    the bound.
    """
    alpha_bar, betas = schedule.alpha_bar, schedule.betas
    if schedule.config.predict == "x0":
        table = 0.5 * alpha_bar.sqrt() / (2.0 - alpha_bar)
    else:
        table = betas**2 / (2.0 * schedule.posterior.variance * (1.0 - betas) * (1.0 - alpha_bar))
        table = table * alpha_bar if schedule.config.predict == "v" else table
    # At t = 0 the posterior has no width: the second weight stands in, as published.
    return gather(torch.cat([table[1:2], table[1:]]), t, t)


def variance_loss(
    posterior: Posterior,
    output: Tensor,
    x0: Tensor,
    noise: Tensor,
    t: Tensor,
    *,
    predict: str = "eps",
) -> Tensor:
    """The bound's term of each sample (B,), in bits a dimension times length / 1000; output is (B,
    2C, ...).

    It teaches the variance half of the output alone: the other is taken as it stands. Above t = 0
    it is the divergence of the model from the posterior, at 0 the likelihood of x0 in bins of a
    grey level, over the levels of `posterior`, which t indexes (Nichol & Dhariwal 2021, eq. 15 to
    17).
    """
    output = output.to(torch.promote_types(output.dtype, torch.float32))
    answer, spread = output.chunk(2, dim=1)
    spread = (spread + 1.0) / 2.0
    signal, rest = mixture(posterior.alpha_bar, t, x0)
    x = signal * x0 + rest * noise
    seen = _clean(predict, answer.detach(), x, signal, rest)
    small, large = gather(posterior.log_variance, t, x0), gather(posterior.betas.log(), t, x0)
    log_variance = spread * large + (1.0 - spread) * small
    gap = gather(posterior.of_x0, t, x0) * (x0 - seen)
    ratio = small - log_variance
    divergence = 0.5 * (ratio.exp() - 1.0 - ratio + gap.square() * (-log_variance).exp())
    mean = gather(posterior.of_x0, t, x0) * seen + gather(posterior.of_x, t, x0) * x
    unlikely = -_log_likelihood(x0, mean, 0.5 * log_variance)
    first = (t == 0).reshape(-1, *[1] * (x0.ndim - 1))
    term = torch.where(first, unlikely, divergence).flatten(1).mean(1)
    return term / log(2.0) * (posterior.length / 1000)


def _clean(predict: str, answer: Tensor, x: Tensor, signal: Tensor, rest: Tensor) -> Tensor:
    """x0 in what the net answered for x of unit-variance scale."""
    if predict == "x0":
        return answer
    if predict == "eps":
        return (x - rest * answer) / signal
    return signal * x - rest * answer


def _log_likelihood(x0: Tensor, mean: Tensor, log_std: Tensor) -> Tensor:
    """Log probability of the grey level of each value of x0 in -1..1; the outermost bins are
    open (DDPM, eq. 13).
    """
    narrow = (-log_std).exp()
    below = _normal_cdf((x0 - mean - HALF_LEVEL) * narrow)
    above = _normal_cdf((x0 - mean + HALF_LEVEL) * narrow)
    inside = torch.where(x0 < -EDGE, above, torch.where(x0 > EDGE, 1.0 - below, above - below))
    return inside.clamp_min(TINY).log()


def _normal_cdf(x: Tensor) -> Tensor:
    """The normal distribution function by tanh (Page 1977), as the published losses have it."""
    return 0.5 * (1.0 + (sqrt(2.0 / pi) * (x + 0.044715 * x**3)).tanh())
