"""Towers that look at pictures and words and took no part in painting."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from bluerider.errors import InputError
from bluerider.images import over_white
from bluerider.nets.clip import VisionTower
from bluerider.weights.net import Source, folder_source, read_net
from bluerider.weights.tokens import load_tokenizer

BATCH = 64


class Encoder:
    """Pictures -> unit vectors, by the vision tower of a folder with config.json and weights, or
    by that of a model at hand.

    Raises InputError where there is none.
    """

    def __init__(self, given: Path | Source) -> None:
        if isinstance(given, Path) and not (given / "config.json").is_file():
            raise InputError(
                f"{given}: no config.json there; the folder of a vision tower is accepted, "
                "such as prior/image_encoder of a model"
            )
        self.source = folder_source(given, "image") if isinstance(given, Path) else given
        tower = read_net(self.source, dtype=torch.float32, device="cpu")
        assert isinstance(tower, VisionTower)
        self.tower = tower

    @torch.inference_mode()
    def __call__(self, pictures: Sequence[Image.Image]) -> NDArray[np.float64]:
        """(N, D), each of length 1."""
        found = []
        for start in range(0, len(pictures), BATCH):
            shown = np.stack([self.seen(picture) for picture in pictures[start : start + BATCH]])
            found.append(self.tower(torch.from_numpy(shown)).double().numpy())
        vectors = np.concatenate(found)
        return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))

    def seen(self, picture: Image.Image) -> NDArray[np.float32]:
        """A picture as the tower takes it (3, size, size)."""
        config = self.source.config
        square = over_white(picture).resize((config.size,) * 2, Image.Resampling.BICUBIC)
        levels = np.asarray(square, np.float32) / 255
        mean, std = (np.asarray(each, np.float32) for each in (config.mean, config.std))
        return np.asarray((levels - mean) / std, np.float32).transpose(2, 0, 1)


class WordEncoder:
    """Words -> unit vectors, by the text tower of a whole CLIP model's folder.

    Raises InputError where there is none.
    """

    def __init__(self, folder: Path) -> None:
        if not (folder / "config.json").is_file():
            raise InputError(f"{folder}: no config.json there; a CLIP model's folder is accepted")
        source = folder_source(folder, "text")
        if source.config.embed_dim is None:
            raise InputError(f"{folder}: its text tower has no projection; a whole CLIP is needed")
        self.tower = read_net(source, dtype=torch.float32)
        self.tokenizer = load_tokenizer(folder, source.config)

    @torch.inference_mode()
    def __call__(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """(N, D), each of length 1."""
        different = list(dict.fromkeys(texts))
        vectors = self.tower(self.tokenizer(different).ids)[1].double().numpy()
        units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
        return np.asarray(units[[different.index(text) for text in texts]])
