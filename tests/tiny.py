"""Tiny models of every family, of random weights: the real shapes' structure at a size that paints
in a moment.

`build(name, folder)` writes the model of that catalog name as its family's folder; tests take it
through the session's `tiny` fixture, which builds each once.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from bluerider import catalog
from bluerider.catalog import Defaults
from bluerider.config import (
    AutoencoderConfig,
    ConditionerConfig,
    PriorConfig,
    T5Config,
    TextConfig,
    UNetConfig,
    VisionConfig,
    XLMRConfig,
)
from bluerider.nets.autoencoder import Autoencoder
from bluerider.nets.clip import TextTower, VisionTower
from bluerider.nets.conditioner import make_conditioner
from bluerider.nets.prior import Prior
from bluerider.nets.t5 import T5Encoder
from bluerider.nets.unet import UNet
from bluerider.nets.xlmr import MultilingualCLIP
from bluerider.weights.convert import save_release
from bluerider.weights.save import save_model

WIDTH, TOKENS, CONTEXT = 24, 12, 24
SPECIALS = {  # what each text encoder's vocabulary begins with, and how it frames a text
    "clip": (["<pad>", "<unk>", "<x>", "<s>", "</s>"], "<s> $A </s>"),
    "mclip": (["<s>", "<pad>", "</s>", "<unk>"], "<s> $A </s>"),
    "t5": (["<pad>", "</s>", "<unk>"], "$A </s>"),
    "sd": (["<unk>"], "<s> $A </s>"),
}
LAST = {"sd": [*(f"<{i}>" for i in range(11)), "<s>", "</s>"]}  # as in CLIP's own vocabulary
JOINT = UNetConfig(
    in_channels=4,
    out_channels=8,
    channels=(64, 64),
    depth=1,
    attends=(False, True),
    context_dim=CONTEXT,
    head_dim=64,  # the one width that files without a config can have
)
CROSS = UNetConfig(
    in_channels=4,
    out_channels=4,
    channels=(32, 64),
    depth=1,
    attends=(True, False),
    context_dim=64,
    attention="cross",
    head_dim=None,
    heads=8,
    time="add",
    resample="conv",
)
HEADS: dict[str, dict[str, Any]] = {
    "image": {"image_dim": WIDTH, "tokens": 32},
    "text_image": {
        "image_dim": CONTEXT,
        "tokens": 10,
        "text_dim": 16,
        "pooled_dim": CONTEXT,
    },
    "texts": {"text_dim": 16, "pooled_dim": 20, "text_dim2": 32},
    "none": {},
}
CLIP = TextConfig(
    vocab=40,
    width=WIDTH,
    layers=2,
    heads=2,
    mlp=48,
    tokens=TOKENS,
    embed_dim=WIDTH,
    activation="quick_gelu",
    bos=3,
    eos=4,
    pad=0,
)
CLIP_SD = replace(CLIP, width=64, heads=1, embed_dim=None, bos=38, eos=39, pad=39)
VISION = VisionConfig(
    size=28, patch=7, width=16, layers=2, heads=2, mlp=32, embed_dim=WIDTH, activation="quick_gelu"
)
PRIOR = PriorConfig(embed_dim=WIDTH, text_dim=WIDTH, tokens=TOKENS, layers=2, heads=1, head_dim=64)
MCLIP = XLMRConfig(
    vocab=40, width=16, layers=2, heads=2, mlp=32, positions=79, embed_dim=CONTEXT, tokens=77
)
MT5 = T5Config(vocab=40, width=32, layers=2, heads=2, head_dim=8, mlp=24)
MOVQ = AutoencoderConfig(channels=(32, 32, 64, 64), depth=1, codes=32)
KL = replace(MOVQ, latent="gaussian", norm="group", attends=False, codes=AutoencoderConfig.codes)
DEFAULTS = Defaults(
    steps=3, guidance=3.0, prior_steps=2, prior_guidance=3.0, width=64, height=64, grid=64
)


def tokenizer_file(kind: str, folder: Path) -> Path:
    """A tokenizer.json of single letters for a text encoder of that kind."""
    first, template = SPECIALS[kind]
    words = [*first, *(chr(97 + i) for i in range(26)), *LAST.get(kind, [])]
    table = {word: i for i, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(table, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    special: Sequence[str] = [w for w in words if w in ("<pad>", "<s>", "</s>")]
    tokenizer.add_special_tokens(list(special))
    used = [(word, table[word]) for word in template.split() if word in table]
    tokenizer.post_processor = processors.TemplateProcessing(single=template, special_tokens=used)
    path = folder / f"{kind}.tokenizer.json"
    tokenizer.save(str(path))
    return path


def decoder(config: UNetConfig, kind: str, *, hint: bool = False) -> tuple[UNet, Any]:
    """A U-Net with the conditioner of a kind."""
    heads = ConditionerConfig(
        kind=kind,  # type: ignore[arg-type]
        context_dim=config.context_dim,
        time_dim=config.time_dim,
        hint=hint,
        **HEADS[kind],
    )
    return UNet(config), make_conditioner(heads)


def parts(name: str, folder: Path) -> dict[str, Any]:
    """The parts of the tiny model of a catalog name; tokenizers are written into the folder."""
    model = catalog.find(name)
    shapes = model.shapes or catalog.SHAPES_22
    torch.manual_seed(7)
    kind = shapes.conditioner.kind
    config = replace(JOINT if kind != "none" else CROSS, in_channels=shapes.unet.in_channels)
    movq = shapes.autoencoder.latent == "codebook"
    found: dict[str, Any] = {
        "unet": decoder(config, kind, hint=shapes.conditioner.hint),
        "autoencoder": Autoencoder(
            MOVQ if movq else replace(KL, scale=shapes.autoencoder.scale),
        ),
        "schedule": shapes.schedule,
    }
    if shapes.ddpm_schedule is not None:
        found["ddpm_schedule"] = shapes.ddpm_schedule
    if shapes.text is not None:
        projected = shapes.text.embed_dim is not None
        found["text"] = TextTower(CLIP if projected else CLIP_SD)
        found["tokenizer"] = tokenizer_file("clip" if projected else "sd", folder)
    if shapes.prior is not None:
        found["image"] = VisionTower(VISION)
        found["prior"] = Prior(PRIOR)
        found["prior_schedule"] = shapes.prior_schedule
    if shapes.mclip is not None:
        wide = HEADS[kind]["pooled_dim"]
        found["mclip"] = MultilingualCLIP(replace(MCLIP, embed_dim=wide))
        found["mclip_tokenizer"] = tokenizer_file("mclip", folder)
    if shapes.t5 is not None:
        found["t5"] = T5Encoder(MT5)
        found["t5_tokenizer"] = tokenizer_file("t5", folder)
    return found


def build(name: str, folder: Path, *, dtype: torch.dtype | None = None) -> Path:
    """Write the tiny model of a catalog name into a new folder."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    whole = parts(name, folder.parent)
    family = catalog.find(name).family
    if family == "kandinsky-2.0":
        return save_release(whole, folder, family=family, name=f"tiny-{name}", defaults=DEFAULTS)
    return save_model(
        whole, folder, name=f"tiny-{name}", defaults=DEFAULTS, licence="apache-2.0", dtype=dtype
    )
