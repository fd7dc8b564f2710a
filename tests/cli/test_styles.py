"""`--style` puts the words into a recipe before they become a request."""

from pathlib import Path

import pytest

from bluerider.cli.jobs import Job
from bluerider.cli.styles import styled
from bluerider.errors import InputError
from bluerider.guide import library
from bluerider.request import Request
from tests.guide.test_prompting import RECIPE


@pytest.fixture(autouse=True)
def one_recipe(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "records" / "prompt-recipe" / "ink.md"
    path.parent.mkdir(parents=True)
    path.write_text(RECIPE, encoding="utf-8")
    monkeypatch.setattr(library, "SHIPPED", tmp_path / "records")
    monkeypatch.setenv("BLUERIDER_HOME", str(tmp_path / "home"))


def test_a_style_makes_the_words_and_the_negative_words() -> None:
    job = Job(request=Request(prompt="an owl", negative="frame"), line=None)
    request = styled([job], "ink")[0].request
    assert (request.prompt, request.negative) == ("an owl, black ink", "frame, colour")


def test_without_a_style_jobs_stay_as_they_are() -> None:
    job = Job(request=Request(prompt="an owl"), line=None)
    assert styled([job], None) == [job]


def test_an_unknown_style_is_one_sentence() -> None:
    with pytest.raises(InputError, match="no record 'prompt-recipe/oil'"):
        styled([Job(request=Request(prompt="an owl"), line=None)], "oil")
