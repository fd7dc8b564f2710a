"""A tiny emoji set for the training tests: noise for drawings, two languages."""

import io

import numpy as np
from PIL import Image

from bluerider.training.emoji import EmojiSet


def drawing(seed: int) -> bytes:
    """A drawing of noise, 16 x 16 RGBA."""
    pixels = np.random.default_rng(seed).integers(0, 256, (16, 16, 4), np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "WEBP", lossless=True)
    return out.getvalue()


def tiny_emoji(count: int = 5) -> EmojiSet:
    """`count` drawings named "thing a", "thing b" ...; the last one is held out."""
    signs = [chr(ord("a") + i) for i in range(count)]
    names = {"en": {s: f"thing {s}" for s in signs}, "ru": {s: f"вещь {s}" for s in signs}}
    words = {
        lang: {s: [name, f"{s} letter", f"{s} sign"] for s, name in table.items()}
        for lang, table in names.items()
    }
    return EmojiSet(signs, [drawing(i) for i in range(count)], names, words, (signs[-1],))
