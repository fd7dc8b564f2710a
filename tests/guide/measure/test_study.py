"""A word that acts is found, one that does not is told apart, and nothing is made twice."""

import datetime
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from bluerider.cli.main import main
from bluerider.errors import InputError
from bluerider.guide import library
from bluerider.guide.index import Guide
from bluerider.guide.measure import report, statistics, study, words
from bluerider.guide.measure.bench import Bench, Cell, Spent
from bluerider.guide.measure.effects import METRICS
from bluerider.guide.measure.words import Word
from tests.guide.conftest import PLACE

SEEDS, SIZE = 8, 24
BRIGHT = METRICS.index("brightness")


class Files:
    parts = {"prior": Path("prior")}


class Pipe:
    files = Files()
    name = "toy"


class Toy(Bench):
    """A model whose word `bright` lights a picture up and turns its embedding one way."""

    def __init__(self, place: Path, budget: int | None = None) -> None:
        super().__init__(Pipe(), None, place, batch=16, budget=budget)  # type: ignore[arg-type]
        self.made = 0

    def noise(self, cell: Cell, size: int) -> NDArray[np.float64]:
        return np.random.default_rng([*cell[0].encode(), cell[1]]).normal(0, 1, size)

    def _imagine(self, cells: Sequence[Cell]) -> NDArray[Any]:
        rows = []
        for prompt, seed in cells:
            subject = prompt.split(",")[0]
            row = 6 * self.noise((subject, 0), SIZE) + 0.3 * self.noise((prompt, seed), SIZE)
            row[0] += 8.0 * ("bright" in prompt)
            rows.append(row)
        self.made += len(rows)
        return np.array(rows)

    def _paint(self, cells: Sequence[Cell]) -> NDArray[Any]:
        if self.left is not None:
            self.left -= len(cells)
            if self.left < 0:
                raise Spent("spent")
        rows = np.array([self.noise(cell, len(METRICS)) for cell in cells])
        rows[:, BRIGHT] += [20.0 * ("bright" in prompt) for prompt, _ in cells]
        self.made += len(rows)
        return rows


def quiet(*_: object) -> None:
    pass


BRIGHT_WORD = Word("bright", "{subject}, bright", expected=("brightness", 1))
DULL_WORD = Word("dull", "{subject}, dull")
PLAN = study.Plan(
    [BRIGHT_WORD, DULL_WORD], words.placebos()[:12], ["cat", "house", "fish", "owl"], SEEDS
)


