"""Weights in PyTorch pickles: tensors only, through torch's weights_only reader, mapped not copied.

Trainers pickled their own objects beside the weights (the vae.ckpt of Kandinsky 2.0 and CompVis'
files carry Lightning's callbacks). Those are read as stand-ins that do nothing; the classes are
never imported. Anything else a file asks for is refused by its name.
"""

import pickle
import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

import torch
from torch import Tensor

from bluerider.errors import WeightsError

SUFFIXES = (".bin", ".ckpt", ".pt", ".pth", ".th", ".pkl")
INERT = re.compile(  # what trainers and their loggers leave behind
    r"(pytorch_lightning|lightning|lightning_fabric|lightning_utilities)(\.\w+)*"
    r"|numpy(\.\w+)*\.(scalar|_reconstruct|dtype|ndarray)|numpy\.(dtype|ndarray)(\.\w+)*"
)
COMMON = (  # named in advance, since older files cannot be searched
    "pytorch_lightning.callbacks.model_checkpoint.ModelCheckpoint",
    "pytorch_lightning.callbacks.early_stopping.EarlyStopping",
)
NESTS = ("state_dict", "model_state_dict")


class Inert:
    """Stands where a trainer's object was; takes everything and keeps nothing."""

    def __new__(cls, *args: Any, **kwargs: Any) -> "Inert":
        return super().__new__(cls)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Nothing is kept."""

    def __setstate__(self, state: Any) -> None:
        """Nothing is kept."""


def read_pickle(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by name; of a pair or list without names, by number. Raises
    WeightsError.
    """
    found = flattened(unpickled(path))
    if not found:
        raise WeightsError(f"{path}: holds no weights")
    return found


def unpickled(path: Path) -> Any:
    """What the file holds, in tensors and plain containers."""
    archive = zipfile.is_zipfile(path)
    if archive and holds_program(path):
        raise refusal(path, "GLOBAL a TorchScript program")
    allowed: list[Any] = [(Inert, name) for name in inert_names(path, archive)]
    try:
        with torch.serialization.safe_globals(allowed), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's opinion of damaged files is told below
            return torch.load(path, map_location="cpu", weights_only=True, mmap=archive)
    except pickle.UnpicklingError as error:
        raise refusal(path, str(error)) from None
    except Exception as error:  # a damaged file may raise anything
        raise WeightsError(f"{path}: damaged, or not PyTorch's ({brief(error)})") from None


def holds_program(path: Path) -> bool:
    """Whether an archive is a TorchScript program, which is code."""
    with zipfile.ZipFile(path) as archive:
        return any(PurePosixPath(name).name == "constants.pkl" for name in archive.namelist())


def brief(error: BaseException) -> str:
    """The first line of a message, cut."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:80]


def inert_names(path: Path, archive: bool) -> list[str]:
    """The trainers' names in a file; raises WeightsError at the first other one that torch does
    not know to be harmless.
    """
    if not archive:
        return list(COMMON)
    try:
        names = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    except Exception:  # a damaged file: reading it tells what is wrong
        return list(COMMON)
    for name in names:
        if not INERT.fullmatch(name):
            raise refusal(path, f"GLOBAL {name}")
    return names


def refusal(path: Path, reason: str) -> WeightsError:
    """The error for a pickle that asks for more than tensors."""
    named = re.search(r"GLOBAL ([\w.]+|a TorchScript program)", reason)
    what = named[1] if named else "something other than tensors"
    return WeightsError(
        f"{path}: a pickle that asks for {what}, which could run code; nothing of it was loaded: "
        "save its weights as safetensors where you trust it"
    )


def flattened(held: Any) -> dict[str, Tensor]:
    """Tensors by name, taken out of a trainer's nest where there is one."""
    if isinstance(held, Tensor):
        return {"0": held}
    if isinstance(held, list | tuple):
        return {str(i): item for i, item in enumerate(held) if isinstance(item, Tensor)}
    if not isinstance(held, Mapping):
        return {}
    for name in NESTS:
        if isinstance(held.get(name), Mapping):
            return flattened(held[name])
    return {str(k): v.detach() for k, v in held.items() if isinstance(v, Tensor)}
