"""Subjects taught and judged, with a painter that has learned them, nothing, or too much."""

import json
import sys
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from bluerider.catalog import MURNAU
from bluerider.cli.main import main
from bluerider.errors import InputError
from bluerider.evaluate.drawings import load_drawings
from bluerider.evaluate.personal import (
    BACKGROUNDS,
    BEFORE,
    TAUGHT,
    choose_subjects,
    drift_questions,
    judge,
    paired,
    questions_of,
    teaching_pictures,
)
from bluerider.evaluate.truth import Truth
from bluerider.request import Result
from bluerider.scenes.scene import Scene

WAY = "default"
UNRELATED = 6


@pytest.fixture(scope="module")
def truth() -> Truth:
    return Truth(load_drawings())


@pytest.fixture(scope="module")
def taught(truth: Truth):
    return choose_subjects(truth.drawings, ["teapot", "kite"])


def answered(truth: Truth, taught, *, learned: bool = True, forgot: bool = False, bleeds=False):
    """Answers of a model that was right about everything but the subjects, which it learns."""
    answers = {}
    other = truth.picture(Scene(things=("🐙",)))
    for question in drift_questions(None, BEFORE, truth.drawings, UNRELATED):
        answers[question] = plain(truth, question, other)
    for subject in taught:
        for question in questions_of(subject, BEFORE, truth.drawings):
            answers[question] = other
        for question in questions_of(subject, WAY, truth.drawings):
            answers[question] = truth.picture(question.scene) if learned else other
        for question in drift_questions(subject, WAY, truth.drawings, UNRELATED):
            own = truth.picture(Scene(things=(subject.emoji,)))
            lost = forgot if question.part == "unrelated" else bleeds
            answers[question] = own if lost else plain(truth, question, other)
    return answers


def plain(truth: Truth, question, other: np.ndarray) -> np.ndarray:
    if question.part == "class":
        return other
    return truth.picture(Scene(things=(truth.drawings.emoji[question.target],)))


def test_what_is_learned_scores_all(truth: Truth, taught) -> None:
    found = judge(WAY, taught, answered(truth, taught), truth)
    for name in ("alone1", "alone5", "background", "place", "pair"):
        assert getattr(found, name).value == 1.0, name
    for name in ("drift1", "drift5", "bleed"):
        assert getattr(found, name).value == 0.0, name


def test_what_is_not_learned_scores_nothing(truth: Truth, taught) -> None:
    answers = answered(truth, taught, learned=False)
    for way in (WAY, BEFORE):
        found = judge(way, taught, answers, truth)
        for name in ("alone5", "background", "place", "pair", "drift1", "bleed"):
            assert getattr(found, name).value == 0.0, name


def test_what_is_forgotten_is_drift(truth: Truth, taught) -> None:
    found = judge(WAY, taught, answered(truth, taught, forgot=True), truth)
    assert found.drift1.value == found.drift5.value == 1.0
    assert found.drift5.low > 0.03 and found.bleed.value == 0.0


def test_a_class_that_became_the_subject_is_bleed(truth: Truth, taught) -> None:
    found = judge(WAY, taught, answered(truth, taught, bleeds=True), truth)
    assert found.bleed.value == 1.0 and found.drift1.value == 0.0


def test_a_paired_difference_is_in_points_of_prompts() -> None:
    before = np.array([True] * 80 + [False] * 20)
    after = before.copy()
    after[:10] = False
    found = paired(before, np.stack([after, before]))
    assert found.value == pytest.approx(0.05)
    assert found.low == pytest.approx(0.05 - 1.96 * 0.015, abs=0.006)
    assert paired(before, before[None]).high == 0.0


def test_the_pictures_are_taught_on_other_backgrounds_than_asked(truth: Truth, taught) -> None:
    pictures = teaching_pictures(taught[0], truth.cut(taught[0].target))
    assert [image.size for image in pictures] == [(128, 128)] * 4
    assert len({image.getpixel((0, 0)) for image in pictures}) == 4
    assert not {said.get("background") for said in TAUGHT} & set(BACKGROUNDS)
    asked = [q.scene for q in questions_of(taught[0], WAY, truth.drawings)]
    assert {"left", "right"} == {scene.place for scene in asked} - {None}


def test_only_the_taught_model_is_asked_with_the_mark(truth: Truth, taught) -> None:
    subject = taught[0]
    assert all("[V]" in q.prompt for q in questions_of(subject, WAY, truth.drawings))
    asked = questions_of(subject, BEFORE, truth.drawings)
    asked += drift_questions(subject, WAY, truth.drawings, 4)
    assert not any("[V]" in question.prompt for question in asked)
    assert "a [V] teapot on a blue background" in {
        question.prompt for question in questions_of(subject, WAY, truth.drawings)
    }


