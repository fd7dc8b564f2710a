"""A LoRA file from one way of naming layers into the other: PEFT's and kohya's."""

from pathlib import Path

from bluerider.errors import InputError
from bluerider.weights.load import ModelFiles
from bluerider.weights.lora import read_said, write_lora

STYLES = ("peft", "kohya")


def base_named(path: Path) -> str | None:
    """The model that a LoRA file says it was trained on; None where it says nothing."""
    base = read_said(path).get("base")
    name = base.get("name") if isinstance(base, dict) else None
    return name if isinstance(name, str) and name else None


def check_file(source: Path, target: Path) -> None:
    """Raise InputError unless both can be LoRA files."""
    if not source.is_file():
        raise InputError(f"{source}: no such file; a LoRA's .safetensors is accepted")
    if target.suffix != ".safetensors" or target.is_dir() or not target.parent.is_dir():
        raise InputError(f"{target}: a .safetensors file in a folder that exists is accepted")


def restyle(source: Path, target: Path, style: str, files: ModelFiles) -> int:
    """Write a LoRA file of this model in the names of `peft` or `kohya`, its numbers in the type
    they are stored in; returns how many layers it corrects.

    kohya's files say alpha; PEFT's readers take it for the rank, so there it is folded into `up`.
    Where alpha is the rank, as in every file of PEFT's style, the way there and back ends in the
    same bits. Raises InputError, WeightsError, BlueriderError.
    """
    check_file(source, target)
    (lora,) = files.adapted([source]).loras
    write_lora(
        target,
        lora.factors,
        files.targets(),
        about=lora.about,
        style=style,
        dtype=None,
        words=lora.words,
    )
    return sum(map(len, lora.factors.values()))
