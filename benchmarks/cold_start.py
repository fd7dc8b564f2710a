"""From process start to a PNG: murnau, default settings, against diffusers on the same folder.

Both sides may keep compiled bytecode, as every user's Python does, in a new folder that the round
which is not counted fills. `python benchmarks/cold_start.py [ROUNDS]`.
"""

import os
import sys
import tempfile
from pathlib import Path

from painting import commands
from turns import alternate, report

ROUNDS = 7


def cached(folder: Path) -> dict[str, str]:
    """This environment, with bytecode kept in a folder."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    return {**env, "PYTHONPYCACHEPREFIX": str(folder)}


def main() -> None:
    """Run both sides by turns and print the ratio, of the clock's seconds and the processor's."""
    rounds = int(sys.argv[1]) if sys.argv[1:] else ROUNDS
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        turns = alternate(commands(folder), rounds, cached(folder / "bytecode"))
    report("cold start", {k: [t.seconds for t in found] for k, found in turns.items()}, "s")
    report("of the processor", {k: [t.worked for t in found] for k, found in turns.items()}, "s")


if __name__ == "__main__":
    main()