def test_every_question_has_a_name_of_its_own(truth: Truth, taught) -> None:
    asked = [q for one in taught for q in questions_of(one, WAY, truth.drawings)]
    asked += drift_questions(taught[0], WAY, truth.drawings, 20)
    asked += drift_questions(None, BEFORE, truth.drawings, 20)
    assert len({question.key for question in asked}) == len(asked)


def test_subjects_are_held_out_drawings(truth: Truth) -> None:
    drawings = truth.drawings
    assert {one.emoji for one in choose_subjects(drawings, subset=24)} == drawings.holdout
    assert choose_subjects(drawings, subset=2) == choose_subjects(drawings, subset=8)[:2]
    with pytest.raises(InputError, match="got cat; accepted: .*teapot"):
        choose_subjects(drawings, ["cat"])


class Adapted:
    """A pipeline whose LoRAs are names of subjects; knows the true picture of every question."""

    def __init__(self, truth: Truth, taught) -> None:
        self.truth, self.files = truth, SimpleNamespace(parts={})
        self.defaults, self.loras, self.painted = MURNAU.defaults, [], 0
        self.known = {}
        for one in taught:
            for question in questions_of(one, WAY, truth.drawings):
                self.known[question.prompt] = question.scene
        self.known |= {
            word: Scene(things=(emoji,)) for emoji, word in truth.drawings.names["en"].items()
        }

    def adapt(self, loras) -> None:
        self.loras = loras

    def generate_many(self, requests, *, batch: int) -> Iterator[Result]:
        for request in requests:
            self.painted += 1
            assert ("[V]" in request.prompt) <= bool(self.loras)
            scene = self.known.get(request.prompt, Scene(things=("🐙",)))
            image = Image.fromarray(self.truth.picture(scene))
            yield Result(images=[image], seeds=[0], request=request, seconds=0.0)


@pytest.fixture
def school(truth: Truth, taught, tmp_path, monkeypatch):
    """A pipeline and a training that only remember."""
    monkeypatch.setattr("bluerider.evaluate.personal.SEEDS", 2)
    monkeypatch.setattr("bluerider.evaluate.personal.SCENE_SEEDS", 1)
    painter, lessons = Adapted(truth, taught), []
    pipeline = ModuleType("bluerider.pipeline")
    pipeline.Pipeline = SimpleNamespace(load=lambda *args, **options: painter)
    training = ModuleType("bluerider.training.dreambooth")

    def dreambooth(pictures, *, subject, class_, out, **options):
        lessons.append((subject, class_, len(list(pictures.iterdir())), options["changes"]))
        out.mkdir()
        (out / "lora.safetensors").write_bytes(b"x")
        return out / "lora.safetensors"

    training.dreambooth = dreambooth
    monkeypatch.setitem(sys.modules, "bluerider.pipeline", pipeline)
    monkeypatch.setitem(sys.modules, "bluerider.training.dreambooth", training)
    monkeypatch.chdir(tmp_path)
    return painter, lessons


def test_the_command_teaches_and_judges_once(school, capsys, tmp_path) -> None:
    painter, lessons = school
    command = ["evaluate", "subjects", "--subjects", "teapot,kite", "--unrelated", "3", "--json"]
    assert main([*command, "--variants", "default,no-preservation"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [lesson[:3] for lesson in lessons[:2]] == [
        ("a [V] teapot", "a toy", 4),
        ("a [V] kite", "a toy", 4),
    ]
    assert lessons[2][3] == ["class_weight=0"]
    assert found["before"]["alone1"]["value"] == 0.0
    assert found["taught"]["default"]["alone1"]["value"] == 1.0
    assert found["taught"]["default"]["drift1"]["value"] == 0.0
    painted = painter.painted
    assert main([*command, "--variants", "default,no-preservation"]) == 0
    assert (len(lessons), painter.painted) == (4, painted)  # nothing twice
    sheets = tmp_path / "outputs" / "subjects-murnau" / "sheets"
    assert sorted(path.name for path in sheets.iterdir()) == [
        "default-1.png",
        "no-preservation-1.png",
    ]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--subjects", "cat"], "got cat"),
        (["--variants", "none"], "no-preservation"),
        (["--unrelated", "0"], "unrelated"),
        (["--subset", "x"], "subset"),
    ],
)
def test_bad_input_is_one_line(school, arguments, said, capsys, tmp_path) -> None:
    assert main(["evaluate", "subjects", *arguments]) == 2
    err = capsys.readouterr().err
    assert said in err and err.count("\n") == 1
    assert not list(tmp_path.iterdir())
