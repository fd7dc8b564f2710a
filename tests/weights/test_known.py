"""What a model has read, kept beside its weights: told by the share of neighbours."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

from bluerider.errors import WeightsError
from bluerider.tokenizers import Tokenizer
from bluerider.weights.convert import convert
from bluerider.weights.known import AWAY, KNOWN, Known, load_known, save_known
from bluerider.weights.load import open_model
from bluerider.weights.save import keep_known, save_model
from bluerider.weights.verify import verify
from tests.tiny import DEFAULTS, parts, tokenizer_file


@pytest.fixture
def letters(tmp_path: Path) -> Tokenizer:
    return Tokenizer.load(tokenizer_file("clip", tmp_path), length=12, pad=0)


def test_what_was_read_is_familiar_and_the_share_of_new_neighbours_counts(
    letters: Tokenizer,
) -> None:
    known = Known.of(["cat", "tar"], letters, 40)
    shares = [known.familiarity(letters.rows([text])[0]) for text in ("cat", "catar", "cab", "zzz")]
    assert shares == [1.0, 1.0, 0.5, 0.0]


def test_an_answer_far_from_all_that_was_seen_is_less_familiar(letters: Tokenizer) -> None:
    codes = torch.tensor([[1.0, 0.0], [0.0, 3.0]])
    known, row = Known.of(["cat"], letters, 40, codes), letters.rows(["cat"])[0]
    told = [known.familiarity(row, torch.tensor([1.0, y, 9.0])) for y in (0.0, 1.0)]
    assert told == pytest.approx([1.0, 1.0 - AWAY])
    assert known.familiarity(row) == 1.0
    assert Known.of(["cat"], letters, 40).familiarity(row, torch.ones(3)) == 1.0


def test_an_answer_close_to_what_was_seen_becomes_its_code() -> None:
    codes = torch.tensor([[1.0, 0.0], [0.0, 3.0]])
    known = Known(pairs=torch.tensor([7]), vocab=40, codes=codes)
    answers = torch.tensor([[0.5, 0.5, 9.0], [0.0, 1.5, 8.0], [0.1, 2.5, 7.0]])
    wanted = torch.tensor([[1.0, 0.0, 9.0], [0.0, 1.5, 8.0], [0.0, 3.0, 7.0]])
    torch.testing.assert_close(known.recognised(answers), wanted)


def test_without_codes_answers_stay() -> None:
    answers = torch.ones(2, 3)
    assert Known(pairs=torch.tensor([7]), vocab=40).recognised(answers) is answers


@pytest.mark.parametrize("vocab", [40, 50_000])
def test_a_table_comes_back_as_it_was_kept(tmp_path: Path, vocab: int) -> None:
    pairs = torch.tensor([0, 7, vocab**2 - 1])
    save_known(Known(pairs=pairs, vocab=vocab, threshold=0.8125), tmp_path / KNOWN)
    back = load_known(tmp_path / KNOWN)
    assert torch.equal(back.pairs, pairs)
    assert (back.vocab, back.threshold, back.codes) == (vocab, 0.8125, None)


def test_codes_come_back_in_half_precision(tmp_path: Path) -> None:
    codes = torch.rand(5, 3)
    known = Known(pairs=torch.tensor([7]), vocab=40, codes=codes)
    save_known(known, tmp_path / KNOWN)
    back = load_known(tmp_path / KNOWN).codes
    assert back is not None and torch.equal(back, codes.half().float())


def test_codes_of_another_shape_are_refused(tmp_path: Path) -> None:
    tensors = {"pairs": torch.zeros(3, dtype=torch.int32), "codes": torch.zeros(3)}
    save_file(tensors, tmp_path / KNOWN, metadata={"vocab": "40"})
    with pytest.raises(WeightsError, match="evaluate warnings --write"):
        load_known(tmp_path / KNOWN)


@pytest.mark.parametrize("told", [{}, {"vocab": "many"}, {"vocab": "40", "threshold": "low"}])
def test_a_damaged_table_is_refused(tmp_path: Path, told: dict[str, str]) -> None:
    save_file({"pairs": torch.zeros(3, dtype=torch.int32)}, tmp_path / KNOWN, metadata=told)
    with pytest.raises(WeightsError, match="evaluate warnings --write"):
        load_known(tmp_path / KNOWN)


def test_a_model_keeps_what_it_has_read_through_a_conversion(
    letters: Tokenizer, tmp_path: Path
) -> None:
    made: dict[str, Any] = parts("kandinsky-2.2", tmp_path)
    known = Known.of(["cat"], letters, 40).under(0.75)
    save_model(made, tmp_path / "one", name="one", defaults=DEFAULTS, known=known)
    convert(open_model(tmp_path / "one"), tmp_path / "two", "diffusers")
    back = open_model(tmp_path / "two").known()
    assert back is not None and back.threshold == 0.75 and torch.equal(back.pairs, known.pairs)
    assert KNOWN in json.loads((tmp_path / "two/bluerider.json").read_text())["files"]


def test_a_new_threshold_leaves_the_folder_whole_and_another_model_does_not_inherit_it(
    letters: Tokenizer, tmp_path: Path
) -> None:
    made: dict[str, Any] = parts("kandinsky-2.2", tmp_path)
    save_model(made, tmp_path / "one", name="one", defaults=DEFAULTS)
    assert open_model(tmp_path / "one").known() is None
    keep_known(Known.of(["cat"], letters, 40).under(0.5), tmp_path / "one")
    assert verify(tmp_path / "one").complaints == ()
    save_model(made, tmp_path / "one", name="one", defaults=DEFAULTS)
    assert open_model(tmp_path / "one").known() is None
