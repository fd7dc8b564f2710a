"""`bluerider show`: the request stored in a picture."""

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from bluerider.cli.terminal import printable

app = typer.Typer(rich_markup_mode="rich", add_completion=False)
EXAMPLES = """[bold]Examples[/bold]

bluerider show outputs/7.png

bluerider show outputs/7.png --json

bluerider generate --like outputs/7.png
"""


@app.command(epilog=EXAMPLES)
def show(
    file: Annotated[str, typer.Argument(metavar="FILE", help="A .png, .jpg or .webp picture.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print the request as JSON.")] = False,
) -> None:
    """Print the request a picture was painted from.

    It is data, never run: pictures of strangers can be shown.
    """
    from bluerider.images import read_request

    request = read_request(file)
    if as_json:
        sys.stdout.write(json.dumps(request, indent=2) + "\n")
        return
    width = max(map(len, request), default=0)
    for name, value in request.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        sys.stdout.write(f"{printable(name):<{width}}  {printable(text)}".rstrip() + "\n")
    if sys.stdout.isatty():
        sys.stderr.write(f'repeat it: bluerider generate --like "{Path(file)}"\n')
