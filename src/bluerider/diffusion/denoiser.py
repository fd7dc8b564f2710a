"""From a net that predicts eps, x0 or v to the one thing samplers know: an estimate of the clean
picture.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from bluerider.diffusion.schedule import Schedule, Step

Predict = Callable[[Tensor, Tensor, bool], tuple[Tensor | None, Tensor]]


@dataclass(frozen=True)
class Estimate:
    """The clean x0 (B, ...) seen in x, and, of nets that learned it, where the variance lies (0
    small, 1 large).
    """

    x0: Tensor
    spread: Tensor | None = None


class Denoiser:
    """`denoise(x, step) -> Estimate`: guidance, the kind of prediction and the limits on x0, around
    a net.

    `predict(x, t, both) -> (uncond, cond)` is the net: x (B, C, ...) of unit-variance training
    scale, t (B,) float32, outputs (B, C or 2C, ...); uncond is needed, and may be None, only where
    `both` is False. `guidance` is one scale or one for each picture of the batch; 1 is off.
    `interval` is the part of the list of steps, as fractions of it, in which guidance acts
    (Kynkäänniemi et al. 2024). What the net predicts, `clamp` and `threshold` are the schedule's. x
    is in sigma coordinates, float32; whatever dtype the net answers in is brought back to it.
    """

    def __init__(
        self,
        predict: Predict,
        schedule: Schedule,
        *,
        guidance: float | Sequence[float] = 1.0,
        interval: tuple[float, float] = (0.0, 1.0),
    ) -> None:
        self.predict = predict
        self.config = schedule.config
        self.guidance = (guidance,) if isinstance(guidance, int | float) else tuple(guidance)
        self.interval = interval

    def __call__(self, x: Tensor, step: Step) -> Estimate:
        """Run the net once on x (B, C, ...) at this step."""
        both = self.guides(step)
        t = torch.full((len(x),), step.t, dtype=torch.float32, device=x.device)
        uncond, cond = self.predict(x * step.scale, t, both)
        cond = cond.to(x.dtype)
        out, spread = cond[:, : x.shape[1]], None
        if cond.shape[1] == 2 * x.shape[1]:
            spread = (cond[:, x.shape[1] :] + 1.0) / 2.0
        if both and uncond is not None:
            out = self._guide(uncond[:, : x.shape[1]].to(x.dtype), out)
        return Estimate(self._limit(self._x0(x, out, step)), spread)

    def guides(self, step: Step) -> bool:
        """Whether guidance acts at this step, so that the net has to run both halves."""
        low, high = self.interval
        inside = low <= step.done and (step.done < high or high >= 1.0)
        return inside and any(scale != 1.0 for scale in self.guidance)

    def _guide(self, uncond: Tensor, cond: Tensor) -> Tensor:
        """Classifier-free guidance, Ho & Salimans 2022, eq. 6 (their w + 1 is our scale)."""
        if len(self.guidance) == 1:
            return uncond + self.guidance[0] * (cond - uncond)
        # Filled on the CPU and sent without waiting, so that the loop never stops for the device.
        scale = torch.tensor(self.guidance, dtype=cond.dtype).to(cond.device, non_blocking=True)
        return uncond + scale.reshape(-1, *[1] * (cond.ndim - 1)) * (cond - uncond)

    def _x0(self, x: Tensor, out: Tensor, step: Step) -> Tensor:
        """The clean picture in what the net predicts; v is sqrt(ab) eps - sqrt(1 - ab) x0
        (Salimans & Ho 2022).
        """
        if self.config.predict == "x0":
            return out
        if self.config.predict == "eps":
            return x - step.sigma * out
        return (x * step.scale - step.sigma * out) * step.scale

    def _limit(self, x0: Tensor) -> Tensor:
        """Clamp, then threshold: |x0| over its quantile s > 1 is cut, and the rest divided by s,
        image by image.

        Saharia et al. 2022, section 2.3. Published Kandinsky code takes s from the first image of
        the batch.
        """
        if self.config.clamp is not None:
            x0 = x0.clamp(-self.config.clamp, self.config.clamp)
        if self.config.threshold is None:
            return x0
        s = torch.quantile(x0.abs().flatten(1), self.config.threshold, dim=1).clamp_min(1.0)
        s = s.reshape(-1, *[1] * (x0.ndim - 1))
        return torch.minimum(torch.maximum(x0, -s), s) / s
