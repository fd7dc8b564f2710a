"""Peak memory of painting one murnau picture, against diffusers on the same folder."""

import tempfile
from pathlib import Path

from painting import commands
from turns import alternate, report

ROUNDS = 3


def main() -> None:
    """Run both sides by turns and print the ratio of their peaks."""
    with tempfile.TemporaryDirectory() as folder:
        turns = alternate(commands(Path(folder)), ROUNDS)
    peaks = {name: [turn.peak / 1e6 for turn in found] for name, found in turns.items()}
    report("peak memory", peaks, "MB")


if __name__ == "__main__":
    main()
