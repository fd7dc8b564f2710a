"""Latents and image embeddings, kept by the content of the picture and of the networks that made
them.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from bluerider.errors import BlueriderError
from bluerider.weights.net import Source
from bluerider.weights.store import home, write_whole

BATCH = 8  # pictures encoded together
BLOCKS, BLOCK = 256, 4096  # what is read of a large file to know it again
SMALL = 64 * 2**20


class Frame(NamedTuple):
    """A picture as it is trained on: what it is known by, and how it is opened."""

    key: Any  # plain values: the file's SHA-256, framing, draw
    open: Callable[[], Image.Image]


def identity(source: Source) -> str:
    """What tells a network's weights from another's, the same on every machine: their bytes, or of
    large files their size and samples.
    """
    state = hashlib.sha256(f"{source.config} {source.scope}".encode())
    for path in source.files:
        length = path.stat().st_size
        state.update(f"{path.name} {length}".encode())
        with path.open("rb") as file:
            if length <= SMALL:
                state.update(file.read())
                continue
            for index in range(BLOCKS):
                file.seek(length * index // BLOCKS)
                state.update(file.read(BLOCK))
    return state.hexdigest()


def encoded(
    frames: Sequence[Frame],
    encode: Callable[[Tensor], dict[str, Tensor]],
    maker: str,
    tell: Callable[[float], None],
    batch: int = BATCH,
) -> dict[str, list[Tensor]]:
    """`encode` of every picture (B, 3, H, W) in [-1, 1] as rows; `maker` says what network and
    settings made them. What was made before is read.
    """
    keys = [hashlib.sha256(json.dumps([maker, f.key]).encode()).hexdigest() for f in frames]
    places = [home() / "encoded" / f"{key}.safetensors" for key in keys]
    found = [kept(place) for place in places]
    missing = [i for i, one in enumerate(found) if one is None]
    done = 0
    for start in range(0, len(missing), batch):
        opened = [(i, pixels(frames[i].open())) for i in missing[start : start + batch]]
        for same in by_shape(opened):
            with torch.inference_mode():
                made = encode(torch.stack([picture for _, picture in same]))
            for place, (index, _) in enumerate(same):
                found[index] = {name: v[place].float().cpu().clone() for name, v in made.items()}
                keep(places[index], found[index])
        done += len(opened)
        tell(done / len(missing))
    rows = [one for one in found if one is not None]
    return {name: [row[name] for row in rows] for name in rows[0]}


def by_shape(opened: Sequence[tuple[int, Tensor]]) -> list[list[tuple[int, Tensor]]]:
    """Numbered pictures in groups of one shape."""
    groups: dict[tuple[int, ...], list[tuple[int, Tensor]]] = {}
    for one in opened:
        groups.setdefault(tuple(one[1].shape), []).append(one)
    return list(groups.values())


def kept(path: Path) -> dict[str, Tensor] | None:
    """What was made before; None where there is nothing whole."""
    try:
        return load_file(path) if path.is_file() else None
    except (SafetensorError, OSError):
        return None


def keep(path: Path, tensors: dict[str, Tensor]) -> None:
    """Keep what was made; a full or read-only home costs only time."""
    try:
        write_whole(path, save(tensors))
    except BlueriderError:
        return


def pixels(image: Image.Image) -> Tensor:
    """A picture as (3, H, W) in [-1, 1]."""
    array = np.asarray(image.convert("RGB"), np.float32) / 127.5 - 1
    return torch.from_numpy(array).movedim(-1, 0)
