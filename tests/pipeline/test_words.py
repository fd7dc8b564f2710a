"""Prompts through the text tower: constants, weights, negatives, what is warned of."""

import pytest
import torch

from bluerider import Pipeline
from bluerider.pipeline.batch import Batch
from bluerider.pipeline.prior import imagine
from bluerider.pipeline.words import lead, nothing, tell, token_weights, weigh
from bluerider.prompts.weights import parse
from bluerider.request import Request

QUICK = {"steps": 1, "prior_steps": 2, "width": 64, "height": 64}


@pytest.fixture(scope="module")
def murnau() -> Pipeline:
    return Pipeline.load("murnau", device="cpu", dtype="float32")


@pytest.fixture(autouse=True)
def no_grad() -> object:
    with torch.inference_mode():
        yield


def embedding(
    pipe: Pipeline, prompts: list[str], negatives: list[str] | None = None
) -> torch.Tensor:
    """What the prior imagines (B, D)."""
    steps = imagine(
        pipe.parts,
        prompts,
        negatives or [""] * len(prompts),
        list(range(len(prompts))),
        pipe.resolve("-", **QUICK),
    )
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            return stop.value


def closeness(a: torch.Tensor, b: torch.Tensor) -> float:
    return torch.cosine_similarity(a, b).mean().item()


def test_words_are_told_as_the_tower_says_them(murnau: Pipeline) -> None:
    told = tell(murnau.parts, ["cat", "", "a very big cat", "cat"])
    ids, mask = murnau.tokenizer(["a very big cat"], full=False)
    states, pooled, _ = murnau.parts.get("text")(ids)
    assert (told.mask[2] == mask[0]).all() and told.mask.sum(1)[0] < told.mask.sum(1)[2]
    torch.testing.assert_close(told.states[2], states[0])
    torch.testing.assert_close(told.pooled[2], pooled[0])
    assert (told.pooled[0] == told.pooled[3]).all()


def test_no_words_are_read_once(murnau: Pipeline) -> None:
    first = nothing(murnau.parts)
    told = tell(murnau.parts, ["", "cat", "  "])
    assert nothing(murnau.parts) is first
    assert (told.pooled[[0, 2]] == first.pooled).all()


def test_brackets_that_weigh_nothing_change_nothing(murnau: Pipeline) -> None:
    plain, written = (tell(murnau.parts, [p]) for p in ("red (apple)", r"(red \(apple\):1)"))
    assert (plain.pooled != written.pooled).any()  # (apple) weighs 1.1
    plain = tell(murnau.parts, [r"red \(apple\)"])
    assert (plain.states == written.states).all() and (plain.pooled == written.pooled).all()


def test_states_are_scaled_token_by_token(murnau: Pipeline) -> None:
    words = [parse("red apple"), parse("(красное:2) яблоко")]
    width = max(len(murnau.tokenizer.offsets(each.text)) for each in words)
    weights = token_weights(murnau.tokenizer, words, width)
    assert (weights[0] == 1).all()
    doubled = [i for i, w in enumerate(weights[1].tolist()) if w == 2]
    offsets = murnau.tokenizer.offsets("красное яблоко")
    assert doubled == [i for i, (a, b) in enumerate(offsets) if b > a and b <= 7]
    states = torch.randn(2, width, 3)
    assert (weigh(states, weights) == states * weights[..., None]).all()


def test_a_weight_of_two_adds_what_the_word_changes() -> None:
    table = {"red apple": [3.0, 0.0], " apple": [1.0, 0.0], "red ": [3.0, 4.0]}

    def embed(texts: object) -> torch.Tensor:
        return torch.tensor([table[text] for text in texts])  # type: ignore[attr-defined]

    pooled = torch.tensor([table["red apple"]] * 3)
    prompts = ("red (apple:2)", "red apple", "(red:0.5) apple")
    led = lead(pooled, [parse(p) for p in prompts], embed)
    expected = torch.tensor([3.0, 0.0 - 4.0]) * 3 / 5  # [3, 0] + ([3, 0] - [3, 4]), 3 long
    torch.testing.assert_close(led, torch.stack([expected, pooled[1], torch.tensor([3.0, 0.0])]))


def test_a_weight_moves_what_murnau_imagines_the_way_it_says(murnau: Pipeline) -> None:
    weights = (0, 0.5, 1, 1.5, 2)
    found = [embedding(murnau, [f"(blue:{w}) heart"] * 4) for w in weights]
    heart = embedding(murnau, ["heart"] * 4)
    close = [closeness(each, heart) for each in found]
    assert close == sorted(close, reverse=True) and close[0] > 0.9 > 0.3 > close[2]


def test_a_negative_reaches_prior_and_decoder_and_each_ones_own_wins(murnau: Pipeline) -> None:
    def halves(**fields: object) -> tuple[torch.Tensor, torch.Tensor]:
        request = murnau.resolve("cat", seed=1, **QUICK, **fields)  # type: ignore[arg-type]
        steps = murnau.reader.read(Batch([request], [murnau._canvas(request)]))
        while True:
            try:
                next(steps)
            except StopIteration as stop:
                uncond, cond = stop.value[0].chunk(2)
                return uncond, cond

    zero = murnau.parts.zero
    plain, both = halves(), halves(negative="red")
    assert (plain[0] == zero).all() and (both[1] != plain[1]).any()
    assert closeness(both[0], embedding(murnau, ["cat", "red"])[1:]) > 0.99
    prior, decoder = halves(negative_prior="red"), halves(negative_decoder="red")
    assert (prior[0] == zero).all() and (prior[1] == both[1]).all()
    assert (decoder[0] == both[0]).all() and (decoder[1] == plain[1]).all()
    off = halves(negative="red", negative_prior="", negative_decoder="")
    assert (off[0] == zero).all() and (off[1] == plain[1]).all()


@pytest.mark.parametrize(
    ("fields", "warning"),
    [
        ({"prompt": "(cat " * 60 + "zebra"}, "zebra"),
        ({"prompt": "cat", "negative_prior": "dog " * 60 + "(zebra:2)"}, "zebra"),
        ({"prompt": "(cat"}, "closed at the end"),
        ({"prompt": "cat", "negative": "(dog:99)"}, "0 to 10"),
    ],
)
def test_doubts_are_told(murnau: Pipeline, fields: dict[str, str], warning: str) -> None:
    found = murnau.warnings(Request(**fields))
    assert any(warning in each for each in found)
    assert not any("(" in each and "cut" in each for each in found)


def test_words_in_a_batch_with_weights_are_painted_as_alone(murnau: Pipeline) -> None:
    prompts = ["cat", "(red:1.5) apple", "a very [big] tree"]
    together = tell(murnau.parts, [*prompts, ""])
    for row, prompt in enumerate(prompts):
        alone = tell(murnau.parts, [prompt])
        torch.testing.assert_close(together.pooled[row : row + 1], alone.pooled)
