"""Sentence embeddings as one more ranking, where a local model for them is given."""

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bluerider.errors import BlueriderError, InputError
from bluerider.files import beside
from bluerider.guide.index import Guide

Encoder = Callable[[Sequence[str]], Any]  # texts -> an array of unit vectors (N, D)
MODULES = "modules.json"  # what a folder of sentence-transformers holds


def encoder(folder: Path) -> Encoder:
    """A folder of sentence-transformers, loaded; nothing is fetched. Raises InputError or
    BlueriderError.
    """
    if not (folder / MODULES).is_file():
        raise InputError(
            f"semantic {folder}: no {MODULES} in it; a sentence-transformers folder is"
        )
    try:
        from sentence_transformers import SentenceTransformer
    except ImportError:
        raise BlueriderError(
            "sentence-transformers is not installed: pip install 'bluerider[semantic]'"
        ) from None
    model = SentenceTransformer(str(folder), local_files_only=True)
    return lambda texts: model.encode(list(texts), normalize_embeddings=True)


def similar(guide: Guide, text: str, folder: Path, encode: Encoder) -> dict[int, float]:
    """Cosine of a query with the records that are alike at all, by number.

    The records' vectors are kept beside the index and made again when records change.
    """
    import numpy as np

    numbers, vectors = record_vectors(guide, folder, encode)
    asked = np.asarray(encode([text[:2000]]), np.float32)[0]
    alike = zip(numbers, (vectors @ asked).tolist(), strict=True)
    return {number: cosine for number, cosine in alike if cosine > 0}


def record_vectors(guide: Guide, folder: Path, encode: Encoder) -> tuple[list[int], Any]:
    """Numbers of the records and their vectors."""
    import numpy as np

    name = hashlib.sha256(f"{folder.resolve()} {guide.signature}".encode()).hexdigest()[:16]
    path = guide.path.with_name(f"vectors-{name}.npy")
    rows = [(n, text_of(guide.record(i))) for n, i in guide.ask("SELECT number, id FROM records")]
    try:
        vectors = np.load(path, allow_pickle=False)
        if len(vectors) == len(rows):
            return [number for number, _ in rows], vectors
    except (OSError, ValueError):
        pass  # not there, or damaged
    vectors = np.asarray(encode([text for _, text in rows]), np.float32)
    try:
        with beside(path) as part, part.open("wb") as file:
            np.save(file, vectors)
    except OSError:
        pass  # a cache that cannot be written is done without
    return [number for number, _ in rows], vectors


def text_of(row: dict[str, Any]) -> str:
    """What of a record is embedded: its names, what it is, what is claimed of it."""
    claims = " ".join(claim["text"] for claim in row["claims"])
    return " ".join((*row["title"].values(), row["summary"]["en"], claims))
