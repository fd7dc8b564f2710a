"""`bluerider evaluate words`: names in many languages, and what each picture is nearest to."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from bluerider.cli import values
from bluerider.cli.evaluating import (
    Asking,
    Text,
    fields_of,
    keep,
    option,
    share_cells,
    show_table,
    watched,
)
from bluerider.request import check_whole

if TYPE_CHECKING:
    from bluerider.evaluate.retrieval import Score
    from bluerider.evaluate.words import Report

COLUMNS = ("n", "top-1 %", "95 %", "top-5 %", "95 %")


def evaluate_words(
    asking: Asking,
    languages: Annotated[str, option("Like en,ru, or all (en).", "LIST")] = "en",
    subset: Annotated[
        Text, option("Names a language (all in English, 100 in every other).", "N")
    ] = None,
) -> None:
    """Paint names and look up which drawing each picture is nearest to, at 32 x 32.

    top-1: the drawing asked for is the nearest of all; top-5: fewer than five are nearer. Drawings
    as near as the one asked for do not count against it. Writes words.json, the pictures and
    contact sheets (drawing left, picture right; green: nearest, yellow: among five, red: neither).

    bluerider evaluate words --subset 400

    bluerider evaluate words --languages all --subset 20 --out outputs/languages
    """
    count = values.whole("subset", subset)
    place = asking.place("words")
    from bluerider.evaluate.words import choose_words, parse_languages

    drawings = asking.drawings
    if count is not None:
        check_whole("subset", count, 1, len(drawings.emoji) - len(drawings.holdout))
    words = choose_words(drawings, parse_languages(languages, drawings), count)
    from bluerider.evaluate.journal import Journal
    from bluerider.evaluate.sheets import save_sheets
    from bluerider.evaluate.words import measure, paint_words

    pipe = asking.pipeline()
    request = asking.request.resolve(pipe.defaults)
    facts = asking.facts(pipe, request)
    journal = Journal(place, facts)
    painting = paint_words(pipe, words, journal, batch=asking.batch, **fields_of(request))
    painted = list(watched(painting, len(words), place, lambda one: one.word.language))
    report = measure(painted, drawings)
    sheets = save_sheets(painted, drawings, place)
    keep(place, "words", {**facts, **report.to_json()}, sheets)
    if asking.as_json:
        typer.echo((place / "words.json").read_text("utf-8"))
    else:
        show_table("words", COLUMNS, rows(report))


def rows(report: "Report") -> Iterator[list[str]]:
    """The scores as rows."""
    for language, score in report.languages.items():
        yield [language, *cells(score)]
    if len(report.languages) > 1:
        yield [f"mean of {len(report.languages)}", *cells(report.mean)]
    yield ["ground truth", *cells(report.truth)]
    yield ["shuffled prompts", *cells(report.shuffled)]


def cells(score: "Score") -> list[str]:
    """Count, then each share and its interval in per cent."""
    return [str(score.count), *share_cells(score.top1), *share_cells(score.top5)]
