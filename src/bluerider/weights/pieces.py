"""A sentencepiece model file -> a tokenizer of the `tokenizers` library: XLM-R's and mT5's words.

The file is a protocol buffer (sentencepiece_model.proto); the few fields that are needed are read
here, so that neither protobuf nor a second tokenizer runs.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from bluerider.errors import WeightsError

if TYPE_CHECKING:
    from tokenizers import Tokenizer as Fast

SPACE = "\u2581"
NORMAL, UNKNOWN, CONTROL, DEFINED, UNUSED, BYTE = range(1, 7)  # a piece's type
UNIGRAM = 1  # the trainer's model type


@dataclass
class Pieces:
    """What is needed of a model: its pieces with scores and types, and how text is normalised."""

    pieces: list[tuple[str, float, int]] = field(default_factory=list)
    charsmap: bytes = b""
    model: int = UNIGRAM
    collapses: bool = True  # runs of spaces become one

    @property
    def unknown(self) -> int:
        """The index of the piece for what is in no other."""
        return next(i for i, (_, _, kind) in enumerate(self.pieces) if kind == UNKNOWN)


def fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """The (number, value) pairs of a protocol buffer message."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = varint(data, at)
            yield number, value
            continue
        if wire == 2:
            size, at = varint(data, at)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise ValueError(f"wire type {wire}")
        if at + size > len(data):
            raise ValueError("truncated")
        yield number, data[at : at + size]
        at += size


def varint(data: bytes, at: int) -> tuple[int, int]:
    """A number of seven bits a byte, and where it ends."""
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise ValueError("truncated")
        value |= (data[at] & 0x7F) << shift
        at += 1
        if not data[at - 1] & 0x80:
            return value, at
        shift += 7


def read_pieces(path: Path) -> Pieces:
    """A sentencepiece file; raises WeightsError where it is none."""
    found = Pieces()
    try:
        for number, value in fields(path.read_bytes()):
            if number == 1 and isinstance(value, bytes):
                found.pieces.append(read_piece(value))
            elif number == 2 and isinstance(value, bytes):
                found.model = next((int(v) for n, v in fields(value) if n == 3), UNIGRAM)
            elif number == 3 and isinstance(value, bytes):
                spec = dict(fields(value))
                map_ = spec.get(2, b"")
                found.charsmap = map_ if isinstance(map_, bytes) else b""
                found.collapses = bool(spec.get(4, 1))
        _ = found.unknown
    except (ValueError, struct.error, UnicodeDecodeError, StopIteration):
        raise WeightsError(f"{path}: not a sentencepiece model") from None
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror})") from None
    if found.model != UNIGRAM:
        raise WeightsError(f"{path}: a sentencepiece model of another kind; unigram is needed")
    return found


def read_piece(data: bytes) -> tuple[str, float, int]:
    """Text, score and type of one piece."""
    text, score, kind = "", 0.0, NORMAL
    for number, value in fields(data):
        if number == 1 and isinstance(value, bytes):
            text = value.decode("utf-8")
        elif number == 2 and isinstance(value, bytes):
            (score,) = struct.unpack("<f", value)
        elif number == 3 and isinstance(value, int):
            kind = value
    return text, score, kind


def xlmr_tokenizer(path: Path) -> "Fast":
    """XLM-RoBERTa's words: its own four first, pieces after them, `<mask>` last; a text stands
    between `<s>` and `</s>`.
    """
    found = read_pieces(path)
    first = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    words = [(text, score) for text, score, _ in found.pieces[3:]]
    vocab = [*first, *words, ("<mask>", 0.0)]
    return unigram(vocab, 3, found, begin="<s>", end="</s>", special=[*dict(first), "<mask>"])


def t5_tokenizer(path: Path) -> "Fast":
    """T5's and mT5's words: the pieces as they are; a text ends with `</s>`."""
    found = read_pieces(path)
    vocab = [(text, score) for text, score, _ in found.pieces]
    special = [text for text, _, kind in found.pieces if kind in (UNKNOWN, CONTROL)]
    return unigram(vocab, found.unknown, found, begin=None, end="</s>", special=special)


def unigram(
    vocab: list[tuple[str, float]],
    unknown: int,
    found: Pieces,
    *,
    begin: str | None,
    end: str,
    special: list[str],
) -> "Fast":
    """A unigram model with sentencepiece's normalisation and spaces."""
    from tokenizers import Regex, models, normalizers, pre_tokenizers, processors
    from tokenizers import Tokenizer as Fast

    ids = {word: i for i, (word, _) in reversed(list(enumerate(vocab)))}
    if end not in ids or (begin and begin not in ids):
        raise WeightsError(f"a sentencepiece model without {end}")
    fast = Fast(models.Unigram(vocab, unk_id=unknown, byte_fallback=False))
    steps: list[object] = []
    if found.charsmap:
        steps.append(normalizers.Precompiled(found.charsmap))
    if found.collapses:
        steps += [normalizers.Strip(), normalizers.Replace(Regex(" {2,}"), " ")]
    fast.normalizer = normalizers.Sequence(steps)
    fast.pre_tokenizer = pre_tokenizers.Metaspace(replacement=SPACE, prepend_scheme="always")
    fast.add_special_tokens([word for word in special if word in ids])
    frame = [word for word in (begin, "$A", end) if word]
    named = [(word, ids[word]) for word in (begin, end) if word]
    fast.post_processor = processors.TemplateProcessing(single=frame, special_tokens=named)
    return fast