@pytest.fixture(scope="module", autouse=True)
def fewer_resamples() -> Iterator[None]:
    """An interval of fewer resamples is as good here and ten times as fast."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(statistics, "RESAMPLES", 200)
        yield


@pytest.fixture(scope="module")
def findings(
    tmp_path_factory: pytest.TempPathFactory, fewer_resamples: None
) -> list[study.Finding]:
    bench = Toy(tmp_path_factory.mktemp("bench") / "cells.sqlite")
    found = study.run(bench, PLAN, quiet)
    bench.close()
    return found


def test_a_word_that_acts_is_found_with_its_sign(findings: list[study.Finding]) -> None:
    assert findings[0].detected("brightness") and findings[0].right() and findings[0].known
    assert study.controls_found(findings) == (1, 1)


def test_its_interval_holds_the_truth(findings: list[study.Finding]) -> None:
    found = findings[0].effects["brightness"]
    assert found.low < 20 < found.high


def test_a_word_that_does_nothing_is_not_known(findings: list[study.Finding]) -> None:
    assert not findings[1].known and findings[1].right() is None


def test_placebos_are_seldom_called_detected(findings: list[study.Finding]) -> None:
    alarms, tests = study.false_alarms(findings)
    assert tests == 12 * (len(METRICS) + 3) and alarms <= 0.05 * tests


def test_a_word_whose_embeddings_do_not_stand_out_is_not_painted(
    findings: list[study.Finding],
) -> None:
    assert findings[0].painted
    assert findings[1].painted == study.worth(findings[1], True)


def test_nothing_is_made_twice(tmp_path: Path) -> None:
    bench = Toy(tmp_path / "cells.sqlite")
    study.run(bench, PLAN, quiet)
    first = bench.made
    again = study.run(bench, PLAN, quiet)
    bench.close()
    assert bench.made == first and again[0].right()


def test_a_spent_budget_goes_on_where_it_was(tmp_path: Path) -> None:
    bench = Toy(tmp_path / "cells.sqlite", budget=100)
    with pytest.raises(Spent):
        study.run(bench, PLAN, quiet)
    bench.left = None
    made = bench.made
    study.run(bench, PLAN, quiet)
    bench.close()
    whole = Toy(tmp_path / "whole.sqlite")
    study.run(whole, PLAN, quiet)
    whole.close()
    assert made > 0 and bench.made == whole.made


def test_steadiness_is_one_for_one_way_and_zero_for_all_ways() -> None:
    one_way = np.tile(np.array([1.0, 0, 0]), (4, 3, 1))
    every_way = np.eye(4)[:, None, :].repeat(3, axis=1)
    assert study.steadiness(one_way) == pytest.approx(1.0)
    assert study.steadiness(every_way) == pytest.approx(0.0)


def test_content_is_kept_where_the_subject_stays_nearest() -> None:
    base = np.eye(3)[:, None, :].repeat(2, axis=1)
    assert study.kept(base, base).all()
    assert not study.kept(base[[1, 2, 0]], base).any()


def test_records_of_findings_pass_the_schema(findings: list[study.Finding], tmp_path: Path) -> None:
    made = report.records(findings, PLAN, "toy", "abc", {"steps": 2}, datetime.date(2026, 1, 2))
    assert sorted(made) == ["measurement/toy-bright-phrase", "measurement/toy-dull"]
    report.save(made, tmp_path / "records")
    found = library.load([tmp_path / "records"], today=datetime.date(2026, 1, 3))
    assert found.problems == []
    record = found.entries["measurement/toy-dull"].plain()
    assert not record["known"] and "does not know this word" in record["summary"]["en"]


def test_words_are_taken_by_id_phrase_or_as_they_are(tmp_path: Path) -> None:
    guide = Guide([PLACE], tmp_path)
    given = ["prompt-modifier/rim-light", "a {subject} of glass", "shiny"]
    made = words.chosen(guide, given, ["en", "ru"])
    assert [(word.template, word.language) for word in made] == [
        ("{subject}, rim light", "en"),
        ("{subject}, контровой свет", "ru"),
        ("a {subject} of glass", "en"),
        ("{subject}, shiny", "en"),
    ]
    assert made[1].record == "prompt-modifier/rim-light"


def test_an_unknown_id_is_no_word(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no record"):
        words.chosen(Guide([PLACE], tmp_path), ["prompt-modifier/rim-lihgt"], ["en"])


def test_controls_use_the_phrases_of_training(tmp_path: Path) -> None:
    made = {word.text: word for word in words.controls(Guide([PLACE], tmp_path), ["en"])}
    assert made["red background"].template == "{subject} on a red background"
    assert made["red background"].expected == ("background-redness", 1)
    assert len(made) == 16


def test_every_language_has_every_subject() -> None:
    table = words.subject_table()
    assert {len(set(names)) for names in table.values()} == {8}


def test_the_command_measures_murnau_and_shows_it_beside_what_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = "--seeds 2 --subjects cat,owl --placebos 4 --steps 1 --prior-steps 1".split()
    page = tmp_path / "pairs.png"
    given = ["--modifiers", "rim light", "--pairs", str(page), *flags]
    assert main(["guide", "measure", *given]) == 0
    out = capsys.readouterr().out
    assert "placebo tests called detected" in out and page.stat().st_size > 1000
    assert main(["guide", "show", "rim-light"]) == 0
    assert "measured on murnau (rim light, en, 2 subjects x 2 seeds)" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--seeds", "1"], "2 to 256"),
        (["--languages", "xx"], "unknown language"),
        (["--subjects", "cat"], "at least two"),
        (["--placebos", "2"], "4 to 24"),
        (["--model", "nothing-here"], "nothing-here"),
    ],
)
def test_what_cannot_be_measured_is_one_sentence(
    flags: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["guide", "measure", *flags]) == 2
    assert said in capsys.readouterr().err
