"""`bluerider evaluate words`: names in many languages, and what each picture is nearest to."""

from collections.abc import Iterator
from dataclasses import replace
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
from bluerider.errors import InputError
from bluerider.request import check_choice, check_whole

if TYPE_CHECKING:
    from bluerider.evaluate.drawings import Drawings
    from bluerider.evaluate.retrieval import Score
    from bluerider.evaluate.words import Report, Word

COLUMNS = ("n", "top-1 %", "95 %", "top-5 %", "95 %")
NAMES = ("all", "kept-out", "typed", "asides")
SPELLED = ("typed", "asides")  # English names, a row for each way of writing them


def evaluate_words(
    asking: Asking,
    languages: Annotated[str, option("Like en,ru, or all (en).", "LIST")] = "en",
    subset: Annotated[
        Text,
        option("Names a language or spelling (all in English, 100 in every other).", "N"),
    ] = None,
    names: Annotated[
        str, option("all, kept-out (no training reads them), typed or asides (all).", "WHICH")
    ] = "all",
) -> None:
    """Paint names and look up which drawing each picture is nearest to, at 32 x 32.

    top-1: the drawing asked for is the nearest of all; top-5: fewer than five are nearer. Drawings
    as near as the one asked for do not count against it. kept-out: the tenth of all names, a
    language at a time, that no stage of training reads. typed: English names with an article, in
    the plural, in another case and with one typo, a row each. asides: among words that say nothing
    to paint ("i would like a cat", "gorgeous cat", "cat, volumetric light"). Writes words.json, the
    pictures and contact sheets (drawing left, picture right; green: nearest, yellow: among five,
    red: neither).

    bluerider evaluate words --subset 400

    bluerider evaluate words --languages all --subset 20 --out outputs/languages

    bluerider evaluate words --names kept-out --languages all --subset 5
    """
    check_choice("names", names, NAMES)
    count = values.whole("subset", subset)
    place = asking.place("words" if names == "all" else f"words-{names}")
    words = asked_words(asking.drawings, names, languages, count)
    from bluerider.evaluate.journal import Journal
    from bluerider.evaluate.sheets import save_sheets
    from bluerider.evaluate.words import measure, paint_words

    pipe = asking.pipeline()
    request = asking.request.resolve(pipe.defaults)
    facts = {**asking.facts(pipe, request), "names": names}
    journal = Journal(place, facts)
    painting = paint_words(pipe, words, journal, batch=asking.batch, **fields_of(request))
    painted = list(watched(painting, len(words), place, lambda one: one.word.row))
    report = measure(painted, asking.drawings)
    sheets = save_sheets(painted, asking.drawings, place)
    of = "spellings" if names in SPELLED else "languages"
    keep(place, "words", {**facts, **report.to_json(of)}, sheets)
    if asking.as_json:
        typer.echo((place / "words.json").read_text("utf-8"))
    else:
        show_table("words", COLUMNS, rows(report))


def asked_words(
    drawings: "Drawings", names: str, languages: str, count: int | None
) -> "list[Word]":
    """The words to paint. Raises InputError."""
    from bluerider.evaluate.unread import choose_spelled, kept_out_names
    from bluerider.evaluate.words import choose_words, parse_languages

    if count is not None:
        check_whole("subset", count, 1, len(drawings.emoji) - len(drawings.holdout))
    tongues = parse_languages(languages, drawings)
    if names in SPELLED:
        if tongues != ["en"]:
            raise InputError(
                f"languages: got {languages}; {names} names are English, en is accepted"
            )
        words = choose_spelled(drawings, names, count)
    else:
        known = kept_out_names(drawings) if names == "kept-out" else drawings.names
        words = choose_words(replace(drawings, names=known), tongues, count)
    if not words:
        raise InputError(f"names: got {names}, of which {languages} has none here; give others")
    return words


def rows(report: "Report") -> Iterator[list[str]]:
    """The scores as rows."""
    for name, score in report.rows.items():
        yield [name, *cells(score)]
    if len(report.rows) > 1:
        yield [f"mean of {len(report.rows)}", *cells(report.mean)]
        yield [f"lowest: {report.lowest}", *cells(report.rows[report.lowest])]
        yield ["rows under 50 %", str(len(report.rows)), str(len(report.under_half))]
    yield ["ground truth", *cells(report.truth)]
    yield ["shuffled prompts", *cells(report.shuffled)]


def cells(score: "Score") -> list[str]:
    """Count, then each share and its interval in per cent."""
    return [str(score.count), *share_cells(score.top1), *share_cells(score.top5)]
