"""The layouts of diffusers and transformers, as rules: one table a network."""

from typing import Any

from bluerider.config import AutoencoderConfig, ConditionerConfig, UNetConfig
from bluerider.weights.keymaps import Keymap, Rule, nested, placed, rename

RES = rename(
    ("norm1", "norm1"),
    ("conv1", "conv1"),
    ("time_emb_proj", "time"),
    ("norm2", "norm2"),
    ("conv2", "conv2"),
    ("conv_shortcut", "skip"),
)
QKV = rename(("to_q", "q"), ("to_k", "k"), ("to_v", "v"), ("to_out.0", "out"))
JOINT = [
    *QKV,
    *rename(("group_norm", "norm"), ("add_k_proj", "context_k"), ("add_v_proj", "context_v")),
]


def levels(res: list[Rule], attn: list[Rule], resample: list[Rule], side: str) -> list[Rule]:
    """Blocks of one side of a U-shaped network in diffusers' names; `side` is down or up."""
    sampler = "downsamplers" if side == "down" else "upsamplers"
    blocks = f"{side}_blocks.{{i}}"
    return [
        *nested(f"{blocks}.resnets.{{j}}", f"{side}.{{i}}.res.{{j}}", res),
        *nested(f"{blocks}.attentions.{{j}}", f"{side}.{{i}}.attn.{{j}}", attn),
        *nested(f"{blocks}.{sampler}.0", f"{side}.{{i}}.resample", resample),
    ]


def middle(res: list[Rule], attn: list[Rule]) -> list[Rule]:
    """The coarsest blocks in diffusers' names."""
    return [
        *nested("mid_block.resnets.{j}", "mid.res.{j}", res),
        *nested("mid_block.attentions.{j}", "mid.attn.{j}", attn),
    ]


CONV = rename(("conv", "conv"))
CROSS = [
    *rename(("norm", "norm"), ("proj_in", "proj_in"), ("proj_out", "proj_out")),
    *nested(
        "transformer_blocks.{k}",
        "blocks.{k}",
        [
            *rename(("norm1", "norm1"), ("norm2", "norm2"), ("norm3", "norm3")),
            *nested("attn1", "attn1", QKV),
            *nested("attn2", "attn2", QKV),
            *rename(("ff.net.0.proj", "mlp.in_"), ("ff.net.2", "mlp.out")),
        ],
    ),
]
IMAGE_CONDITIONER = rename(
    ("encoder_hid_proj.image_embeds", "tokens.linear"),
    ("encoder_hid_proj.norm", "tokens.norm"),
    ("add_embedding.image_proj", "pooled.linear"),
    ("add_embedding.image_norm", "pooled.norm"),
    ("add_embedding.input_hint_block.{i}", "hint.{i}"),
)
TEXT_IMAGE_CONDITIONER = rename(
    ("encoder_hid_proj.image_embeds", "tokens.linear"),
    ("encoder_hid_proj.text_proj", "text"),
    ("add_embedding.text_proj", "pooled.linear"),
    ("add_embedding.text_norm", "pooled.norm"),
    ("add_embedding.image_proj", "image"),
)
POOLING = rename(("q_linear", "q"), ("k_linear", "k"), ("v_linear", "v"), ("out", "out"))
TEXTS_CONDITIONER = [  # diffusers has none of this kind: the names are those of 2.0's own file
    *rename(
        ("to_model_dim", "text"),
        ("to_model_dim2", "text2"),
        ("ln_model1", "norm"),
        ("proj", "pooled.linear"),
        ("ln_model2", "pooled.norm"),
        ("ln_model3", "pooled2.norm"),
    ),
    *nested("proj2", "pooled2.attention", POOLING),
]
CONDITIONERS: dict[str, list[Rule]] = {
    "image": IMAGE_CONDITIONER,
    "text_image": [
        *TEXT_IMAGE_CONDITIONER,
        *nested("proj_n", "pooled.attention", POOLING),  # likewise: 2.1's of another pooling
    ],
    "texts": TEXTS_CONDITIONER,
    "none": [],
}


