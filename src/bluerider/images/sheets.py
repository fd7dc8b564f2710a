"""Contact sheets: many pictures on one page."""

from collections.abc import Sequence
from math import ceil, sqrt

from PIL import Image, ImageDraw, ImageFont

from bluerider.errors import InputError

MAX_SHEET = 4096  # pixels a side of a contact sheet
MIN_LABEL = 96  # pixels a column of labels is at least wide
MAX_LINES = 4  # of a label
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


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


def chart(
    images: Sequence[Image.Image], *, across: Sequence[str], down: Sequence[str] = (), gap: int = 4
) -> Image.Image:
    """A sheet on white with a label over every column and, where there are any, before every row.

    The pictures come row by row. Raises InputError where they do not fill the sheet.
    """
    if not across or len(images) != len(across) * max(1, len(down)):
        raise InputError(f"{len(images)} pictures for {len(across)} columns, {len(down)} rows")
    cells = [thumbnail(image, max(len(across), len(down)) ** 2) for image in images]
    width, height = (max(cell.size[axis] for cell in cells) for axis in (0, 1))
    width = max(width, MIN_LABEL)
    font = ImageFont.load_default(size=max(11, width // 12))
    heads, sides = ([_wrapped(text, width, font) for text in texts] for texts in (across, down))
    line = font.getbbox("Ág")[3] * 1.4  # what Pillow spaces lines by, and a little air
    top = gap + round(line * max(text.count("\n") + 1 for text in heads))
    left = round(max((_breadth(text, font) for text in sides), default=0)) + 2 * gap * bool(down)
    size = (left + gap + len(across) * (width + gap), top + max(1, len(down)) * (height + gap))
    page = Image.new("RGB", size, "white")
    draw = ImageDraw.Draw(page)
    for column, text in enumerate(heads):
        middle = left + gap + column * (width + gap) + width / 2
        draw.text((middle, top / 2), text, fill="black", font=font, anchor="mm", align="center")
    for row, text in enumerate(sides):
        middle = top + row * (height + gap) + height / 2
        draw.text((left / 2, middle), text, fill="black", font=font, anchor="mm", align="center")
    for index, cell in enumerate(cells):
        x = left + gap + index % len(across) * (width + gap) + (width - cell.width) // 2
        y = top + index // len(across) * (height + gap) + (height - cell.height) // 2
        page.paste(cell, (x, y))
    return page


def _breadth(text: str, font: Font) -> float:
    """How wide the widest line of a label is."""
    return max(font.getlength(line) for line in text.split("\n"))


def _wrapped(text: str, width: int, font: Font) -> str:
    """A label in lines no wider than a cell, at most MAX_LINES, the rest an ellipsis."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    if len(lines) > MAX_LINES:
        lines = [*lines[: MAX_LINES - 1], f"{lines[MAX_LINES - 1]} …"]
    return "\n".join(_cut(line, width, font) for line in lines)


def _cut(line: str, width: float, font: Font) -> str:
    """A line no wider than `width`, what is too long an ellipsis."""
    while line and font.getlength(line) > width:
        line = line[:-2].rstrip() + "…" if len(line) > 2 else ""
    return line


def _caption(page: Image.Image, text: str, at: tuple[int, int], width: int, band: int) -> None:
    """One line under a cell, cut with an ellipsis where it is too long."""
    draw = ImageDraw.Draw(page)
    font = ImageFont.load_default(size=band * 0.7)
    line = _cut(" ".join(text.split()), width, font)
    draw.text((at[0] + width / 2, at[1] + band / 2), line, fill="black", font=font, anchor="mm")
