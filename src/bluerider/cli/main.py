"""`bluerider`: a table of commands, each imported only when it runs, and one line for every error."""

import os
import sys
from importlib import import_module
from typing import Any, NamedTuple

from bluerider.errors import BlueriderError, InputError

INTERRUPTED = 130  # 128 + SIGINT, as shells count


class Command(NamedTuple):
    """Where a command lives and what it does in one line."""

    home: str  # module:attribute, a typer app
    help: str


COMMANDS = {
    "generate": Command("bluerider.cli.generate:app", "Paint pictures from words."),
    "show": Command("bluerider.cli.show:app", "Print the request stored in a picture."),
    "models": Command("bluerider.cli.models:app", "List, show, fetch and verify models."),
    "evaluate": Command("bluerider.cli.evaluate:app", "Measure how well a model paints."),
    "data": Command("bluerider.cli.data:app", "Prepare data to train on."),
    "train": Command("bluerider.cli.train:app", "Train one stage of a model."),
}


def main(argv: list[str] | None = None) -> int:
    """Run one command line (sys.argv when None) and return the exit code: 0, 1, 2 or 130."""
    args = sys.argv[1:] if argv is None else list(argv)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = run(args)
        sys.stdout.flush()
        return code
    except BrokenPipeError:
        silence_stdout()
        return 1
    except KeyboardInterrupt:
        complain("interrupted")
        return INTERRUPTED
    except BlueriderError as error:
        complain(str(error))
        return error.exit_code
    except OSError as error:
        complain(f"{error.filename or 'system'}: {error.strerror or error}")
        return 1
    except Exception as error:
        if os.environ.get("BLUERIDER_TRACEBACK"):
            raise
        complain(f"{type(error).__name__}: {error}; BLUERIDER_TRACEBACK=1 shows where")
        return 1


def run(args: list[str]) -> int:
    """Find the command and hand it the rest; raises whatever it raises."""
    if not args or args[0] in ("--help", "-h"):
        sys.stdout.write(overview())
        return 0
    if args[0] == "--version":
        from bluerider import __version__

        sys.stdout.write(f"bluerider {__version__}\n")
        return 0
    if args[0] not in COMMANDS:
        raise InputError(unknown(args[0]))
    return invoke(args[0], args[1:])


def invoke(name: str, args: list[str]) -> int:
    """Import a command, parse its flags and run it; a parser's complaint becomes an InputError."""
    import typer

    module, _, attribute = COMMANDS[name].home.partition(":")
    command: Any = typer.main.get_command(getattr(import_module(module), attribute))
    if not args and hasattr(command, "commands"):
        args = ["--help"]
    try:
        with command.make_context(f"bluerider {name}", args) as context:
            command.invoke(context)
    except typer.Exit as stop:
        return int(stop.exit_code)
    except typer.Abort:
        raise KeyboardInterrupt from None
    except Exception as error:
        if hasattr(error, "format_message"):  # what every error of the parser has
            message = error.format_message().rstrip(".")
            raise InputError(f"{message}; see bluerider {name} --help") from None
        raise
    return 0


def overview() -> str:
    """What `bluerider --help` says, from the table alone."""
    width = max(map(len, COMMANDS)) + 2
    rows = [f"  {name:<{width}}{command.help}" for name, command in COMMANDS.items()]
    return "\n".join(
        [
            "usage: bluerider COMMAND [ARGUMENTS]",
            "",
            "Paint pictures from words in any language.",
            "",
            *rows,
            "",
            "bluerider COMMAND --help tells more; bluerider --version prints the version.",
            'Try: bluerider generate "red apple"',
            "",
        ]
    )


def unknown(word: str) -> str:
    """What to say of a command that does not exist."""
    import difflib

    near = difflib.get_close_matches(word, COMMANDS, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    kind = "option" if word.startswith("-") else "command"
    return f"{kind}: got {word[:40]!r}; commands are {', '.join(COMMANDS)}{hint}"


def complain(message: str) -> None:
    """One line on stderr, whatever the message holds."""
    line = "".join(c if c.isprintable() else " " for c in " ".join(message.split()))
    try:
        sys.stderr.write(f"bluerider: {line}\n")
        sys.stderr.flush()
    except OSError:
        pass  # nobody listens


def silence_stdout() -> None:
    """Point stdout at nothing, so that the interpreter's last flush does not complain."""
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError):
        pass  # stdout is no file of the system
