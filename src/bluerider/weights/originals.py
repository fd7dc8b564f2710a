"""The layouts of the original Kandinsky 2.0 and 2.1 files, as rules; numbering depends on the
network's depth.
"""

from bluerider.config import AutoencoderConfig, PriorConfig, UNetConfig
from bluerider.weights.keymaps import (
    Keymap,
    Rule,
    interleaved,
    nested,
    placed,
    rename,
    unpointed,
)
from bluerider.weights.layouts import SPATIAL

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


def under(published: str, rules: list[Rule]) -> list[Rule]:
    """Rules whose networks stand under a name on the published side only."""
    return [Rule(f"{published}.{rule.published}", rule.ours, rule.operation) for rule in rules]


def unet(config: UNetConfig) -> Keymap:
    """The U-Net torso of Kandinsky 2.0 and 2.1 (GLIDE's numbering: one list a side)."""
    stride = config.depth + 1
    attn = attention(config.head_dim or 64)
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
            rules += nested(f"input_blocks.{stride * (i + 1)}.0", f"down.{i}.resample", RES)
    for i in range(count):
        attends = config.attends[count - 1 - i]
        for j in range(stride):
            block = f"output_blocks.{stride * i + j}"
            rules += nested(f"{block}.0", f"up.{i}.res.{j}", RES)
            rules += nested(f"{block}.1", f"up.{i}.attn.{j}", attn) if attends else []
        if i < count - 1:
            place = f"output_blocks.{stride * i + config.depth}.{1 + attends}"
            rules += nested(place, f"up.{i}.resample", RES)
    return Keymap(tuple(placed("unet", rules)))


def prior(config: PriorConfig) -> Keymap:
    """The prior of Kandinsky 2.1; its statistics stand in a file of their own."""
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
    return Keymap(tuple(under("model", whole)))


def movq(config: AutoencoderConfig) -> Keymap:
    """MoVQ of Kandinsky 2.1 and of the MoVQGAN releases (decoder levels are numbered from the
    finest).
    """
    last = len(config.channels) - 1
    pointwise = [
        Rule(f"{theirs}.{{p}}", (f"{ours}.{{p}}",), unpointed(2))
        for theirs, ours in (("q", "q"), ("k", "k"), ("v", "v"), ("proj_out", "out"))
    ]
    convs = rename(("conv1", "conv1"), ("conv2", "conv2"), ("nin_shortcut", "skip"))
    plain = [*convs, *rename(("norm1", "norm1"), ("norm2", "norm2"))]
    spatial = [*convs, *nested("norm1", "norm1", SPATIAL), *nested("norm2", "norm2", SPATIAL)]
    plain_attn = [*pointwise, *rename(("norm", "norm"))]
    spatial_attn = [*pointwise, *nested("norm", "norm", SPATIAL)]
    ends = rename(("conv_in", "conv_in"), ("conv_out", "conv_out"))

    encoder = [*ends, *rename(("norm_out", "norm_out")), *ends_middle(plain, plain_attn)]
    encoder += nested("down.{i}.block.{j}", "down.{i}.res.{j}", plain)
    encoder += nested("down.{i}.attn.{j}", "down.{i}.attn.{j}", plain_attn)
    encoder += rename(("down.{i}.downsample.conv", "down.{i}.resample.conv"))
    decoder = [
        *ends,
        *nested("norm_out", "norm_out", SPATIAL),
        *ends_middle(spatial, spatial_attn),
    ]
    for i in range(last + 1):
        theirs, ours = f"up.{last - i}", f"up.{i}"
        decoder += nested(f"{theirs}.block.{{j}}", f"{ours}.res.{{j}}", spatial)
        decoder += nested(f"{theirs}.attn.{{j}}", f"{ours}.attn.{{j}}", spatial_attn)
        decoder += rename((f"{theirs}.upsample.conv", f"{ours}.resample.conv"))
    quant = rename(
        ("quant_conv", "quant_conv"),
        ("post_quant_conv", "post_quant_conv"),
        ("quantize.embedding", "codebook"),
    )
    return Keymap(
        (*quant, *nested("encoder", "encoder", encoder), *nested("decoder", "decoder", decoder))
    )


def ends_middle(res: list[Rule], attn: list[Rule]) -> list[Rule]:
    """The coarsest blocks of either side."""
    return [
        *nested("mid.block_1", "mid.res.0", res),
        *nested("mid.attn_1", "mid.attn.0", attn),
        *nested("mid.block_2", "mid.res.1", res),
    ]
