"""Small made pictures on disk."""

from pathlib import Path

from PIL import Image


def save(path: Path, colour: str = "red", size: tuple[int, int] = (40, 30), **options) -> Path:
    """A picture of one colour, written in the format of its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, colour).save(path, **options)
    return path
