"""`bluerider guide evaluate`: how well search answers."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from bluerider.cli.guide import app
from bluerider.cli.guide.look import opened
from bluerider.cli.guide.tables import JSON, give, option, table
from bluerider.errors import InputError

Half = Annotated[str, option("frozen, open (to tune on) or all.", "NAME")]


@app.command("evaluate")
def evaluate(
    questions: Annotated[
        Path | None,
        typer.Option(help="*.jsonl, or a folder of them (the guide's own).", metavar="PATH"),
    ] = None,
    half: Half = "frozen",
    misses: Annotated[bool, typer.Option("--misses", help="Show what went wrong.")] = False,
    as_json: Annotated[bool, JSON] = False,
) -> None:
    """Ask graded questions and score the answers: nDCG@10, plain FTS5 BM25 in the same run.

    bluerider guide evaluate

    bluerider guide evaluate --half open --misses
    """
    if questions is not None and not questions.exists():
        raise InputError(f"{questions}: not there; *.jsonl or a folder of them is accepted")
    from bluerider.guide import evaluation

    guide = opened()
    asked = evaluation.load(guide, questions or evaluation.SHIPPED)
    report = evaluation.evaluate(guide, asked, half)
    if as_json:
        give({**report, "scores": [asdict(score) for score in report["scores"]]})
        return
    rows = [
        (s.name, s.count, f"{s.ours:.3f}", f"{s.plain:.3f}", f"{s.ours - s.plain:+.3f}",
         f"{s.low:+.3f} to {s.high:+.3f}")
        for s in report["scores"]
    ]  # fmt: skip
    heads = ("questions", "count", "nDCG@10", "plain BM25", "gain", "95 % interval")
    table(heads, rows, f"no question lies in the {half} half")
    none = report["none"]
    typer.echo(
        f"without an answer: {none['count']}, left empty: {none['ours']} (plain {none['plain']})"
    )
    for miss in report["misses"] if misses else ():
        typer.echo(f"{miss['ndcg']:.2f} {miss['id']}: {miss['query']}")
        typer.echo(
            f"     got {', '.join(miss['got']) or 'nothing'}; wanted {', '.join(miss['wanted'])}"
        )
