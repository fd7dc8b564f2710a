"""`--style` puts the words into a recipe before they become a request."""

from pathlib import Path

import pytest

from bluerider.cli.jobs import Job
from bluerider.cli.styles import styled
from bluerider.cli.thumbnails import PAGE
from bluerider.errors import InputError
from bluerider.guide import library
from bluerider.images import read_request
from bluerider.request import Request
from tests.cli.conftest import Run
from tests.cli.fake_pipeline import FakePipeline
from tests.guide.test_prompting import RECIPE


@pytest.fixture(autouse=True)
def one_recipe(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "records" / "prompt-recipe" / "ink.md"
    path.parent.mkdir(parents=True)
    settings = "params: {steps: 7, prior-guidance: 3.5, sampler: ddpm}\nclaims:"
    path.write_text(RECIPE.replace("claims:", settings), encoding="utf-8")
    words = RECIPE.replace("prompt-recipe/ink", "prompt-recipe/mail").replace("[image]", "[text]")
    path.with_name("mail.md").write_text(words, encoding="utf-8")
    monkeypatch.setattr(library, "SHIPPED", tmp_path / "records")
    monkeypatch.setenv("BLUERIDER_HOME", str(tmp_path / "home"))


def test_a_style_makes_the_words_and_the_negative_words() -> None:
    job = Job(request=Request(prompt="an owl", negative="frame"), line=None)
    request = styled([job], "ink")[0].request
    assert (request.prompt, request.negative) == ("an owl, black ink", "frame, colour")


def test_a_styles_settings_fill_what_the_request_leaves_open() -> None:
    job = Job(request=Request(prompt="an owl", steps=3), line=None)
    request = styled([job], "ink")[0].request
    assert (request.steps, request.prior_guidance, request.sampler) == (3, 3.5, "ddpm")
    assert request.guidance is None


def test_a_recipe_for_texts_is_no_style() -> None:
    with pytest.raises(InputError, match="mail is a recipe for texts; bluerider prompt styles"):
        styled([Job(request=Request(prompt="an owl"), line=None)], "mail")


def test_styles_are_listed_and_painted(run: Run, fake: type[FakePipeline]) -> None:
    assert [row["name"] for row in run("prompt", "styles", "--json").data] == ["ink"]
    assert fake.painted == []
    ran = run("prompt", "styles", "--thumbnails", "out", "--subject", "an owl", "--json")
    assert ran.data[0]["file"] == str(Path("out", "ink.png"))
    assert [(r.prompt, r.seed, r.steps) for r in fake.painted] == [("an owl, black ink", 0, 7)]
    assert read_request("out/ink.png")["prompt"] == "an owl, black ink"
    assert Path("out", PAGE).is_file()


def test_thumbnails_need_a_place(run: Run) -> None:
    ran = run("prompt", "styles", "--thumbnails", "no/such/folder")
    assert ran.code == 2 and "a folder whose parent exists" in ran.err


def test_without_a_style_jobs_stay_as_they_are() -> None:
    job = Job(request=Request(prompt="an owl"), line=None)
    assert styled([job], None) == [job]


def test_an_unknown_style_is_one_sentence() -> None:
    with pytest.raises(InputError, match="no record 'prompt-recipe/oil'"):
        styled([Job(request=Request(prompt="an owl"), line=None)], "oil")
