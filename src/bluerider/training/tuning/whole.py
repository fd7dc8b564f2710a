"""A tuned model written whole, where more than low-rank corrections trained."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from bluerider.weights.load import ModelFiles
from bluerider.weights.save import save_model


def write_model(files: ModelFiles, nets: Mapping[str, nn.Module], folder: Path) -> None:
    """Write a model folder of `files` with these parts in the place of its own.

    Low-rank corrections in them are added to their layers first. Raises BlueriderError.
    """
    parts: dict[str, Any] = {}
    for part in files.sources:
        net: Any = nets[part] if part in nets else files.load(part)
        if part == "unet" and part in nets:
            net = (net["unet"], net["conditioner"])
        parts[part] = net
    parts |= {name: path for name, path in files.parts.items() if name.endswith("tokenizer")}
    for name in ("schedule", "prior_schedule"):
        if name in files.parts or name in files.schedules:
            parts[name] = files.schedule(name)
    save_model(parts, folder, name=files.name, defaults=files.defaults, licence=files.licence)
