"""What a request paints on: its picture and mask, opened, checked and laid out."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from bluerider.editing import KEEPS_SIZE, UNNAMED, Input
from bluerider.errors import InputError
from bluerider.images.arrays import fit
from bluerider.images.masks import Mask, feathered, read_mask, transparency
from bluerider.images.opening import Upright, open_upright, over_white
from bluerider.request import MAX_SIDE, Request, check_size

GREY = 8  # levels between a grey pixel's channels


@dataclass(frozen=True, kw_only=True)
class Canvas:
    """The picture a request is painted from, RGB, and for inpaint and outpaint its mask (H, W)."""

    picture: Image.Image | None = None
    mask: Mask | None = None
    added: tuple[Image.Image, ...] = ()  # RGB, the pictures of a mix in their order
    notes: list[str] = field(default_factory=list)

    @property
    def settled(self) -> bool:
        """Whether the mask leaves nothing to repaint."""
        return self.mask is not None and not self.mask.any()


def settle(request: Request, grid: int) -> dict[str, Any]:
    """What its pictures say of a request: width and height, where they decide, and `inputs`.

    Raises InputError for a picture that cannot be used, or is not the one of `inputs` any more.
    """
    found = [open_upright(given) for given in request.pictures]
    inputs = tuple(
        Input(name=named(given), sha256=picture.sha256)
        for given, picture in zip(request.pictures, found, strict=True)
    )
    for before, now in zip(request.inputs, inputs, strict=False):
        if before.sha256 != now.sha256:
            raise InputError(f"{now.name} is not the picture it was; restore it: {before.sha256}")
    if request.task not in KEEPS_SIZE:
        return {"inputs": inputs}
    width, height = size_of(request, found[0].image.size, grid)
    fitted = replace(request, width=width, height=height)
    lay_out(fitted, found)
    return {"inputs": inputs, "width": width, "height": height}


def size_of(request: Request, size: tuple[int, int], grid: int) -> tuple[int, int]:
    """The size of the result, in pixels. Raises InputError."""
    width = size[0] + request.left + request.right
    height = size[1] + request.up + request.down
    asked = (request.width or width, request.height or height)
    if asked != (width, height):
        if request.task in ("inpaint", "outpaint"):
            raise InputError(
                f"size: got {asked[0]}x{asked[1]}; {request.task} of this picture gives "
                f"{width}x{height}, leave the size out"
            )
        check_size(*asked, grid)
    if max(asked) > MAX_SIDE:
        raise InputError(
            f"{named(request.picture)}: the result would be {asked[0]}x{asked[1]}; sides of up to "
            f"{MAX_SIDE} pixels are painted"
        )
    return asked


def prepare(request: Request) -> Canvas:
    """The canvas of a resolved request. Raises InputError."""
    found = [open_upright(each) for each in request.pictures]
    for given, now, before in zip(request.pictures, found, request.inputs, strict=True):
        if now.sha256 != before.sha256:
            raise InputError(f"{named(given)} changed while it was being painted from")
    return lay_out(request, found) if found else Canvas()


def lay_out(request: Request, found: list[Upright]) -> Canvas:
    """The canvas, from the picture and, where there is one, the mask. Raises InputError."""
    picture, notes = found[0].image, [note for each in found for note in each.notes]
    if request.task == "mix":
        return Canvas(added=tuple(over_white(each.image) for each in found), notes=notes)
    if request.task == "inpaint":
        mask = inpainting_mask(request, found)
        notes += remarks(mask)
        plain = picture.convert("RGB") if len(found) == 1 else over_white(picture)
        return Canvas(picture=plain, mask=mask, notes=notes)
    rgb = over_white(picture)
    if request.task == "depth":
        check_depth(request, rgb)
    if request.task == "outpaint":
        return enlarged(request, rgb, notes)
    if request.task in KEEPS_SIZE and rgb.size != (request.width, request.height):
        rgb = fit(rgb, request.width or 0, request.height or 0)
    return Canvas(picture=rgb, notes=notes)


def check_depth(request: Request, picture: Image.Image) -> None:
    """Raise InputError for a picture that is no depth map where nothing is there to make one."""
    if is_grey(picture):
        return
    if request.depth_model is None:
        raise InputError(
            f"{named(request.picture)} is in colour, so no depth map; give one, or a "
            "depth-estimation model of the transformers library with --depth-model FOLDER"
        )
    if not (Path(request.depth_model) / "config.json").is_file():
        raise InputError(
            f"depth-model {request.depth_model}: no model there; the folder of a depth-estimation "
            "model, with its config.json, is accepted"
        )


def is_grey(picture: Image.Image) -> bool:
    """Whether a picture has no colour, as depth maps do not; JPEG leaves a trace of it."""
    levels = np.asarray(picture.convert("RGB"), np.int16)
    return bool((levels.max(-1) - levels.min(-1)).max() <= GREY)


def inpainting_mask(request: Request, found: list[Upright]) -> Mask:
    """The mask's, or where there is none the transparency of the picture itself."""
    picture = found[0].image
    if len(found) == 1:
        mask = transparency(picture)
        if mask is None:
            raise InputError(
                f"inpaint needs to know where: a mask, white where {named(request.picture)} is "
                "repainted, or a picture that is transparent there"
            )
    elif found[1].image.size != picture.size:
        (a, b), (c, d) = found[1].image.size, picture.size
        raise InputError(
            f"the mask {named(request.mask)} is {a}x{b} and the picture {named(request.picture)} "
            f"{c}x{d}; a mask of the picture's size is accepted"
        )
    else:
        mask = read_mask(found[1].image)
    mask = np.float32(1.0) - mask if request.invert_mask else mask
    return feathered(mask, request.feather) if request.feather else mask


def remarks(mask: Mask) -> list[str]:
    """What to say of a mask that masks nothing or all."""
    if not mask.any():
        return ["the mask is empty: nothing to repaint, the picture comes back as it is"]
    if mask.min() == 1.0:
        return ["the mask is full: all of the picture is repainted"]
    return []


def enlarged(request: Request, picture: Image.Image, notes: list[str]) -> Canvas:
    """The picture on a larger canvas, its edge drawn out over the new part, which is masked."""
    margins = ((request.up, request.down), (request.left, request.right))
    pixels = np.pad(np.asarray(picture), (*margins, (0, 0)), mode="edge")
    inside = np.zeros((picture.height, picture.width), np.float32)
    mask = np.pad(inside, margins, constant_values=1.0)
    mask = feathered(mask, request.feather) if request.feather else mask
    return Canvas(picture=Image.fromarray(pixels), mask=mask, notes=notes)


def named(given: Any) -> str:
    """A picture's file name, for messages and for `inputs`."""
    return Path(given).name if isinstance(given, str) else UNNAMED
