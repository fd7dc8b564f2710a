"""The whole of text-to-image against diffusers' two pipelines, from one folder, with the same
noise.
"""

from collections.abc import Generator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import KandinskyV22Pipeline, KandinskyV22PriorPipeline

from bluerider.errors import InputError
from bluerider.nets.unet import UNet
from bluerider.pipeline import DECODER_NOISE, PRIOR_NOISE, Pipeline
from bluerider.pipeline.prior import imagine

STEPS, SEED, SIDE = 5, 3, 64


def generator(stream: int) -> torch.Generator:
    return torch.Generator().manual_seed(2 * SEED + stream)


def returned(told: Generator[Any, None, Any]) -> Any:
    """What a generator returns after its last step."""
    while True:
        try:
            next(told)
        except StopIteration as end:
            return end.value


@pytest.fixture(scope="module")
def theirs(tiny_model: Path) -> Any:
    prior = KandinskyV22PriorPipeline.from_pretrained(tiny_model / "prior")
    decoder = KandinskyV22Pipeline.from_pretrained(tiny_model / "decoder")
    for pipe in (prior, decoder):
        pipe.set_progress_bar_config(disable=True)
    return prior, decoder


@pytest.mark.parametrize("guidance", [1.0, 4.0])
def test_pictures_equal_diffusers(tiny_model: Path, theirs: Any, guidance: float) -> None:
    prior, decoder = theirs
    embeds = prior(
        "abc",
        num_inference_steps=STEPS,
        guidance_scale=guidance,
        generator=generator(PRIOR_NOISE),
    )
    picture = decoder(
        image_embeds=embeds.image_embeds,
        negative_image_embeds=embeds.negative_image_embeds,
        num_inference_steps=STEPS,
        guidance_scale=guidance,
        height=SIDE,
        width=SIDE,
        generator=generator(DECODER_NOISE),
        output_type="np",
    ).images[0]
    ours = Pipeline.load(tiny_model, device="cpu").generate(
        "abc",
        seed=SEED,
        steps=STEPS,
        prior_steps=STEPS,
        guidance=guidance,
        prior_guidance=guidance,
        width=SIDE,
        height=SIDE,
        sampler="ddpm",
        spacing="leading",
    )
    levels = np.abs(np.asarray(ours.images[0], np.float32) / 255 - picture)
    assert picture.std() > 0.01
    assert levels.max() <= 0.5 / 255 + 1e-3


def test_embedding_equals_diffusers(tiny_model: Path, theirs: Any) -> None:
    expected = theirs[0](
        "abc", num_inference_steps=STEPS, guidance_scale=4.0, generator=generator(PRIOR_NOISE)
    ).image_embeds
    pipe = Pipeline.load(tiny_model, device="cpu")
    settings = pipe.resolve("abc", prior_steps=STEPS, prior_guidance=4.0)
    with torch.inference_mode():
        ours = returned(imagine(pipe.parts, ["abc"], [""], [SEED], settings))
    # diffusers rounds 1 - alpha_bar[0] in float32, which stretches its last step by about 5e-4
    assert (ours - expected).abs().max() <= 1e-3 * expected.abs().max()


def test_a_model_that_needs_a_picture_is_refused(
    tiny_parts: dict[str, Any], save_tiny: Any, tmp_path: Path
) -> None:
    plain, conditioner = tiny_parts["unet"]
    inpaint = UNet(replace(plain.config, in_channels=9))
    save_tiny(tmp_path / "inpaint", unet=(inpaint, conditioner))
    pipe = Pipeline.load(tmp_path / "inpaint", device="cpu")
    with pytest.raises(InputError, match="cannot text2img; models that can: murnau"):
        pipe.generate("abc")
