"""Weights and negatives where the decoder itself reads words: tiny networks of each family."""

from typing import Any

import pytest
import torch

from bluerider import Pipeline
from bluerider.pipeline.batch import Batch

SETTINGS = {"seed": 1, "steps": 1, "prior_steps": 1, "width": 64, "height": 64}


def inputs(pipe: Pipeline, **fields: Any) -> tuple[torch.Tensor, ...]:
    """What the conditioner is called with, rows [uncond; cond]."""
    request = pipe.resolve(fields.pop("prompt", "abc"), **SETTINGS, **fields)
    with torch.inference_mode():
        steps = pipe.reader.read(Batch([request], [pipe._canvas(request)]))
        while True:
            try:
                next(steps)
            except StopIteration as stop:
                return stop.value


def same(a: tuple[torch.Tensor, ...], b: tuple[torch.Tensor, ...], row: int) -> list[bool]:
    return [torch.equal(x[row], y[row]) for x, y in zip(a, b, strict=True)]


def told(pipe: Pipeline, prompt: str) -> tuple[torch.Tensor, ...]:
    """What the U-Net is told, rows [uncond; cond]."""
    with pipe.parts.using("unet") as (_, conditioner), torch.inference_mode():
        return tuple(x for x in conditioner(*inputs(pipe, prompt=prompt)) if x is not None)


@pytest.mark.parametrize("name", ["sd-1.5", "kandinsky-2.0", "kandinsky-2.1"])
def test_weights_reach_all_that_the_decoder_is_told_and_no_bracket_does(
    tiny: Any, name: str
) -> None:
    pipe = Pipeline.load(tiny(name), device="cpu", dtype="float32")
    plain, one, two = (told(pipe, p) for p in ("ab c", "(ab:1) c", "(ab:2) c"))
    assert all(same(plain, one, 1)) and not any(same(plain, two, 1))
    assert all(same(plain, two, 0))


def test_20_scales_the_tokens_of_both_encoders_behind_its_norm(tiny: Any) -> None:
    pipe = Pipeline.load(tiny("kandinsky-2.0"), device="cpu", dtype="float32")
    plain, two = (told(pipe, p)[0][1] for p in ("ab c", "(ab:2) c"))
    times = (two / plain).mean(dim=-1)
    doubled = torch.isclose(times, torch.tensor(2.0))
    first = len(inputs(pipe)[0][1])  # tokens of XLM-R
    assert torch.equal(doubled, ~torch.isclose(times, torch.tensor(1.0)))
    assert 0 < doubled[:first].sum() < first and 0 < doubled[first:].sum() < len(times) - first


@pytest.mark.parametrize("name", ["sd-1.5", "kandinsky-2.0"])
def test_the_decoders_negative_is_the_unconditional_text(tiny: Any, name: str) -> None:
    pipe = Pipeline.load(tiny(name), device="cpu", dtype="float32")
    both, own = inputs(pipe, negative="de"), inputs(pipe, negative_decoder="de")
    count = len(both) - (name == "kandinsky-2.0")  # the last are the weights of its tokens
    assert all(same(both, own, 0)) and not any(same(both, inputs(pipe), 0)[:count])
    request = pipe.resolve("abc", negative_prior="de", **SETTINGS)
    assert any("no prior" in each for each in pipe.warnings(request))


def test_21_gives_the_negative_to_both_its_encoders(tiny: Any) -> None:
    pipe = Pipeline.load(tiny("kandinsky-2.1"), device="cpu", dtype="float32")
    plain, both = inputs(pipe), inputs(pipe, negative="de")
    assert not any(same(plain, both, 0))
    assert same(plain, inputs(pipe, negative_decoder="de"), 0) == [False, True, True]
