"""Files written whole or not at all."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """A place to write; made durable and given its name in one step when the block ends well.

    Otherwise, Ctrl-C included, nothing is left of it and the old file stays. Raises OSError.
    """
    target = Path(os.path.realpath(path))  # a link keeps pointing where it did
    part = target.with_name(f".{secrets.token_hex(8)}.part")
    try:
        yield part
        with open(part, "rb+") as file:
            os.fsync(file.fileno())
        os.replace(part, target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def write_whole(path: Path, data: bytes) -> None:
    """Write a file's bytes. Raises OSError."""
    with beside(path) as part:
        part.write_bytes(data)
