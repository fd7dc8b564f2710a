"""`bluerider evaluate`: how well a model paints, in numbers."""

import typer

from bluerider.cli.evaluate_autoencoder import evaluate_autoencoder
from bluerider.cli.evaluate_dreambench import evaluate_dreambench
from bluerider.cli.evaluate_mix import evaluate_mix
from bluerider.cli.evaluate_scenes import evaluate_scenes
from bluerider.cli.evaluate_subjects import evaluate_subjects
from bluerider.cli.evaluate_sweep import evaluate_sweep
from bluerider.cli.evaluate_warnings import evaluate_warnings
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
app.command("mix")(evaluation(evaluate_mix))
app.command("dreambench")(evaluation(evaluate_dreambench))
app.command("subjects")(evaluation(evaluate_subjects))
app.command("autoencoder")(evaluate_autoencoder)
app.command("warnings")(evaluate_warnings)
