import json
import struct
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from bluerider.errors import WeightsError
from bluerider.weights.header import count_parameters, read_header


def written(path: Path, table: object, body: bytes = b"") -> Path:
    raw = table if isinstance(table, bytes) else json.dumps(table).encode()
    path.write_bytes(struct.pack("<Q", len(raw)) + raw + body)
    return path


def tensor(begin: int = 0, end: int = 8, **fields: object) -> dict[str, object]:
    return {"dtype": "F32", "shape": [2], "data_offsets": [begin, end], **fields}


def test_names_types_and_shapes_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_file({"x": torch.zeros(2, 3), "y": torch.zeros(4, dtype=torch.bfloat16)}, path)
    header = read_header(path)
    assert {name: (item.dtype, item.shape) for name, item in header.items()} == {
        "x": ("F32", (2, 3)),
        "y": ("BF16", (4,)),
    }


def test_parameters_are_counted_without_the_integers(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_file({"x": torch.zeros(2, 3), "ids": torch.zeros(5, dtype=torch.int64)}, path)
    assert count_parameters([path]) == 6


@pytest.mark.parametrize(
    ("table", "body", "complaint"),
    [
        ({"x": tensor()}, b"\0" * 4, "truncated"),
        ({"x": tensor()}, b"\0" * 9, "1 bytes follow"),
        ({"x": tensor(), "y": tensor(4, 12)}, b"\0" * 12, "overlaps"),
        ({"x": tensor(4, 12)}, b"\0" * 12, "gap"),
        ({"x": tensor(shape=[3])}, b"\0" * 8, "does not fill"),
        ({"x": tensor(shape=[-2])}, b"\0" * 8, "whole"),
        ({"x": tensor(shape=[2.0])}, b"\0" * 8, "whole"),
        ({"x": tensor(shape=[2**62, 2**62])}, b"\0" * 8, "does not fill"),
        ({"x": tensor(dtype="Q7")}, b"\0" * 8, "unknown type 'Q7'"),
        ({"x": 7}, b"", "damaged"),
        ([1, 2], b"", "no table"),
        (b"{not json", b"", "damaged"),
        (b"[" * 100_000, b"", "damaged"),
        (
            b'{"x":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},'
            b'"x":{"dtype":"F32","shape":[0],"data_offsets":[0,0]}}',
            b"",
            "twice",
        ),
    ],
)
def test_an_impossible_header_is_refused_in_one_line(
    tmp_path: Path, table: object, body: bytes, complaint: str
) -> None:
    path = written(tmp_path / "bad.safetensors", table, body)
    with pytest.raises(WeightsError) as caught:
        read_header(path)
    message = str(caught.value)
    assert complaint in message
    assert str(path) in message
    assert "\n" not in message


@pytest.mark.parametrize("content", [b"", b"\1\2", b"\xff" * 8 + b"{}", b"\0" * 64])
def test_what_has_no_header_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "bad.safetensors"
    path.write_bytes(content)
    with pytest.raises(WeightsError, match="not a safetensors file"):
        read_header(path)


def test_a_header_longer_than_the_file_is_truncation(tmp_path: Path) -> None:
    path = tmp_path / "bad.safetensors"
    path.write_bytes(struct.pack("<Q", 5000) + b"{}")
    with pytest.raises(WeightsError, match="truncated"):
        read_header(path)


@pytest.mark.parametrize("zipped", [True, False])
def test_a_pickle_under_a_safetensors_name_is_refused(tmp_path: Path, zipped: bool) -> None:
    path = tmp_path / "bad.safetensors"
    torch.save({"x": torch.zeros(2)}, path, _use_new_zipfile_serialization=zipped)
    with pytest.raises(WeightsError, match="pickle"):
        read_header(path)


def test_a_folder_or_nothing_at_all_is_told(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="cannot be read"):
        read_header(tmp_path)
    with pytest.raises(WeightsError, match="cannot be read"):
        read_header(tmp_path / "none.safetensors")
