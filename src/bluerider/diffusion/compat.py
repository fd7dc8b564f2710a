"""The ways of ai-forever/Kandinsky-2 where they differ from ours, for those who want its pictures.

What it does stands in `catalog.COMPAT` as data; these functions do it. Everything else is shared.
"""

from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate, repeat

import torch
from torch import Tensor
from torch.nn import functional as F

from bluerider.config import Compat
from bluerider.diffusion.denoiser import Denoiser, Predict
from bluerider.diffusion.schedule import Schedule, Step
from bluerider.errors import InputError


def walk(
    schedule: Schedule, compat: Compat, sampler: str, n: int, start: int | None = None
) -> list[Step]:
    """The steps of `ddpm` (its p_sampler), `ddim` or `plms`; of a picture those under `start`,
    which counts kept levels with ddpm and all levels otherwise. Raises InputError where the
    original fails.
    """
    if sampler == "ddpm":
        return schedule.at(reversed(spaced(schedule.length, n)[:start]))
    ts = [t + 1 for t in range(0, schedule.length, schedule.length // n)]
    if ts[-1] >= schedule.length:
        raise InputError(
            f"steps: got {n}; the original fails there, its first step is past the end"
        )
    ts = ts if compat.strides else ts[:n]
    end = float(schedule.sigmas[0]) if compat.ends_low else 0.0
    return schedule.at([t for t in reversed(ts) if start is None or t <= start], end=end)


def spaced(length: int, n: int) -> list[int]:
    """n timesteps from 0 to length - 1, halves rounded as the original's running sum rounds."""
    if n < 2:
        raise InputError(f"steps: got {n}; the original takes 2 or more with ddpm")
    sums = accumulate(repeat((length - 1) / (n - 1), n - 1), initial=0.0)
    return [round(each) for each in sums]


def begun(schedule: Schedule, compat: Compat, sampler: str, n: int, strength: float) -> int:
    """Where a picture starts, as `walk` counts; `strength` is ours: 0 keeps the picture."""
    levels = n if sampler == "ddpm" else schedule.length
    kept = 1.0 - strength if compat.strength_keeps else strength
    start = int(levels * (1.0 - kept))
    if not 0 < start <= levels:
        raise InputError("strength: the original cannot start there; give one over 0 and up to 1")
    return start


def told(schedule: Schedule, sampler: str, n: int, start: int) -> int:
    """The t a picture is noised to, which in ddim and plms is not the t of the first step."""
    return spaced(schedule.length, n)[start - 1] if sampler == "ddpm" else start - 1


def noised(schedule: Schedule, compat: Compat, latent: Tensor, noise: Tensor, t: int) -> Tensor:
    """The picture's latent at t, along the betas the original noises with."""
    if compat.noise_start is not None and compat.noise_end is not None:
        config = replace(
            schedule.config, kind="linear", start=compat.noise_start, end=compat.noise_end
        )
        schedule = Schedule(config)
    at = torch.full((len(latent),), t, device=latent.device)
    return schedule.noised(latent, noise, at)


def grown(mask: Tensor, compat: Compat) -> Tensor:
    """A mask (B, 1, h, w) of what is kept (1), less the cells that repainted ones take along."""
    kept = mask.clone()
    repainted = F.pad((mask != 1).to(mask.dtype), (1, 1, 1, 1))
    height, width = mask.shape[-2:]
    for down, right in compat.mask_grows:
        rows, columns = slice(1 - down, 1 - down + height), slice(1 - right, 1 - right + width)
        kept[repainted[..., rows, columns] == 1] = 0.0
    return kept


class OriginalDenoiser(Denoiser):
    """Limits x0 in the original's order, and puts the known region back among them."""

    def __init__(
        self,
        predict: Predict,
        schedule: Schedule,
        compat: Compat,
        *,
        guidance: float | Sequence[float] = 1.0,
        known: Tensor | None = None,
        kept: Tensor | None = None,
        early: str = "dynamic_threshold",
    ) -> None:
        """`known` (B, C, h, w) is the picture's latent and `kept` (B, 1, h, w) 1 where it stays;
        `early` is 2.0's denoised_type: dynamic_threshold, clip_denoised or another word for none.
        """
        super().__init__(predict, schedule, guidance=guidance)
        self.compat = compat
        self.known, self.kept = known, kept
        self.early = early

    def _limit(self, x0: Tensor) -> Tensor:
        if self.config.threshold is None:
            return super()._limit(x0)
        if self.config.clamp is not None:
            x0 = x0.clamp(-self.config.clamp, self.config.clamp)
        if self.known is not None and self.kept is not None and self.compat.holds_early:
            if self.compat.limits_twice and self.early == "dynamic_threshold":
                x0 = self._threshold(x0)
            elif self.compat.limits_twice and self.early == "clip_denoised":
                x0 = x0.clamp(-1.0, 1.0)
            x0 = x0 * (1.0 - self.kept) + self.known * self.kept
        return self._threshold(x0)

    def _threshold(self, x0: Tensor) -> Tensor:
        assert self.config.threshold is not None
        s = torch.quantile(x0.abs().flatten(1), self.config.threshold, dim=1).clamp_min(1.0)
        s = s[:1].expand(len(x0)) if self.compat.first_decides else s
        s = s.reshape(-1, *[1] * (x0.ndim - 1))
        return torch.minimum(torch.maximum(x0, -s), s) / s
