"""`bluerider evaluate subjects`: teach the held-out drawings one by one, and judge the result."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

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
)
from bluerider.cli.teaching import School, Sitting, drawn_pictures, variant
from bluerider.request import check_whole

if TYPE_CHECKING:
    from bluerider.evaluate.crop import Array
    from bluerider.evaluate.personal import Learned, Question, Taught
    from bluerider.evaluate.truth import Truth

VARIANTS = ("default", "no-preservation", "ten-times")
COLUMNS = (
    "taught", "n", "alone top-1 %", "top-5 %", "background %", "place %", "pair %",
    "drift top-1", "95 %", "drift top-5", "95 %", "bleed",
)  # fmt: skip


def evaluate_subjects(
    asking: Asking,
    subset: Annotated[Text, option("So many of the held-out drawings (8).", "N")] = None,
    subjects: Annotated[str, option("Names in place of a number: teapot,kite.", "LIST")] = "",
    unrelated: Annotated[str, option("Unrelated names, for drift (200).", "N")] = "200",
    variants: Annotated[
        str, option("Ways of teaching: default, no-preservation, ten-times.", "LIST")
    ] = "default",
    preset: Annotated[str, option("Of `bluerider dreambooth` (balanced).", "NAME")] = "balanced",
    settings: Annotated[str, option("KEY=VALUE,... for `bluerider dreambooth`.", "LIST")] = "",
) -> None:
    """Teach a model held-out drawings from four pictures each, and measure what it learned.

    alone: the subject among all drawings over 8 seeds. background, place, pair: on backgrounds and
    in places the four pictures do not show, both what was said and the subject. drift: how many
    points rarer unrelated names are painted right than before; bleed: how many points oftener the
    class alone is taken for the subject. no-preservation teaches without class pictures; ten-times
    with ten times the rates, which the drift has to show. An interrupted run goes on.

    bluerider evaluate subjects --subset 2 --unrelated 20

    bluerider evaluate subjects --subset 24 --variants default,no-preservation,ten-times
    """
    count = check_whole("subset", values.whole("subset", subset or "8"), 1, 1000)
    others = check_whole("unrelated", values.whole("unrelated", unrelated), 1, 1626)
    ways = chosen(variants)
    place = asking.place("subjects")
    from bluerider.evaluate.journal import Journal
    from bluerider.evaluate.personal import (
        BEFORE,
        CLASS,
        choose_subjects,
        drift_questions,
        questions_of,
    )
    from bluerider.evaluate.regions import seen
    from bluerider.evaluate.truth import Truth

    drawings = asking.drawings
    named = [name.strip() for name in subjects.split(",") if name.strip()]
    taught = choose_subjects(drawings, named, count)
    truth = Truth(drawings)
    pipe = asking.pipeline()
    request = asking.request.resolve(pipe.defaults)
    facts = {**asking.facts(pipe, request), "preset": preset, "settings": settings}
    journal = Journal(place, facts, name="subjects", fields=("taught", "asked"))
    school = School(asking, place, preset, [one for one in settings.split(",") if one.strip()])
    sitting = Sitting(pipe, journal, asking.batch, fields_of(request))
    general = drift_questions(None, BEFORE, drawings, others)
    asked = [q for one in taught for q in questions_of(one, BEFORE, drawings)]
    pictures = dict(sitting.answer([*asked, *general], BEFORE))
    for way in ways:
        for one in taught:
            taught_from = drawn_pictures(one, asking, place / "taught" / one.slug)
            changes = variant(way, asking, preset, school.settings)
            lora = school.teach(
                f"{way}-{one.slug}", taught_from, one.phrase, CLASS, changes=changes
            )
            pipe.adapt([lora])
            mine = questions_of(one, way, drawings) + drift_questions(one, way, drawings, others)
            pictures |= sitting.answer(mine, f"{way} {one.name}")
            pipe.adapt([])
    answers = {question: seen(image) for question, image in pictures.items()}
    finish(asking, place, facts, taught, ways, answers, truth)


def chosen(text: str) -> list[str]:
    """The ways of teaching. Raises InputError."""
    from bluerider.evaluate.choice import parse_list

    return parse_list("variants", text, list(VARIANTS))


def finish(
    asking: Asking,
    place: Path,
    facts: dict[str, Any],
    taught: Sequence["Taught"],
    ways: Sequence[str],
    answers: "Mapping[Question, Array]",
    truth: "Truth",
) -> None:
    """Measure, write subjects.json and the sheets, show the table."""
    from bluerider.evaluate.personal import BEFORE, judge
    from bluerider.evaluate.personal_sheets import save_subject_sheets

    found = {way: judge(way, taught, answers, truth) for way in ways}
    untouched = judge(BEFORE, taught, answers, truth)
    sheets = save_subject_sheets(taught, ways, answers, truth, place)
    named = {"subjects": [one.name for one in taught]}
    results = {way: one.to_json() for way, one in found.items()}
    whole = {**facts, **named, "before": untouched.to_json(), "taught": results}
    keep(place, "subjects", whole, sheets)
    if asking.as_json:
        typer.echo((place / "subjects.json").read_text("utf-8"))
    else:
        show_table(COLUMNS[0], COLUMNS[1:], rows({BEFORE: untouched, **found}))


def rows(found: Mapping[str, "Learned"]) -> Iterator[list[str]]:
    """One row for every way of teaching, in per cent."""
    for way, one in found.items():
        shares = (one.alone1, one.alone5, one.background, one.place, one.pair)
        cells = [share_cells(share)[0] for share in shares]
        drift = [*share_cells(one.drift1), *share_cells(one.drift5)]
        yield [way, str(one.subjects), *cells, *drift, share_cells(one.bleed)[0]]
