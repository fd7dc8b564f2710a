"""`bluerider evaluate`: how well a model paints, in numbers."""

import typer

from bluerider.cli.evaluate_autoencoder import evaluate_autoencoder
from bluerider.cli.evaluate_scenes import evaluate_scenes
from bluerider.cli.evaluate_sweep import evaluate_sweep
from bluerider.cli.evaluate_words import evaluate_words
from bluerider.cli.evaluating import evaluation

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Measure how well a model paints."
)


@app.callback()
def evaluate() -> None:
    """Measure how well a model paints."""


app.command("words")(evaluation(evaluate_words))
app.command("scenes")(evaluation(evaluate_scenes))
app.command("sweep")(evaluation(evaluate_sweep))
app.command("autoencoder")(evaluate_autoencoder)
