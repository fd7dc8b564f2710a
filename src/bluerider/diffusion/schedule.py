"""Noise levels: the tables a net was trained with, and the short lists that sampling walks down."""

from bisect import bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import cos, exp, log, pi, sqrt

import torch
from torch import Tensor

from bluerider.config import ScheduleConfig
from bluerider.errors import InputError

RHO = 7.0  # Karras et al. 2022, table 1
MAX_BETA = 0.999  # cap of the cosine schedule, Nichol & Dhariwal 2021, section 3.2


@dataclass(frozen=True, kw_only=True)
class Step:
    """One noise level of a list: sigma, the t the net is told, and how much of the list lies
    before it (0 to 1).
    """

    sigma: float
    t: float
    done: float = 0.0

    @property
    def scale(self) -> float:
        """sqrt(alpha_bar): x in sigma coordinates times this has the variance the net was
        trained on.
        """
        return 1.0 / sqrt(1.0 + self.sigma**2)


class Schedule:
    """The noise levels t = 0..length-1 of training, float64 on the CPU, and lists of steps through
    them.

    `betas`, `alpha_bar` and `sigmas` (= sqrt((1 - alpha_bar) / alpha_bar), increasing) are
    (length,) tensors.
    """

    def __init__(self, config: ScheduleConfig) -> None:
        self.config = config
        self.length = config.length
        self.betas = _betas(config)
        self.alpha_bar = torch.cumprod(1.0 - self.betas, 0)
        self.sigmas = ((1.0 - self.alpha_bar) / self.alpha_bar).sqrt()
        self.posterior = Posterior(self.alpha_bar)
        self._sigmas: list[float] = self.sigmas.tolist()
        self._logs: list[float] = self.sigmas.log().tolist()

    def sigma(self, t: float) -> float:
        """Noise level at t in 0..length-1; between two whole t's, log sigma is a straight line."""
        if not 0 <= t <= self.length - 1:
            raise InputError(f"t: got {t}; 0 to {self.length - 1} are accepted")
        low = int(t)
        if low == t:
            return self._sigmas[low]
        part = t - low
        return exp((1.0 - part) * self._logs[low] + part * self._logs[low + 1])

    def t(self, sigma: float) -> float:
        """The t whose noise level is sigma: the inverse of `sigma`, held inside 0..length-1."""
        if sigma <= self._sigmas[0]:
            return 0.0
        if sigma >= self._sigmas[-1]:
            return float(self.length - 1)
        low = bisect_right(self._sigmas, sigma) - 1
        return low + (log(sigma) - self._logs[low]) / (self._logs[low + 1] - self._logs[low])

    def at(self, timesteps: Iterable[float], *, end: float = 0.0) -> list[Step]:
        """These timesteps, in this order, as steps, and a last one of noise level `end`."""
        return self._list([(self.sigma(t), float(t)) for t in timesteps], end)

    def steps(
        self,
        n: int,
        spacing: str | None = None,
        *,
        offset: int | None = None,
        first: int = 0,
        end: float = 0.0,
    ) -> list[Step]:
        """n distinct falling noise levels and the `end` level, less the `first` ones; any n in
        1..length.

        `leading`: i * (length // n) + offset, as published by DDIM (diffusers' default; the offset
        shrinks where it would leave the table). `trailing`: from length-1 down in equal strides
        (Lin et al. 2023). `linspace`: 0 and length-1 included, halves rounded to even (diffusers'
        UnCLIPScheduler; the original respacing adds up its stride, and so rounds some halves the
        other way). `karras`: Karras et al. 2022, eq. 5, with t between the whole ones. None is the
        schedule's own choice. `end` is 0, or `sigmas[0]` to match the original DDIM and PLMS.
        Raises InputError.
        """
        spacing = self.config.spacing if spacing is None else spacing
        offset = self.config.offset if offset is None else offset
        if not 1 <= n <= self.length:
            raise InputError(f"steps: got {n}; 1 to {self.length} are accepted")
        if not 0 <= first <= n:
            raise InputError(f"first step: got {first}; 0 to {n} are accepted")
        if spacing == "karras":
            levels = [(sigma, self.t(sigma)) for sigma in self._karras(n)]
        elif spacing in _SPACED:
            levels = [(self.sigma(t), float(t)) for t in _SPACED[spacing](n, self.length, offset)]
        else:
            raise InputError(f"spacing: got {spacing!r}; choose from {', '.join(SPACINGS)}")
        return self._list(levels, end)[first:]

    def part(self, steps: list[Step], strength: float) -> list[Step]:
        """The end of a list of steps that changes a picture by `strength`: 0 none of it, 1 all.

        It begins at the first level whose t lies under strength * length, so that a strength means
        the same amount of noise in every spacing; over 0 it has one step at least.
        """
        levels = len(steps) - 1
        if strength <= 0:
            return steps[levels:]
        skipped = sum(step.t >= strength * self.length for step in steps[:-1])
        return steps[min(skipped, levels - 1) :]

    def begin(
        self, steps: list[Step], noise: Tensor, x0: Tensor | None = None, strength: float = 1.0
    ) -> tuple[Tensor, list[Step]]:
        """Where sampling starts, and the steps from there: from noise, or from a noised x0."""
        if x0 is None or strength >= 1:
            return noise / steps[0].scale, steps
        steps = self.part(steps, strength)
        return x0 + steps[0].sigma * noise, steps

    def noised(self, x0: Tensor, noise: Tensor, t: Tensor) -> Tensor:
        """What the net is trained on: sqrt(alpha_bar) x0 + sqrt(1 - alpha_bar) noise at t (B,)
        (DDPM, eq. 4).
        """
        signal, rest = mixture(self.alpha_bar, t, x0)
        return signal * x0 + rest * noise

    def _karras(self, n: int) -> list[float]:
        low, high = self._sigmas[0] ** (1 / RHO), self._sigmas[-1] ** (1 / RHO)
        inner = [(high + i / (n - 1) * (low - high)) ** RHO for i in range(1, n - 1)]
        return [self._sigmas[-1], *inner, self._sigmas[0]][:n]

    def _list(self, levels: list[tuple[float, float]], end: float) -> list[Step]:
        n = len(levels)
        if not 0.0 <= end <= (levels[-1][0] if levels else self._sigmas[-1]):
            raise InputError(f"end: got {end}; 0 to the last step's noise level are accepted")
        steps = [Step(sigma=sigma, t=t, done=i / n) for i, (sigma, t) in enumerate(levels)]
        return [*steps, Step(sigma=end, t=self.t(end), done=1.0)]


