"""The one vocabulary: what is accepted, what is refused and how it is said, JSON there and back."""

import json
import math
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from PIL import Image

from bluerider.catalog import Defaults
from bluerider.editing import FIELDS
from bluerider.errors import InputError
from bluerider.request import (
    MAX_SIDE,
    MAX_TEXT,
    SAMPLERS,
    SEEDS,
    SPACINGS,
    Request,
    Result,
    check_size,
    parse_size,
    random_seed,
    suggestion,
)

DEFAULTS = Defaults(
    steps=20,
    guidance=4.0,
    prior_steps=10,
    prior_guidance=2.0,
    width=128,
    height=192,
    sampler="ddim",
    spacing="trailing",
    eta=0.25,
)

words = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=40
).filter(str.strip)
scale = st.floats(0, 100)


@st.composite
def requests(draw: st.DrawFn) -> Request:
    n = draw(st.integers(1, 1000))
    sampler = draw(st.none() | st.sampled_from(SAMPLERS))
    low, high = sorted(draw(st.tuples(st.floats(0, 1), st.floats(0, 1))))
    assume(low < high)
    return Request(
        prompt=draw(words),
        negative=draw(st.just("") | words),
        model=draw(words),
        seed=draw(st.none() | st.integers(0, SEEDS - n)),
        n=n,
        steps=draw(st.none() | st.integers(1, 1000)),
        guidance=draw(st.none() | scale),
        prior_steps=draw(st.none() | st.integers(1, 1000)),
        prior_guidance=draw(st.none() | scale),
        width=draw(st.none() | st.integers(1, 64).map(lambda k: 64 * k)),
        height=draw(st.none() | st.integers(1, 64).map(lambda k: 64 * k)),
        sampler=sampler,
        spacing=draw(st.none() | st.sampled_from(SPACINGS)),
        eta=draw(st.none() | st.floats(0, 1)) if sampler == "ddim" else None,
        guidance_interval=(low, high),
    )


many = settings(
    max_examples=60,
    derandomize=True,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)


@many
@given(requests())
def test_json_goes_there_and_back(request: Request) -> None:
    text = json.dumps(request.to_json())
    assert Request.from_json(json.loads(text)) == request


@many
@given(requests())
def test_the_keys_of_the_json_are_the_fields(request: Request) -> None:
    others = (*FIELDS, "inputs")  # of tasks that are made from pictures
    assert list(request.to_json()) == [f.name for f in fields(Request) if f.name not in others]


@many
@given(requests())
def test_resolving_leaves_nothing_open_and_changes_nothing_given(request: Request) -> None:
    whole = request.resolve(DEFAULTS)
    assert None not in whole.to_json().values()
    given_fields = {k: v for k, v in request.to_json().items() if v is not None}
    assert given_fields.items() <= whole.to_json().items()


@many
@given(requests())
def test_resolving_twice_is_resolving_once(request: Request) -> None:
    whole = request.resolve(DEFAULTS)
    assert whole.resolve(DEFAULTS, seed=5) == whole


@many
@given(requests(), st.data())
def test_picture_i_alone_has_seed_plus_i(request: Request, data: st.DataObject) -> None:
    index = data.draw(st.integers(0, request.n - 1))
    whole = request.resolve(DEFAULTS, seed=3)
    alone = whole.at(index)
    assert whole.seed is not None
    assert (alone.seed, alone.n) == (whole.seed + index, 1)
    assert replace(alone, seed=whole.seed, n=whole.n) == whole


@many
@given(st.integers(1, MAX_SIDE), st.integers(1, MAX_SIDE), st.sampled_from("xX×"))
def test_a_size_is_read(width: int, height: int, cross: str) -> None:
    assert parse_size(f"{width}{cross}{height}") == (width, height)


@many
@given(st.text(max_size=12))
def test_any_text_is_a_size_or_an_input_error(text: str) -> None:
    try:
        width, height = parse_size(text)
    except InputError as error:
        assert "\n" not in str(error)
    else:
        assert 1 <= min(width, height) and max(width, height) <= MAX_SIDE


@many
@given(st.integers(1, MAX_SIDE), st.integers(1, MAX_SIDE), st.sampled_from([8, 32, 64]))
def test_the_sizes_named_as_nearest_are_accepted(width: int, height: int, grid: int) -> None:
    assume(width % grid or height % grid)
    with pytest.raises(InputError, match="the nearest") as caught:
        check_size(width, height, grid)
    for near in str(caught.value).partition("the nearest: ")[2].split(" and "):
        w, h = parse_size(near)
        check_size(w, h, grid)
        assert abs(w - width) < grid and abs(h - height) < grid


