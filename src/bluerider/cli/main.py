"""`bluerider`: a table of commands, each imported only when it runs; one line for every error."""

import os
import sys
from importlib import import_module
from typing import Any, NamedTuple

from bluerider.cli.terminal import complain, deaf, prepare_streams, settle_stdout
from bluerider.errors import BlueriderError, InputError
from bluerider.request import shown, suggestion

INTERRUPTED = 130  # 128 + SIGINT, as shells count
COMPLETE = "_BLUERIDER_COMPLETE"  # set by the shell when it asks for completions


class Command(NamedTuple):
    """Where a command lives and what it does in one line."""

    home: str  # module:attribute, a typer app
    help: str


COMMANDS = {
    "generate": Command("bluerider.cli.generate:app", "Paint pictures from words."),
    "img2img": Command("bluerider.cli.edit:img2img", "Paint a picture over, as words say."),
    "inpaint": Command("bluerider.cli.edit:inpaint", "Repaint a picture under a mask."),
    "outpaint": Command("bluerider.cli.edit:outpaint", "Paint on beyond a picture's edges."),
    "mix": Command("bluerider.cli.edit:mix", "Paint a mix of pictures and words."),
    "vary": Command("bluerider.cli.edit:vary", "Paint pictures like a picture."),
    "depth": Command("bluerider.cli.edit:depth", "Paint words into a depth map."),
    "show": Command("bluerider.cli.show:app", "Print the request stored in a picture."),
    "models": Command("bluerider.cli.models:app", "List, show, fetch and verify models."),
    "convert": Command("bluerider.cli.convert:app", "Write a model in another layout."),
    "evaluate": Command("bluerider.cli.evaluate:app", "Measure how well a model paints."),
    "guide": Command("bluerider.cli.guide:app", "Look things up in the field guide."),
    "prompt": Command("bluerider.cli.prompt:app", "See what the words of a prompt do."),
    "data": Command("bluerider.cli.data:app", "Prepare data to train on."),
    "dreambooth": Command(
        "bluerider.cli.dreambooth:app", "Teach a model a subject from a few pictures."
    ),
    "dreambooth sweep": Command(
        "bluerider.cli.dreambooth_sweep:app", "Teach it at several settings; rank them."
    ),
    "finetune": Command(
        "bluerider.cli.finetune:app", "Train a model further on captioned pictures."
    ),
    "train": Command("bluerider.cli.train:app", "Train a model, stage by stage."),
    "completion": Command("bluerider.cli.completion:app", "Complete commands in your shell."),
}


def main(argv: list[str] | None = None) -> int:
    """Run one command line (sys.argv when None) and return the exit code: 0, 1, 2 or 130."""
    args = sys.argv[1:] if argv is None else list(argv)
    prepare_streams()
    try:
        code = run(args)
        sys.stdout.flush()
        return code
    except BrokenPipeError:  # the reader has read enough
        return 0
    except KeyboardInterrupt:
        with deaf():
            complain("interrupted")
        return INTERRUPTED
    except BlueriderError as error:
        complain(str(error))
        return error.exit_code
    except OSError as error:
        complain(f"{error.filename or 'the system'}: {error.strerror or error}")
        return 1
    except MemoryError:
        complain("out of memory; try --memory low, a smaller --size or model, or --dtype bfloat16")
        return 1
    except Exception as error:
        if os.environ.get("BLUERIDER_TRACEBACK"):
            raise
        complain(f"{type(error).__name__}: {error}; BLUERIDER_TRACEBACK=1 shows where")
        return 1
    finally:
        settle_stdout()


def run(args: list[str]) -> int:
    """Find the command and hand it the rest; raises whatever it raises."""
    if COMPLETE in os.environ:
        from bluerider.cli.completion import answer

        return answer(os.environ[COMPLETE])
    if not args or args[0] in ("--help", "-h"):
        sys.stdout.write(overview())
        return 0
    if args[0] in ("--version", "-V"):
        from bluerider import __version__

        sys.stdout.write(f"bluerider {__version__}\n")
        return 0
    if args[0] not in COMMANDS:
        raise InputError(unknown(args[0], list(COMMANDS)))
    two = " ".join(args[:2])  # a folder of such a name is ./NAME
    return invoke(two, args[2:]) if two in COMMANDS else invoke(args[0], args[1:])


