"""The header of a safetensors file, read and checked without opening its tensors (stdlib only)."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bluerider.errors import WeightsError

SIZES = {
    "F64": 8, "F32": 4, "F16": 2, "BF16": 2,
    "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U8": 1, "BOOL": 1,
}  # fmt: skip
LONGEST = 100_000_000  # bytes of header, the limit of the format's own library
PICKLES = (b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"PK\x03\x04")


@dataclass(frozen=True)
class Entry:
    """One tensor of a file: its type as the format spells it, its shape and where its bytes lie."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


def read_header(path: Path) -> dict[str, Entry]:
    """Names and shapes of a safetensors file; raises WeightsError when the file cannot be what it
    says it is.
    """
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(9)
            if start.startswith(PICKLES) and start[8:] != b"{":
                raise WeightsError(
                    f"{path}: a PyTorch pickle under the name of a safetensors file; pickles can "
                    "run code and are not opened: save the weights as safetensors"
                )
            length = int.from_bytes(start[:8], "little") if len(start) == 9 else -1
            if not 2 <= length <= LONGEST:
                raise WeightsError(f"{path}: not a safetensors file (no header)")
            if length > size - 8:
                raise WeightsError(
                    f"{path}: truncated: its header says {length} bytes, the file has {size}"
                )
            raw = start[8:] + file.read(length - 1)
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror})") from None
    entries = parse(raw, path)
    check_layout(entries, size - 8 - length, path)
    return entries


def parse(raw: bytes, path: Path) -> dict[str, Entry]:
    """The header's JSON as entries."""

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        fields = dict(pairs)
        if len(fields) != len(pairs):
            raise ValueError("a name stands twice")
        return fields

    try:
        table = json.loads(raw, object_pairs_hook=unique)
        if not isinstance(table, dict):
            raise ValueError("no table of tensors")
        table.pop("__metadata__", None)
        return {name: entry(fields) for name, fields in table.items()}
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise WeightsError(f"{path}: damaged safetensors header ({str(error)[:80]})") from None


def entry(fields: dict[str, Any]) -> Entry:
    """One tensor's description; raises ValueError, TypeError or KeyError when it makes no sense."""
    begin, end = fields["data_offsets"]
    shape = fields["shape"]
    whole = all(type(value) is int and value >= 0 for value in [begin, end, *shape])
    if not whole or fields["dtype"] not in SIZES:
        raise ValueError(f"unknown type {fields['dtype']!r}" if whole else "sizes must be whole")
    if end - begin != math.prod(shape) * SIZES[fields["dtype"]]:
        raise ValueError(f"shape {shape} does not fill its {end - begin} bytes")
    return Entry(fields["dtype"], tuple(shape), begin, end)


def check_layout(entries: dict[str, Entry], room: int, path: Path) -> None:
    """The tensors must fill the file: no gap, no overlap, nothing after the last."""
    reached = 0
    for name, item in sorted(entries.items(), key=lambda pair: (pair[1].begin, pair[1].end)):
        if item.begin != reached:
            raise WeightsError(f"{path}: damaged: tensor {name} overlaps another or leaves a gap")
        reached = item.end
    if reached > room:
        raise WeightsError(f"{path}: truncated: its tensors need {reached} bytes, {room} are there")
    if reached < room:
        raise WeightsError(f"{path}: damaged: {room - reached} bytes follow the last tensor")


def count_parameters(files: list[Path]) -> int:
    """Numbers stored in the floating-point tensors of these files, from their headers alone."""
    return sum(
        math.prod(item.shape)
        for path in files
        for item in read_header(path).values()
        if item.dtype.endswith(("F16", "F32", "F64"))
    )