@pytest.mark.parametrize(
    "change",
    [
        {"prompt": ""},
        {"prompt": " \n"},
        {"prompt": None},
        {"prompt": ["x"]},
        {"prompt": [10**5000]},
        {"prompt": "x\0"},
        {"prompt": "\ud800"},
        {"prompt": "x" * (MAX_TEXT + 1)},
        {"negative": None},
        {"model": " "},
        {"task": "paint"},
        {"seed": -1},
        {"seed": SEEDS},
        {"seed": SEEDS - 1, "n": 2},
        {"seed": 1.0},
        {"seed": "1"},
        {"seed": True},
        {"seed": 10**5000},
        {"n": 0},
        {"n": 1001},
        {"n": None},
        {"n": True},
        {"steps": 0},
        {"steps": 1001},
        {"steps": 2.0},
        {"steps": "１２"},
        {"prior_steps": 0},
        {"guidance": -0.1},
        {"guidance": 100.1},
        {"guidance": math.nan},
        {"guidance": math.inf},
        {"guidance": "4"},
        {"guidance": True},
        {"guidance": 10**400},
        {"prior_guidance": -1},
        {"width": 0},
        {"height": MAX_SIDE + 1},
        {"sampler": "DDIM"},
        {"sampler": 3},
        {"spacing": "cosine"},
        {"spacing": ["karras"]},
        {"eta": 1.1},
        {"eta": 0.5, "sampler": "heun"},
        {"guidance_interval": 0.5},
        {"guidance_interval": (0.0,)},
        {"guidance_interval": (0.5, 0.5)},
        {"guidance_interval": (0.9, 0.1)},
        {"guidance_interval": (0.0, 1.5)},
        {"guidance_interval": (0.0, math.nan)},
        {"guidance_interval": ("0", "1")},
    ],
    ids=lambda change: "-".join(change),
)
def test_what_is_not_accepted_is_refused_in_one_short_line(change: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        Request(**{"prompt": "x", **change})
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 250


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sampler": "ddmi"}, "unknown sampler 'ddmi', did you mean 'ddim'?; accepted: ddim, "),
        ({"n": 0}, "n: got 0; 1 to 1000 are accepted"),
        ({"prior_steps": 1.5}, "prior-steps: got 1.5; a whole number from 1 to 1000 is accepted"),
        ({"seed": 5, "n": 0}, "n: got 0; 1 to 1000 are accepted"),
        ({"guidance": math.nan}, "guidance: got nan; a number from 0 to 100 is accepted"),
    ],
)
def test_a_message_says_what_was_given_and_what_is_accepted(
    change: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError) as caught:
        Request(prompt="x", **change)
    assert str(caught.value).startswith(message)


def test_whole_numbers_pass_for_numbers_and_lists_for_intervals() -> None:
    request = Request.from_json({"prompt": "x", "guidance": 4, "guidance_interval": [0, 1]})
    assert isinstance(request.guidance, float)
    assert request == Request(prompt="x", guidance=4.0, guidance_interval=(0.0, 1.0))


def test_an_unknown_key_is_named_with_the_nearest() -> None:
    with pytest.raises(InputError, match="unknown key 'stesp' in a request, did you mean 'steps'"):
        Request.from_json({"prompt": "x", "stesp": 3})


@pytest.mark.parametrize("data", [None, [], "x", 3, {}, {"seed": 1}, {1: 2}])
def test_what_is_no_request_is_refused(data: object) -> None:
    with pytest.raises(InputError):
        Request.from_json(data)


def test_the_part_of_the_steps_that_is_guided_is_the_models_unless_said() -> None:
    model = replace(DEFAULTS, guidance_interval=(0.0, 0.9))
    assert Request(prompt="x").resolve(DEFAULTS).guidance_interval == (0.0, 1.0)
    assert Request(prompt="x").resolve(model).guidance_interval == (0.0, 0.9)
    whole = Request(prompt="x", guidance_interval=(0.0, 1.0)).resolve(model)
    assert whole.guidance_interval == (0.0, 1.0)


def test_eta_is_the_models_for_ddim_only() -> None:
    assert Request(prompt="x").resolve(DEFAULTS).eta == 0.25
    assert Request(prompt="x", sampler="heun").resolve(DEFAULTS).eta == 0.0


def test_eta_with_a_default_sampler_that_does_not_read_it_is_refused() -> None:
    with pytest.raises(InputError, match="only ddim reads eta"):
        Request(prompt="x", eta=0.5).resolve(replace(DEFAULTS, sampler="heun"))


def test_a_size_is_held_to_the_models_grid() -> None:
    with pytest.raises(InputError, match="multiples of 64 pixels"):
        Request(prompt="x", width=100).resolve(DEFAULTS)


def test_a_given_seed_fills_only_a_missing_one() -> None:
    assert Request(prompt="x").resolve(DEFAULTS, seed=3).seed == 3
    assert Request(prompt="x", seed=0).resolve(DEFAULTS, seed=3).seed == 0


def test_random_seeds_differ_and_are_short() -> None:
    seeds = {random_seed() for _ in range(50)}
    assert len(seeds) > 40
    assert max(seeds) < 2**32


def test_a_request_without_a_seed_has_no_pictures_alone() -> None:
    with pytest.raises(InputError, match="no seed yet"):
        Request(prompt="x").at(0)


@pytest.mark.parametrize("index", [-1, 2])
def test_there_is_no_picture_beyond_n(index: int) -> None:
    with pytest.raises(InputError, match="0 to 1 are accepted"):
        Request(prompt="x", seed=0, n=2).at(index)


@pytest.mark.parametrize("text", ["", "64", "64x", "x64", "64 x 64", "６４x64", "1e2x64", "-1x5"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="WIDTHxHEIGHT"):
        parse_size(text)


def test_nothing_is_suggested_for_what_is_far_off() -> None:
    assert suggestion("watercolour", SAMPLERS) == ""


def test_a_result_saves_every_picture_with_its_own_request(tmp_path: Any) -> None:
    from bluerider.images import read_request

    request = Request(prompt="x", n=2).resolve(DEFAULTS, seed=8)
    pictures = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    result = Result(images=pictures, seeds=[8, 9], request=request, seconds=1.0)
    paths = result.save(tmp_path / "out")
    assert [path.name for path in paths] == ["8.png", "9.png"]
    assert Request.from_json(read_request(paths[1])) == request.at(1)
