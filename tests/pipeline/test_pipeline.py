"""Words to pictures with the model inside the package: determinism, batches, what is refused."""

from pathlib import Path

import numpy as np
import pytest
import torch

from bluerider import InputError, Pipeline, Request
from bluerider.nets.lora import Factors
from bluerider.weights.lora import write_lora

QUICK = {"steps": 3, "prior_steps": 2, "width": 64, "height": 64}


@pytest.fixture(scope="module")
def murnau() -> Pipeline:
    return Pipeline.load("murnau", device="cpu")


def levels(image: object) -> np.ndarray:
    return np.asarray(image, np.int16)


def test_a_seed_means_one_picture(murnau: Pipeline) -> None:
    first, second = (murnau.generate("red apple", seed=5, **QUICK) for _ in range(2))
    assert first.images[0].tobytes() == second.images[0].tobytes()


def test_another_seed_means_another_picture(murnau: Pipeline) -> None:
    first, second = (murnau.generate("red apple", seed=s, **QUICK) for s in (5, 6))
    assert first.images[0].tobytes() != second.images[0].tobytes()


@pytest.mark.parametrize("sampler", ["dpmpp_2m", "ddpm", "euler_a"])
def test_picture_i_is_seed_plus_i_whatever_the_batch(murnau: Pipeline, sampler: str) -> None:
    four = murnau.generate("cat", seed=7, n=4, sampler=sampler, **QUICK)
    alone = murnau.generate("cat", seed=9, sampler=sampler, **QUICK)
    assert np.abs(levels(four.images[2]) - levels(alone.images[0])).max() <= 1


def test_a_batch_across_prompts_paints_what_each_paints_alone(murnau: Pipeline) -> None:
    requests = [Request(prompt=p, seed=3, **QUICK) for p in ("cat", "a very big red balloon")]
    for request, many in zip(requests, murnau.generate_many(requests), strict=True):
        alone = murnau.generate(request)
        assert np.abs(levels(many.images[0]) - levels(alone.images[0])).max() <= 1


def test_results_come_in_order_when_settings_differ(murnau: Pipeline) -> None:
    requests = [
        Request(prompt="cat", seed=1, n=n, steps=s, prior_steps=1, width=64, height=64)
        for n, s in ((2, 1), (1, 2), (3, 1))
    ]
    found = list(murnau.generate_many(requests, batch=2))
    assert [(len(r.images), r.request.steps) for r in found] == [(2, 1), (1, 2), (3, 1)]


def test_the_stream_tells_every_step_and_ends_with_the_result(murnau: Pipeline) -> None:
    events = list(murnau.stream("cat", seed=1, n=2, batch=1, **QUICK))
    told = [(e.stage, e.step, e.first) for e in events]
    one = [("prior", 1), ("prior", 2), *(("decoder", i) for i in (1, 2, 3)), ("pixels", 1)]
    assert told == [(stage, step, first) for first in (0, 1) for stage, step in one]
    assert events[-1].result is not None and len(events[-1].result.images) == 2
    assert all(e.result is None for e in events[:-1])


def test_a_negative_prompt_changes_the_picture(murnau: Pipeline) -> None:
    plain = murnau.generate("cat", seed=1, **QUICK)
    turned = murnau.generate("cat", seed=1, negative="red", **QUICK)
    assert plain.images[0].tobytes() != turned.images[0].tobytes()


def test_words_that_do_not_fit_are_named(murnau: Pipeline) -> None:
    result = murnau.generate("cat " * 60 + "zebra", seed=1, **QUICK)
    assert result.warnings and result.warnings[0].endswith("zebra")


def test_a_size_off_the_grid_is_refused_with_the_nearest(murnau: Pipeline) -> None:
    with pytest.raises(InputError, match="64x64"):
        murnau.generate("cat", width=65, height=64)


def test_any_shape_on_the_grid_is_painted(murnau: Pipeline) -> None:
    settings = {**QUICK, "width": 128}
    assert murnau.generate("cat", seed=1, **settings).images[0].size == (128, 64)


@pytest.mark.parametrize(
    "prompt", ["...", "a photo of my aunt", "שלום", "漢字 и кот", "🦊", "\u200b"]
)
def test_any_words_make_a_picture(murnau: Pipeline, prompt: str) -> None:
    assert murnau.generate(prompt, seed=1, **QUICK).images[0].size == (64, 64)


@pytest.mark.parametrize("guidance", [0.0, 1.0])
def test_guidance_may_be_off_or_none(murnau: Pipeline, guidance: float) -> None:
    assert murnau.generate("cat", seed=1, guidance=guidance, **QUICK).images


def test_the_decoder_noise_does_not_move_with_prior_steps(murnau: Pipeline) -> None:
    from bluerider.pipeline import DECODER_NOISE, PRIOR_NOISE, Dice

    prior, decoder = Dice([4], PRIOR_NOISE, (6,)), Dice([4], DECODER_NOISE, (6,))
    before = Dice([4], DECODER_NOISE, (6,))()
    for _ in range(3):
        prior()
    assert (decoder() == before).all()


def test_a_lora_paints_another_picture_and_its_absence_the_old_one(tmp_path: Path) -> None:
    pipe = Pipeline.load("murnau", device="cpu")
    target = pipe.files.targets()["prior"]
    shape = target.shapes["proj_pooled"]  # murnau's prior answers by the text's embedding alone
    made = Factors(torch.ones(2, shape[1]), torch.ones(shape[0], 2), 2.0)
    file, about = tmp_path / "robot.safetensors", {"identifier": "zqx"}
    write_lora(file, {"prior": {"proj_pooled": made}}, {"prior": target}, about=about)
    plain = pipe.generate("a zqx cat", seed=5, **QUICK)
    pipe.adapt([f"{file}:0.5"])
    other = pipe.generate("a [V] cat", seed=5, **QUICK)
    assert (other.request.prompt, other.request.lora[0].scale) == ("a zqx cat", 0.5)
    pipe.adapt()
    again = pipe.generate("a zqx cat", seed=5, **QUICK)
    assert plain.images[0].tobytes() == again.images[0].tobytes() != other.images[0].tobytes()
    with pytest.raises(InputError, match=r"made with the LoRA robot.safetensors; load it"):
        pipe.generate(other.request)
