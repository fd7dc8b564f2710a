"""A depth map of a picture, by a depth-estimation model the user has (the transformers library)."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch.nn import functional as F

from bluerider.errors import BlueriderError, InputError


def estimate_depth(folder: str, picture: Image.Image) -> Image.Image:
    """The picture's depth map of its size, near is white; read from local files only.

    Raises InputError for a folder without such a model, BlueriderError where transformers is not
    installed.
    """
    try:
        from transformers import AutoImageProcessor, AutoModelForDepthEstimation
    except ImportError:
        raise BlueriderError(
            "a depth model needs the transformers library: pip install transformers; or give a "
            "depth map in place of the picture"
        ) from None
    try:
        processor = AutoImageProcessor.from_pretrained(folder, local_files_only=True)
        model = AutoModelForDepthEstimation.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # the library raises nearly anything on a foreign folder
        told = " ".join(str(error).split())[:200]
        raise InputError(f"depth-model {Path(folder).name}: no such model there: {told}") from None
    with torch.inference_mode():
        found = model.eval()(**processor(images=picture, return_tensors="pt")).predicted_depth
        size = (picture.height, picture.width)
        depth = F.interpolate(found[:, None].float(), size=size, mode="bicubic")[0, 0]
    low, high = depth.min(), depth.max()
    scaled = (depth - low) / (high - low).clamp_min(1e-12)
    return Image.fromarray(np.rint(scaled.numpy() * 255).astype(np.uint8)).convert("RGB")
