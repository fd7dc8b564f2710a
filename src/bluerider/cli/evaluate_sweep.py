"""`bluerider evaluate sweep`: names painted at many settings, and the curves."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated

import typer

from bluerider.cli import values
from bluerider.cli.evaluating import (
    Asking,
    fields_of,
    keep,
    option,
    share_cells,
    show_table,
    watched,
)
from bluerider.request import check_whole

if TYPE_CHECKING:
    from bluerider.evaluate.sweep import Setting

COLUMNS = ("n", "top-1 %", "95 %", "top-5 %", "95 %", "s/picture")


def evaluate_sweep(
    asking: Asking,
    axes: Annotated[
        list[str],
        typer.Argument(metavar="FIELD=VALUE,VALUE,...", help="guidance, steps, sampler, ..."),
    ],
    subset: Annotated[str, option("English names at each setting (50).", "N")] = "50",
    full: Annotated[bool, typer.Option("--full", help="Every combination.")] = False,
) -> None:
    """Paint the same names at many settings; each field on its own unless --full combines them.

    What is not varied stays at the flags', or the model's, value. Writes sweep.json, one SVG of
    curves for each field, and the pictures; an interrupted run goes on.

    bluerider evaluate sweep guidance=1,2,4,8 steps=5,10,25 sampler=ddim,dpmpp_2m,unipc
    """
    count = check_whole("subset", values.whole("subset", subset), 1, 1626)
    from bluerider.evaluate.sweep import draw_curves, parse_axes, points, slug

    chosen = parse_axes(axes)
    place = asking.place("sweep")
    from bluerider.evaluate.journal import Journal
    from bluerider.evaluate.sweep import Setting
    from bluerider.evaluate.words import choose_words, measure, paint_words
    from bluerider.files import write_whole

    words = choose_words(asking.drawings, ["en"], count)
    pipe = asking.pipeline()
    place.mkdir(parents=True, exist_ok=True)
    found = []
    settings = points(chosen, full=full)
    for number, changes in enumerate(settings, start=1):
        request = replace(asking.request, **changes).resolve(pipe.defaults)
        journal = Journal(place / slug(changes), asking.facts(pipe, request))
        missing = len(words) - len({word.key for word in words} & set(journal))
        painting = paint_words(pipe, words, journal, batch=asking.batch, **fields_of(request))
        label = f"{slug(changes)}, setting {number} of {len(settings)}"
        begun = time.monotonic()
        painted = list(watched(painting, len(words), place, label))
        seconds = (time.monotonic() - begun) / missing if missing else 0.0
        score = measure(painted, asking.drawings).mean
        found.append(Setting(changes=changes, score=score, seconds=round(seconds, 3)))
    sheets = []
    for name, text in draw_curves(chosen, found).items():
        sheets.append(place / f"{name}.svg")
        write_whole(sheets[-1], text.encode())
    facts = asking.facts(pipe, asking.request.resolve(pipe.defaults))
    keep(place, "sweep", {**facts, "settings": [one.to_json() for one in found]}, [])
    if asking.as_json:
        typer.echo((place / "sweep.json").read_text("utf-8"))
    else:
        show_table("setting", COLUMNS, rows(found))


def rows(found: Sequence["Setting"]) -> Iterator[list[str]]:
    """One row a setting."""
    for one in found:
        name = " ".join(f"{key}={value}" for key, value in one.changes.items())
        score = one.score
        pace = f"{one.seconds:.2f}" if one.seconds else "-"
        yield [name, str(score.count), *share_cells(score.top1), *share_cells(score.top5), pace]
