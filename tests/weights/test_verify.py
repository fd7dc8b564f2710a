from pathlib import Path

import pytest

from bluerider.errors import InputError, WeightsError
from bluerider.weights.store import home, write_whole
from bluerider.weights.verify import verify


def test_a_sound_model_has_every_hash_recomputed(tiny_model: Path) -> None:
    verdict = verify(tiny_model)
    assert verdict.complaints == ()
    assert verdict.files == verdict.hashed == 19


def test_one_changed_bit_is_found(model_copy: Path) -> None:
    path = model_copy / "prior/prior/diffusion_pytorch_model.safetensors"
    data = bytearray(path.read_bytes())
    data[-3] ^= 1
    path.write_bytes(data)
    complaints = verify(model_copy).complaints
    assert len(complaints) == 1
    assert complaints[0].startswith("prior/prior/diffusion_pytorch_model.safetensors: hash ")


def test_missing_and_resized_files_are_all_named(model_copy: Path) -> None:
    (model_copy / "prior/tokenizer/tokenizer.json").unlink()
    with (model_copy / "decoder/model_index.json").open("a") as file:
        file.write(" ")
    complaints = verify(model_copy).complaints
    assert [text.split(":")[0] for text in complaints] == [
        "decoder/model_index.json",
        "prior/tokenizer/tokenizer.json",
    ]


def test_without_hashes_every_weight_is_still_read(model_copy: Path) -> None:
    (model_copy / "bluerider.json").unlink()
    verdict = verify(model_copy)
    assert (verdict.hashed, verdict.complaints) == (0, ())
    path = model_copy / "decoder/movq/diffusion_pytorch_model.safetensors"
    path.write_bytes(path.read_bytes()[:-8])
    assert "truncated" in verify(model_copy).complaints[0]


@pytest.mark.parametrize(
    "files", ['{"a": 3}', "[1]", '{"a": []}', '{"../../etc/passwd": [3, "x"]}']
)
def test_a_damaged_table_of_hashes_is_told(model_copy: Path, files: str) -> None:
    (model_copy / "bluerider.json").write_text(f'{{"files": {files}}}')
    with pytest.raises(WeightsError, match="files is"):
        verify(model_copy)


def test_a_name_that_is_nothing_is_told() -> None:
    with pytest.raises(InputError, match="no folder or model ''"):
        verify("")


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file"
    write_whole(path, b"first")
    write_whole(path, b"second")
    assert path.read_bytes() == b"second"
    assert [item.name for item in path.parent.iterdir()] == ["file"]


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_everything_kept_lies_in_one_folder_a_platform(
    monkeypatch: pytest.MonkeyPatch, platform: str
) -> None:
    monkeypatch.delenv("BLUERIDER_HOME")
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr("sys.platform", platform)
    assert home().name == "bluerider"
    assert home().is_absolute()
