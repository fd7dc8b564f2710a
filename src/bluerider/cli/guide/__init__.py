"""`bluerider guide`: the field guide, searched, shown, checked and carried elsewhere."""

import typer

app = typer.Typer(
    add_completion=False, no_args_is_help=True, help="Look things up in the field guide."
)


@app.callback()
def guide() -> None:
    """Look things up in the field guide."""


from bluerider.cli.guide import keep, look, measuring, study, view  # noqa: E402,F401  (each adds its commands)
