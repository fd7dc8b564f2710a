"""What a decoder paints when it is told exactly what to paint, and what it was to paint.

A painted latent is not quite one that a picture is encoded to. A way back that has seen encoded
ones alone draws what is wrong with a painted one as sharply as what is right.
"""

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from bluerider.catalog import MODELS
from bluerider.diffusion.denoiser import Denoiser
from bluerider.diffusion.samplers import rule_named, sample
from bluerider.training.pictures import CELL, Renditions, Sights
from bluerider.training.workshop import Workshop, once

PART = 16  # pictures painted at a time


def renditions(shop: Workshop, count: int) -> Renditions:
    """`count` of them, half drawings on white, half scenes; kept in the run folder."""
    seed = shop.recipe.settings("autoencoder").seed
    file = shop.out / "autoencoder" / f"renditions-{count}-{seed}.safetensors"
    return Renditions(**once(file, lambda: rendered(shop, count, seed)))


@torch.no_grad()
def rendered(shop: Workshop, count: int, seed: int) -> dict[str, Tensor]:
    """Scenes and drawings composed, told exactly, and painted as a request without wishes is."""
    rng, draw = np.random.default_rng(seed), torch.Generator().manual_seed(seed)
    sights, paint = Sights(shop.emoji, 128, batch=PART, scenes=0.5), painter_of(shop)
    latents, pictures = [], []
    for _ in range(-(-count // PART)):
        seen = sights.draw(rng)
        latents.append(paint(shop.appearance.embed(seen.first, seen.second, seen.traits), draw))
        pictures.append(((seen.picture + 1) * 127.5).round().to(torch.uint8))
    return {"latents": torch.cat(latents)[:count], "pictures": torch.cat(pictures)[:count]}


def painter_of(shop: Workshop) -> Callable[[Tensor, torch.Generator], Tensor]:
    """Embeddings (B, D) and a source of noise -> latents (B, C, h, w), float32."""
    dtype = shop.at_rest("decoder")
    unet, conditioner = (
        (shop.trained(name) if shop.init is None else shop.fresh(name).eval()).to(dtype)
        for name in ("unet", "conditioner")
    )
    wish, schedule = MODELS["murnau"].defaults, shop.schedule("schedule")
    nothing = shop.appearance.nothing()
    channels, side = unet.config.in_channels, wish.width // CELL

    def paint(embeddings: Tensor, draw: torch.Generator) -> Tensor:
        both = torch.cat([nothing.expand_as(embeddings), embeddings]).to(dtype)
        context, pooled = conditioner(both)

        def predict(x: Tensor, t: Tensor, guided: bool) -> tuple[Tensor | None, Tensor]:
            told = slice(0 if guided else len(embeddings), None)
            out = unet(x.to(dtype), t, context[told], pooled[told])
            return (out[: len(x)], out[len(x) :]) if guided else (None, out)

        denoise = Denoiser(
            predict, schedule, guidance=wish.guidance, interval=wish.guidance_interval
        )
        steps = schedule.steps(wish.steps, wish.spacing)
        noise = torch.randn(len(embeddings), channels, side, side, generator=draw)
        x, steps = schedule.begin(steps, noise)
        rule = rule_named(wish.sampler)
        for _, after, _ in sample(denoise, x, steps, rule, lambda: noise):
            x = after
        return x * steps[-1].scale

    return paint
