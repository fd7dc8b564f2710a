"""Tokenizers in the forms they are published in: the same ids as transformers."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tokenizers.pre_tokenizers import ByteLevel

from bluerider import catalog
from bluerider.errors import WeightsError
from bluerider.weights.load import open_model
from bluerider.weights.tokens import load_tokenizer, write_tokenizer

transformers = pytest.importorskip("transformers")

TEXTS = [
    "a photo of an astronaut",
    "It's  Nina's dog??  (2 of 10)\n\ttoday",
    "красное ЯБЛОКО, ёж",
    "一只戴帽子的猫",
    "हिन्दी में सेब",
    "cafe\u0301 \U0001f34e\U0001f9d1\u200d\U0001f680",
    "",
    "the the the thethe",
    "<|endoftext|> inside",
]
# No '!' above: transformers takes it for the padding wherever it stands, CLIP's own code does not.
CONFIG = catalog.BIGG_TEXT


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as Kandinsky 2.2's prior has it: vocab.json, merges.txt and the names of special
    tokens.
    """
    folder = tmp_path_factory.mktemp("clip")
    letters = sorted(ByteLevel.alphabet())
    merges = ["t h", "th e</w>", "o f</w>", "Ñ ģ", "a p", "d o", "do g</w>"]
    words = [*letters, *(f"{letter}</w>" for letter in letters)]
    words += [merge.replace(" ", "") for merge in merges]
    words += ["<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "\n".join(merges) + "\n")
    special = {"content": "<|startoftext|>", "lstrip": False, "normalized": True}
    names = {
        "bos_token": special,
        "eos_token": special | {"content": "<|endoftext|>"},
        "unk_token": special | {"content": "<|endoftext|>"},
        "pad_token": "!",
    }
    (folder / "special_tokens_map.json").write_text(json.dumps(names))
    config = names | {"model_max_length": 77, "tokenizer_class": "CLIPTokenizer"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    return folder


@pytest.mark.parametrize("text", TEXTS)
def test_vocab_and_merges_give_the_ids_of_transformers(published: Path, text: str) -> None:
    peer = transformers.CLIPTokenizer.from_pretrained(published)
    ours = load_tokenizer(published, CONFIG)
    theirs = peer(text, padding="max_length", truncation=True, max_length=77)
    tokens = ours([text])
    assert tokens.ids[0].tolist() == theirs.input_ids
    assert tokens.mask[0].int().tolist() == theirs.attention_mask


def test_padding_is_what_the_folder_says(published: Path) -> None:
    assert load_tokenizer(published, CONFIG).pad == 0  # "!" stands first, the config often says 1


def test_a_tokenizer_with_more_tokens_than_the_table_is_refused(published: Path) -> None:
    size = len(json.loads((published / "vocab.json").read_text()))
    assert load_tokenizer(published, replace(CONFIG, vocab=size)).pad == 0
    with pytest.raises(WeightsError, match=f"{size} tokens, .* {size - 1} rows"):
        load_tokenizer(published, replace(CONFIG, vocab=size - 1))


def test_what_is_written_of_it_gives_the_same_ids(published: Path, tmp_path: Path) -> None:
    size = len(json.loads((published / "vocab.json").read_text()))
    config = replace(CONFIG, bos=size - 2, eos=size - 1, pad=0)
    write_tokenizer(published, tmp_path, config)
    peer = transformers.PreTrainedTokenizerFast.from_pretrained(tmp_path)
    before, after = load_tokenizer(published, config), load_tokenizer(tmp_path, config)
    for text in TEXTS:
        ids = before([text]).ids[0].tolist()
        assert after([text]).ids[0].tolist() == ids
        assert peer(text, padding="max_length", truncation=True).input_ids == ids


def test_a_model_gives_its_tokenizer(tiny_model: Path) -> None:
    tokens = open_model(tiny_model).tokenizer()(["cab"])
    assert tokens.ids[0].tolist() == [3, 7, 5, 6, 4, 0, 0, 0, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("file", "content", "complaint"),
    [
        ("vocab.json", None, "nor vocab.json with merges.txt"),
        ("merges.txt", None, "nor vocab.json with merges.txt"),
        ("vocab.json", "[1]", "damaged tokenizer"),
        ("vocab.json", '{"a": 0}', "damaged tokenizer|lacks"),
        ("merges.txt", "a b c d", "damaged tokenizer"),
        ("special_tokens_map.json", "nope", "not JSON"),
    ],
)
def test_a_damaged_tokenizer_is_told(
    published: Path, tmp_path: Path, file: str, content: str | None, complaint: str
) -> None:
    for path in published.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    (tmp_path / file).unlink() if content is None else (tmp_path / file).write_text(content)
    with pytest.raises(WeightsError, match=complaint) as caught:
        load_tokenizer(tmp_path, CONFIG)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["{}", '{"model": {"vocab": 3}}', "[]", "x"])
def test_what_is_no_tokenizer_json_is_not_written(tmp_path: Path, content: str) -> None:
    path: Any = tmp_path / "tokenizer.json"
    path.write_text(content)
    with pytest.raises(WeightsError):
        write_tokenizer(path, tmp_path / "out", CONFIG)
    assert not (tmp_path / "out").exists()
