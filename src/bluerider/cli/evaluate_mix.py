"""`bluerider evaluate mix`: whether a mix of two things shows both."""

from collections.abc import Iterator, Mapping
from pathlib import Path
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
    from bluerider.evaluate.mix import MixReport

COLUMNS = ("picture", "n", "both %", "95 %", "first %", "second %")
ROWS = ("painted", "blend", "one", "shuffled")


def evaluate_mix(
    asking: Asking,
    subset: Annotated[str, option("Random pairs (200).", "N")] = "200",
    encoder: Annotated[
        Path | None,
        option("Folder of a vision tower trained apart, by another seed.", "FOLDER"),
    ] = None,
) -> None:
    """Mix two things half and half, and look whether both drawings are among the 20 nearest.

    Nearest by the pixels of the whole picture at 32 x 32, and, with --encoder, by a vision tower
    that took no part in painting. blend: the two drawings laid over each other; one: the first
    alone; shuffled: each picture against another pair. Writes mix.json, the pictures and contact
    sheets. To train a tower apart: stage image with another seed, half of the pictures blends, then
    the image tower exported alone.

    bluerider train image --data emoji --out runs/apart seed=1 batch=64 blends=34 steps=8000

    bluerider train export --only image --out runs/apart --to apart

    bluerider evaluate mix --encoder apart
    """
    count = check_whole("subset", values.whole("subset", subset), 2, 5000)
    place = asking.place("mix")
    from bluerider.evaluate.encoder import Encoder
    from bluerider.evaluate.journal import Journal
    from bluerider.evaluate.mix import (
        WHOLE,
        by_encoder,
        by_pixels,
        choose_pairs,
        measure_mix,
        paint_pairs,
    )
    from bluerider.evaluate.sheets import save_mix_sheets
    from bluerider.evaluate.truth import Truth

    apart = Encoder(encoder) if encoder else None
    pairs = choose_pairs(asking.drawings, count)
    truth = Truth(asking.drawings)
    pipe = asking.pipeline()
    request = asking.request.resolve(pipe.defaults)
    facts = asking.facts(pipe, request)
    journal = Journal(place, facts, name="mix", fields=("task", "pair"))
    painting = paint_pairs(pipe, pairs, journal, batch=asking.batch, **fields_of(request))
    painted = list(watched(painting, len(pairs), place, lambda one: one[0].prompt))
    drawn = asking.drawings.whole(WHOLE)
    found = {"pixels": measure_mix(painted, drawn, by_pixels(drawn))}
    if apart:
        found["encoder"] = measure_mix(painted, drawn, by_encoder(apart, drawn))
    sheets = save_mix_sheets(painted, truth, place)
    keep(place, "mix", {**facts, **{name: r.to_json() for name, r in found.items()}}, sheets)
    if asking.as_json:
        typer.echo((place / "mix.json").read_text("utf-8"))
    else:
        show_table("nearest by", COLUMNS, rows(found))


def rows(found: "Mapping[str, MixReport]") -> Iterator[list[str]]:
    """Four rows a measure."""
    for name, report in found.items():
        for number, kind in enumerate(ROWS):
            row = getattr(report, kind)
            each = [share_cells(share)[0] for share in (row.first, row.second)]
            yield ["" if number else name, kind, str(row.count), *share_cells(row.both), *each]
