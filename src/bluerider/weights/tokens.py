"""A tokenizer.json -> the folder transformers opens with PreTrainedTokenizerFast."""

import json
from pathlib import Path
from typing import Any

from bluerider.config import TextConfig
from bluerider.errors import WeightsError
from bluerider.weights.fields import read_json


def write_tokenizer(source: str | Path, folder: Path, config: TextConfig) -> None:
    """Copy a tokenizer.json (or that of a folder) with the configs naming its special tokens and
    its length.

    PreTrainedTokenizerFast uses the file as it is; CLIPTokenizer would put its own normaliser and
    splitter in place of the file's, and cut at every combining mark.
    """
    path = Path(source)
    path = path / "tokenizer.json" if path.is_dir() else path
    data = read_json(path)
    words = vocabulary(data, path)
    special = {"bos_token": config.bos, "eos_token": config.eos, "pad_token": config.pad}
    named = {role: words.get(index) for role, index in special.items()}
    lost = [f"{role} {special[role]}" for role, word in named.items() if word is None]
    if lost:
        raise WeightsError(f"{path}: no word for {', '.join(lost)}")
    unknown = data["model"].get("unk_token")
    if isinstance(unknown, str):
        named["unk_token"] = unknown
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.json").write_bytes(path.read_bytes())
    settings: dict[str, Any] = {
        **named,
        "clean_up_tokenization_spaces": False,
        "model_max_length": config.tokens,
        "tokenizer_class": "PreTrainedTokenizerFast",
    }
    for name, table in (("tokenizer_config", settings), ("special_tokens_map", named)):
        text = json.dumps(table, indent=2, sort_keys=True, ensure_ascii=False)
        (folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def vocabulary(data: dict[str, Any], path: Path) -> dict[int, str]:
    """Ids -> words of a tokenizer.json, added tokens included."""
    try:
        vocab = data["model"]["vocab"]
        pairs = (
            vocab.items()
            if isinstance(vocab, dict)
            else [(word, index) for index, (word, _) in enumerate(vocab)]
        )
        words = {int(index): str(word) for word, index in pairs}
        words |= {int(token["id"]): str(token["content"]) for token in data["added_tokens"]}
    except (KeyError, TypeError, ValueError):
        raise WeightsError(f"{path}: not a tokenizer.json") from None
    return words
