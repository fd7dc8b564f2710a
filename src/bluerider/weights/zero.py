"""The embedding of the zero picture, the decoder's unconditional input: one vector, computed once
and kept.
"""

import hashlib
from pathlib import Path

import torch
from safetensors.torch import load_file, save
from torch import Tensor

from bluerider.errors import BlueriderError
from bluerider.nets.stored import widen
from bluerider.weights.header import read_header
from bluerider.weights.net import Source, read_net
from bluerider.weights.store import home, write_whole

SHIPPED = "zero_embedding.safetensors"
SMALL = 64 * 2**20  # files up to this size are hashed whole
SAMPLES, BLOCK = 256, 4096


def fingerprint(source: Source) -> str:
    """What tells the weights of one network from another's: their bytes, or of large files the
    header and samples.
    """
    state = hashlib.sha256()
    files = [path for path in (source.place / "config.json",) if path.is_file()]
    files += source.files
    total = sum(path.stat().st_size for path in files)
    for path in files:
        with path.open("rb") as file:
            if total <= SMALL:
                state.update(file.read())
                continue
            status = path.stat()
            state.update(f"{status.st_size} {status.st_mtime_ns}".encode())
            for index in range(SAMPLES):
                file.seek(status.st_size * index // SAMPLES)
                state.update(file.read(BLOCK))
    return state.hexdigest()


def compute(source: Source) -> Tensor:
    """The embedding (1, D) of a picture that is zero after normalisation, in float32; weights in a
    half format are cast layer by layer, never all at once.
    """
    tower = read_net(source)
    widen(tower)
    size = tower.config.size
    with torch.inference_mode():
        return tower(torch.zeros(1, 3, size, size)).clone()


def zero_embedding(source: Source, beside: Path | None = None) -> Tensor:
    """The zero embedding of an image tower: as shipped in `beside` for these weights, kept, or
    computed and kept.
    """
    key = fingerprint(source)
    kept = home() / "zero" / f"{key}.safetensors"
    for path in ([beside / SHIPPED] if beside else []) + [kept]:
        if path.is_file() and key in read_header(path):
            return load_file(path)[key]
    embedding = compute(source)
    try:
        write_zero(kept, key, embedding)
    except BlueriderError:
        return embedding  # a read-only home costs only time
    return embedding


def write_zero(path: Path, key: str, embedding: Tensor) -> None:
    """Keep an embedding under the fingerprint of the weights it belongs to."""
    write_whole(path, save({key: embedding.float().contiguous()}))
