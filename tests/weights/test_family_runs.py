"""The whole of text-to-image of Kandinsky 2.1 and Stable Diffusion against diffusers' pipelines,
from one folder, with the same noise; and every model of the catalog end to end, tiny.
"""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from bluerider import Pipeline
from bluerider.catalog import MODELS
from bluerider.images import from_array
from bluerider.pipeline.dice import DECODER_NOISE, PRIOR_NOISE

diffusers = pytest.importorskip("diffusers")
pytestmark = pytest.mark.filterwarnings("ignore:`torch_dtype` is deprecated.*")

STEPS, SEED, SIDE = 5, 3, 64
CLOSE = 0.5 / 255 + 1e-3  # half a level is the rounding of our picture


def generator(stream: int) -> torch.Generator:
    return torch.Generator().manual_seed(2 * SEED + stream)


def quiet(pipeline: Any) -> Any:
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def painted(folder: Path, guidance: float, negative: str = "") -> Any:
    ours = Pipeline.load(folder, device="cpu").generate(
        "abc",
        negative=negative,
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
    return np.asarray(ours.images[0], np.float32) / 255


@pytest.mark.parametrize(("guidance", "negative"), [(1.0, ""), (4.0, ""), (4.0, "de")])
def test_pictures_of_stable_diffusion_equal_diffusers(
    tiny: Any, guidance: float, negative: str
) -> None:
    pipe = quiet(
        diffusers.StableDiffusionPipeline.from_pretrained(tiny("sd-1.5"), safety_checker=None)
    )
    expected = pipe(
        "abc",
        negative_prompt=negative,
        num_inference_steps=STEPS,
        guidance_scale=guidance,
        width=SIDE,
        height=SIDE,
        generator=generator(DECODER_NOISE),
        output_type="np",
    ).images[0]
    assert expected.std() > 0.01
    assert np.abs(painted(tiny("sd-1.5"), guidance, negative) - expected).max() <= CLOSE


@pytest.mark.parametrize(
    ("strength", "guidance", "negative"),
    [(0.6, 4.0, ""), (0.2, 1.0, ""), (0.4, 7.5, "xyz"), (0.8, 4.0, "b")],
)
def test_changed_pictures_of_stable_diffusion_equal_diffusers(
    tiny: Any, monkeypatch: pytest.MonkeyPatch, strength: float, guidance: float, negative: str
) -> None:
    noise = np.random.default_rng(5).integers(0, 256, (SIDE, SIDE, 3)).astype(np.uint8)
    picture = Image.fromarray(noise)
    pipe = quiet(
        diffusers.StableDiffusionImg2ImgPipeline.from_pretrained(
            tiny("sd-1.5"), safety_checker=None
        )
    )
    encode = pipe.vae.encode

    def mean(pixels: torch.Tensor) -> SimpleNamespace:
        """Ours starts from the posterior's mean, theirs from a draw of it."""
        return SimpleNamespace(latents=encode(pixels).latent_dist.mean)

    pipe.vae.encode = mean
    expected = pipe(
        "abc",
        negative_prompt=negative,
        image=picture,
        strength=strength,
        num_inference_steps=STEPS,
        guidance_scale=guidance,
        generator=generator(DECODER_NOISE),
        output_type="np",
    ).images[0]
    unrounded: list[np.ndarray] = []
    monkeypatch.setattr(
        "bluerider.pipeline.latents.from_array",
        lambda array: unrounded.append(array) or from_array(array),
    )
    Pipeline.load(tiny("sd-1.5"), device="cpu").generate(
        "abc",
        negative=negative,
        task="img2img",
        picture=picture,
        strength=strength,
        seed=SEED,
        steps=STEPS,
        guidance=guidance,
        sampler="ddpm",
        spacing="leading",
    )
    found = np.clip(unrounded[0] / 2 + 0.5, 0, 1)
    assert expected.std() > 0.01
    assert np.abs(found - expected).max() <= 1e-3


@pytest.mark.parametrize("guidance", [1.0, 4.0])
def test_pictures_of_21_equal_diffusers(tiny: Any, guidance: float) -> None:
    folder = tiny("kandinsky-2.1")
    prior = quiet(diffusers.KandinskyPriorPipeline.from_pretrained(folder / "prior"))
    decoder = quiet(diffusers.KandinskyPipeline.from_pretrained(folder / "decoder"))
    # What diffusers calls the faithful scheduler: learned variance, x0 thresholded.
    faithful = diffusers.DDPMScheduler.from_pretrained(folder / "decoder" / "ddpm_scheduler")
    decoder.scheduler = diffusers.DDPMScheduler.from_config(
        faithful.config, timestep_spacing="leading", steps_offset=0
    )
    embeds = prior(
        "abc",
        num_inference_steps=STEPS,
        guidance_scale=guidance,
        generator=generator(PRIOR_NOISE),
    )
    expected = decoder(
        "abc",
        image_embeds=embeds.image_embeds,
        negative_image_embeds=embeds.negative_image_embeds,
        num_inference_steps=STEPS,
        guidance_scale=guidance,
        width=SIDE,
        height=SIDE,
        generator=generator(DECODER_NOISE),
        output_type="np",
    ).images[0]
    assert expected.std() > 0.01
    assert np.abs(painted(folder, guidance) - expected).max() <= CLOSE


PLAIN = [name for name, model in MODELS.items() if model.hub and "text2img" in model.tasks]


@pytest.mark.parametrize("name", PLAIN)
def test_every_model_paints_from_words(tiny: Any, name: str) -> None:
    pipe = Pipeline.load(tiny(name), device="cpu")
    result = pipe.generate("abc", negative="b", seed=1, n=2)
    assert [image.size for image in result.images] == [(SIDE, SIDE)] * 2
    assert result.images[0].tobytes() != result.images[1].tobytes()
    again = pipe.generate("abc", negative="b", seed=2, n=1).images[0]
    levels = np.abs(np.asarray(again, int) - np.asarray(result.images[1], int))
    # A picture does not depend on the batch it was painted in, but for rounding.
    assert (levels > 1).mean() < 0.01


@pytest.mark.parametrize("name", PLAIN)
def test_words_and_negative_words_both_count(tiny: Any, name: str) -> None:
    pipe = Pipeline.load(tiny(name), device="cpu")
    base, other, against = (
        np.asarray(pipe.generate(p, negative=n, seed=1).images[0], int)
        for p, n in (("abc", ""), ("xyz", ""), ("abc", "xyz"))
    )
    assert np.abs(base - other).max() > 2
    assert np.abs(base - against).max() > 2
