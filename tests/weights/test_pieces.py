"""sentencepiece files: the ids that sentencepiece itself gives."""

from pathlib import Path

import pytest
import sentencepiece
from tokenizers import Tokenizer

from bluerider import catalog
from bluerider.errors import WeightsError
from bluerider.weights.pieces import read_pieces, t5_tokenizer, xlmr_tokenizer
from bluerider.weights.tokens import load_tokenizer

CORPUS = [
    "the quick brown fox jumps over the lazy dog",
    "a red apple on a wooden table",
    "красное яблоко на столе",
    "кошка и собака в саду",
    "一只戴帽子的猫在花园里",
    "un château près de la mer",
] * 20
TEXTS = [
    "a red apple",
    "  spaces   everywhere ",
    "красное яблоко, кошка!",
    "猫在花园",
    "ﬁne ① Ｆｕｌｌ wídth",
    "unknown: ☃ 🍎",
    "",
]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small unigram model whose first pieces are in T5's and XLM-R's order of files."""
    folder = tmp_path_factory.mktemp("pieces")
    corpus = folder / "corpus.txt"
    corpus.write_text("\n".join(CORPUS), encoding="utf-8")
    sentencepiece.SentencePieceTrainer.train(
        input=str(corpus),
        model_prefix=str(folder / "m"),
        vocab_size=110,
        hard_vocab_limit=False,
        model_type="unigram",
        normalization_rule_name="nmt_nfkc",
        unk_id=0,
        bos_id=1,
        eos_id=2,
        pad_id=-1,
        character_coverage=1.0,
        minloglevel=2,
    )
    return folder / "m.model"


@pytest.mark.parametrize("text", TEXTS)
def test_t5_reads_as_sentencepiece_does(model: Path, text: str) -> None:
    theirs = sentencepiece.SentencePieceProcessor(model_file=str(model))
    ours = t5_tokenizer(model)
    assert ours.encode(text).ids == [*theirs.encode(text), theirs.eos_id()]


@pytest.mark.parametrize("text", TEXTS)
def test_xlmr_reads_as_sentencepiece_one_place_further(model: Path, text: str) -> None:
    theirs = sentencepiece.SentencePieceProcessor(model_file=str(model))
    ours = xlmr_tokenizer(model)
    moved = [3 if i == theirs.unk_id() else i + 1 for i in theirs.encode(text)]
    assert ours.encode(text).ids == [0, *moved, 2]


def test_a_folder_with_a_sentencepiece_file_alone_is_a_tokenizer(
    model: Path, tmp_path: Path
) -> None:
    (tmp_path / "sentencepiece.bpe.model").write_bytes(model.read_bytes())
    (tmp_path / "spiece.model").write_bytes(model.read_bytes())
    ids, mask = load_tokenizer(tmp_path, catalog.XLMR_LARGE)(["a red apple"])
    assert ids.shape == (1, 77)
    assert int(mask.sum()) == int((ids != 1).sum())
    assert load_tokenizer(tmp_path, catalog.MT5_SMALL)(["a"]).ids[0, -1] == 0


def test_pieces_come_back_from_json(model: Path) -> None:
    ours = t5_tokenizer(model)
    again = Tokenizer.from_str(ours.to_str())
    assert all(again.encode(text).ids == ours.encode(text).ids for text in TEXTS)


@pytest.mark.parametrize("data", [b"", b"\x0a\xff\xff\xff\xff\x0f", b"not a model", b"\x08" * 40])
def test_what_is_no_model_is_told(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.model").write_bytes(data)
    with pytest.raises(WeightsError, match="not a sentencepiece model"):
        read_pieces(tmp_path / "x.model")


def test_a_truncated_model_is_told(model: Path, tmp_path: Path) -> None:
    (tmp_path / "x.model").write_bytes(model.read_bytes()[:100])
    with pytest.raises(WeightsError, match="not a sentencepiece model"):
        read_pieces(tmp_path / "x.model")
