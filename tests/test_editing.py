"""What the tasks take: fields, ingredients, weights; what they refuse, in one line."""

import math
from pathlib import Path

import pytest
from PIL import Image

from bluerider.editing import TASKS, UNNAMED, Ingredient
from bluerider.errors import InputError
from bluerider.request import Request

PICTURE = Image.new("RGB", (64, 64))
ENOUGH = {
    "text2img": {},
    "img2img": {"picture": PICTURE},
    "inpaint": {"picture": PICTURE},
    "outpaint": {"picture": PICTURE, "left": 8},
    "mix": {"add": ["cat"]},
    "vary": {"picture": PICTURE},
    "depth": {"picture": PICTURE},
}


@pytest.mark.parametrize("task", TASKS)
def test_every_task_takes_its_fields(task: str) -> None:
    assert Request(prompt="cat", task=task, **ENOUGH[task]).task == task


@pytest.mark.parametrize(
    ("task", "fields", "told"),
    [
        ("text2img", {"picture": PICTURE}, "picture: text2img does not read it"),
        ("text2img", {"strength": 0.0}, "strength: text2img does not read it; img2img, inpaint do"),
        ("vary", {"picture": PICTURE, "mask": PICTURE}, "mask: vary does not read it"),
        ("img2img", {}, "img2img needs a picture"),
        ("mix", {}, "mix needs something to mix"),
        ("outpaint", {"picture": PICTURE}, "no side grows"),
        ("outpaint", {"picture": PICTURE, "left": -1}, "left: got -1"),
        ("inpaint", {"picture": PICTURE, "feather": 5000}, "feather: got 5000"),
        ("inpaint", {"picture": PICTURE, "invert_mask": 1}, "invert-mask: got 1"),
        ("img2img", {"picture": PICTURE, "strength": 1.5}, "strength: got 1.5"),
        ("img2img", {"picture": PICTURE, "strength": math.nan}, "strength: got nan"),
        ("img2img", {"picture": 7}, "picture: got 7; the file of a picture"),
        ("img2img", {"picture": " "}, "picture: got ' '"),
        ("img2image", {}, "did you mean 'img2img'"),
        ("mix", {"add": "cat"}, "a list of words and pictures"),
        ("mix", {"add": [("cat", math.nan)]}, "the weight: got nan"),
        ("mix", {"add": [("cat", 0), ("dog", 0)]}, "the weights 0, 0 add up to nothing"),
        ("mix", {"add": [("cat", 1), ("dog", -2)]}, "the weights 1, -2 add up to nothing"),
        ("mix", {"add": [("cat", 2), ("dog", -1)], "slerp": True}, "slerp: got a weight of -1"),
        ("mix", {"add": ["cat"] * 101}, "101 ingredients"),
        ("mix", {"add": [""]}, "no words"),
        ("mix", {"add": [{"words": "cat", "wait": 1}]}, "did you mean 'weight'"),
        ("mix", {"add": [{"words": "cat", "picture": "x.png"}]}, "one of the two"),
    ],
)
def test_what_a_task_cannot_use_is_refused(task: str, fields: dict, told: str) -> None:
    with pytest.raises(InputError) as found:
        Request(prompt="cat", task=task, **fields)
    assert told in str(found.value) and "\n" not in str(found.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a cat", Ingredient(words="a cat")),
        ("a cat:0.3", Ingredient(words="a cat", weight=0.3)),
        ("cat.png:-0.5", Ingredient(picture="cat.png", weight=-0.5)),
        ("CAT.JPG", Ingredient(picture="CAT.JPG")),
        ("C:\\cat.png", Ingredient(picture="C:\\cat.png")),
        ("style: woodcut", Ingredient(words="style: woodcut")),
        ("style: 3", Ingredient(words="style: 3")),
        ("ratio 3\\:4", Ingredient(words="ratio 3:4")),
        ("ratio 3\\:4 :0.5", Ingredient(words="ratio 3:4", weight=0.5)),
        ("blade runner 2049 :0.5", Ingredient(words="blade runner 2049", weight=0.5)),
        ("scan2.png:.5", Ingredient(picture="scan2.png", weight=0.5)),
        ("{cat|dog}:2", Ingredient(words="{cat|dog}", weight=2.0)),
    ],
)
def test_an_ingredient_is_read_from_text(text: str, expected: Ingredient) -> None:
    assert Ingredient.of(text) == expected


@pytest.mark.parametrize("text", ["ratio 3:4", "a clock at 10:30", "blade runner 2049:0.5"])
def test_a_number_that_may_be_a_weight_or_not_is_asked_about(text: str) -> None:
    before, _, after = text.rpartition(":")
    with pytest.raises(InputError, match="is .* a weight") as found:
        Ingredient.of(text)
    told = str(found.value)
    assert f"{before} :{after} if it is" in told and f"{before}\\:{after} if it belongs" in told


@pytest.mark.parametrize("name", ["IMG_2049", "3:4"])
def test_a_file_that_is_there_is_a_picture_whatever_it_is_called(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path(name).touch()
    assert Ingredient.of(name) == Ingredient(picture=name)
    assert Ingredient.of(f"{name}:0.5") == Ingredient(picture=name, weight=0.5)


@pytest.mark.parametrize("text", ["cat:nan", "cat:inf", "cat:1e9", ":1", "cat\ud800"])
def test_a_weight_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InputError):
        Ingredient.of(text)


def test_mix_and_vary_go_without_words_and_others_do_not() -> None:
    assert Request(prompt="", task="mix", add=["cat"]).prompt == ""
    assert Request.from_json({"task": "vary", "picture": "x.png"}).prompt == ""
    with pytest.raises(InputError, match="the prompt is empty"):
        Request(prompt="", task="img2img", picture=PICTURE)


def test_a_request_of_pictures_goes_to_json_and_back() -> None:
    request = Request(prompt="", task="mix", add=["cat", ("dog.png", 0.5)], slerp=True)
    assert Request.from_json(request.to_json()) == request
    assert request.to_json()["add"][1] == {"picture": "dog.png", "weight": 0.5}


def test_a_picture_in_memory_has_a_name_in_json() -> None:
    assert Request(prompt="cat", task="img2img", picture=PICTURE).to_json()["picture"] == UNNAMED
