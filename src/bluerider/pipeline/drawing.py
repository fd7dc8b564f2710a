"""The decoder: what it is told -> latent, by the one sampling loop."""

from collections.abc import Generator

import torch
from torch import Tensor

from bluerider.diffusion.compat import OriginalDenoiser
from bluerider.diffusion.denoiser import Denoiser, Predict
from bluerider.diffusion.samplers import rule_named, sample
from bluerider.diffusion.schedule import Schedule
from bluerider.nets.unet import UNet
from bluerider.pipeline import original
from bluerider.pipeline.batch import Batch, Event
from bluerider.pipeline.conditions import Inputs
from bluerider.pipeline.dice import DECODER_NOISE, Dice
from bluerider.pipeline.latents import cells, hints
from bluerider.pipeline.parts import Parts
from bluerider.pipeline.tasks import TASKS, Start, begin
from bluerider.request import Request


def draw(parts: Parts, batch: Batch, inputs: Inputs) -> Generator[Event, None, Tensor]:
    """Tells every step with its x0; returns the latents (B, C, h, w), float32."""
    settings = batch.settings
    schedule = parts.schedule("schedule", settings.sampler)
    shape = (parts.latent.latent_channels, *cells(parts, batch))
    noise = Dice(batch.seeds, DECODER_NOISE, shape).on(parts.device)
    if parts.compat is not None:
        start = original.begin(parts, batch, schedule, noise())
    else:
        steps = schedule.steps(settings.steps or 1, settings.spacing)
        start = begin(parts, batch, schedule, steps, noise())
    x, steps = start.x, start.steps
    assert settings.sampler is not None
    rule = rule_named(settings.sampler, eta=settings.eta or 0.0, variance=schedule.config.variance)
    with parts.using("unet") as (unet, conditioner):
        told, extra = conditioner(*inputs), start.extra
        if TASKS[settings.task].hint:
            extra = hints(parts, batch, conditioner.hint)
        predict = predictor(unet, *told, extra=extra, dtype=parts.dtype)
        denoise = denoiser(parts, predict, schedule, start, settings)
        for index, after, x0 in sample(denoise, x, steps, rule, noise, start.constrain):
            x = after
            yield Event("decoder", index + 1, len(steps) - 1, x0)
    return x * steps[-1].scale


def denoiser(
    parts: Parts, predict: Predict, schedule: Schedule, start: Start, settings: Request
) -> Denoiser:
    """Guidance and limits round a predictor, in our way or a published program's."""
    guidance = 1.0 if settings.guidance is None else settings.guidance
    if parts.compat is not None:
        return OriginalDenoiser(
            predict,
            schedule,
            parts.compat,
            guidance=guidance,
            known=start.known,
            kept=start.kept,
        )
    interval = settings.guidance_interval or (0.0, 1.0)
    return Denoiser(predict, schedule, guidance=guidance, interval=interval)


def predictor(
    unet: UNet,
    context: Tensor,
    pooled: Tensor | None,
    *,
    extra: Tensor | None = None,
    dtype: torch.dtype,
) -> Predict:
    """The U-Net as the denoiser calls it; context (2B, S, D) and pooled (2B, T) are [uncond; cond],
    `extra` (B, E, h, w) joins x in both halves.

    The context's keys and values do not depend on the step and are computed here, once.
    """
    count = len(context) // 2
    keys = unet.keys(context)
    cond_keys = [(k[count:], v[count:]) for k, v in keys]
    cond_pooled = None if pooled is None else pooled[count:]

    def predict(x: Tensor, t: Tensor, both: bool) -> tuple[Tensor | None, Tensor]:
        x = x if extra is None else torch.cat([x, extra], dim=1)
        x = x.to(dtype, memory_format=torch.channels_last)
        if not both:
            return None, unet(x, t, cond_keys, cond_pooled).float()
        out = unet(x, t, keys, pooled).float()
        return out[:count], out[count:]

    return predict
