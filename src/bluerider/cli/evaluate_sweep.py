"""`bluerider evaluate sweep`: names or scenes painted at many settings, and the curves."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
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
    watched,
)
from bluerider.request import check_whole

if TYPE_CHECKING:
    from bluerider.evaluate.retrieval import Score
    from bluerider.evaluate.scenes import Marks
    from bluerider.evaluate.sweep import Setting


def evaluate_sweep(
    asking: Asking,
    axes: Annotated[
        list[str],
        typer.Argument(metavar="FIELD=VALUE,VALUE,...", help="guidance, steps, sampler, ..."),
    ],
    subset: Annotated[
        str, option("English names, or scenes of a kind, a setting (50).", "N")
    ] = "50",
    kinds: Annotated[
        Text, option("Scenes in place of names: like and,relation, or all.", "LIST")
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Every combination.")] = False,
) -> None:
    """Paint the same names, or scenes, at many settings; each field on its own unless --full
    combines them.

    What is not varied stays at the flags', or the model's, value. Writes sweep.json, one SVG of
    curves for each field, and the pictures; an interrupted run goes on.

    bluerider evaluate sweep guidance=1,2,4,8 steps=5,10,25 sampler=ddim,dpmpp_2m,unipc

    bluerider evaluate sweep "guidance_interval=0,1;0,0.9" --kinds and,relation
    """
    count = check_whole("subset", values.whole("subset", subset), 1, 1626)
    from bluerider.evaluate.sweep import draw_curves, parse_axes, points, slug

    chosen = parse_axes(axes)
    place = asking.place("sweep")
    series = names(asking, count) if kinds is None else scenes(asking, kinds, count)
    from bluerider.evaluate.journal import Journal
    from bluerider.evaluate.sweep import Setting
    from bluerider.files import write_whole

    pipe = asking.pipeline()
    place.mkdir(parents=True, exist_ok=True)
    found = []
    settings = points(chosen, full=full)
    for number, changes in enumerate(settings, start=1):
        request = replace(asking.request, **changes).resolve(pipe.defaults)
        facts = asking.facts(pipe, request)
        journal = Journal(place / slug(changes), facts, name=series.name, fields=series.fields)
        missing = len(series.asked) - len({one.key for one in series.asked} & set(journal))
        painting = series.paint(
            pipe, series.asked, journal, batch=asking.batch, **fields_of(request)
        )
        label = f"{slug(changes)}, setting {number} of {len(settings)}"
        begun = time.monotonic()
        painted = list(watched(painting, len(series.asked), place, label))
        seconds = (time.monotonic() - begun) / missing if missing else 0.0
        score = series.measure(painted)
        found.append(Setting(changes=changes, score=score, seconds=round(seconds, 3)))
    for name, text in draw_curves(chosen, found).items():
        write_whole(place / f"{name}.svg", text.encode())
    facts = asking.facts(pipe, asking.request.resolve(pipe.defaults))
    keep(place, "sweep", {**facts, "settings": [one.to_json() for one in found]}, [])
    if asking.as_json:
        typer.echo((place / "sweep.json").read_text("utf-8"))
    else:
        show_table("setting", columns(found), rows(found))


@dataclass(frozen=True, kw_only=True)
class Series:
    """What is painted at every setting, and how it is measured."""

    name: str  # of its journals, and the fields of what they keep
    fields: tuple[str, str]
    asked: Sequence[Any]
    paint: Callable[..., Iterator[Any]]
    measure: Callable[[Sequence[Any]], "Score | Marks"]


def names(asking: Asking, count: int) -> Series:
    """English names."""
    from bluerider.evaluate.words import choose_words, measure, paint_words

    return Series(
        name="words",
        fields=("language", "emoji"),
        asked=choose_words(asking.drawings, ["en"], count),
        paint=paint_words,
        measure=lambda painted: measure(painted, asking.drawings).mean,
    )


def scenes(asking: Asking, kinds: str, count: int) -> Series:
    """English scenes of some kinds, whose combinations training has left out."""
    from bluerider.evaluate.choice import choose_scenes, parse_kinds
    from bluerider.evaluate.scenes import measure_kinds, paint_scenes
    from bluerider.evaluate.truth import Truth

    truth = Truth(asking.drawings)
    return Series(
        name="scenes",
        fields=("language", "scene"),
        asked=choose_scenes(asking.drawings, truth, parse_kinds(kinds), ["en"], subset=count),
        paint=paint_scenes,
        measure=lambda painted: measure_kinds(painted, truth),
    )


def columns(found: Sequence["Setting"]) -> list[str]:
    """The heads of the table."""
    from bluerider.evaluate.sweep import CURVES

    shares = CURVES[type(found[0].score)].values()
    return ["n", *(head for share in shares for head in (f"{share} %", "95 %")), "s each"]


def rows(found: Sequence["Setting"]) -> Iterator[list[str]]:
    """One row a setting."""
    from bluerider.evaluate.sweep import CURVES, written

    for one in found:
        name = " ".join(f"{key}={written(value)}" for key, value in one.changes.items())
        shares = [getattr(one.score, field) for field in CURVES[type(one.score)]]
        pace = f"{one.seconds:.2f}" if one.seconds else "-"
        cells = [cell for share in shares for cell in share_cells(share)]
        yield [name, str(one.score.count), *cells, pace]
