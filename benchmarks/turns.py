"""Two sides of a comparison, in processes of their own, by turns; medians and their ratio."""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Turn:
    """One run of a side: seconds from start to end, processor seconds (which a busy machine moves
    less), peak memory in bytes, what it printed last.
    """

    seconds: float
    worked: float
    peak: int
    said: str


def take(command: list[str], env: dict[str, str] | None = None) -> Turn:
    """Run a command to its end, in this environment where None is given; a failure ends the
    benchmark with what it wrote.
    """
    begun = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=env) as process:
        assert process.stdout is not None
        said = process.stdout.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - begun
    if process.returncode:
        raise SystemExit(f"failed with {process.returncode}: {' '.join(command)}")
    unit = 1 if sys.platform == "darwin" else 1024  # ru_maxrss: bytes on macOS, KiB on Linux
    lines = said.strip().splitlines()
    worked = usage.ru_utime + usage.ru_stime
    return Turn(seconds, worked, usage.ru_maxrss * unit, lines[-1] if lines else "")


def alternate(
    sides: dict[str, list[str]], rounds: int, env: dict[str, str] | None = None
) -> dict[str, list[Turn]]:
    """Every side once a round, after one round that warms the disk cache and is not counted."""
    for command in sides.values():
        take(command, env)
    turns: dict[str, list[Turn]] = {name: [] for name in sides}
    for _ in range(rounds):
        for name, command in sides.items():
            turns[name].append(take(command, env))
    return turns


def report(question: str, values: dict[str, list[float]], unit: str) -> None:
    """Both medians and how many times smaller the first is, as text and as a line of JSON."""
    medians = {name: median(found) for name, found in values.items()}
    for name, value in medians.items():
        print(f"{name:12} {value:10.3f} {unit}   {[round(v, 3) for v in values[name]]}")
    ours, theirs = list(medians.values())[:2]
    print(f"{question}: {theirs / ours:.2f} times")
    print(json.dumps({"question": question, "unit": unit, **medians, "ratio": theirs / ours}))