def load(name: str) -> Any:
    """Import a command; what its app describes, as a parser."""
    import typer

    module, _, attribute = COMMANDS[name].home.partition(":")
    command = typer.main.get_command(getattr(import_module(module), attribute))
    unfold(command)
    return command


def invoke(name: str, args: list[str]) -> int:
    """Parse a command's flags and run it; a parser's complaint becomes an InputError."""
    import typer

    command, path, args = descend(load(name), f"bluerider {name}", args)
    if not args and command.no_args_is_help:
        args = ["--help"]
    try:
        with command.make_context(path, args, help_option_names=["--help", "-h"]) as context:
            command.invoke(context)
    except typer.Exit as stop:
        return int(stop.exit_code)
    except typer.Abort:
        raise KeyboardInterrupt from None
    except Exception as error:
        if hasattr(error, "format_message"):  # what every error of the parser has
            raise InputError(parser_message(error, path)) from None
        raise
    return 0


def descend(command: Any, path: str, args: list[str]) -> tuple[Any, str, list[str]]:
    """The subcommand that is meant, its full name, and its arguments. Raises InputError.

    A group that is parsed the parser's own way loads pydantic before a subcommand's --help.
    """
    while commands := getattr(command, "commands", None):
        if not args or args[0] in ("--help", "-h"):
            return command, path, ["--help"]
        if args[0] not in commands:
            raise InputError(unknown(args[0], list(commands)))
        command, path, args = commands[args[0]], f"{path} {args[0]}", args[1:]
    return command, path, args


def unfold(command: Any) -> None:
    """Make every paragraph of help one line, for the terminal to fold; one with indented lines,
    such as an example, stays as it is. Subcommands too.
    """
    from inspect import cleandoc

    paragraphs = cleandoc(command.help or "").split("\n\n")
    command.help = "\n\n".join(
        each if "\n " in f"\n{each}" else each.replace("\n", " ") for each in paragraphs
    )
    for each in getattr(command, "commands", {}).values():
        unfold(each)


def parser_message(error: Any, path: str) -> str:
    """A parser's complaint in our form: what was given; where to read what is accepted."""
    message = " ".join(str(error.format_message()).split()).rstrip(".")
    if wrong := getattr(error, "option_name", None) if hasattr(error, "possibilities") else None:
        message = f"unknown option {wrong}{suggestion(wrong, list(error.possibilities or []))}"
    message = message[:1].lower() + message[1:]
    for theirs, ours in ((" Did you mean", ", did you mean"), (".,", ",")):
        message = message.replace(theirs, ours)
    return f"{message}; see {path} --help"


def overview() -> str:
    """What `bluerider --help` says, from the table alone."""
    width = max(map(len, COMMANDS)) + 2
    rows = [f"  {name:<{width}}{command.help}" for name, command in COMMANDS.items()]
    return "\n".join(
        [
            "usage: bluerider COMMAND [ARGUMENTS]",
            "",
            "Paints pictures from words in any language, on this machine.",
            "",
            "commands:",
            *rows,
            "",
            "examples:",
            '  bluerider generate "red apple"',
            '  bluerider generate "красное яблоко" -o apple.png --seed 7',
            "  bluerider show apple.png",
            "",
            "bluerider COMMAND --help tells more; bluerider --version prints the version.",
            "",
        ]
    )


def unknown(word: str, known: list[str]) -> str:
    """What to say of a word that is no command."""
    kind = "option" if word.startswith("-") else "command"
    near = suggestion(word, known)
    if not near and len(word.split()) > 1:
        return f"unknown command {shown(word)}; to paint it: bluerider generate {shown(word)}"
    return f"unknown {kind} {shown(word)}{near}; accepted: {', '.join(known)}"
