"""`compat="original"` from words to pictures: where it is our way, and where it is not."""

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from bluerider import InputError, Pipeline
from bluerider.pipeline.batch import Batch
from bluerider.pipeline.latents import encode, mask_cells
from bluerider.pipeline.tasks import nine

SIDE = 64
ASK = {"seed": 3, "steps": 4, "prior_steps": 2, "width": SIDE, "height": SIDE}


def levels(image: Image.Image) -> np.ndarray:
    return np.asarray(image, np.int16)


@pytest.fixture(scope="module")
def picture() -> Image.Image:
    noise = np.random.default_rng(5).integers(0, 256, (SIDE, SIDE, 3)).astype(np.uint8)
    return Image.fromarray(noise)


@pytest.fixture(scope="module")
def half() -> Image.Image:
    mask = Image.new("L", (SIDE, SIDE))
    mask.paste(255, (SIDE // 2, 0, SIDE, SIDE))
    return mask


def both(folder: Any) -> tuple[Pipeline, Pipeline]:
    ours = Pipeline.load(folder, device="cpu")
    return ours, Pipeline.load(folder, device="cpu", compat="original")


def test_one_picture_of_ddpm_is_the_same_and_of_two_the_second_is_not(tiny: Any) -> None:
    ours, theirs = both(tiny("kandinsky-2.1"))
    ask = {**ASK, "n": 2, "sampler": "ddpm", "spacing": "linspace"}
    first, second = ours.generate("abc", **ask).images
    same, other = theirs.generate("abc", **ask).images
    assert np.abs(levels(first) - levels(same)).max() <= 1
    assert np.abs(levels(second) - levels(other)).max() > 1


@pytest.mark.parametrize("name", ["kandinsky-2.0", "kandinsky-2.1"])
@pytest.mark.parametrize("sampler", ["ddpm", "ddim", "plms"])
def test_every_sampler_paints_from_words(tiny: Any, name: str, sampler: str) -> None:
    _, theirs = both(tiny(name))
    image = theirs.generate("abc", sampler=sampler, **ASK).images[0]
    assert levels(image).std() > 1


def test_a_picture_is_noised_otherwise(tiny: Any, picture: Image.Image) -> None:
    ours, theirs = both(tiny("kandinsky-2.1"))
    ask = {"seed": 3, "steps": 5, "prior_steps": 2, "sampler": "ddim", "strength": 0.6}
    images = [
        pipe.generate("abc", task="img2img", picture=picture, **ask).images[0]
        for pipe in (ours, theirs)
    ]
    assert np.abs(levels(images[0]) - levels(images[1])).max() > 1


@pytest.mark.parametrize("name", ["kandinsky-2.0-inpaint", "kandinsky-2.1-inpaint"])
def test_inpainting(tiny: Any, name: str, picture: Image.Image, half: Image.Image) -> None:
    _, theirs = both(tiny(name))
    ask = {"seed": 3, "steps": 4, "prior_steps": 2, "sampler": "ddpm"}
    image = theirs.generate("abc", task="inpaint", picture=picture, mask=half, **ask).images[0]
    assert np.array_equal(levels(image)[:, : SIDE // 2], levels(picture)[:, : SIDE // 2])
    assert np.abs(levels(image) - levels(picture)).max() > 1


def test_what_the_original_cannot_do_is_refused(tiny: Any) -> None:
    _, theirs = both(tiny("kandinsky-2.1"))
    with pytest.raises(InputError, match="the original has ddpm, ddim, plms"):
        theirs.generate("abc", sampler="heun", **ASK)
    with pytest.raises(InputError, match="known for kandinsky-2.0 and kandinsky-2.1"):
        Pipeline.load(tiny("sd-1.5"), compat="original")
    with pytest.raises(InputError, match="unknown compat 'mine'"):
        Pipeline.load(tiny("kandinsky-2.1"), compat="mine")


@pytest.mark.parametrize("name", ["sd-1.5-inpaint", "kandinsky-2.1-inpaint"])
def test_nine_channels_are_in_the_order_of_the_family(
    tiny: Any, name: str, picture: Image.Image, half: Image.Image
) -> None:
    pipe = Pipeline.load(tiny(name), device="cpu")
    request = pipe.resolve("abc", task="inpaint", picture=picture, mask=half, seed=1)
    batch = Batch([request], [pipe._canvas(request)])
    with torch.inference_mode():
        latent = encode(pipe.parts, batch)
        extra = nine(pipe.parts, batch, latent, mask_cells(pipe.parts, batch))
        grey = torch.from_numpy(levels(picture) / 127.5 - 1).float().movedim(-1, 0)[None]
        grey[..., SIDE // 2 :] = 0.0
        expected = pipe.autoencoder.encode(grey)
    assert extra is not None
    right = torch.zeros(1, 1, 8, 8)
    right[..., 4:] = 1.0
    if name.startswith("sd"):
        assert torch.equal(extra[:, :1], right)
        assert (extra[:, 1:] - expected).abs().max() <= 1e-4
    else:
        assert torch.equal(extra[:, 4:], 1 - right)
        assert torch.equal(extra[:, :4], latent * (1 - right))
