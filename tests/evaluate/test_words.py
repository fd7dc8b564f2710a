"""The retrieval measure on a few drawings with a painter that is right, wrong or stopped."""

from dataclasses import replace

import numpy as np
import pytest

from bluerider.errors import BlueriderError, InputError
from bluerider.evaluate.journal import Journal
from bluerider.evaluate.retrieval import rank_targets, score, squared_errors
from bluerider.evaluate.sheets import FIRST, MISS, draw_sheets, save_sheets
from bluerider.evaluate.words import choose_words, measure, paint_words, parse_languages

RUN = {"model": "fake", "seed": 0}


def words_of(drawings, languages=("en",), subset=9):
    return choose_words(drawings, languages, subset)


def test_errors_are_mean_squares(noise) -> None:
    a = noise.integers(0, 256, (3, 4, 4, 3)).astype(np.uint8)
    b = noise.integers(0, 256, (5, 4, 4, 3)).astype(np.uint8)
    plain = ((a[:, None].astype(float) - b[None].astype(float)) ** 2).mean(axis=(2, 3, 4))
    np.testing.assert_allclose(squared_errors(a, b), plain, rtol=1e-12)


def test_equal_drawings_do_not_count_against_each_other() -> None:
    errors = np.array([[1.0, 1.0, 3.0], [1.0, 1.0, 3.0], [1.0, 1.0, 3.0]])
    assert rank_targets(errors, np.array([0, 1, 2])).tolist() == [0, 0, 2]


def test_score_counts_first_and_first_five() -> None:
    found = score(np.array([0, 0, 3, 9]))
    assert (found.count, found.top1.value, found.top5.value) == (4, 0.5, 0.75)


def test_interval_is_the_binomial_one() -> None:
    found = score(np.array([0, 7] * 200)).top1
    assert found.low == pytest.approx(0.5 - 1.96 * 0.025, abs=0.006)
    assert found.high == pytest.approx(0.5 + 1.96 * 0.025, abs=0.006)


def test_mean_score_weighs_languages_alike() -> None:
    found = score(np.array([0]), np.array([9, 9, 9]))
    assert found.top1.value == 0.5


def test_what_languages_share_is_resampled_together() -> None:
    ranks, things = np.array([0, 7] * 50), np.arange(100)
    one = score(ranks).top1
    alike = score(ranks, ranks, ranks, things=[things] * 3).top1
    apart = score(ranks, ranks, ranks).top1
    assert (alike.low, alike.high) == pytest.approx((one.low, one.high))
    assert apart.high - apart.low < 0.7 * (one.high - one.low)


def test_words_leave_the_holdout_out(drawings) -> None:
    chosen = words_of(drawings, subset=None)
    assert sorted(word.emoji for word in chosen) == sorted(drawings.emoji[:-1])


def test_a_smaller_subset_begins_a_larger_one(drawings) -> None:
    assert words_of(drawings, subset=4) == words_of(drawings, subset=8)[:4]


def test_the_order_does_not_depend_on_the_set(drawings) -> None:
    fewer = replace(drawings, emoji=drawings.emoji[::-2], pictures=drawings.pictures[::-2])
    left = [word.emoji for word in words_of(drawings) if word.emoji in fewer.emoji]
    assert [word.emoji for word in words_of(fewer)] == left


def test_other_languages_get_fewer_names_unless_told(drawings, monkeypatch) -> None:
    monkeypatch.setattr("bluerider.evaluate.words.OTHERS", 2)
    chosen = words_of(drawings, ("en", "xx"), subset=None)
    assert [sum(word.language == name for word in chosen) for name in ("en", "xx")] == [9, 2]


def test_a_language_without_some_names_skips_them(drawings) -> None:
    chosen = words_of(drawings, ("xx",), subset=10)
    assert {word.emoji for word in chosen} == set(drawings.emoji[:6])


def test_languages_are_listed_or_all(drawings) -> None:
    assert parse_languages(" xx, en,xx", drawings) == ["xx", "en"]
    assert parse_languages("all", drawings) == ["en", "xx"]


@pytest.mark.parametrize("text", ["tlh", "", "en,tlh"])
def test_unknown_languages_are_refused(text, drawings) -> None:
    with pytest.raises(InputError, match="accepted: all, en, xx"):
        parse_languages(text, drawings)


def test_a_right_painter_scores_all(drawings, painter) -> None:
    report = measure(list(paint_words(painter(), words_of(drawings, ("en", "xx")))), drawings)
    assert report.rows["en"].top1.value == 1.0
    assert report.mean.count == 15
    assert report.truth.top1.value == 1.0
    assert report.shuffled.top1.value == 0.0


