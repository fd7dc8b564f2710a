"""Maps in files: the same numbers, and nothing left behind."""

import errno
import tempfile
from pathlib import Path
from typing import Any

import pytest
import torch

from bluerider.errors import BlueriderError
from bluerider.nets.strips import Held, Strips
from bluerider.pipeline.scratch import Filed, Scratch
from tests.tiny import MOVQ

SHAPE = (2, 3, 5, 4)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_rows_come_back_as_they_were_written(dtype: torch.dtype) -> None:
    rows = torch.randn(SHAPE).to(dtype)
    with Scratch(limit=0) as scratch:
        stored = scratch.keep(SHAPE, rows)
        assert isinstance(stored, Filed)
        stored.write(3, rows[:, :, 3:])
        stored.write(0, rows[:, :, :3])
        assert torch.equal(stored.read(0, 5), rows)
        assert torch.equal(stored.read(2, 4), rows[:, :, 2:4])
        stored.write(1, rows[:, :, :1])
        assert torch.equal(stored.read(1, 3), rows[:, :, [0, 2]])


def test_a_map_within_the_limit_stays_in_memory() -> None:
    size = 4 * torch.Size(SHAPE).numel()
    with Scratch(limit=size) as scratch:
        assert isinstance(scratch.keep(SHAPE, torch.zeros(1)), Held)
    with Scratch(limit=size - 1) as scratch:
        assert isinstance(scratch.keep(SHAPE, torch.zeros(1)), Filed)


@torch.inference_mode()
def test_a_decode_and_an_encode_with_their_maps_in_files_are_the_same() -> None:
    from bluerider.nets.autoencoder import Autoencoder

    torch.manual_seed(2)
    autoencoder = Autoencoder(MOVQ).eval()
    picture = torch.randn(1, 3, 64, 64)
    with Scratch(limit=0) as scratch:
        filed = Strips(scratch.keep, pixels=500)
        latent = filed.encode(autoencoder, picture)
        made = filed.decode(autoencoder, latent)
        assert scratch.files and all(file.closed for file in scratch.files)
    held = Strips(pixels=500)
    assert torch.equal(latent, held.encode(autoencoder, picture))
    assert torch.equal(made, held.decode(autoencoder, latent))


def test_files_of_work_that_broke_off_are_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    with pytest.raises(KeyboardInterrupt), Scratch(limit=0) as scratch:
        scratch.keep(SHAPE, torch.zeros(1)).write(0, torch.zeros(SHAPE))
        raise KeyboardInterrupt
    assert scratch.files[0].closed and not list(tmp_path.iterdir())


def test_a_full_disk_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        closed = False

        def seek(self, place: int) -> None:
            pass

        def write(self, data: Any) -> None:
            raise OSError(errno.ENOSPC, "No space left on device")

        def close(self) -> None:
            self.closed = True

    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: Full())
    with (
        pytest.raises(BlueriderError, match=r"no room .*No space left.*set TMPDIR"),
        Scratch(limit=0) as scratch,
    ):
        scratch.keep(SHAPE, torch.zeros(1)).write(0, torch.zeros(SHAPE))
    assert scratch.files[0].closed


def test_a_folder_that_is_not_there_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_: Any) -> None:
        raise FileNotFoundError(errno.ENOENT, "No such file or directory")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    with pytest.raises(BlueriderError, match="no room"), Scratch(limit=0) as scratch:
        scratch.keep(SHAPE, torch.zeros(1))
