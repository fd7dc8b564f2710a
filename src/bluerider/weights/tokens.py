"""Published tokenizer folders: read in either of their forms, written in the one that loses
nothing.
"""

import gzip
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bluerider.config import T5Config, TextConfig, XLMRConfig
from bluerider.errors import WeightsError
from bluerider.tokenizers import Tokenizer
from bluerider.weights.fields import read_json
from bluerider.weights.pieces import t5_tokenizer, xlmr_tokenizer

if TYPE_CHECKING:
    from tokenizers import Tokenizer as Fast

Reader = TextConfig | XLMRConfig | T5Config
WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"  # CLIP, Radford et al. 2021
BEGIN, END = "<|startoftext|>", "<|endoftext|>"
MERGES = "merges.txt.gz"  # in the folder of CLIP's words that ships inside the package
ENTITIES = [("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&#39;", "'")]


def load_tokenizer(folder: Path, config: Reader) -> Tokenizer:
    """The tokenizer of a text encoder, of a folder or of a tokenizer.json; its padding is the
    folder's own, which a CLIP config often misstates. Raises WeightsError where it has more tokens
    than the encoder's table.
    """
    file = folder / "tokenizer.json" if folder.is_dir() else folder
    words = special_words(folder)
    if file.is_file():
        tokenizer = Tokenizer.load(file, length=config.tokens, pad=config.pad)
    else:
        tokenizer = Tokenizer(built(folder, config), config.tokens, config.pad)
    check_size(tokenizer.fast, config.vocab, folder)
    pad = tokenizer.fast.token_to_id(words["pad_token"]) if "pad_token" in words else None
    return tokenizer if pad is None else Tokenizer(tokenizer.fast, config.tokens, pad)


def check_size(fast: "Fast", vocab: int, source: Path) -> None:
    """Raises WeightsError for a tokenizer with more tokens than a table of `vocab` rows."""
    if (size := fast.get_vocab_size()) > vocab:
        raise WeightsError(
            f"{source}: the tokenizer has {size} tokens, the text encoder's table {vocab} rows; "
            "both have to be of one model"
        )


def built(folder: Path, config: Reader | None) -> "Fast":
    """The tokenizer of a folder without a tokenizer.json."""
    if isinstance(config, XLMRConfig):
        return xlmr_tokenizer(folder / "sentencepiece.bpe.model")
    if isinstance(config, T5Config):
        return t5_tokenizer(folder / "spiece.model")
    return openai_bpe(folder / MERGES) if (folder / MERGES).is_file() else clip_bpe(folder)


def special_words(folder: Path) -> dict[str, str]:
    """The special tokens a tokenizer folder names, by role."""
    found: dict[str, str] = {}
    for name in ("special_tokens_map.json", "tokenizer_config.json"):
        path = folder / name
        for role, value in (read_json(path) if path.is_file() else {}).items():
            word = value.get("content") if isinstance(value, dict) else value
            if role.endswith("_token") and isinstance(word, str):
                found[role] = word
    return found


def clip_bpe(folder: Path) -> "Fast":
    """CLIP's tokenizer of vocab.json and merges.txt, all that Kandinsky publishes."""
    from tokenizers import models

    vocab, merges = folder / "vocab.json", folder / "merges.txt"
    if not vocab.is_file() or not merges.is_file():
        raise WeightsError(f"{folder}: no tokenizer.json, nor vocab.json with merges.txt")
    words = special_words(folder)
    begin, end = words.get("bos_token", BEGIN), words.get("eos_token", END)
    try:
        model = models.BPE.from_file(
            str(vocab), str(merges), unk_token=end, end_of_word_suffix="</w>"
        )
    except Exception as error:  # the library raises bare Exception
        raise WeightsError(f"{folder}: damaged tokenizer ({str(error)[:80]})") from None
    return clip_frame(model, begin, end, vocab)


def openai_bpe(path: Path) -> "Fast":
    """CLIP's tokenizer of its merges alone, from which the vocabulary follows; HTML's names of
    signs are read as the signs, as OpenAI's code does.
    """
    from tokenizers import models, normalizers

    lines = gzip.decompress(path.read_bytes()).decode("utf-8").splitlines()
    letters = [*letters_of_bytes()]
    words = [*letters, *(f"{letter}</w>" for letter in letters)]
    words += [line.replace(" ", "") for line in lines] + [BEGIN, END]
    model = models.BPE(
        vocab={word: index for index, word in enumerate(words)},
        merges=[(left, right) for left, _, right in (line.partition(" ") for line in lines)],
        unk_token=END,
        end_of_word_suffix="</w>",
    )
    fast = clip_frame(model, BEGIN, END, path)
    signs = [normalizers.Replace(name, sign) for name, sign in ENTITIES * 2]  # "&amp;lt;" is "<"
    fast.normalizer = normalizers.Sequence([*signs, fast.normalizer])
    return fast


def letters_of_bytes() -> list[str]:
    """The letter that stands for each byte, in the order of GPT-2's and CLIP's vocabularies: those
    that can be seen first.
    """
    seen = [*range(33, 127), *range(161, 173), *range(174, 256)]
    hidden = [byte for byte in range(256) if byte not in seen]
    return [chr(byte) for byte in seen] + [chr(256 + index) for index in range(len(hidden))]


def clip_frame(model: Any, begin: str, end: str, source: Path) -> "Fast":
    """A CLIP tokenizer round a byte-pair model."""
    from tokenizers import Regex, normalizers, pre_tokenizers, processors
    from tokenizers import Tokenizer as Fast

    fast = Fast(model)
    ids = fast.token_to_id(begin), fast.token_to_id(end)
    if None in ids:
        raise WeightsError(f"{source}: lacks {begin} or {end}")
    fast.add_special_tokens(sorted({begin, end}, key=lambda word: fast.token_to_id(word) or 0))
    fast.normalizer = normalizers.Sequence(
        [
            normalizers.NFC(),
            normalizers.Replace(Regex(r"\s+"), " "),
            normalizers.Lowercase(),
        ]
    )
    fast.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORDS), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    fast.post_processor = processors.TemplateProcessing(
        single=[begin, "$A", end], special_tokens=[(begin, ids[0]), (end, ids[1])]
    )
    return fast


def tokenizer_json(source: Path, config: Reader | None = None) -> bytes:
    """The bytes of a tokenizer.json: the file itself, a folder's, or one made of a folder's vocab
    and merges.
    """
    path = source / "tokenizer.json" if source.is_dir() else source
    if not path.is_file() and source.is_dir():
        return built(source, config).to_str(pretty=True).encode()
    read_json(path)
    return path.read_bytes()


def write_tokenizer(source: str | Path, folder: Path, config: Reader) -> None:
    """Write a tokenizer.json with the configs naming its special tokens and its length.

    `source` is such a file or a tokenizer folder. transformers' PreTrainedTokenizerFast uses the
    file as it is; CLIPTokenizer would put its own normaliser and splitter in place of the file's,
    and cut at every combining mark.
    """
    path = Path(source)
    content = tokenizer_json(path, config)
    data = json.loads(content)
    words = vocabulary(data, path)
    special = {"eos_token": config.eos, "pad_token": config.pad}
    if not isinstance(config, T5Config):
        special["bos_token"] = config.bos
    named = {role: words.get(index) for role, index in special.items()}
    lost = [f"{role} {special[role]}" for role, word in named.items() if word is None]
    if lost:
        raise WeightsError(f"{path}: no word for {', '.join(lost)}")
    unknown = data["model"].get("unk_token")
    if isinstance(unknown, str):
        named["unk_token"] = unknown
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tokenizer.json").write_bytes(content)
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