def test_a_wrong_picture_is_a_miss(drawings, painter) -> None:
    report = measure(list(paint_words(painter(["red"]), words_of(drawings))), drawings)
    assert report.rows["en"].top1.value == pytest.approx(8 / 9)


def test_the_lowest_row_and_those_under_half_are_told(drawings, painter) -> None:
    wrong = [f"x{emoji}" for emoji in drawings.emoji[:4]]
    report = measure(list(paint_words(painter(wrong), words_of(drawings, ("en", "xx")))), drawings)
    assert report.rows["xx"].top1.value == pytest.approx(2 / 6)
    assert (report.lowest, report.under_half) == ("xx", ["xx"])
    assert report.to_json()["lowest"] == "xx" and report.to_json()["under_half"] == ["xx"]


def test_fields_reach_the_request(drawings, painter) -> None:
    class Watcher(painter):
        def generate_many(self, requests, *, batch):
            assert batch == 3 and {(r.seed, r.steps) for r in requests} == {(7, 5)}
            return super().generate_many(requests, batch=batch)

    assert list(paint_words(Watcher(), words_of(drawings), batch=3, seed=7, steps=5))


def test_a_stopped_run_goes_on(drawings, painter, tmp_path) -> None:
    chosen = words_of(drawings)
    with pytest.raises(KeyboardInterrupt):
        list(paint_words(painter(fail_after=4), chosen, Journal(tmp_path, RUN)))
    second = painter()
    painted = list(paint_words(second, chosen, Journal(tmp_path, RUN)))
    assert second.asked == [word.prompt for word in chosen[4:]]
    whole = measure(list(paint_words(painter(), chosen)), drawings)
    assert measure(painted, drawings) == whole


def test_the_report_does_not_depend_on_the_order(drawings, painter) -> None:
    painted = list(paint_words(painter(["red", "blue"]), words_of(drawings)))
    assert measure(painted[::-1], drawings) == measure(painted, drawings)


def test_a_torn_last_line_is_dropped(drawings, painter, tmp_path) -> None:
    chosen = words_of(drawings)
    list(paint_words(painter(), chosen, Journal(tmp_path, RUN)))
    path = tmp_path / "words.jsonl"
    path.write_bytes(path.read_bytes()[:-5])
    second = painter()
    list(paint_words(second, chosen, Journal(tmp_path, RUN)))
    assert second.asked == [chosen[-1].prompt]


def test_a_lost_picture_is_painted_again(drawings, painter, tmp_path) -> None:
    chosen = words_of(drawings)
    journal = Journal(tmp_path, RUN)
    list(paint_words(painter(), chosen, journal))
    journal.picture_path(("en", chosen[2].emoji)).write_bytes(b"no picture")
    second = painter()
    list(paint_words(second, chosen, Journal(tmp_path, RUN)))
    assert second.asked == [chosen[2].prompt]


def test_another_evaluation_is_not_mixed_in(tmp_path) -> None:
    Journal(tmp_path, RUN)
    with pytest.raises(InputError, match="seed 0, this one has 1"):
        Journal(tmp_path, RUN | {"seed": 1})


def test_a_damaged_journal_is_told_in_one_line(tmp_path) -> None:
    (tmp_path / "words.jsonl").write_text("nonsense\n")
    with pytest.raises(BlueriderError, match="damaged"):
        Journal(tmp_path, RUN)


def test_a_hit_is_green(drawings, painter) -> None:
    painted = list(paint_words(painter(), words_of(drawings, subset=1)))
    assert next(draw_sheets(painted, drawings)).getpixel((0, 0)) == FIRST


def test_a_miss_is_red(drawings, painter) -> None:
    word = words_of(drawings, subset=1)[0]
    painted = list(paint_words(painter(), words_of(drawings)))
    far = max(
        painted,
        key=lambda one: float(
            np.square(one.crop.astype(float) - drawings.pictures[word.target]).mean()
        ),
    )
    swapped = type(far)(word=word, image=far.image, crop=far.crop)
    assert next(draw_sheets([swapped], drawings)).getpixel((0, 0)) == MISS


def test_sheets_are_written_by_language(drawings, painter, tmp_path) -> None:
    painted = list(paint_words(painter(), words_of(drawings, ("en", "xx"))))
    paths = save_sheets(painted, drawings, tmp_path)
    assert [path.name for path in paths] == ["en-1.png", "xx-1.png"]
    assert all(path.is_file() for path in paths)
