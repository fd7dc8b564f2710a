"""A tuned model written whole, where more than low-rank corrections trained."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from bluerider.nets.lora import LowRank, merge, replace_module
from bluerider.weights.convert import WRITERS, check_layout
from bluerider.weights.load import ModelFiles


def layout(files: ModelFiles) -> str:
    """The layout a tuned model is written in: diffusers folders, or the only one that 2.0 has."""
    return "original" if files.family == "kandinsky-2.0" else "diffusers"


def write_model(files: ModelFiles, nets: Mapping[str, nn.Module], folder: Path) -> None:
    """Write a model folder of `files` with these parts in the place of its own, in float32.

    Low-rank corrections in them are added to their layers. Raises BlueriderError.
    """
    check_layout(layout(files), folder)
    parts: dict[str, Any] = {}
    for part in files.sources:
        net: Any = merged(nets[part]) if part in nets else files.load(part)
        parts[part] = (net["unet"], net["conditioner"]) if part == "unet" and part in nets else net
    WRITERS[layout(files)](files, parts, folder)


def merged(net: nn.Module) -> nn.Module:
    """The network with its low-rank corrections added to the layers they correct."""
    found = {n: m for n, m in net.named_modules() if isinstance(m, LowRank)}
    for name, low in found.items():
        replace_module(net, name, low.base)
        merge(net, name, low.factors, 1.0)
    return net
