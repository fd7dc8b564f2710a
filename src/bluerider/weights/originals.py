"""The layouts of the original Kandinsky 2.0 and 2.1 files, of CompVis' single files and of OpenAI's
CLIP, as rules; numbering depends on the network's depth.
"""

from typing import Any

from bluerider.config import AutoencoderConfig, ConditionerConfig, PriorConfig, UNetConfig
from bluerider.weights.keymaps import (
    Keymap,
    Rule,
    interleaved,
    nested,
    placed,
    rename,
    rowed,
    stacked,
    turned,
    under,
    unpointed,
)
from bluerider.weights.layouts import CROSS, POOLING, SPATIAL, TEXT, TEXTS_CONDITIONER

RES = rename(
    ("in_layers.0", "norm1"),
    ("in_layers.2", "conv1"),
    ("emb_layers.1", "time"),
    ("out_layers.0", "norm2"),
    ("out_layers.3", "conv2"),
    ("skip_connection", "skip"),
)


def attention(head_dim: int) -> list[Rule]:
    """Joint attention, its projections fused head by head."""
    fused, context = (interleaved(n, head_dim, trailing=1) for n in (3, 2))
    return [
        *rename(("norm", "norm")),
        Rule("qkv.{p}", ("q.{p}", "k.{p}", "v.{p}"), fused),
        Rule("encoder_kv.{p}", ("context_k.{p}", "context_v.{p}"), context),
        Rule("proj_out.{p}", ("out.{p}",), unpointed(1)),
    ]


def torso(config: UNetConfig) -> list[Rule]:
    """A U-Net in GLIDE's and latent diffusion's numbering: one list of blocks a side."""
    stride = config.depth + 1
    joint, residual = config.attention == "joint", config.resample == "residual"
    attn = attention(config.head_dim or 64) if joint else CROSS
    halved = RES if residual else rename(("op", "conv"))
    doubled = RES if residual else rename(("conv", "conv"))
    count = len(config.channels)
    rules = rename(
        ("time_embed.0", "time.0"),
        ("time_embed.2", "time.2"),
        ("input_blocks.0.0", "conv_in"),
        ("out.0", "norm_out"),
        ("out.2", "conv_out"),
    )
    rules += nested("middle_block.0", "mid.res.0", RES)
    rules += nested("middle_block.1", "mid.attn.0", attn)
    rules += nested("middle_block.2", "mid.res.1", RES)
    for i in range(count):
        for j in range(config.depth):
            block = f"input_blocks.{1 + stride * i + j}"
            rules += nested(f"{block}.0", f"down.{i}.res.{j}", RES)
            rules += nested(f"{block}.1", f"down.{i}.attn.{j}", attn) if config.attends[i] else []
        if i < count - 1:
            rules += nested(f"input_blocks.{stride * (i + 1)}.0", f"down.{i}.resample", halved)
    for i in range(count):
        attends = config.attends[count - 1 - i]
        for j in range(stride):
            block = f"output_blocks.{stride * i + j}"
            rules += nested(f"{block}.0", f"up.{i}.res.{j}", RES)
            rules += nested(f"{block}.1", f"up.{i}.attn.{j}", attn) if attends else []
        if i < count - 1:
            place = f"output_blocks.{stride * i + config.depth}.{1 + attends}"
            rules += nested(place, f"up.{i}.resample", doubled)
    return rules


def conditioner(config: ConditionerConfig) -> list[Rule]:
    """What stands beside the torso in Kandinsky's files: the heads that take in words and
    pictures.
    """
    if config.kind == "texts":
        return TEXTS_CONDITIONER
    if config.kind != "text_image":
        return []
    attends = config.pooling == "attention"
    pooled = nested("proj_n", "pooled.attention", POOLING)
    return [
        *rename(
            ("clip_to_seq", "tokens.linear"),
            ("to_model_dim_n", "text"),
            ("ln_model_n", "pooled.norm"),
            ("img_layer", "image"),
        ),
        *(pooled if attends else rename(("proj_n", "pooled.linear"))),
    ]


