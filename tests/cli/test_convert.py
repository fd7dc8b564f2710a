"""`bluerider convert`: says what matched, refuses at the door."""

from pathlib import Path
from typing import Any

import pytest

from bluerider.cli.main import main


def test_what_matched_is_told(
    tiny: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "one.safetensors"
    assert main(["convert", str(tiny("sd-1.5")), str(target), "--layout", "single"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines[:3]] == ["unet", "autoencoder", "text"]
    assert all(" tensors, " in line for line in lines[:3])
    assert lines[-1] == f"tiny-sd-1.5: stable-diffusion-1 written to {target} (single)"
    assert target.is_file()


@pytest.mark.parametrize(
    ("target", "layout", "complaint"),
    [
        ("x", "sideways", "layout: got 'sideways'; choose from diffusers, single, original"),
        ("x", "single", "a single file ends in .safetensors or .ckpt"),
        ("nowhere/x", "diffusers", "no such folder"),
    ],
)
def test_a_mistake_is_told_before_anything_is_opened(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    target: str,
    layout: str,
    complaint: str,
) -> None:
    arguments = ["convert", "no-such-model", str(tmp_path / target), "--layout", layout]
    assert main(arguments) == 2
    said = capsys.readouterr().err
    assert complaint in said
    assert said.count("\n") == 1


def test_a_missing_source_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", "nope", str(tmp_path / "x"), "--layout", "diffusers"]) == 2
    assert "no model or folder 'nope'" in capsys.readouterr().err
