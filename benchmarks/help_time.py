"""Seconds `--help` of every command takes, against `diffusers-cli --help`, by turns."""

import sys

from turns import alternate, report

from bluerider.cli.main import COMMANDS

ROUNDS = 5
LIMIT = 1.0


def main() -> None:
    """Run each command by turns with the peer's help; end with 1 if a median reaches the limit."""
    ours = [sys.executable, "-m", "bluerider"]
    sides = {name: [*ours, name, "--help"] for name in COMMANDS}
    peer = "from diffusers.commands.diffusers_cli import main; main()"
    theirs = [sys.executable, "-c", peer, "--help"]
    sides = {"bluerider": [*ours, "--help"], "diffusers": theirs, **sides}
    turns = alternate(sides, ROUNDS)
    seconds = {name: [turn.seconds for turn in found] for name, found in turns.items()}
    report("help", seconds, "s")
    slow = [
        name
        for name in seconds
        if name != "diffusers" and sorted(seconds[name])[ROUNDS // 2] >= LIMIT
    ]
    if slow:
        sys.exit(f"not under {LIMIT:g} s: {', '.join(slow)}")


if __name__ == "__main__":
    main()