def unet(config: UNetConfig, conditioner: ConditionerConfig) -> Keymap:
    """diffusers' UNet2DConditionModel, which holds our U-Net and its conditioner."""
    attn = JOINT if config.attention == "joint" else CROSS
    resample = RES if config.resample == "residual" else CONV
    torso = [
        *rename(
            ("time_embedding.linear_1", "time.0"),
            ("time_embedding.linear_2", "time.2"),
            ("conv_in", "conv_in"),
            ("conv_norm_out", "norm_out"),
            ("conv_out", "conv_out"),
        ),
        *levels(RES, attn, resample, "down"),
        *middle(RES, attn),
        *levels(RES, attn, resample, "up"),
    ]
    rules = CONDITIONERS[conditioner.kind]
    return Keymap((*placed("unet", torso), *placed("conditioner", rules)))


PRIOR = Keymap(
    tuple(
        [
            *rename(
                ("time_embedding.linear_1", "time.0"),
                ("time_embedding.linear_2", "time.2"),
                ("proj_in", "proj_x"),
                ("embedding_proj", "proj_pooled"),
                ("encoder_hidden_states_proj", "proj_text"),
                ("positional_embedding!", "positions!"),
                ("prd_embedding!", "query!"),
                ("norm_out", "norm_out"),
                ("proj_to_clip_embeddings", "proj_out"),
                ("clip_mean!", "mean!"),
                ("clip_std!", "std!"),
            ),
            *nested(
                "transformer_blocks.{i}",
                "blocks.{i}",
                [
                    *rename(("norm1", "norm1"), ("norm3", "norm2")),
                    *nested("attn1", "attn", QKV),
                    *rename(("ff.net.0.proj", "mlp.in_"), ("ff.net.2", "mlp.out")),
                ],
            ),
        ]
    )
)
"""diffusers' PriorTransformer."""

PLAIN_RES = [rule for rule in RES if rule.ours != ("time.{p}",)]
SPATIAL = rename(("norm_layer", "norm"), ("conv_y", "scale"), ("conv_b", "shift"))
SPATIAL_RES = [
    *nested("norm1", "norm1", SPATIAL),
    *nested("norm2", "norm2", SPATIAL),
    *rename(("conv1", "conv1"), ("conv2", "conv2"), ("conv_shortcut", "skip")),
]
PLAIN_ATTN = [*QKV, *rename(("group_norm", "norm"))]
SPATIAL_ATTN = [*QKV, *nested("spatial_norm", "norm", SPATIAL)]
ENDS = rename(("conv_in", "conv_in"), ("conv_out", "conv_out"))
QUANT = rename(
    ("quant_conv", "quant_conv"),
    ("post_quant_conv", "post_quant_conv"),
    ("quantize.embedding", "codebook"),
)
OLDER_ATTN = (  # attention of a KL autoencoder before diffusers 0.17
    (r"(attentions\.\d+)\.query\.", r"\1.to_q."),
    (r"(attentions\.\d+)\.key\.", r"\1.to_k."),
    (r"(attentions\.\d+)\.value\.", r"\1.to_v."),
    (r"(attentions\.\d+)\.proj_attn\.", r"\1.to_out.0."),
)


def autoencoder(config: AutoencoderConfig) -> Keymap:
    """diffusers' VQModel with spatial norms (MoVQ), or AutoencoderKL."""
    spatial = config.norm == "spatial"
    res, attn = (SPATIAL_RES, SPATIAL_ATTN) if spatial else (PLAIN_RES, PLAIN_ATTN)
    last = nested("conv_norm_out", "norm_out", SPATIAL) if spatial else []
    plain = rename(("conv_norm_out", "norm_out"))
    encoder = [
        *ENDS,
        *plain,
        *levels(PLAIN_RES, PLAIN_ATTN, CONV, "down"),
        *middle(PLAIN_RES, PLAIN_ATTN),
    ]
    decoder = [*ENDS, *(last or plain), *levels(res, attn, CONV, "up"), *middle(res, attn)]
    rules = [*QUANT, *nested("encoder", "encoder", encoder), *nested("decoder", "decoder", decoder)]
    return Keymap(tuple(rules), older=() if spatial else OLDER_ATTN)


def clip_layers(tower: str) -> list[Rule]:
    """The transformer of a CLIP tower in transformers' names."""
    return nested(
        f"{tower}.encoder.layers.{{i}}",
        "layers.{i}",
        rename(
            ("layer_norm1", "norm1"),
            ("self_attn.q_proj", "attn.q"),
            ("self_attn.k_proj", "attn.k"),
            ("self_attn.v_proj", "attn.v"),
            ("self_attn.out_proj", "attn.out"),
            ("layer_norm2", "norm2"),
            ("mlp.fc1", "mlp.in_"),
            ("mlp.fc2", "mlp.out"),
        ),
    )


