"""`bluerider completion`: the shell completes commands, flags and their values."""

import os
import sys
from typing import Annotated, Any

import typer
from typer._completion_classes import completion_init
from typer._completion_shared import get_completion_script, install
from typer.completion import shell_complete
from typer.core import TyperGroup

from bluerider.cli.main import COMMANDS, COMPLETE, load
from bluerider.errors import BlueriderError
from bluerider.request import check_choice

SHELLS = ("bash", "zsh", "fish", "powershell", "pwsh")
EXAMPLES = """[bold]Examples[/bold]

bluerider completion --install

bluerider completion zsh > _bluerider
"""

app = typer.Typer(rich_markup_mode="rich", add_completion=False)


class Table(TyperGroup):
    """The table of commands as the completer sees it; a command is imported when it is reached."""

    def list_commands(self, ctx: Any) -> list[str]:
        return [name for name in COMMANDS if " " not in name]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        return load(cmd_name) if cmd_name in COMMANDS else None

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[Any, Any, list[str]]:
        """The command that a line means, one of two words before one of its first."""
        two = " ".join(args[:2])
        if two in COMMANDS:
            return two, self.get_command(ctx, two), args[2:]
        found: tuple[Any, Any, list[str]] = super().resolve_command(ctx, args)
        return found


def answer(instruction: str) -> int:
    """Answer a shell that asks, through the environment, how a line may go on."""
    completion_init()
    root = Table(name="bluerider")
    return shell_complete(root, {}, "bluerider", COMPLETE, instruction)


@app.command(epilog=EXAMPLES)
def completion(
    shell: Annotated[
        str | None, typer.Argument(metavar="[SHELL]", help=f"{', '.join(SHELLS)}; yours if none.")
    ] = None,
    permanently: Annotated[
        bool, typer.Option("--install", help="Add it to the shell's start-up file.")
    ] = False,
) -> None:
    """Print the script that lets your shell complete bluerider's commands and flags."""
    name = shell or os.path.basename(os.environ.get("SHELL", "")) or "bash"
    check_choice("shell", name, SHELLS)
    if not permanently:
        script = get_completion_script(prog_name="bluerider", complete_var=COMPLETE, shell=name)
        sys.stdout.write(f"{script}\n")
        return
    try:
        _, path = install(shell=name, prog_name="bluerider", complete_var=COMPLETE)
    except OSError as error:
        raise BlueriderError(f"{error.filename}: {error.strerror}; nothing was set up") from None
    sys.stderr.write(f"written to {path}; open a new terminal to use it\n")
