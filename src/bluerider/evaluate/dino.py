"""DINO's vision transformer (Caron et al. 2021) from a local folder, through transformers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image, ImageOps

from bluerider.errors import BlueriderError, InputError

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, as DINO was trained
BATCH = 32


class Dino:
    """Pictures -> unit vectors: the class token after the last layer.

    Raises InputError for a folder of no such model, BlueriderError where transformers is missing.
    """

    def __init__(self, folder: Path) -> None:
        if not (folder / "config.json").is_file():
            raise InputError(
                f"--dino {folder}: no config.json there; a local folder of facebook/dino-vits16 is "
                "accepted"
            )
        try:
            import transformers
        except ImportError:
            raise BlueriderError(
                "DINO is read with transformers, which is not installed; "
                "run: pip install transformers"
            ) from None
        try:
            self.net: Any = transformers.ViTModel.from_pretrained(
                folder, add_pooling_layer=False, local_files_only=True
            ).eval()
        except (OSError, ValueError, RuntimeError) as error:
            said = str(error).splitlines()[0][:120]
            raise InputError(f"--dino {folder}: no ViT that can be read ({said})") from None
        self.size = int(self.net.config.image_size)

    @torch.inference_mode()
    def __call__(self, pictures: Sequence[Image.Image]) -> NDArray[np.float64]:
        """(N, D), each of length 1."""
        found = []
        for start in range(0, len(pictures), BATCH):
            shown = np.stack([self.seen(picture) for picture in pictures[start : start + BATCH]])
            states = self.net(pixel_values=torch.from_numpy(shown)).last_hidden_state
            found.append(states[:, 0].double().numpy())
        vectors = np.concatenate(found)
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))

    def seen(self, picture: Image.Image) -> NDArray[np.float32]:
        """A picture as DINO is evaluated: 256 px, the middle 224 of it (in that proportion)."""
        whole = round(self.size * 256 / 224)
        square = ImageOps.fit(picture.convert("RGB"), (whole, whole), Image.Resampling.BICUBIC)
        edge = (whole - self.size) // 2
        middle = square.crop((edge, edge, edge + self.size, edge + self.size))
        levels = np.asarray(middle, np.float32) / 255
        mean, std = np.array(MEAN, np.float32), np.array(STD, np.float32)
        return np.asarray((levels - mean) / std, np.float32).transpose(2, 0, 1)