def unet(config: UNetConfig, heads: ConditionerConfig) -> Keymap:
    """The decoder file of Kandinsky 2.0 and 2.1, or latent diffusion's U-Net."""
    rules = [*placed("unet", torso(config)), *placed("conditioner", conditioner(heads))]
    return Keymap(tuple(rules))


def prior(config: PriorConfig) -> Keymap:
    """The prior of Kandinsky 2.1, and its statistics: a pair in a file of their own."""
    fused = interleaved(3, config.head_dim)
    block = [
        *rename(("ln_1", "norm1"), ("ln_2", "norm2")),
        Rule("attn.c_qkv.{p}", ("attn.q.{p}", "attn.k.{p}", "attn.v.{p}"), fused),
        *rename(
            ("attn.c_proj", "attn.out"),
            ("mlp.c_fc", "mlp.in_"),
            ("mlp.c_proj", "mlp.out"),
        ),
    ]
    whole = [
        *rename(
            ("time_embed.0", "time.0"),
            ("time_embed.2", "time.2"),
            ("clip_img_proj", "proj_x"),
            ("text_emb_proj", "proj_pooled"),
            ("text_enc_proj", "proj_text"),
            ("positional_embedding!", "positions!"),
            ("prd_emb!", "query!"),
            ("final_ln", "norm_out"),
            ("out_proj", "proj_out"),
        ),
        *nested("transformer.resblocks.{i}", "blocks.{i}", block),
    ]
    statistics = [Rule("0", ("mean",), rowed()), Rule("1", ("std",), rowed())]
    # A padding embedding (none is published) stands where nothing looks: behind the mask.
    return Keymap((*under("model", whole), *statistics), ignored=("model.padding_embedding",))


def autoencoder(config: AutoencoderConfig) -> Keymap:
    """MoVQ of Kandinsky 2.1 and of the MoVQGAN releases, or the KL autoencoder of 2.0 and of
    latent diffusion (decoder levels are numbered from the finest).
    """
    spatial = config.norm == "spatial"
    last = len(config.channels) - 1
    pointwise = [
        Rule(f"{theirs}.{{p}}", (f"{ours}.{{p}}",), unpointed(2))
        for theirs, ours in (("q", "q"), ("k", "k"), ("v", "v"), ("proj_out", "out"))
    ]
    convs = rename(("conv1", "conv1"), ("conv2", "conv2"), ("nin_shortcut", "skip"))
    plain = [*convs, *rename(("norm1", "norm1"), ("norm2", "norm2"))]
    plain_attn = [*pointwise, *rename(("norm", "norm"))]
    res, attn, norm_out = plain, plain_attn, rename(("norm_out", "norm_out"))
    if spatial:
        res = [*convs, *nested("norm1", "norm1", SPATIAL), *nested("norm2", "norm2", SPATIAL)]
        attn = [*pointwise, *nested("norm", "norm", SPATIAL)]
        norm_out = nested("norm_out", "norm_out", SPATIAL)
    ends = rename(("conv_in", "conv_in"), ("conv_out", "conv_out"))

    encoder = [*ends, *rename(("norm_out", "norm_out")), *ends_middle(plain, plain_attn)]
    encoder += nested("down.{i}.block.{j}", "down.{i}.res.{j}", plain)
    encoder += nested("down.{i}.attn.{j}", "down.{i}.attn.{j}", plain_attn)
    encoder += rename(("down.{i}.downsample.conv", "down.{i}.resample.conv"))
    decoder = [*ends, *norm_out, *ends_middle(res, attn)]
    for i in range(last + 1):
        theirs, ours = f"up.{last - i}", f"up.{i}"
        decoder += nested(f"{theirs}.block.{{j}}", f"{ours}.res.{{j}}", res)
        decoder += nested(f"{theirs}.attn.{{j}}", f"{ours}.attn.{{j}}", attn)
        decoder += rename((f"{theirs}.upsample.conv", f"{ours}.resample.conv"))
    quant = rename(
        ("quant_conv", "quant_conv"),
        ("post_quant_conv", "post_quant_conv"),
        ("quantize.embedding", "codebook"),
    )
    rules = [*quant, *nested("encoder", "encoder", encoder), *nested("decoder", "decoder", decoder)]
    return Keymap(tuple(rules), ignored=("loss.*",))


