"""The decoder: what it is told -> latent -> pixels, by the one sampling loop."""

from collections.abc import Generator

import torch
from torch import Tensor

from bluerider.diffusion.denoiser import Denoiser, Predict
from bluerider.diffusion.samplers import rule_named, sample
from bluerider.nets.unet import UNet
from bluerider.pipeline.batch import Batch, Event
from bluerider.pipeline.conditions import Inputs
from bluerider.pipeline.dice import DECODER_NOISE, Dice
from bluerider.pipeline.parts import Parts


def draw(parts: Parts, batch: Batch, inputs: Inputs) -> Generator[Event, None, Tensor]:
    """Tells every step with its x0; returns the latents (B, C, h, w), float32."""
    settings = batch.settings
    assert settings.height and settings.width and settings.sampler
    schedule = parts.schedule("schedule", settings.sampler)
    shape = parts.latent
    cells = (settings.height // shape.factor, settings.width // shape.factor)
    noise = Dice(batch.seeds, DECODER_NOISE, (shape.latent_channels, *cells)).on(parts.device)
    steps = schedule.steps(settings.steps or 1, settings.spacing)
    rule = rule_named(settings.sampler, eta=settings.eta or 0.0, variance=schedule.config.variance)
    with parts.using("unet") as (unet, conditioner):
        denoise = Denoiser(
            predictor(unet, *conditioner(*inputs), dtype=parts.dtype),
            schedule,
            guidance=1.0 if settings.guidance is None else settings.guidance,
            interval=settings.guidance_interval,
        )
        x = noise() / steps[0].scale
        for index, after, x0 in sample(denoise, x, steps, rule, noise):
            x = after
            yield Event("decoder", index + 1, len(steps) - 1, x0)
    return x * steps[-1].scale


def predictor(unet: UNet, context: Tensor, pooled: Tensor | None, *, dtype: torch.dtype) -> Predict:
    """The U-Net as the denoiser calls it; context (2B, S, D) and pooled (2B, T) are [uncond; cond].

    The context's keys and values do not depend on the step and are computed here, once.
    """
    count = len(context) // 2
    keys = unet.keys(context)
    cond_keys = [(k[count:], v[count:]) for k, v in keys]
    cond_pooled = None if pooled is None else pooled[count:]

    def predict(x: Tensor, t: Tensor, both: bool) -> tuple[Tensor | None, Tensor]:
        x = x.to(dtype, memory_format=torch.channels_last)
        if not both:
            return None, unet(x, t, cond_keys, cond_pooled).float()
        out = unet(x.repeat(2, 1, 1, 1), t.repeat(2), keys, pooled).float()
        return out[:count], out[count:]

    return predict


def develop(parts: Parts, latent: Tensor) -> Tensor:
    """Latents (B, C, h, w) -> pictures (B, H, W, 3), nominally in -1..1, float32 on the CPU."""
    with parts.using("autoencoder") as autoencoder:
        pixels = autoencoder.decode(latent.to(parts.dtype)).float()
    return pixels.movedim(1, -1).cpu()
