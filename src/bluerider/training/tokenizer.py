"""Stage `tokenizer`: subwords for a hundred languages."""

from collections.abc import Iterable

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


def train_tokenizer(texts: Iterable[str], *, vocab: int, alphabet: int) -> Tokenizer:
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
        limit_alphabet=alphabet,
        special_tokens=[*SPECIAL, *bytes_],
        show_progress=False,
        min_frequency=2,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A <eos>", special_tokens=[("<bos>", 1), ("<eos>", 3)]
    )
    return tokenizer
