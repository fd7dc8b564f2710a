"""Where the decoder starts in the way of ai-forever/Kandinsky-2 (`compat="original"`)."""

import torch
from torch import Tensor
from torch.nn import functional as F

from bluerider.config import Compat
from bluerider.diffusion.compat import begun, grown, noised, told, walk
from bluerider.diffusion.schedule import Schedule
from bluerider.errors import InputError
from bluerider.pipeline.batch import Batch
from bluerider.pipeline.latents import encode, mask_pixels
from bluerider.pipeline.parts import Parts
from bluerider.pipeline.tasks import TASKS, Start

SAMPLERS = ("ddpm", "ddim", "plms")


def begin(parts: Parts, batch: Batch, schedule: Schedule, noise: Tensor) -> Start:
    """Where a batch starts; `noise` is its first draw (B, C, h, w). Raises InputError for what the
    original cannot do.
    """
    compat, settings = parts.compat, batch.settings
    task, sampler, n = TASKS[settings.task], settings.sampler, settings.steps or 1
    assert compat is not None
    if sampler not in SAMPLERS:
        raise InputError(f"sampler: got {sampler}; the original has {', '.join(SAMPLERS)}")
    if not task.latent:
        steps = walk(schedule, compat, sampler, n)
        return Start(x=noise / steps[0].scale, steps=steps)
    latent = encode(parts, batch)
    if not task.holds:
        strength = 1.0 if settings.strength is None else settings.strength
        start = begun(schedule, compat, sampler, n, strength)
        steps = walk(schedule, compat, sampler, n, start)
        t = told(schedule, sampler, n, start)
        x = noised(schedule, compat, latent, noise, t)
        return Start(x=x / steps[0].scale, steps=steps)
    steps = walk(schedule, compat, sampler, n)
    kept = kept_cells(parts, batch, compat)
    unet, _ = parts.files.config("unet")
    nine = unet.in_channels > latent.shape[1]
    seen = torch.cat([latent * kept * kept, kept], dim=1) if nine else None
    x = noise / steps[0].scale
    return Start(x=x, steps=steps, extra=seen, known=latent, kept=kept)


def kept_cells(parts: Parts, batch: Batch, compat: Compat) -> Tensor:
    """The cells (B, 1, h, w) that stay, 1 each, less those the repainted ones take along."""
    masks, rows = mask_pixels(parts, batch)
    factor = parts.latent.factor
    cells = (masks.shape[-2] // factor, masks.shape[-1] // factor)
    return grown(1.0 - F.interpolate(masks, cells, mode="nearest"), compat)[rows]
