"""Pictures <-> tensors: the latents, masks and hints of a batch's canvases, and pixels again."""

from collections.abc import Callable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional as F

from bluerider.images import Canvas, composite, from_array, padded, to_array
from bluerider.nets.autoencoder import Autoencoder
from bluerider.nets.strips import Strips
from bluerider.pipeline.batch import Batch
from bluerider.pipeline.parts import Parts
from bluerider.pipeline.scratch import Scratch
from bluerider.request import Request

Array = NDArray[np.float32]


def cells(parts: Parts, batch: Batch) -> tuple[int, int]:
    """Height and width of a batch's latents: its pictures' sides, drawn out to the model's grid."""
    factor, grid = parts.latent.factor, parts.files.defaults.grid
    sides = (batch.settings.height or 0, batch.settings.width or 0)
    height, width = (-(-side // grid) * grid // factor for side in sides)
    return height, width


def once(batch: Batch, make: Callable[[Canvas], Array]) -> tuple[Tensor, list[int]]:
    """What is made of each canvas, made once a canvas, and which of them each picture has."""
    seen: dict[int, int] = {}
    rows = [seen.setdefault(id(canvas), len(seen)) for canvas in batch.canvases]
    first = [rows.index(row) for row in range(len(seen))]
    made = np.stack([make(batch.canvases[index]) for index in first])
    return torch.from_numpy(made), rows


def pixels(parts: Parts, batch: Batch) -> tuple[Tensor, list[int]]:
    """The canvases' pictures (b, 3, H, W) in -1..1 on the grid, and each picture's row."""
    height, width = (side * parts.latent.factor for side in cells(parts, batch))

    def make(canvas: Canvas) -> Array:
        assert canvas.picture is not None
        return padded(to_array(canvas.picture), height, width)

    made, rows = once(batch, make)
    return made.movedim(-1, 1).to(parts.device), rows


def encode(parts: Parts, batch: Batch, *, blanked: bool = False) -> Tensor:
    """The latents (B, C, h, w) of the pictures, float32; of a Gaussian one its mean. `blanked`
    pictures are mid grey where they are repainted.
    """
    pictures, rows = pixels(parts, batch)
    if blanked:
        masks, _ = mask_pixels(parts, batch)
        pictures = pictures * (masks == 0)
    with parts.using("autoencoder") as autoencoder:
        latent = read_pictures(parts, autoencoder, pictures).float()
    return latent[rows]


def read_pictures(parts: Parts, autoencoder: Autoencoder, pictures: Tensor) -> Tensor:
    """The latents of pictures (b, 3, H, W); with memory low one by one and in strips."""
    if not parts.low:
        return autoencoder.encode(pictures.to(parts.dtype))
    with Scratch() as scratch:
        strips = Strips(scratch.keep)
        return torch.cat([strips.encode(autoencoder, one[None]) for one in pictures])


def mask_cells(parts: Parts, batch: Batch) -> Tensor:
    """The masks (B, 1, h, w): of each cell the largest value of its pixels."""
    made, rows = mask_pixels(parts, batch)
    return F.max_pool2d(made, parts.latent.factor)[rows]


def mask_pixels(parts: Parts, batch: Batch) -> tuple[Tensor, list[int]]:
    """The canvases' masks (b, 1, H, W) on the grid, and each picture's row."""
    factor = parts.latent.factor
    height, width = (side * factor for side in cells(parts, batch))

    def make(canvas: Canvas) -> Array:
        assert canvas.mask is not None
        return padded(canvas.mask, height, width)

    made, rows = once(batch, make)
    return made[:, None].to(parts.device), rows


def hints(parts: Parts, batch: Batch, encoder: nn.Module) -> Tensor:
    """The depth maps as the conditioner's hint encoder tells them (B, 4, h, w)."""
    pictures, rows = pixels(parts, batch)
    hint: Tensor = encoder(((pictures + 1.0) / 2.0).to(parts.dtype)).float()
    return hint[rows]


def develop(parts: Parts, batch: Batch, latent: Tensor) -> list[Image.Image]:
    """Latents (B, C, h, w) -> pictures of their size; what a mask leaves is as it was, to the byte.

    Raises BlueriderError where a value is no number.
    """
    with parts.using("autoencoder") as autoencoder:
        painted = paint(parts, autoencoder, latent.to(parts.dtype))
        pairs = zip(batch.requests, batch.canvases, painted, strict=True)
        return [finished(*each) for each in pairs]


def paint(parts: Parts, autoencoder: Autoencoder, latent: Tensor) -> Iterator[Array]:
    """Latents -> pictures (H, W, 3); with memory low one by one and in strips."""
    if not parts.low:
        yield from autoencoder.decode(latent).float().movedim(1, -1).cpu().numpy()
        return
    with Scratch() as scratch:
        for one in latent:
            made = Strips(scratch.keep).decode(autoencoder, one[None])
            yield made[0].float().movedim(0, -1).cpu().numpy()


def finished(request: Request, canvas: Canvas, painted: Array) -> Image.Image:
    """The picture, cut to its size; where its mask leaves it, it is what it was."""
    image = from_array(painted[: request.height, : request.width])
    if canvas.mask is None or canvas.picture is None:
        return image
    return Image.fromarray(composite(np.asarray(image), np.asarray(canvas.picture), canvas.mask))
