"""How much of a picture its autoencoder gives back, on drawings that no training stage has seen."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image

from bluerider.images import from_array, over_white, to_array
from bluerider.nets.autoencoder import Autoencoder


@dataclass(frozen=True)
class Reconstruction:
    """A picture, what came back, and how far apart they are."""

    picture: Image.Image
    back: Image.Image
    psnr: float  # dB, of values in 0..255, over all three channels


def psnr(one: Image.Image, other: Image.Image) -> float:
    """Peak signal-to-noise ratio of two 8-bit RGB pictures of one size, in dB; inf where equal."""
    difference = np.asarray(one, np.float64) - np.asarray(other, np.float64)
    error = float(np.mean(difference**2))
    return float("inf") if error == 0 else float(10 * np.log10(255**2 / error))


@torch.inference_mode()
def reconstruct(
    autoencoder: Autoencoder, pictures: Iterable[Image.Image], side: int
) -> Iterator[Reconstruction]:
    """Every picture, on white at side x side px, through the latent and back to 8 bits."""
    for given in pictures:
        picture = over_white(given.resize((side, side), Image.Resampling.LANCZOS))
        x = torch.from_numpy(to_array(picture)).movedim(-1, 0)[None]
        back = autoencoder.decode(autoencoder.encode(x))[0].movedim(0, -1)
        image = from_array(back.numpy())
        yield Reconstruction(picture, image, psnr(picture, image))


def summary(found: Sequence[Reconstruction]) -> dict[str, float | int]:
    """Count, mean and lowest PSNR of the pictures, and the PSNR of their pooled error."""
    each = [one.psnr for one in found]
    error = float(np.mean([10 ** (-value / 10) for value in each]))
    return {
        "count": len(each),
        "mean": float(np.mean(each)),
        "lowest": min(each),
        "pooled": float(-10 * np.log10(error)) if error else float("inf"),
    }
