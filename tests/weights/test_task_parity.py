"""Editing against diffusers, from one folder, with the same noise: img2img, depth, mix."""

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import (
    KandinskyV22ControlnetPipeline,
    KandinskyV22Img2ImgPipeline,
    KandinskyV22PriorPipeline,
)
from PIL import Image

from bluerider.nets.conditioner import ImageConditioner
from bluerider.nets.unet import UNet
from bluerider.pipeline import DECODER_NOISE, PRIOR_NOISE, Pipeline
from bluerider.pipeline.batch import Batch
from bluerider.pipeline.embeddings import embed

STEPS, SEED, SIDE = 5, 3, 64
COMMON = {"num_inference_steps": STEPS, "height": SIDE, "width": SIDE, "output_type": "np"}
OURS = {
    "seed": SEED,
    "steps": STEPS,
    "prior_steps": STEPS,
    "prior_guidance": 4.0,
    "sampler": "ddpm",
    "spacing": "leading",
}


def generator(stream: int) -> torch.Generator:
    return torch.Generator().manual_seed(2 * SEED + stream)


def quiet(pipeline: Any, folder: Path) -> Any:
    pipe = pipeline.from_pretrained(folder)
    pipe.set_progress_bar_config(disable=True)
    return pipe


@pytest.fixture(scope="module")
def picture() -> Image.Image:
    levels = np.random.default_rng(5).integers(0, 256, (SIDE, SIDE, 3)).astype(np.uint8)
    return Image.fromarray(levels)


@pytest.fixture(scope="module")
def prior(tiny_model: Path) -> Any:
    return quiet(KandinskyV22PriorPipeline, tiny_model / "prior")


@pytest.fixture(scope="module")
def embeds(prior: Any) -> dict[str, torch.Tensor]:
    found = prior(
        "abc", num_inference_steps=STEPS, guidance_scale=4.0, generator=generator(PRIOR_NOISE)
    )
    return {
        "image_embeds": found.image_embeds,
        "negative_image_embeds": found.negative_image_embeds,
    }


def apart(ours: Image.Image, theirs: np.ndarray) -> float:
    return float(np.abs(np.asarray(ours, np.float32) / 255 - theirs).max())


@pytest.mark.parametrize(("strength", "guidance"), [(0.6, 4.0), (0.2, 4.0), (0.8, 1.0)])
def test_img2img_equals_diffusers(
    tiny_model: Path,
    embeds: dict[str, torch.Tensor],
    picture: Image.Image,
    strength: float,
    guidance: float,
) -> None:
    theirs = quiet(KandinskyV22Img2ImgPipeline, tiny_model / "decoder")(
        **embeds,
        image=picture,
        strength=strength,
        guidance_scale=guidance,
        generator=generator(DECODER_NOISE),
        **COMMON,
    ).images[0]
    ours = Pipeline.load(tiny_model, device="cpu").generate(
        "abc", task="img2img", picture=picture, strength=strength, guidance=guidance, **OURS
    )
    assert theirs.std() > 0.01
    assert apart(ours.images[0], theirs) <= 0.5 / 255 + 1e-3


def test_depth_equals_diffusers(
    tiny_parts: dict[str, Any],
    save_tiny: Any,
    tmp_path: Path,
    embeds: dict[str, torch.Tensor],
    picture: Image.Image,
) -> None:
    plain, conditioner = tiny_parts["unet"]
    torch.manual_seed(4)
    unet = UNet(replace(plain.config, in_channels=8))
    hinted = ImageConditioner(replace(conditioner.config, hint=True))
    folder = save_tiny(tmp_path / "depth", unet=(unet, hinted))
    grey = picture.convert("L")
    hint = torch.from_numpy(np.asarray(grey, np.float32) / 255).expand(1, 3, SIDE, SIDE)
    theirs = quiet(KandinskyV22ControlnetPipeline, folder / "decoder")(
        **embeds, hint=hint, guidance_scale=4.0, generator=generator(DECODER_NOISE), **COMMON
    ).images[0]
    pipe = Pipeline.load(folder, device="cpu")
    ours = pipe.generate("abc", task="depth", picture=grey, guidance=4.0, **OURS)
    assert theirs.std() > 0.01
    assert apart(ours.images[0], theirs) <= 0.5 / 255 + 1e-3


def returned(told: Generator[Any, None, Any]) -> Any:
    """What a generator returns after its last step."""
    while True:
        try:
            next(told)
        except StopIteration as end:
            return end.value


@pytest.mark.parametrize("size", [(64, 64), (90, 50), (30, 77)])
def test_a_mix_equals_diffusers(
    tiny_model: Path, prior: Any, picture: Image.Image, size: tuple[int, int]
) -> None:
    resized = picture.resize(size)
    expected = prior.interpolate(
        ["abc", resized],
        [0.3, 0.7],
        num_inference_steps=STEPS,
        guidance_scale=4.0,
        generator=generator(PRIOR_NOISE),
    ).image_embeds
    pipe = Pipeline.load(tiny_model, device="cpu")
    add = [("abc", 0.3), (resized, 0.7)]
    request = pipe.resolve("", task="mix", add=add, **OURS)
    with torch.inference_mode():
        ours = returned(embed(pipe.parts, Batch([request], [pipe._canvas(request)])))
    assert (ours - expected).abs().max() <= 1e-3 * expected.abs().max()
