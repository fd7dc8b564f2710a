"""Seconds a picture by `murnau` at its defaults takes once it is loaded, against diffusers; and how
many times as many pictures a second a batch of eight makes as eight single ones.

`python benchmarks/picture.py [ROUNDS]`. Single pictures, the batch and the peer take turns, in one
process a side.
"""

import json
import sys
import time
from collections.abc import Callable
from statistics import median

from painting import PROMPT, load_peer
from turns import take

from bluerider import Pipeline

ROUNDS, MANY = 5, 8


def timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds of the clock and of the processor."""
    begun, worked = time.perf_counter(), time.process_time()
    work()
    return time.perf_counter() - begun, time.process_time() - worked


def ours(rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Single pictures and batches by turns, after one of each that is not counted."""
    pipe = Pipeline.load("murnau")
    single = {"one": lambda: pipe.generate(PROMPT, seed=1)}
    works = {**single, "eight": lambda: pipe.generate(PROMPT, seed=1, n=MANY)}
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in works}
    for work in works.values():
        work()
    for _ in range(rounds):
        for name, work in works.items():
            found[name].append(timed(work))
    return found


def theirs(rounds: int) -> dict[str, list[tuple[float, float]]]:
    """Single pictures by the peer, after one that is not counted."""
    paint = load_peer()
    paint()
    return {"one": [timed(paint) for _ in range(rounds)]}


def main() -> None:
    """Both sides, and the ratios."""
    if sys.argv[1:2] and sys.argv[1] in ("bluerider", "diffusers"):
        side = ours if sys.argv[1] == "bluerider" else theirs
        print(json.dumps(side(int(sys.argv[2]))))
        return
    rounds = sys.argv[1] if sys.argv[1:] else str(ROUNDS)
    told = {
        side: json.loads(take([sys.executable, __file__, side, rounds]).said)
        for side in ("bluerider", "diffusers")
    }
    for i, clock in enumerate(("clock", "processor")):
        one, eight, peer = (
            median(pair[i] for pair in told[side][name])
            for side, name in (("bluerider", "one"), ("bluerider", "eight"), ("diffusers", "one"))
        )
        print(
            f"{clock:9}  one picture {one:.2f} s, diffusers {peer:.2f} s ({peer / one:.2f} times); "
            f"{MANY} at once {eight:.2f} s: {MANY * one / eight:.2f} times as many a second",
            flush=True,
        )


if __name__ == "__main__":
    main()
