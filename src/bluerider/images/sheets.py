"""Contact sheets: many pictures on one page."""

from collections.abc import Sequence
from math import ceil, sqrt

from PIL import Image, ImageDraw, ImageFont

from bluerider.errors import InputError

MAX_SHEET = 4096  # pixels a side of a contact sheet


def columns(count: int) -> int:
    """How many columns make a sheet of `count` pictures about square."""
    return max(1, ceil(sqrt(count)))


def thumbnail(image: Image.Image, count: int) -> Image.Image:
    """The picture no larger than a cell of a sheet of `count` pictures."""
    small = image.copy()
    cell = MAX_SHEET // columns(count)
    small.thumbnail((cell, cell), Image.Resampling.LANCZOS)
    return small


def sheet(
    images: Sequence[Image.Image],
    *,
    captions: Sequence[str] | None = None,
    across: int | None = None,
    gap: int = 4,
) -> Image.Image:
    """A contact sheet on white, row by row, about square unless `across` names its columns.

    Raises InputError for no pictures or captions that do not match them.
    """
    if not images:
        raise InputError("a contact sheet of no pictures; at least one is accepted")
    if captions is not None and len(captions) != len(images):
        raise InputError(f"{len(captions)} captions for {len(images)} pictures; one each")
    cells = [thumbnail(image, len(images)) for image in images]
    width, height = (max(cell.size[axis] for cell in cells) for axis in (0, 1))
    band = max(12, width // 10) if captions else 0
    across = across or columns(len(cells))
    down = -(-len(cells) // across)
    size = (gap + across * (width + gap), gap + down * (height + band + gap))
    page = Image.new("RGB", size, "white")
    for index, cell in enumerate(cells):
        x = gap + index % across * (width + gap)
        y = gap + index // across * (height + band + gap)
        page.paste(cell, (x + (width - cell.width) // 2, y + (height - cell.height) // 2))
        if captions:
            _caption(page, captions[index], (x, y + height), width, band)
    return page


def _caption(page: Image.Image, text: str, at: tuple[int, int], width: int, band: int) -> None:
    """One line under a cell, cut with an ellipsis where it is too long."""
    draw = ImageDraw.Draw(page)
    font = ImageFont.load_default(size=band * 0.7)
    line = " ".join(text.split())
    while line and draw.textlength(line, font=font) > width:
        line = line[:-2].rstrip() + "…" if len(line) > 2 else ""
    draw.text((at[0] + width / 2, at[1] + band / 2), line, fill="black", font=font, anchor="mm")
