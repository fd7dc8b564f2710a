"""Milliseconds a search of the guide takes, at launch content and at 100,000 made-up records, and
seconds to build the index; plain FTS5 BM25 over the same text beside it. The processor's time is
told beside the clock's: it is the one to believe on a machine that others use.
"""

import random
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bluerider.guide import build, library
from bluerider.guide.evaluation import plain_bm25
from bluerider.guide.index import Guide
from bluerider.guide.search import search

MANY = 100_000
ROUNDS = 5
SEED = 7
LIMITS = {"launch": (5.0, 20.0), "made up": (None, 50.0)}  # p50 and p99, ms
BUILD_LIMIT = 3.0  # s
QUERIES = (
    "how do I make the edges of my subject glow", "what runs on 8 GB of memory", "rim lihgt",
    "как сделать фон темнее", "怎样让照片更有电影感", "smallest code completion model in vscode",
    "my chatbot follows instructions hidden in a web page", "photo looks flat, more contrast",
    "which benchmark is contaminated", "modèle d'image ouvert qui comprend le chinois",
    "Bild schärfer machen", "kandinksy inpaintng", "depth of feild", "リムライトの使い方",
    "محسن للإضاءة", "कम मेमोरी वाला मॉडल", "open weights chat model", "light", "model", "RAG",
)  # fmt: skip


def main() -> None:
    """Print the figures; end with 1 where a limit is passed."""
    with tempfile.TemporaryDirectory() as folder:
        cache = Path(folder)
        begun, busy = time.perf_counter(), time.process_time()
        guide = Guide([library.SHIPPED], cache)
        seconds, busy = time.perf_counter() - begun, time.process_time() - busy
        records = guide.ask("SELECT count(*) FROM records")[0][0]
        print(
            f"building {records} records, from nothing: {seconds:.2f} s, processor {busy:.2f} s"
            f" (wanted: {BUILD_LIMIT:g})"
        )
        late = seconds > BUILD_LIMIT
        late |= told("launch", guide, lambda text: search(guide, text))
        told("launch, plain BM25", guide, plain_bm25(guide))
        many = made_up(guide, cache)
        late |= told("made up", many, lambda text: search(many, text))
    sys.exit(int(late))


def told(name: str, guide: Guide, ask: Callable[[str], object]) -> bool:
    """Print p50 and p99 of a system; whether a limit is passed."""
    for text in QUERIES:
        ask(text)
    times, busy = [], []
    for _ in range(ROUNDS):
        for text in QUERIES:
            begun, used = time.perf_counter(), time.process_time()
            ask(text)
            times.append(1000 * (time.perf_counter() - begun))
            busy.append(1000 * (time.process_time() - used))
    middle, last = percentiles(times)
    count = guide.ask("SELECT count(*) FROM records")[0][0]
    print(
        f"{name}, {count} records: p50 {middle:.2f} ms, p99 {last:.2f} ms; "
        "processor p50 {:.2f} ms, p99 {:.2f} ms".format(*percentiles(busy))
    )
    limits = LIMITS.get(name, (None, None))
    return any(limit and value > limit for limit, value in zip(limits, (middle, last), strict=True))


def percentiles(times: list[float]) -> tuple[float, float]:
    """The 50th and the 99th."""
    ordered = sorted(times)
    return ordered[len(ordered) // 2], ordered[int(0.99 * len(ordered))]


def made_up(guide: Guide, cache: Path) -> Guide:
    """A guide of MANY records whose texts are drawn from the words of the shipped ones."""
    draw = random.Random(SEED)
    rows = list(guide.records())
    claims = [claim for row in rows for claim in row["claims"]]
    words = sorted({word for claim in claims for word in claim["text"].split()})
    weights = [1 / (1 + rank) for rank in range(len(words))]
    draw.shuffle(words)
    path = cache / "many.sqlite"
    base = sqlite3.connect(path)
    build.fill(base, records(rows, words, weights, draw), "many")
    base.commit()
    many = object.__new__(Guide)
    many.places, many.signature, many.path, many.connection = [], "many", path, base
    return many


def records(
    rows: list[dict[str, object]], words: list[str], weights: list[float], draw: random.Random
) -> Iterator[dict[str, object]]:
    """The shipped records, then made-up ones of their shape."""
    yield from rows
    for number in range(MANY - len(rows)):
        pattern = rows[number % len(rows)]
        name = f"{pattern['type']}/made-up-{number}"
        said = draw.choices(words, weights, k=40)
        claim = {"id": f"{name}#one", "text": " ".join(said[10:]), "status": "recalled"}
        yield {
            **pattern,
            "id": name,
            "title": {"en": " ".join(said[:3])},
            "aliases": {},
            "text": {},
            "summary": {"en": " ".join(said[3:10])},
            "claims": [claim],
            "links": [],
        }


if __name__ == "__main__":
    main()
