"""Maps that are too large for the memory, in files that are gone when the work is."""

import os
import tempfile
from types import TracebackType
from typing import IO

import torch
from torch import Tensor

from bluerider.errors import BlueriderError
from bluerider.nets.strips import Held, Map, Shape

LIMIT = 32 * 2**20  # bytes that one map may have in memory
NAMED = ("TMPDIR", "TEMP", "TMP")
ROOMY = "/var/tmp"  # on a disk even where the folder for temporary files is in memory


class Filed:
    """A map in a file, its rows one after the other, of the type of `like`. Raises BlueriderError
    where there is no room.
    """

    def __init__(self, shape: Shape, like: Tensor, file: IO[bytes]) -> None:
        self.shape = shape
        self.file = file
        self.dtype, self.device = like.dtype, like.device

    def read(self, first: int, last: int) -> Tensor:
        """The rows, read into new memory, channels last."""
        batch, channels, _, width = self.shape
        found = torch.empty((batch, last - first, width, channels), dtype=self.dtype)
        for index, one in enumerate(found):
            self.file.seek(self.place(index, first))
            self.file.readinto(raw(one))  # type: ignore[attr-defined]
        return found.permute(0, 3, 1, 2).to(self.device)

    def write(self, first: int, rows: Tensor) -> None:
        """Write the rows in their place."""
        stored = rows.to(self.dtype).permute(0, 2, 3, 1).contiguous().cpu()
        try:
            for index, one in enumerate(stored):
                self.file.seek(self.place(index, first))
                self.file.write(raw(one))
        except OSError as error:
            raise no_room(error) from None

    def free(self) -> None:
        """Close the file, which deletes it."""
        try:
            self.file.close()
        except OSError as error:
            raise no_room(error) from None

    def place(self, index: int, row: int) -> int:
        """Where a row of a picture of the batch begins."""
        _, channels, height, width = self.shape
        return (index * height + row) * width * channels * self.dtype.itemsize


def raw(tensor: Tensor) -> memoryview:
    """The bytes of a contiguous tensor, not copied."""
    return memoryview(tensor.reshape(-1).view(torch.uint8).numpy())


def no_room(error: OSError) -> BlueriderError:
    """What to say where a map cannot be written."""
    return BlueriderError(
        f"{folder()}: no room for what a large picture needs while it is made ({error.strerror}); "
        "make room, set TMPDIR to another folder, or paint with --memory normal"
    )


def folder() -> str:
    """Where the files are: the folder that the environment names, else one on a disk."""
    named = any(os.environ.get(name) for name in NAMED)
    return ROOMY if not named and os.access(ROOMY, os.W_OK) else tempfile.gettempdir()


class Scratch:
    """Maps in memory up to `limit` bytes each, larger ones in files; all are gone at its end."""

    def __init__(self, limit: int = LIMIT) -> None:
        self.limit = limit
        self.files: list[IO[bytes]] = []

    def keep(self, shape: Shape, like: Tensor) -> Map:
        """A new map. Raises BlueriderError where no file can be made."""
        if torch.Size(shape).numel() * like.dtype.itemsize <= self.limit:
            return Held(shape, like)
        try:
            file = tempfile.TemporaryFile(prefix="bluerider-", dir=folder())
        except OSError as error:
            raise no_room(error) from None
        self.files.append(file)
        return Filed(shape, like, file)

    def __enter__(self) -> "Scratch":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for file in self.files:
            try:
                file.close()
            except OSError:
                if error is None:
                    raise
