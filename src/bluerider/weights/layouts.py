"""The layouts of diffusers and transformers, as rules: one table a network of Kandinsky 2.2."""

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
TORSO = [
    *rename(
        ("time_embedding.linear_1", "time.0"),
        ("time_embedding.linear_2", "time.2"),
        ("conv_in", "conv_in"),
        ("conv_norm_out", "norm_out"),
        ("conv_out", "conv_out"),
    ),
    *levels(RES, JOINT, RES, "down"),
    *middle(RES, JOINT),
    *levels(RES, JOINT, RES, "up"),
]
IMAGE_CONDITIONER = rename(
    ("encoder_hid_proj.image_embeds", "tokens.linear"),
    ("encoder_hid_proj.norm", "tokens.norm"),
    ("add_embedding.image_proj", "pooled.linear"),
    ("add_embedding.image_norm", "pooled.norm"),
    ("add_embedding.input_hint_block.{i}", "hint.{i}"),
)


UNET = Keymap((*placed("unet", TORSO), *placed("conditioner", IMAGE_CONDITIONER)))
"""diffusers' UNet2DConditionModel of Kandinsky 2.2, which holds our U-Net and its conditioner."""

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
AUTOENCODER = Keymap(
    tuple(
        [
            *QUANT,
            *nested(
                "encoder",
                "encoder",
                [
                    *ENDS,
                    *rename(("conv_norm_out", "norm_out")),
                    *levels(PLAIN_RES, PLAIN_ATTN, CONV, "down"),
                    *middle(PLAIN_RES, PLAIN_ATTN),
                ],
            ),
            *nested(
                "decoder",
                "decoder",
                [
                    *ENDS,
                    *nested("conv_norm_out", "norm_out", SPATIAL),
                    *levels(SPATIAL_RES, SPATIAL_ATTN, CONV, "up"),
                    *middle(SPATIAL_RES, SPATIAL_ATTN),
                ],
            ),
        ]
    )
)
"""diffusers' VQModel with spatial norms (MoVQ)."""


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
    ignored=("text_model.embeddings.position_ids",),
)
"""transformers' CLIPTextModelWithProjection."""

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
    ignored=("vision_model.embeddings.position_ids",),
)
"""transformers' CLIPVisionModelWithProjection."""

KEYMAPS = {"unet": UNET, "prior": PRIOR, "autoencoder": AUTOENCODER, "text": TEXT, "image": VISION}