class Posterior:
    """q(x_{t-1} | x_t, x0) over a list of kept levels, as (n,) float64 tables (DDPM, eq. 6 and 7).

    The mean is `of_x0` x0 + `of_x` x_t. `alpha_bar` rises in noise; pass `schedule.alpha_bar[kept]`
    for a respaced chain, whose betas are 1 - alpha_bar_t / alpha_bar_{t-1} (Nichol & Dhariwal 2021,
    eq. 19).
    """

    def __init__(self, alpha_bar: Tensor) -> None:
        before = torch.cat([alpha_bar.new_ones(1), alpha_bar[:-1]])
        self.length = len(alpha_bar)
        self.alpha_bar = alpha_bar
        self.betas = 1.0 - alpha_bar / before
        self.variance = self.betas * (1.0 - before) / (1.0 - alpha_bar)
        # The first variance is 0: its log is taken from the second level, as in the original.
        self.log_variance = torch.cat([self.variance[1:2], self.variance[1:]]).log()
        self.of_x0 = self.betas * before.sqrt() / (1.0 - alpha_bar)
        self.of_x = (1.0 - before) * (alpha_bar / before).sqrt() / (1.0 - alpha_bar)


def gather(table: Tensor, t: Tensor, like: Tensor) -> Tensor:
    """The entries of a (length,) table at t (B,), shaped to multiply `like` (B, ...); never
    below float32.
    """
    dtype = torch.promote_types(like.dtype, torch.float32)
    picked = table.to(dtype=dtype).to(t.device)[t]
    return picked.reshape(-1, *[1] * (like.ndim - 1))


def mixture(alpha_bar: Tensor, t: Tensor, like: Tensor) -> tuple[Tensor, Tensor]:
    """How much of x0 and of noise is in x at t (B,): sqrt(alpha_bar) and sqrt(1 - alpha_bar).

    The roots are taken in float64: in float32, 1 - alpha_bar has four digits left at t = 0.
    """
    return gather(alpha_bar.sqrt(), t, like), gather((1.0 - alpha_bar).sqrt(), t, like)


def _betas(config: ScheduleConfig) -> Tensor:
    n = config.length
    if config.kind == "linear":
        return torch.linspace(config.start, config.end, n, dtype=torch.float64)
    if config.kind == "scaled_linear":  # what Stable Diffusion's code calls linear
        return torch.linspace(sqrt(config.start), sqrt(config.end), n, dtype=torch.float64) ** 2
    if config.kind == "cosine":  # Nichol & Dhariwal 2021, eq. 17
        bars = [cos((i / n + 0.008) / 1.008 * pi / 2) ** 2 for i in range(n + 1)]
        betas = [min(1.0 - bars[i + 1] / bars[i], MAX_BETA) for i in range(n)]
        return torch.tensor(betas, dtype=torch.float64)
    raise InputError(f"schedule: got {config.kind!r}; choose from linear, scaled_linear, cosine")


def _leading(n: int, length: int, offset: int) -> list[int]:
    stride = length // n
    offset = min(offset, length - 1 - (n - 1) * stride)
    return [i * stride + offset for i in reversed(range(n))]


def _trailing(n: int, length: int, offset: int) -> list[int]:
    return [round(length - i * length / n) - 1 for i in range(n)]


def _linspace(n: int, length: int, offset: int) -> list[int]:
    stride = (length - 1) / max(n - 1, 1)
    return [length - 1] if n == 1 else [round(i * stride) for i in reversed(range(n))]


_SPACED: dict[str, Callable[[int, int, int], list[int]]] = {
    "leading": _leading,
    "trailing": _trailing,
    "linspace": _linspace,
}
SPACINGS = (*_SPACED, "karras")
