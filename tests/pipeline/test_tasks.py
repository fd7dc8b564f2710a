"""Editing with the model inside the package: strengths, masks, mixes, batches, what is refused."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from bluerider import InputError, Pipeline, Request
from bluerider.editing import STRENGTHS
from bluerider.pipeline.embeddings import exact, spherical
from bluerider.pipeline.prior import imagine
from bluerider.training.tuning.encoding import ended

QUICK = {"steps": 2, "prior_steps": 1}
SMALL = {**QUICK, "width": 64, "height": 64}


@pytest.fixture(scope="module")
def murnau() -> Pipeline:
    return Pipeline.load("murnau", device="cpu", dtype="float32")


@pytest.fixture(scope="module")
def apple(murnau: Pipeline) -> Image.Image:
    return murnau.generate("red apple", seed=7, **SMALL).images[0]


@pytest.fixture(scope="module")
def half() -> Image.Image:
    """A hard mask of the right half."""
    mask = Image.new("L", (64, 64))
    mask.paste(255, (32, 0, 64, 64))
    return mask


def levels(image: Image.Image) -> np.ndarray:
    return np.asarray(image, np.int16)


def apart(first: Image.Image, second: Image.Image) -> int:
    return int(np.abs(levels(first) - levels(second)).max())


def asked(task: str, apple: Image.Image, half: Image.Image) -> dict[str, Any]:
    """A request of each task."""
    own: dict[str, dict[str, Any]] = {
        "img2img": {"picture": apple, "strength": 0.7},
        "inpaint": {"picture": apple, "mask": half, "feather": 4},
        "outpaint": {"picture": apple, "left": 20},
        "mix": {"add": ["cat", (apple, 0.5)], "width": 64, "height": 64},
        "vary": {"picture": apple, "prior_strength": 0.5, "width": 64, "height": 64},
    }
    return {"task": task, **own[task], **QUICK}


TASKS = ("img2img", "inpaint", "outpaint", "mix", "vary")


@pytest.mark.parametrize("task", TASKS)
def test_picture_i_is_seed_plus_i_in_every_task(
    murnau: Pipeline, apple: Image.Image, half: Image.Image, task: str
) -> None:
    fields = asked(task, apple, half)
    many = murnau.generate("blue cat", seed=7, n=3, **fields)
    alone = murnau.generate("blue cat", seed=9, **fields)
    assert apart(many.images[2], alone.images[0]) <= 1
    assert apart(many.images[2], many.images[1]) > 1


def test_a_batch_across_pictures_paints_what_each_paints_alone(
    murnau: Pipeline, apple: Image.Image, half: Image.Image
) -> None:
    other = apple.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    requests = [
        Request(prompt="cat", seed=1, **asked("inpaint", picture, half))
        for picture in (apple, other, apple)
    ]
    for request, many in zip(requests, murnau.generate_many(requests), strict=True):
        assert apart(many.images[0], murnau.generate(request).images[0]) <= 1


def test_strength_0_keeps_the_picture(murnau: Pipeline, apple: Image.Image) -> None:
    result = murnau.generate("cat", task="img2img", picture=apple, strength=0, seed=1, **QUICK)
    assert apart(result.images[0], apple) == 0


@pytest.mark.parametrize("sampler", ["dpmpp_2m", "euler_a"])
def test_strength_1_ignores_the_picture(murnau: Pipeline, apple: Image.Image, sampler: str) -> None:
    settings = {"seed": 1, "sampler": sampler, **SMALL}
    painted = murnau.generate("cat", task="img2img", picture=apple, strength=1, **settings)
    assert apart(painted.images[0], murnau.generate("cat", **settings).images[0]) == 0


def test_a_strength_between_lies_between(murnau: Pipeline, apple: Image.Image) -> None:
    def painted(strength: float) -> np.ndarray:
        fields = {"task": "img2img", "picture": apple, "strength": strength, "steps": 8}
        return levels(murnau.generate("cat", seed=1, prior_steps=1, **fields).images[0])

    def distance(one: np.ndarray, other: np.ndarray) -> float:
        return float(np.abs(one - other).mean())

    little, much, whole = (painted(strength) for strength in (0.2, 0.6, 1.0))
    assert distance(little, levels(apple)) < distance(much, levels(apple))
    assert distance(much, whole) < distance(little, whole)


def test_no_strength_is_the_tasks_own(murnau: Pipeline, apple: Image.Image) -> None:
    request = murnau.resolve("cat", task="img2img", picture=apple)
    assert request.strength == STRENGTHS["img2img"]
    assert murnau.resolve("cat").strength is None


@pytest.mark.parametrize("sampler", ["dpmpp_2m", "heun", "plms", "unipc", "ddpm"])
def test_what_a_hard_mask_leaves_comes_back_to_the_byte(
    murnau: Pipeline, apple: Image.Image, half: Image.Image, sampler: str
) -> None:
    settings = {"task": "inpaint", "picture": apple, "mask": half, "sampler": sampler, **QUICK}
    painted = levels(murnau.generate("cat", seed=1, **settings).images[0])
    assert (painted[:, :32] == levels(apple)[:, :32]).all()
    assert (painted[:, 32:] != levels(apple)[:, 32:]).mean() > 0.5


@pytest.mark.parametrize("spacing", ["leading", "karras"])
def test_a_grey_mask_changes_as_img2img_of_that_strength(
    murnau: Pipeline, apple: Image.Image, spacing: str
) -> None:
    share = 102 / 255
    settings = {"seed": 3, "sampler": "euler", "spacing": spacing, "steps": 8, "prior_steps": 1}
    grey = Image.new("L", apple.size, 102)
    soft = murnau.generate("cat", task="inpaint", picture=apple, mask=grey, **settings)
    whole = murnau.generate("cat", task="img2img", picture=apple, strength=share, **settings)
    blend = share * levels(whole.images[0]) + (1 - share) * levels(apple)
    assert np.abs(levels(soft.images[0]) - blend).max() <= 1


def test_a_feathered_mask_leaves_no_seam(
    murnau: Pipeline, apple: Image.Image, half: Image.Image
) -> None:
    def seam(feather: int) -> float:
        settings = {"task": "inpaint", "picture": apple, "mask": half, "feather": feather}
        images = murnau.generate("cat", seed=1, n=4, **settings, **QUICK).images
        change = np.stack([levels(image) - levels(apple) for image in images])
        return float(np.abs(change[:, :, 32] - change[:, :, 31]).mean())  # where the mask ends

    assert seam(16) < 0.5 * seam(0)


def test_an_empty_mask_gives_the_picture_back_and_says_so(
    murnau: Pipeline, apple: Image.Image
) -> None:
    mask = Image.new("L", apple.size)
    result = murnau.generate("cat", task="inpaint", picture=apple, mask=mask, seed=1, **QUICK)
    assert apart(result.images[0], apple) == 0
    assert "nothing to repaint" in result.warnings[0]


def test_outpainting_keeps_the_picture_inside(murnau: Pipeline, apple: Image.Image) -> None:
    settings = {"task": "outpaint", "picture": apple, "left": 13, "down": 30}
    result = murnau.generate("cat", seed=1, **settings, **QUICK)
    assert result.images[0].size == (77, 94)
    assert apart(result.images[0].crop((13, 0, 77, 64)), apple) == 0


def test_outpainting_what_is_said_to_be_small_leaves_the_new_part_empty(murnau: Pipeline) -> None:
    apple = murnau.generate("red apple", seed=7).images[0]
    sides = dict.fromkeys(("left", "right", "up", "down"), 32)
    wide = murnau.generate("small red apple", task="outpaint", picture=apple, seed=7, **sides)
    new = np.ones((192, 192), bool)
    new[32:160, 32:160] = False
    assert np.percentile(levels(wide.images[0])[new], 2) > 225


@pytest.mark.parametrize("size", [(1, 1), (65, 130), (200, 3)])
def test_a_picture_of_any_size_comes_back_in_its_size(
    murnau: Pipeline, size: tuple[int, int]
) -> None:
    picture = Image.new("RGB", size, "red")
    result = murnau.generate("cat", task="img2img", picture=picture, seed=1, **QUICK)
    assert result.images[0].size == size


def test_a_mix_of_one_thing_is_that_thing(murnau: Pipeline, apple: Image.Image) -> None:
    words = murnau.generate("", task="mix", add=["cat"], seed=1, **SMALL)
    assert apart(words.images[0], murnau.generate("cat", seed=1, **SMALL).images[0]) <= 1
    picture = murnau.generate("", task="mix", add=[apple], seed=1, **SMALL)
    varied = murnau.generate("", task="vary", picture=apple, seed=1, **SMALL)
    assert apart(picture.images[0], varied.images[0]) == 0


def test_what_is_mixed_is_taken_for_the_thing_that_it_means(murnau: Pipeline) -> None:
    known = murnau.parts.known
    assert known is not None and known.codes is not None
    with torch.inference_mode():
        told = ended(imagine(murnau.parts, ["cat"], [""], [1], Request(prompt="cat")))
    [taken, left] = exact(murnau.parts, told.repeat(2, 1), [True, False])
    width = known.codes.shape[1]
    assert (known.codes == taken[:width]).all(dim=1).sum() == 1
    assert torch.equal(taken[width:], told[0, width:])
    assert torch.equal(left, told[0])


def test_a_mix_of_words_is_painted_from_what_they_mean(
    murnau: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    add = [("cat", 0.5), ("red apple", 0.5)]
    meant = murnau.generate("", task="mix", add=add, seed=1, **SMALL)
    assert murnau.parts.known is not None
    without = replace(murnau.parts.known, codes=None)
    monkeypatch.setitem(murnau.parts.__dict__, "known", without)
    answered = murnau.generate("", task="mix", add=add, seed=1, **SMALL)
    assert apart(meant.images[0], answered.images[0]) > 1


def test_a_weight_of_nothing_adds_nothing(murnau: Pipeline, apple: Image.Image) -> None:
    plain = murnau.generate("", task="mix", add=["cat"], seed=1, **SMALL)
    mixed = murnau.generate("", task="mix", add=["cat", (apple, 0.0)], seed=1, **SMALL)
    assert apart(plain.images[0], mixed.images[0]) <= 1


def test_normalising_divides_by_the_sum(murnau: Pipeline, apple: Image.Image) -> None:
    add = [("cat", 3.0), (apple, 1.0)]
    told = murnau.generate("", task="mix", add=add, normalise=True, seed=1, **SMALL)
    known = [("cat", 0.75), (apple, 0.25)]
    assert (
        apart(told.images[0], murnau.generate("", task="mix", add=known, seed=1, **SMALL).images[0])
        <= 1
    )


def test_the_prior_is_not_read_to_vary(apple: Image.Image) -> None:
    fresh = Pipeline.load("murnau", device="cpu")
    fresh.generate("", task="vary", picture=apple, seed=1, **SMALL)
    assert not {"prior", "text"} & set(fresh.parts._kept)


def test_the_vision_tower_is_not_read_to_paint_or_edit(apple: Image.Image) -> None:
    fresh = Pipeline.load("murnau", device="cpu")
    fresh.generate("cat", task="img2img", picture=apple, seed=1, **QUICK)
    assert "image" not in fresh.parts._kept


def test_prior_strength_goes_from_the_picture_to_the_words(
    murnau: Pipeline, apple: Image.Image
) -> None:
    vary = {"task": "vary", "picture": apple, "seed": 1, **SMALL}
    kept = murnau.generate("cat", prior_strength=0, **vary)
    assert apart(kept.images[0], murnau.generate("", **vary).images[0]) <= 1
    ignored = murnau.generate("cat", prior_strength=1, **vary)
    assert apart(ignored.images[0], murnau.generate("cat", seed=1, **SMALL).images[0]) <= 1


def test_a_model_that_cannot_names_those_that_can(murnau: Pipeline, apple: Image.Image) -> None:
    with pytest.raises(InputError, match="murnau cannot depth.*: kandinsky-2.2-depth"):
        murnau.generate("cat", task="depth", picture=apple)


def test_a_mix_on_the_sphere_of_two_is_their_slerp() -> None:
    first, second = torch.randn(
        2, 16, dtype=torch.float64, generator=torch.Generator().manual_seed(1)
    )
    first, second = first / first.norm(), second / second.norm()
    angle = (first @ second).arccos()
    expected = ((0.7 * angle).sin() * first + (0.3 * angle).sin() * second) / angle.sin()
    found = spherical(torch.stack([first, second]), torch.tensor([0.7, 0.3]).double())
    assert torch.allclose(found, expected, atol=1e-9)


def test_a_mix_on_the_sphere_does_not_depend_on_the_order() -> None:
    ingredients = torch.randn(4, 16, generator=torch.Generator().manual_seed(2))
    weights = torch.tensor([0.1, 0.2, 0.3, 0.4])
    forth, back = spherical(ingredients, weights), spherical(ingredients.flip(0), weights.flip(0))
    assert torch.allclose(forth, back, atol=1e-4)
    assert forth.norm() == pytest.approx(float(weights @ ingredients.norm(dim=1)), rel=1e-5)
