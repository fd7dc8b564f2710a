"""From process start to a PNG: murnau, default settings, against diffusers on the same folder."""

import tempfile
from pathlib import Path

from picture import commands
from turns import alternate, report

ROUNDS = 7


def main() -> None:
    """Run both sides by turns and print the ratio."""
    with tempfile.TemporaryDirectory() as folder:
        turns = alternate(commands(Path(folder)), ROUNDS)
    seconds = {name: [turn.seconds for turn in found] for name, found in turns.items()}
    report("cold start", seconds, "s")


if __name__ == "__main__":
    main()
