"""Painted pictures of an evaluation kept in a folder, so that a run that was stopped goes on."""

import io
import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from bluerider.errors import BlueriderError, InputError
from bluerider.files import write_whole

Key = tuple[str, str]  # language, and what tells pictures of a language apart


class Journal:
    """`words.jsonl`: what was asked of which model in its first line, then one line a picture.

    A picture is written before its line; a last line torn by a crash is dropped. `name` and
    `fields` are those of the file and of the two parts of a key in it.
    Raises InputError for a folder that holds another evaluation.
    """

    def __init__(
        self,
        folder: Path,
        run: Mapping[str, Any],
        *,
        name: str = "words",
        fields: tuple[str, str] = ("language", "emoji"),
    ) -> None:
        self.folder, self.fields = folder, fields
        self.path = folder / f"{name}.jsonl"
        (folder / "pictures").mkdir(parents=True, exist_ok=True)
        if not self.path.is_file():
            write_whole(self.path, line(run))
        known, self.done = self._read()
        for name in sorted({*run, *known}):
            if run.get(name) != known.get(name):
                raise InputError(
                    f"{folder}: holds an evaluation with {name} {known.get(name)!r}, this one has "
                    f"{run.get(name)!r}; choose another --out"
                )

    def _read(self) -> tuple[dict[str, Any], dict[Key, str]]:
        """The first line, and prompts by key; cuts the file behind its last whole line."""
        content = self.path.read_bytes()
        whole = content[: content.rfind(b"\n") + 1]
        if whole != content:
            os.truncate(self.path, len(whole))
        try:
            head, *rows = [json.loads(text) for text in whole.splitlines()]
            first, second = self.fields
            done = {(row[first], row[second]): str(row["prompt"]) for row in rows}
            return dict(head), done
        except (ValueError, KeyError, TypeError):
            raise BlueriderError(
                f"{self.path}: damaged; remove it, or choose another --out"
            ) from None

    def picture_path(self, key: Key) -> Path:
        """Where a picture lies, named by its key; other letters than a-z by their code points."""
        parts = re.findall("[a-z]+|[^a-z ]", key[1])
        named = "_".join(p if p.isascii() and p.isalpha() else f"{ord(p):x}" for p in parts)
        return self.folder / "pictures" / f"{key[0]}-{named}.png"

    def load(self, key: Key, prompt: str) -> Image.Image | None:
        """The picture painted for these words, if there is one that can be read."""
        if self.done.get(key) != prompt:
            return None
        try:
            with Image.open(self.picture_path(key)) as image:
                return image.convert("RGB")
        except (OSError, SyntaxError, ValueError):
            return None

    def keep(self, key: Key, prompt: str, image: Image.Image) -> None:
        """Write a picture, then its line."""
        encoded = io.BytesIO()
        image.save(encoded, "PNG")
        write_whole(self.picture_path(key), encoded.getvalue())
        with self.path.open("ab") as file:
            file.write(line({**dict(zip(self.fields, key, strict=True)), "prompt": prompt}))
            file.flush()
            os.fsync(file.fileno())
        self.done[key] = prompt

    def __iter__(self) -> Iterator[Key]:
        return iter(self.done)


def line(row: Mapping[str, Any]) -> bytes:
    """One row as it stands in the file."""
    return json.dumps(row, ensure_ascii=False).encode() + b"\n"
