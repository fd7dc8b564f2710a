"""The measure of scenes, on true pictures and on wrong ones."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from bluerider.catalog import MURNAU
from bluerider.cli.main import main
from bluerider.errors import InputError
from bluerider.evaluate.choice import (
    choose_lines,
    choose_scenes,
    parse_kinds,
    parse_tongues,
    scenes_of,
)
from bluerider.evaluate.drawings import load_drawings
from bluerider.evaluate.journal import Journal
from bluerider.evaluate.marks import background_of, parting, shows
from bluerider.evaluate.scenes import PaintedScene, mark_all, measure_scenes, paint_scenes
from bluerider.evaluate.sheets import FIRST, FIVE, MISS, draw_scene_sheets
from bluerider.evaluate.truth import Truth
from bluerider.request import Result
from bluerider.scenes.scene import KINDS, Scene, is_held_out, scene_of
from bluerider.scenes.wording import languages

CLEAR = {  # what a picture may show in place of what is asked, and be wrong
    "background": ("red", "blue"),
    "size": ("small", "big"),
    "place": ("left", "bottom"),
    "count": ("two", "three"),
}
THING, OTHER = "🐙", "🚲"


@pytest.fixture(scope="module")
def truth() -> Truth:
    return Truth(load_drawings())


def choose(truth: Truth, kinds: str = "all", languages=("en",), **options):
    return choose_scenes(
        truth.drawings, truth, parse_kinds(kinds), languages, **{"subset": 2, **options}
    )


@pytest.mark.parametrize("said", [said for kind in CLEAR for said in KINDS[kind]])
def test_a_true_picture_shows_what_is_said(truth: Truth, said: str) -> None:
    scene = scene_of((THING,), said)
    assert shows(scene, truth.picture(scene))


@pytest.mark.parametrize("kind", CLEAR)
def test_another_picture_does_not(truth: Truth, kind: str) -> None:
    one, other = (scene_of((THING,), said) for said in CLEAR[kind])
    assert not shows(one, truth.picture(other))
    assert not shows(other, truth.picture(one))


@pytest.mark.parametrize("look", KINDS["look"])
def test_a_look_is_told_from_the_drawing_itself(truth: Truth, look: str) -> None:
    scene = scene_of((THING,), look)
    assert shows(scene, truth.picture(scene))
    assert not shows(scene, truth.picture(Scene(things=(THING,))))


def test_an_empty_picture_shows_nothing() -> None:
    blank = np.full((128, 128, 3), 255, np.uint8)
    for said in (*KINDS["size"], *KINDS["place"], *KINDS["count"], *KINDS["look"]):
        assert not shows(scene_of((THING,), said), blank)
    assert background_of(blank) == "white"


def asked_for(truth: Truth, scene: Scene):
    from bluerider.evaluate.choice import AskedScene

    targets = tuple(truth.places[thing] for thing in scene.things)
    return AskedScene(language="en", scene=scene, prompt="-", targets=targets)


@pytest.mark.parametrize("relation", [None, *KINDS["relation"]])
def test_two_things_are_looked_for_on_their_sides(truth: Truth, relation: str | None) -> None:
    scene = Scene(things=(THING, OTHER), relation=relation)
    turned = Scene(things=(OTHER, THING), relation=relation)
    asked = asked_for(truth, scene)
    own, swapped = mark_all([asked] * 2, [truth.picture(scene), truth.picture(turned)], truth)
    assert own.right
    assert swapped.right == (relation is None)


@pytest.mark.parametrize("relation", [None, "left_of", "below"])
def test_two_things_may_reach_a_little_over_the_middle(truth: Truth, relation: str | None) -> None:
    asked = asked_for(truth, Scene(things=(THING, OTHER), relation=relation))
    picture, moved = truth.picture(asked.scene), np.full((128, 128, 3), 255, np.uint8)
    moved[6:, 6:] = picture[:-6, :-6]
    own, wrong = mark_all(
        [asked, asked_for(truth, replace(asked.scene, things=(OTHER, THING)))], [moved] * 2, truth
    )
    assert own.right
    assert wrong.right == (relation is None)


def test_two_things_are_parted_in_the_middle_where_it_is_free(truth: Truth) -> None:
    for axis, relation in enumerate(("left_of", "above")):
        assert parting(truth.picture(Scene(things=(THING, OTHER), relation=relation)), axis) == 64


def test_a_thing_is_found_on_any_background(truth: Truth) -> None:
    scenes = [scene_of((THING,), colour) for colour in KINDS["background"]]
    marks = mark_all(
        [asked_for(truth, s) for s in scenes], [truth.picture(s) for s in scenes], truth
    )
    assert sum(mark.things for mark in marks) >= 11


def test_chosen_scenes_were_left_out_of_training(truth: Truth) -> None:
    asked = choose(truth, subset=4)
    assert {one.scene.kind for one in asked} == set(KINDS)
    assert all(is_held_out(one.scene) for one in asked if one.scene.kind != "thing")
    assert not any(is_held_out(one.scene) for one in choose(truth, split="seen"))
    assert not {t for one in asked for t in one.scene.things} & truth.drawings.holdout


def test_what_is_said_takes_turns(truth: Truth) -> None:
    said = [one.scene.said[0] for one in choose(truth, "place", subset=8)]
    assert said == list(KINDS["place"]) * 2


def test_a_smaller_subset_of_scenes_begins_a_larger_one(truth: Truth) -> None:
    assert choose(truth, "relation", subset=3) == choose(truth, "relation", subset=6)[:3]


def test_languages_are_asked_for_the_same_scenes(truth: Truth) -> None:
    asked = choose(truth, "place,and", ("en", "ja"))
    scenes = {tongue: [o.scene for o in asked if o.language == tongue] for tongue in ("en", "ja")}
    assert scenes["en"] == scenes["ja"]
    assert len({one.prompt for one in asked}) == len(asked)


def test_scenes_of_a_kind_run_out(truth: Truth) -> None:
    whole = truth.drawings
    few = replace(whole, emoji=whole.emoji[:30], pictures=whole.pictures[:30])
    found = list(scenes_of("size", few, Truth(few), "held-out"))
    assert 1 <= len(found) <= 60 and len(set(found)) == len(found)


@pytest.mark.parametrize("text", ["", "colour", "place,colour"])
def test_unknown_kinds_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="accepted: all, thing, background"):
        parse_kinds(text)


def test_languages_without_templates_are_refused(truth: Truth) -> None:
    assert len(parse_tongues("all", truth.drawings)) == 16
    with pytest.raises(InputError, match="got sw"):
        parse_tongues("en,sw", truth.drawings)


class Truthful:
    """Paints the true picture of a prompt, or of the next one; counts what it is asked."""

    def __init__(self, truth: Truth, asked, wrong: int = 0) -> None:
        scenes = [one.scene for one in asked]
        turned = scenes[wrong:] + scenes[:wrong]
        self.known = {one.prompt: s for one, s in zip(asked, turned, strict=True)}
        self.truth, self.count = truth, 0

    def generate_many(self, requests, *, batch: int) -> Iterator[Result]:
        from PIL import Image

        for request in requests:
            self.count += 1
            image = Image.fromarray(self.truth.picture(self.known[request.prompt]))
            yield Result(images=[image], seeds=[0], request=request, seconds=0.0)


def test_true_pictures_score_all_and_shuffled_ones_nothing(truth: Truth) -> None:
    asked = choose(truth, "place,background,relation,count", ("en", "de"), subset=2)
    report = measure_scenes(list(paint_scenes(Truthful(truth, asked), asked)), truth)
    for kind in ("place", "background", "relation", "count"):
        assert report.mean[kind].both.value == report.truth[kind].both.value == 1.0
        assert report.shuffled[kind].right.value == 0.0
        assert report.languages["de"][kind].count == 2
    assert report.mean["place"].count == 4


def test_wrong_pictures_score_nothing(truth: Truth) -> None:
    asked = choose(truth, "place", subset=4)
    report = measure_scenes(list(paint_scenes(Truthful(truth, asked, 1), asked)), truth)
    assert report.mean["place"].right.value == 0.0
    assert report.truth["place"].right.value == 1.0


def test_painted_scenes_are_kept_under_names_of_their_own(truth: Truth, tmp_path) -> None:
    asked = choose(truth, "relation,and,count", subset=6)
    run = {"model": "fake"}
    names = {"name": "scenes", "fields": ("language", "scene")}
    first, again = Truthful(truth, asked), Truthful(truth, asked)
    whole = list(paint_scenes(first, asked, Journal(tmp_path, run, **names)))
    second = list(paint_scenes(again, asked, Journal(tmp_path, run, **names)))
    assert (first.count, again.count) == (18, 0)
    assert len(list((tmp_path / "pictures").iterdir())) == 18
    assert all(np.array_equal(a.pixels, b.pixels) for a, b in zip(whole, second, strict=True))


def test_frames_tell_what_is_right(truth: Truth) -> None:
    (asked,) = choose(truth, "place", subset=1)
    scene = asked.scene
    other = scene_of((THING,), scene.said[0])
    wrong = scene_of(scene.things, "right" if scene.place == "left" else "left")
    for shown, colour in ((scene, FIRST), (other, FIVE), (wrong, MISS)):
        painted = PaintedScene(asked=asked, pixels=truth.picture(shown))
        assert next(draw_scene_sheets([painted], truth)).getpixel((0, 0)) == colour


def test_typed_lines_are_of_the_same_held_out_scenes_in_every_language(truth: Truth) -> None:
    asked = choose_lines(truth.drawings, list(KINDS), languages())
    by_language = {
        language: [one for one in asked if one.language == language] for language in languages()
    }
    scenes = [one.scene for one in by_language["en"]]
    assert len(scenes) == len(set(scenes)) == 20 and all(map(is_held_out, scenes))
    for lines in by_language.values():
        assert [one.scene for one in lines] == scenes
        assert len({one.prompt for one in lines}) == 20
        assert all(
            truth.drawings.emoji[target] == thing
            for one in lines
            for target, thing in zip(one.targets, one.scene.things, strict=True)
        )


def test_a_subset_of_typed_lines_is_so_many_of_a_kind(truth: Truth) -> None:
    asked = choose_lines(truth.drawings, ["count", "place"], ["de"], subset=1)
    assert [one.prompt for one in asked] == ["drei Hunde", "Sonnenblume auf der linken Seite"]


def test_true_pictures_of_typed_lines_are_right(truth: Truth) -> None:
    asked = choose_lines(truth.drawings, list(KINDS), ["en"])
    marks = mark_all(asked, [truth.picture(one.scene) for one in asked], truth)
    assert all(mark.right and mark.things for mark in marks)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--kinds", "colour"], "colour"),
        (["--languages", "sw"], "sw"),
        (["--split", "test"], "held-out"),
        (["--wording", "spoken"], "typed"),
        (["--wording", "typed", "--split", "seen"], "held-out"),
        (["--subset", "0"], "1 to 1000"),
        (["--steps", "x"], "steps"),
    ],
)
def test_bad_input_is_one_line(arguments, said, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["evaluate", "scenes", *arguments]) == 2
    err = capsys.readouterr().err
    assert said in err and err.count("\n") == 1
    assert not list(tmp_path.iterdir())


def test_the_command_paints_and_measures(truth: Truth, tmp_path, monkeypatch, capsys) -> None:
    painter = Truthful(truth, choose(truth, "place,count"))
    painter.files = SimpleNamespace(parts={})
    painter.defaults = MURNAU.defaults
    module = ModuleType("bluerider.pipeline")
    module.Pipeline = SimpleNamespace(load=lambda *args, **options: painter)
    monkeypatch.setitem(sys.modules, "bluerider.pipeline", module)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    assert main(["evaluate", "scenes", "--subset", "2", "--kinds", "place,count"]) == 0
    out, err = capsys.readouterr()
    rows = [line.split() for line in out.splitlines()]
    assert [row[0] for row in rows] == "scenes en count ground count shuffled count".split()
    assert rows[1][1:] == ["place", "2", "100.0", "100.0-100.0", "100.0", "100.0-100.0", "100.0"]
    place = tmp_path / "outputs" / "scenes-murnau"
    found = {"scenes.json", "scenes.jsonl", "pictures", "sheets"}
    assert {path.name for path in place.iterdir()} == found
    assert "2 sheets" in err
