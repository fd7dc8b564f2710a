"""Vectors of a local model are one more ranking, kept until records change."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bluerider.cli.main import main
from bluerider.errors import InputError
from bluerider.guide import semantic
from bluerider.guide.index import Guide
from bluerider.guide.search import search
from tests.guide.conftest import PLACE

LIGHT = "prompt-modifier/rim-light"


class Encoder:
    """Knows one thing: what glimmers is light."""

    def __init__(self) -> None:
        self.texts = 0

    def __call__(self, texts: Sequence[str]) -> Any:
        self.texts += len(texts)
        near = [float("Rim light" in text or "glimmer" in text) for text in texts]
        return np.array([[each, 1 - each] for each in near], np.float32)


@pytest.fixture
def guide(tmp_path: Path) -> Guide:
    return Guide([PLACE], tmp_path)


def test_a_query_that_shares_no_word_is_answered(guide: Guide, tmp_path: Path) -> None:
    near = semantic.similar(guide, "glimmer", tmp_path, Encoder())
    assert search(guide, "glimmer").hits == []
    assert search(guide, "glimmer", near=near).hits[0].id == LIGHT


def test_vectors_are_made_once(guide: Guide, tmp_path: Path) -> None:
    encode = Encoder()
    for _ in range(2):
        semantic.similar(guide, "glimmer", tmp_path, encode)
    assert encode.texts == 5 + 2


def test_damaged_vectors_are_made_again(guide: Guide, tmp_path: Path) -> None:
    semantic.similar(guide, "glimmer", tmp_path, Encoder())
    for path in tmp_path.glob("vectors-*.npy"):
        path.write_bytes(path.read_bytes()[:20])
    encode = Encoder()
    semantic.similar(guide, "glimmer", tmp_path, encode)
    assert encode.texts == 5 + 1


def test_a_folder_that_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="sentence-transformers folder"):
        semantic.encoder(tmp_path)


def test_the_command_takes_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(semantic, "encoder", lambda folder: Encoder())
    assert main(["guide", "search", "glimmer", "--semantic", str(tmp_path), "--json"]) == 0
    assert LIGHT in capsys.readouterr().out