def ends_middle(res: list[Rule], attn: list[Rule]) -> list[Rule]:
    """The coarsest blocks of either side."""
    return [
        *nested("mid.block_1", "mid.res.0", res),
        *nested("mid.attn_1", "mid.attn.0", attn),
        *nested("mid.block_2", "mid.res.1", res),
    ]


def openai_layers(tower: str) -> list[Rule]:
    """The transformer of a CLIP tower in OpenAI's names."""
    fused = [
        Rule(f"attn.in_proj_{p}", (f"attn.q.{p}", f"attn.k.{p}", f"attn.v.{p}"), stacked(3))
        for p in ("weight", "bias")
    ]
    rest = rename(
        ("attn.out_proj", "attn.out"),
        ("ln_1", "norm1"),
        ("ln_2", "norm2"),
        ("mlp.c_fc", "mlp.in_"),
        ("mlp.c_proj", "mlp.out"),
    )
    return nested(f"{tower}.resblocks.{{i}}", "layers.{i}", [*fused, *rest])


OPENAI_NUMBERS = ("logit_scale", "input_resolution", "context_length", "vocab_size")
OPENAI_TEXT = Keymap(
    (
        *rename(("token_embedding", "embed"), ("ln_final", "norm_out")),
        Rule("positional_embedding", ("positions.weight",)),
        Rule("text_projection", ("proj.weight",), turned()),
        *openai_layers("transformer"),
    ),
    ignored=("visual.*", *OPENAI_NUMBERS),
)
OPENAI_VISION = Keymap(
    tuple(
        under(
            "visual",
            [
                *rename(("conv1", "patch"), ("ln_pre", "norm_in"), ("ln_post", "norm_out")),
                Rule("class_embedding", ("cls",)),
                Rule("positional_embedding", ("positions.weight",)),
                Rule("proj", ("proj.weight",), turned()),
                *openai_layers("transformer"),
            ],
        )
    ),
    ignored=(
        "transformer.*",
        "token_embedding.*",
        "ln_final.*",
        "positional_embedding",
        "text_projection",
        *OPENAI_NUMBERS,
    ),
)


SCOPES = {
    "unet": "model.diffusion_model.",
    "autoencoder": "first_stage_model.",
    "text": "cond_stage_model.transformer.",
}
"""Where each network stands in a single file of Stable Diffusion 1.x."""
LEFT_OUT = (
    "model_ema.*",
    "betas",
    "alphas_cumprod*",
    "sqrt_*alphas_cumprod",
    "sqrt_recipm1_alphas_cumprod",
    "log_one_minus_alphas_cumprod",
    "posterior_*",
    "lvlb_weights",
    "logvar",
    "scale_factor",
)
"""What else a single file carries: a running mean of the weights, and tables of the schedule."""


def single(kind: str, config: Any) -> Keymap:
    """A network of a single file, under its scope."""
    scope = SCOPES[kind].removesuffix(".")
    inner = TEXT if kind == "text" else keymap(kind, config)
    return Keymap(
        tuple(under(scope, inner.rules)), tuple(f"{scope}.{name}" for name in inner.ignored)
    )


def keymap(kind: str, config: Any) -> Keymap:
    """The original names of a network; for `unet` config is the pair (UNetConfig,
    ConditionerConfig).
    """
    if kind == "unet":
        return unet(*config)
    if kind == "prior":
        return prior(config)
    if kind == "autoencoder":
        return autoencoder(config)
    return OPENAI_TEXT if kind == "text" else OPENAI_VISION
