"""A task is a row of data: where the decoder starts, what joins its input, what holds it, and where
the image embedding comes from.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor

from bluerider import catalog
from bluerider.diffusion.samplers import Constrain
from bluerider.diffusion.schedule import Schedule, Step
from bluerider.pipeline.batch import Batch
from bluerider.pipeline.latents import encode, mask_cells
from bluerider.pipeline.parts import Parts
from bluerider.weights.load import ModelFiles


@dataclass(frozen=True, kw_only=True)
class Task:
    """One row."""

    latent: bool = False  # needs the picture's latent
    holds: bool = False  # what the mask leaves is put back at every step
    hint: bool = False  # a depth map joins the noisy latent
    embedding: Literal["words", "mix", "picture"] = "words"


TASKS = {
    "text2img": Task(),
    "img2img": Task(latent=True),
    "inpaint": Task(latent=True, holds=True),
    "outpaint": Task(latent=True, holds=True),
    "mix": Task(embedding="mix"),
    "vary": Task(embedding="picture"),
    "depth": Task(hint=True),
}
EMBEDDING = ("image", "text_image")  # conditioners that are told an image embedding


def able(files: ModelFiles) -> tuple[str, ...]:
    """The tasks a model's networks can do."""
    unet, conditioner = files.config("unet")
    if conditioner.hint:
        return ("depth",)
    if unet.in_channels != files.config("autoencoder").latent_channels:
        return ("inpaint", "outpaint")
    more = ("mix", "vary") if conditioner.kind in EMBEDDING else ()
    return ("text2img", "img2img", "inpaint", "outpaint", *more)


def check_task(files: ModelFiles, task: str) -> None:
    """Raise InputError, naming the models that can, where this one cannot do the task."""
    known = able(files)
    if task not in known:
        catalog.refuse(files.name, task, known)


@dataclass(frozen=True, kw_only=True)
class Start:
    """What the decoder's loop begins with."""

    x: Tensor  # (B, C, h, w)
    steps: list[Step]
    constrain: Constrain | None = None
    extra: Tensor | None = None  # (B, E, h, w), joined to the noisy latent at every step
    known: Tensor | None = None  # (B, C, h, w), and 1 in `kept` where it stays: `compat` alone
    kept: Tensor | None = None  # (B, 1, h, w)


def begin(
    parts: Parts, batch: Batch, schedule: Schedule, steps: list[Step], noise: Tensor
) -> Start:
    """Where a batch starts; `noise` is its first draw (B, C, h, w)."""
    task, strength = TASKS[batch.settings.task], batch.settings.strength
    strength = 1.0 if strength is None else strength
    if not task.latent:
        x, steps = schedule.begin(steps, noise)
        return Start(x=x, steps=steps)
    latent = encode(parts, batch)
    x, steps = schedule.begin(steps, noise, latent, strength)
    if not task.holds:
        return Start(x=x, steps=steps)
    mask = mask_cells(parts, batch)
    known = latent + steps[0].sigma * noise
    x = torch.where(mask * schedule.length > steps[0].t, x, known)
    hold = holding(latent, noise, mask * schedule.length, steps)
    return Start(x=x, steps=steps, constrain=hold, extra=nine(parts, batch, latent, mask))


def holding(latent: Tensor, noise: Tensor, release: Tensor, steps: list[Step]) -> Constrain:
    """What the mask leaves, put back at every step's noise level.

    A cell is let go once the level's t lies under `release` = mask * length, so that a mask of m
    changes its cell as image-to-image of strength m would (Levin & Fried 2023, Differential
    Diffusion). Cells are held or free, never a mean of both, whose noise would be too small.
    """
    before = {then.sigma: now.t for now, then in pairwise(steps)}

    def hold(x: Tensor, step: Step) -> Tensor:
        known = latent + step.sigma * noise
        return torch.where(release > before[step.sigma], x, known)

    return Constrain(x=hold)


def nine(parts: Parts, batch: Batch, latent: Tensor, mask: Tensor) -> Tensor | None:
    """What an inpainting network of nine channels is shown beside the noisy latent, else None."""
    unet, conditioner = parts.files.config("unet")
    if unet.in_channels == latent.shape[1]:
        return None
    repainted = (mask > 0).to(latent.dtype)
    return beside(conditioner.kind, latent, repainted, lambda: encode(parts, batch, blanked=True))


def beside(kind: str, latent: Tensor, repainted: Tensor, blanked: Callable[[], Tensor]) -> Tensor:
    """The five more channels of an inpainting network whose conditioner is of a kind, from a
    latent (B, C, h, w) and a mask of 0 and 1 (B, 1, h, w).

    Kandinsky: the latent where it is known, and 1 there. Stable Diffusion: 1 where it is repainted,
    and `blanked`, the latent of the picture with nothing (mid grey) there.
    """
    if kind == "none":
        return torch.cat([repainted, blanked()], dim=1)
    known = 1.0 - repainted
    return torch.cat([latent * known, known], dim=1)
