"""How flags are declared: a help text in a panel, and what the shell completes them to."""

from collections.abc import Sequence
from typing import Any

import typer

PICTURE, SAMPLING, MODEL, FILES = "The picture", "How it is painted", "The model", "Files"


def option(help: str, panel: str, *names: str, **more: Any) -> Any:
    """A flag with its help in a panel."""
    return typer.Option(*names, help=help, rich_help_panel=panel, show_default=False, **more)


def listed(choices: Sequence[str]) -> Any:
    """What the shell completes a flag of fixed choices to."""
    return lambda incomplete: [choice for choice in choices if choice.startswith(incomplete)]


def model_names(incomplete: str) -> list[str]:
    """The catalog's names, for the shell to complete."""
    from bluerider.catalog import MODELS

    return [name for name in MODELS if name.startswith(incomplete)]
