"""Stage `tokenizer`: subwords for a hundred languages."""

from collections import Counter
from collections.abc import Sequence

from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)

SPECIAL = ("<pad>", "<bos>", "<unk>", "<eos>")  # never eos = 2, which triggers a legacy pooling


def commonest(texts: Sequence[str], tokenizer: Tokenizer, count: int) -> list[str]:
    """The signs that are met most often once a text is normalised and cut; of those met equally
    often the lower code points, where the trainer itself takes any.
    """
    met: Counter[str] = Counter()
    for text in texts:
        parts = tokenizer.pre_tokenizer.pre_tokenize_str(tokenizer.normalizer.normalize_str(text))
        met.update("".join(part for part, _ in parts))
    return sorted(met, key=lambda sign: (-met[sign], sign))[:count]


def train_tokenizer(texts: Sequence[str], *, vocab: int, alphabet: int) -> Tokenizer:
    """Byte-pair merges over case-folded, decomposed text cut at spaces alone.

    Decomposition (NFKD) spells Hangul and accents with a few signs; splitting at spaces leaves
    combining marks of Indic scripts in their words; signs outside the alphabet become bytes.
    """
    bpe = models.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True)
    tokenizer = Tokenizer(bpe)
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFKD(), normalizers.Lowercase(), normalizers.Strip()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Sequence(
        [decoders.ByteFallback(), decoders.Metaspace(), decoders.Fuse()]
    )
    bytes_ = [f"<0x{i:02X}>" for i in range(256)]
    trainer = trainers.BpeTrainer(
        vocab_size=vocab,
        initial_alphabet=(signs := commonest(texts, tokenizer, alphabet)),
        limit_alphabet=len(signs),
        special_tokens=[*SPECIAL, *bytes_],
        show_progress=False,
        min_frequency=2,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A <eos>", special_tokens=[("<bos>", 1), ("<eos>", 3)]
    )
    return tokenizer
