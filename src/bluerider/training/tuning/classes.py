"""What the model knew before: pictures of the class, painted by the untouched base, that a subject
must not push away.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bluerider.errors import BlueriderError, InputError
from bluerider.images import digest, encode
from bluerider.pipeline import Pipeline
from bluerider.request import Request
from bluerider.weights.store import home, write_whole

MANIFEST = "manifest.json"
BATCH = 8
OWN = ("prompt", "seed", "n", "model", "lora")  # what differs from picture to picture, or is said
Tell = Callable[[float], None]


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """Class pictures: how many of which words, from which seed on, by which weights."""

    prompts: tuple[str, ...]  # picture i shows prompt i, over and over
    count: int
    weights: str  # identity of the model
    seed: int = 0

    def request(self, index: int, pipe: Pipeline) -> Request:
        """What picture `index` is painted from."""
        prompt = self.prompts[index % len(self.prompts)]
        return pipe.resolve(Request(prompt=prompt, model=pipe.name, seed=self.seed + index))

    def head(self, pipe: Pipeline) -> dict[str, Any]:
        """What pictures must agree on to be used again."""
        settings = self.request(0, pipe).to_json()
        settings = {k: v for k, v in settings.items() if k not in OWN}
        plain = {"prompts": list(self.prompts), "seed": self.seed, "weights": self.weights}
        return json.loads(json.dumps({**plain, "settings": settings}))


def default_folder(head: dict[str, Any]) -> Path:
    """Where class pictures of this head are kept, for every run that wants the same."""
    key = hashlib.sha256(json.dumps(head, sort_keys=True).encode()).hexdigest()
    return home() / "classes" / key[:16]


def class_pictures(
    wanted: Wanted, load: Callable[[], Pipeline], folder: Path | None, tell: Tell
) -> list[Path]:
    """Paint what is missing of the pictures wanted; returns their files, in order.

    A folder with a manifest of other words, weights or settings is refused. Raises InputError,
    BlueriderError.
    """
    pipe = load()
    head = wanted.head(pipe)
    folder = folder or default_folder(head)
    known = read_manifest(folder, head)
    files = [folder / f"{i:05d}.png" for i in range(wanted.count)]
    missing = [
        i for i, path in enumerate(files)
        if path.name not in known or not path.is_file() or digest(path) != known[path.name]
    ]  # fmt: skip
    for start in range(0, len(missing), BATCH):
        chosen = missing[start : start + BATCH]
        requests = [wanted.request(i, pipe) for i in chosen]
        for index, result in zip(chosen, pipe.generate_many(requests, batch=BATCH), strict=True):
            data = encode(result.images[0], ".png", result.request.to_json())
            write_whole(files[index], data)
            known[files[index].name] = hashlib.sha256(data).hexdigest()
        text = json.dumps({**head, "count": len(known), "pictures": known}, indent=1)
        write_whole(folder / MANIFEST, text.encode())
        tell((start + len(chosen)) / len(missing))
    return files


def read_manifest(folder: Path, head: dict[str, Any]) -> dict[str, str]:
    """Pictures a folder's manifest lists, by file name. Raises InputError, telling the difference,
    where it is of other pictures.
    """
    path = folder / MANIFEST
    if not path.is_file():
        return {}
    try:
        data = json.loads(path.read_text("utf-8"))
        pictures = {str(name): str(sha) for name, sha in data["pictures"].items()}
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise BlueriderError(
            f"{path}: damaged ({type(error).__name__}); remove it, its pictures are painted again"
        ) from None
    for name, value in head.items():
        if data.get(name) != value:
            raise InputError(
                f"{folder}: its class pictures have other {name}; choose another --class-pictures"
            )
    return pictures


def listed(folder: Path) -> bool:
    """Whether a folder holds class pictures of ours."""
    return (folder / MANIFEST).is_file()


def prompts_of(classes: Sequence[str]) -> tuple[str, ...]:
    """The words of class pictures: each class once."""
    return tuple(dict.fromkeys(classes))
