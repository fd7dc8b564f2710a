"""`bluerider evaluate warnings`: when a model says that it does not know a text."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bluerider.cli.evaluating import option, share_cells, show_table
from bluerider.cli.painting import say

if TYPE_CHECKING:
    from bluerider.evaluate.strangers import Report

COLUMNS = ("texts", "n", "warned %", "95 %", "AUC")


def evaluate_warnings(
    model: Annotated[str, option("A name or a folder (murnau).", "NAME")] = "murnau",
    data: Annotated[
        Path | None,
        option("Folder made by `bluerider data` in place of the package's names.", "FOLDER"),
    ] = None,
    write: Annotated[
        bool, typer.Option("--write", help="Keep the threshold in the model's folder.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")] = False,
) -> None:
    """Measure from where on a model warns that a text is far from all that it has read.

    A text's familiarity is the share of its neighbouring tokens that neighboured in training, less
    how far what the prior answers is from anything that was seen in it; the model's folder keeps
    both in known.safetensors (where it has none yet, neighbours are gathered from the names). The
    threshold is the highest that warns of at most 5 % of every kind of text that the model can
    know: names, names as people type them, scenes of held-out combinations. One half of all texts,
    by their hash, chooses it; what is printed is of the other half. Paints nothing.

    bluerider evaluate warnings

    bluerider evaluate warnings --model my-model --write
    """
    import json
    from functools import partial

    from bluerider.cli.evaluating import drawings_at
    from bluerider.errors import InputError
    from bluerider.evaluate.strangers import choose_groups, measure_warnings
    from bluerider.evaluate.unread import read_names
    from bluerider.pipeline import Pipeline
    from bluerider.pipeline.strangeness import familiarities
    from bluerider.scenes.reading import texts_read
    from bluerider.weights.known import Known
    from bluerider.weights.load import open_model
    from bluerider.weights.save import keep_known

    files = open_model(model, offline=True)
    if files.family != "kandinsky-2.2" or files.root is None:
        raise InputError(
            f"{model}: only a model folder as `bluerider train export` writes it warns"
        )
    drawings = drawings_at(data)
    tokenizer = files.tokenizer()
    known = files.known()
    if known is None:
        texts = texts_read(read_names(drawings))
        known = Known.of(texts, tokenizer, files.config("text").vocab)

    familiarity = partial(familiarities, Pipeline.load(model).parts, known)
    report = measure_warnings(familiarity, choose_groups(drawings))
    if write:
        keep_known(known.under(report.threshold), files.root)
        say(f"{files.root}: warns under {report.threshold:.3f} from now on")
    if as_json:
        typer.echo(json.dumps(report.to_json(), indent=2, ensure_ascii=False))
        return
    show_table(f"threshold {report.threshold:.3f}", COLUMNS, rows(report))
    names = list(report.groups)
    show_table("warned %, by threshold", ("threshold", *names), curve(report))


def rows(report: "Report") -> Iterator[list[str]]:
    """What the threshold does, a row a group."""
    for name, line in report.groups.items():
        yield [name, str(line.count), *share_cells(line.warned), f"{line.auc:.3f}"]


def curve(report: "Report") -> Iterator[list[str]]:
    """What other thresholds would do."""
    for threshold, shares in report.curve.items():
        yield [f"{threshold:.3f}", *(f"{100 * share:.1f}" for share in shares.values())]