TEXT = Keymap(
    tuple(
        [
            *rename(
                ("text_model.embeddings.token_embedding", "embed"),
                ("text_model.embeddings.position_embedding", "positions"),
                ("text_model.final_layer_norm", "norm_out"),
                ("text_projection", "proj"),
            ),
            *clip_layers("text_model"),
        ]
    ),
    ignored=("*embeddings.position_ids", "vision_model.*", "visual_projection.*", "logit_scale"),
    older=((r"^(embeddings|encoder|final_layer_norm)\.", r"text_model.\1."),),
)
"""transformers' CLIPTextModel, with a projection or without (whose own files leave out
text_model), or the half of a whole CLIPModel.
"""

VISION = Keymap(
    tuple(
        [
            *rename(
                ("vision_model.embeddings.class_embedding!", "cls!"),
                ("vision_model.embeddings.patch_embedding", "patch"),
                ("vision_model.embeddings.position_embedding", "positions"),
                ("vision_model.pre_layrnorm", "norm_in"),
                ("vision_model.post_layernorm", "norm_out"),
                ("visual_projection", "proj"),
            ),
            *clip_layers("vision_model"),
        ]
    ),
    ignored=("*embeddings.position_ids", "text_model.*", "text_projection.*", "logit_scale"),
)
"""transformers' CLIPVisionModelWithProjection, or the half of a whole CLIPModel."""

MCLIP = Keymap(
    tuple(
        [
            *rename(
                ("transformer.embeddings.word_embeddings", "embed"),
                ("transformer.embeddings.position_embeddings", "positions"),
                ("transformer.embeddings.token_type_embeddings", "types"),
                ("transformer.embeddings.LayerNorm", "norm_in"),
                ("transformer.pooler.dense", "pooler"),
                ("LinearTransformation", "head"),
            ),
            *nested(
                "transformer.encoder.layer.{i}",
                "layers.{i}",
                rename(
                    ("attention.self.query", "attn.q"),
                    ("attention.self.key", "attn.k"),
                    ("attention.self.value", "attn.v"),
                    ("attention.output.dense", "attn.out"),
                    ("attention.output.LayerNorm", "norm1"),
                    ("intermediate.dense", "mlp.in_"),
                    ("output.dense", "mlp.out"),
                    ("output.LayerNorm", "norm2"),
                ),
            ),
        ]
    ),
    ignored=("transformer.embeddings.position_ids",),
)
"""The MultilingualCLIP of Kandinsky 2.0 and 2.1 (XLM-RoBERTa in transformers' names)."""

T5 = Keymap(
    tuple(
        [
            *rename(
                ("shared", "embed"),
                ("encoder.block.0.layer.0.SelfAttention.relative_attention_bias", "distances"),
                ("encoder.final_layer_norm", "norm_out"),
            ),
            *nested(
                "encoder.block.{i}",
                "layers.{i}",
                rename(
                    ("layer.0.layer_norm", "norm1"),
                    ("layer.0.SelfAttention.q", "attn.q"),
                    ("layer.0.SelfAttention.k", "attn.k"),
                    ("layer.0.SelfAttention.v", "attn.v"),
                    ("layer.0.SelfAttention.o", "attn.out"),
                    ("layer.1.layer_norm", "norm2"),
                    ("layer.1.DenseReluDense.wi_0", "gate"),
                    ("layer.1.DenseReluDense.wi_1", "in_"),
                    ("layer.1.DenseReluDense.wo", "out"),
                ),
            ),
        ]
    ),
    ignored=("decoder.*", "lm_head.*", "encoder.embed_tokens.weight"),  # the last is `shared` again
)
"""transformers' MT5EncoderModel, or the encoder's half of the whole model."""

FIXED = {"prior": PRIOR, "text": TEXT, "image": VISION, "mclip": MCLIP, "t5": T5}


def keymap(kind: str, config: Any) -> Keymap:
    """The published names of a network; for `unet` config is the pair (UNetConfig,
    ConditionerConfig).
    """
    if kind == "unet":
        return unet(*config)
    return autoencoder(config) if kind == "autoencoder" else FIXED[kind]
