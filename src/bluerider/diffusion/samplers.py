"""One sampling loop and its rules: how to go from a noise level to the next, given an estimate of
the clean picture.

x is in sigma coordinates (x / sqrt(alpha_bar)), where the probability flow is dx/dsigma = (x - x0)
/ sigma.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import expm1, log, sqrt

from torch import Tensor

from bluerider.diffusion.denoiser import Estimate
from bluerider.diffusion.schedule import Step
from bluerider.errors import BlueriderError, InputError

Denoise = Callable[[Tensor, Step], Estimate]
Noise = Callable[[], Tensor]
Hook = Callable[[Tensor, Step], Tensor]
MEMORY = 3  # earlier steps kept: PLMS of order 4


@dataclass(frozen=True, kw_only=True)
class Constrain:
    """What the picture has to obey: a hook on every estimate of x0 at its step, and one on every
    new x at its step.
    """

    x0: Hook | None = None
    x: Hook | None = None


@dataclass(kw_only=True)
class Past:
    """An earlier step: where it was, and the x and x0 it saw."""

    now: Step
    x: Tensor
    x0: Tensor

    @property
    def slope(self) -> Tensor:
        """dx/dsigma, which is also the noise eps."""
        return (self.x - self.x0) / self.now.sigma


@dataclass(kw_only=True)
class Moment(Past):
    """What a rule sees: the present, where to go (`then`), `past` steps oldest first, a further
    look, fresh noise.
    """

    then: Step
    spread: Tensor | None
    past: tuple[Past, ...]
    look: Hook  # (x, step) -> x0, one more run of the net
    noise: Noise


Rule = Callable[[Moment], Tensor]


def sample(
    denoise: Denoise,
    x: Tensor,
    steps: Sequence[Step],
    rule: Rule,
    noise: Noise,
    constrain: Constrain | None = None,
) -> Iterator[tuple[int, Tensor, Tensor]]:
    """Walk x (B, ...) down the steps; yields (index, x after it, x0 seen in it), len(steps) - 1
    times.

    Start from noise / steps[0].scale, or from a clean x0 + noise * steps[0].sigma; the picture is
    the last x * steps[-1].scale. `noise` returns a standard normal shaped as x. Rules remember:
    make a new one for each run.
    """
    hooks = constrain or Constrain()

    def see(x: Tensor, step: Step) -> Estimate:
        seen = denoise(x, step)
        return seen if hooks.x0 is None else Estimate(hooks.x0(seen.x0, step), seen.spread)

    def look(x: Tensor, step: Step) -> Tensor:
        return see(x, step).x0

    past: deque[Past] = deque(maxlen=MEMORY)
    for index, (now, then) in enumerate(pairwise(steps)):
        seen = see(x, now)
        moment = Moment(
            now=now,
            then=then,
            x=x,
            x0=seen.x0,
            spread=seen.spread,
            past=tuple(past),
            look=look,
            noise=noise,
        )
        x = rule(moment)
        x = x if hooks.x is None else hooks.x(x, then)
        past.append(Past(now=now, x=moment.x, x0=moment.x0))
        yield index, x, moment.x0


def rule_named(name: str, *, eta: float = 0.0, variance: str = "fixed_small") -> Rule:
    """A new rule; `eta` (0 to 1) is read by ddim and `variance` by ddpm. Raises InputError."""
    if name not in RULES:
        raise InputError(f"sampler: got {name!r}; choose from {', '.join(RULES)}")
    if not 0.0 <= eta <= 1.0:
        raise InputError(f"eta: got {eta}; 0 to 1 are accepted")
    return RULES[name](eta, variance)


def ancestral(eta: float = 0.0) -> Rule:
    """Euler at eta 0 (= DDIM), DDIM in between, DDPM at eta 1 (Song et al. 2020, eq. 16, in
    sigma coordinates).
    """

    def rule(m: Moment) -> Tensor:
        a, b = m.now.sigma, m.then.sigma
        up = eta * b * sqrt(a * a - b * b) / a
        x = _toward(m.x0, m.x, sqrt(b * b - up * up) / a)
        return x + up * m.noise() if up else x

    return rule


def ddpm(variance: str = "fixed_small") -> Rule:
    """The posterior of DDPM (Ho et al. 2020, eq. 7) over any list of levels, and the original
    Kandinsky's p_sampler.

    The variance is that of the posterior (`fixed_small`), that of the forward step (`fixed_large`),
    or between the two in log scale, as far as the net's spread says (`learned`; Nichol & Dhariwal
    2021, eq. 15).
    """
    if variance not in VARIANCES:
        raise InputError(f"variance: got {variance!r}; choose from {', '.join(VARIANCES)}")

    def rule(m: Moment) -> Tensor:
        a, b = m.now.sigma**2, m.then.sigma**2
        mean = _toward(m.x0, m.x, b / a)
        if b == 0:
            return mean
        small, large = b * (a - b) / a, (a - b) * (1 + b) / (1 + a)
        if variance == "learned":
            if m.spread is None:
                raise BlueriderError(
                    "variance: got 'learned', but the net returns none; use fixed_small"
                )
            return mean + sqrt(small) * (log(large / small) / 2 * m.spread).exp() * m.noise()
        return mean + sqrt(small if variance == "fixed_small" else large) * m.noise()

    return rule


def heun() -> Rule:
    """Second order by a look at the far end (Karras et al. 2022, algorithm 1); two runs of the
    net a step.
    """

    def rule(m: Moment) -> Tensor:
        x = _toward(m.x0, m.x, m.then.sigma / m.now.sigma)
        return x if m.then.sigma == 0 else x + _change_ahead(m, x)

    return rule


def plms() -> Rule:
    """Adams-Bashforth of orders 2 to 4 on eps (Liu et al. 2022, eq. 12), begun by one step of
    improved Euler.

    With a list that ends at sigmas[0] it is the PLMS of the original Kandinsky and of latent
    diffusion.
    """

    def rule(m: Moment) -> Tensor:
        x = _toward(m.x0, m.x, m.then.sigma / m.now.sigma)
        if not m.past:
            return x if m.then.sigma == 0 else x + _change_ahead(m, x)
        slopes = [m.slope, *(seen.slope for seen in reversed(m.past))]
        weights = ADAMS[len(m.past)]
        change = sum((w * slope for w, slope in zip(weights, slopes, strict=True)), -slopes[0])
        return x + (m.then.sigma - m.now.sigma) * change

    return rule


def dpmpp_2m() -> Rule:
    """DPM-Solver++(2M), midpoint form, first order at the ends (Lu et al. 2022b, algorithm 2)."""

    def rule(m: Moment) -> Tensor:
        return _toward(_midway(m), m.x, m.then.sigma / m.now.sigma)

    return rule


def dpmpp_2m_sde() -> Rule:
    """SDE-DPM-Solver++(2M), midpoint form (Lu et al. 2022b, eq. 18)."""

    def rule(m: Moment) -> Tensor:
        b = m.then.sigma
        keep = (b / m.now.sigma) ** 2
        x = _toward(_midway(m), m.x, keep)
        return x + b * sqrt(1 - keep) * m.noise() if b else x

    return rule


def unipc() -> Rule:
    """UniPC of order 2, B(h) = e^h - 1, on x0: each x is corrected by the x0 seen in it (Zhao et
    al. 2023, eq. 3, 9).

    Its predictor is DPM-Solver++(2M); the corrector costs no run of the net.
    """

    def rule(m: Moment) -> Tensor:
        if m.past:
            m.x = _corrected(m)
        return _toward(_midway(m), m.x, m.then.sigma / m.now.sigma)

    return rule


VARIANCES = ("fixed_small", "fixed_large", "learned")
ADAMS = {
    1: (3 / 2, -1 / 2),
    2: (23 / 12, -16 / 12, 5 / 12),
    3: (55 / 24, -59 / 24, 37 / 24, -9 / 24),
}
RULES: dict[str, Callable[[float, str], Rule]] = {
    "ddim": lambda eta, variance: ancestral(eta),
    "ddpm": lambda eta, variance: ddpm(variance),
    "heun": lambda eta, variance: heun(),
    "plms": lambda eta, variance: plms(),
    "dpmpp_2m": lambda eta, variance: dpmpp_2m(),
    "dpmpp_2m_sde": lambda eta, variance: dpmpp_2m_sde(),
    "unipc": lambda eta, variance: unipc(),
    "euler": lambda eta, variance: ancestral(0.0),
    "euler_a": lambda eta, variance: ancestral(1.0),
}


def _toward(x0: Tensor, x: Tensor, keep: float) -> Tensor:
    """x0 + keep (x - x0): exactly x0 at keep 0, and no loss of x0's digits where sigma is large."""
    return x0 + keep * (x - x0)


