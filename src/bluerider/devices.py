"""Where networks run and in which number format."""

import ctypes
import platform
import sys

import torch

from bluerider.errors import InputError
from bluerider.request import DEVICES, DTYPES, check_choice

LARGE = 200_000_000  # parameters from which half precision pays on a CPU


def choose_device(name: str) -> torch.device:
    """The device a name stands for; `auto` takes CUDA, then Apple's, then the CPU. Raises
    InputError.
    """
    check_choice("device", name, DEVICES)
    present = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if name == "auto":
        return torch.device(next(kind for kind, there in present.items() if there))
    if not present[name]:
        there = ", ".join(kind for kind, here in present.items() if here)
        raise InputError(
            f"device: got {name}, which this machine or torch build lacks; it has {there}"
        )
    return torch.device(name)


def choose_dtype(name: str, device: torch.device, parameters: int) -> torch.dtype:
    """The format a name stands for; `auto` is float16 on GPUs, on a CPU float32 for small models,
    else bfloat16.
    """
    check_choice("dtype", name, DTYPES)
    if name != "auto":
        dtype: torch.dtype = getattr(torch, name)
        return dtype
    if device.type != "cpu":
        return torch.float16
    return torch.float32 if parameters < LARGE else torch.bfloat16


def computed_in(dtype: torch.dtype, device: torch.device) -> torch.dtype:
    """The format networks compute in when their weights are kept in `dtype`.

    CPUs without instructions for a half format emulate it, many times slower than float32.
    """
    native = {
        torch.bfloat16: torch.ops.mkldnn._is_mkldnn_bf16_supported,
        torch.float16: torch.ops.mkldnn._is_mkldnn_fp16_supported,
    }
    if device.type == "cpu" and is_x86() and dtype in native and not native[dtype]():
        return torch.float32
    return dtype


def trained_in(device: torch.device) -> str:
    """The format of training's activations where `auto` is asked for: bfloat16 on CPUs with
    instructions for it (AVX-512 BF16, which those with AMX have too), where a step is quicker;
    float32 anywhere else.
    """
    quick = device.type == "cpu" and torch.cpu._is_avx512_bf16_supported()
    return "bfloat16" if quick else "float32"


def give_back() -> None:
    """Hand freed memory back to the system, where the C library keeps it for later (glibc)."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim:
        trim(0)


def packs(dtype: torch.dtype, device: torch.device) -> bool:
    """Whether networks that compute in `dtype` there may keep their weights in oneDNN's order."""
    fits = dtype in (torch.float32, torch.bfloat16)
    return device.type == "cpu" and is_x86() and fits and torch.backends.mkldnn.is_available()


def is_x86() -> bool:
    """Whether the processor is of the kind that oneDNN's own kernels are for."""
    return platform.machine().lower() in ("x86_64", "amd64")
