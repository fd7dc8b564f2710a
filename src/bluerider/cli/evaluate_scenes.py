"""`bluerider evaluate scenes`: whether a model puts things where, and as, it is told."""

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
from bluerider.errors import InputError
from bluerider.request import check_choice, check_whole

if TYPE_CHECKING:
    from bluerider.evaluate.scenes import Marks, SceneReport

COLUMNS = ("kind", "n", "said %", "95 %", "things %", "95 %", "both %")
MOST = 1000  # scenes of a kind


def evaluate_scenes(
    asking: Asking,
    languages: Annotated[str, option("Like en,ru, or all (en).", "LIST")] = "en",
    kinds: Annotated[str, option("Like place,count, or all (all).", "LIST")] = "all",
    subset: Annotated[
        Text, option("Scenes of a kind a language (100 in English, 20 in every other).", "N")
    ] = None,
    split: Annotated[
        str, option("held-out, seen or all: combinations that training left out.", "NAME")
    ] = "held-out",
    wording: Annotated[
        str, option("templates, or typed: twenty lines a language as people write.", "NAME")
    ] = "templates",
) -> None:
    """Paint small scenes and measure whether what was said is there.

    said: the background, size, place, count or look is as asked for; for two things, each is where
    it was put. things: what was asked for is among the five nearest drawings. Combinations are ones
    that training has left out. The ground truth is painted from the drawings themselves; the
    shuffled row holds each picture against another scene. Writes scenes.json, the pictures and
    contact sheets (true scene left, picture right; green: both, yellow: said, red: not).

    bluerider evaluate scenes --subset 40

    bluerider evaluate scenes --languages all --kinds background,place --out outputs/scenes

    bluerider evaluate scenes --languages all --wording typed
    """
    check_choice("split", split, ("held-out", "seen", "all"))
    check_choice("wording", wording, ("templates", "typed"))
    typed = wording == "typed"
    if typed and split != "held-out":
        raise InputError(f"split {split}: typed lines are of held-out combinations only")
    count = values.whole("subset", subset)
    if count is not None:
        check_whole("subset", count, 1, MOST)
    place = asking.place("lines" if typed else "scenes")
    from bluerider.evaluate.choice import choose_lines, choose_scenes, parse_kinds, parse_tongues
    from bluerider.evaluate.truth import Truth

    drawings = asking.drawings
    truth = Truth(drawings)
    chosen, tongues = parse_kinds(kinds), parse_tongues(languages, drawings)
    if typed:
        asked = choose_lines(drawings, chosen, tongues, subset=count)
    else:
        asked = choose_scenes(drawings, truth, chosen, tongues, subset=count, split=split)
    from bluerider.evaluate.journal import Journal
    from bluerider.evaluate.scenes import measure_scenes, paint_scenes
    from bluerider.evaluate.sheets import save_scene_sheets

    pipe = asking.pipeline()
    request = asking.request.resolve(pipe.defaults)
    facts = asking.facts(pipe, request) | ({"wording": wording} if typed else {})
    journal = Journal(place, facts, name="scenes", fields=("language", "scene"))
    painting = paint_scenes(pipe, asked, journal, batch=asking.batch, **fields_of(request))
    labelled = watched(
        painting, len(asked), place, lambda one: f"{one.asked.language} {one.asked.scene.kind}"
    )
    painted = list(labelled)
    report = measure_scenes(painted, truth)
    sheets = save_scene_sheets(painted, truth, place)
    keep(place, "scenes", {**facts, "split": split, "wording": wording, **report.to_json()}, sheets)
    if asking.as_json:
        typer.echo((place / "scenes.json").read_text("utf-8"))
    else:
        show_table("scenes", COLUMNS, rows(report))


def rows(report: "SceneReport") -> Iterator[list[str]]:
    """The marks as rows."""
    tables = dict(report.languages)
    if len(report.languages) > 1:
        tables[f"mean of {len(report.languages)}"] = report.mean
    tables |= {"ground truth": report.truth, "shuffled prompts": report.shuffled}
    for name, table in tables.items():
        for number, (kind, marks) in enumerate(table.items()):
            yield ["" if number else name, kind, *cells(marks)]


def cells(marks: "Marks") -> list[str]:
    """Count, then the shares in per cent."""
    both = share_cells(marks.both)[0]
    return [str(marks.count), *share_cells(marks.right), *share_cells(marks.things), both]