def _change_ahead(m: Moment, x: Tensor) -> Tensor:
    """What Euler's x, at the far end, lacks of a step along the mean of both slopes."""
    ahead = (x - m.look(x, m.then)) / m.then.sigma
    return (m.then.sigma - m.now.sigma) / 2 * (ahead - m.slope)


def _midway(m: Moment) -> Tensor:
    """x0 half a step ahead, on the line through the last two in log sigma; x0 itself on a first
    or last step.
    """
    if not m.past or m.then.sigma == 0:
        return m.x0
    last = m.past[-1]
    back, ahead = log(last.now.sigma / m.now.sigma), log(m.now.sigma / m.then.sigma)
    return m.x0 + ahead / (2 * back) * (m.x0 - last.x0)


def _corrected(m: Moment) -> Tensor:
    """The x that the step which led here would have reached, had it known the x0 seen here."""
    last = m.past[-1]
    h = log(last.now.sigma / m.now.sigma)
    reach = -expm1(-h)
    x = _toward(last.x0, last.x, 1 - reach)
    new = m.x0 - last.x0
    if len(m.past) == 1:
        return x + reach / 2 * new
    first = 1 - reach / h
    second = 1 - 2 * first / h
    r = -log(m.past[-2].now.sigma / last.now.sigma) / h
    old_weight = (first - second) / (1 - r)
    return x + old_weight / r * (m.past[-2].x0 - last.x0) + (first - old_weight) * new
