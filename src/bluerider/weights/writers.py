"""Our shapes -> published config.json files, complete, so that diffusers and transformers open what
we save.
"""

from typing import Any

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
from bluerider.errors import InputError

LAYOUT = "0.42.1"  # the diffusers version whose layout is written


def unet_config(
    unet: UNetConfig, conditioner: ConditionerConfig, sample_size: int
) -> dict[str, Any]:
    """diffusers' UNet2DConditionModel; `sample_size` is the usual side of a latent in cells."""
    special = stable_fields(unet) if conditioner.kind == "none" else heads_fields(conditioner)
    joint = unet.attention == "joint"
    names = UNET_BLOCKS[joint]
    down = [names[attends][0] for attends in unet.attends]
    up = [names[attends][1] for attends in reversed(unet.attends)]
    return {
        "_class_name": "UNet2DConditionModel",
        "_diffusers_version": LAYOUT,
        "act_fn": "silu",
        "attention_head_dim": unet.head_dim if joint else unet.heads,
        "block_out_channels": list(unet.channels),
        "center_input_sample": False,
        "class_embed_type": None,
        "conv_in_kernel": 3,
        "conv_out_kernel": 3,
        "cross_attention_dim": unet.context_dim,
        "cross_attention_norm": None,
        "down_block_types": down,
        "downsample_padding": 1,
        "flip_sin_to_cos": True,
        "freq_shift": 0,
        "in_channels": unet.in_channels,
        "layers_per_block": unet.depth,
        "mid_block_scale_factor": 1,
        "norm_eps": 1e-05,
        "norm_num_groups": unet.groups,
        "only_cross_attention": False,
        "out_channels": unet.out_channels,
        "sample_size": sample_size,
        "up_block_types": up,
        **special,
    }


UNET_BLOCKS = {  # joint attention or not -> attends or not -> the blocks of both sides
    True: {
        True: ("SimpleCrossAttnDownBlock2D", "SimpleCrossAttnUpBlock2D"),
        False: ("ResnetDownsampleBlock2D", "ResnetUpsampleBlock2D"),
    },
    False: {
        True: ("CrossAttnDownBlock2D", "CrossAttnUpBlock2D"),
        False: ("DownBlock2D", "UpBlock2D"),
    },
}


def stable_fields(unet: UNetConfig) -> dict[str, Any]:
    """What only Stable Diffusion's config has."""
    if unet.attention != "cross" or unet.heads is None:
        raise InputError("a U-Net told words alone is written as Stable Diffusion's only")
    return {"mid_block_type": "UNetMidBlock2DCrossAttn", "use_linear_projection": False}


def heads_fields(conditioner: ConditionerConfig) -> dict[str, Any]:
    """What only Kandinsky's configs have: how pictures and words enter."""
    kinds = {"image": ("image", 32), "text_image": ("text_image", 10)}
    if conditioner.kind not in kinds or conditioner.tokens != kinds[conditioner.kind][1]:
        raise InputError(
            "the diffusers layout has no place for this decoder; it has one for Kandinsky 2.1 (10 "
            "image tokens), 2.2 (32) and Stable Diffusion 1.x"
        )
    words = conditioner.kind == "text_image"
    widths = {conditioner.image_dim, conditioner.pooled_dim, conditioner.context_dim}
    if words and (len(widths) > 1 or conditioner.pooling != "linear"):
        raise InputError("in the diffusers layout image, pooled text and context have one width")
    added = kinds[conditioner.kind][0] + ("_hint" if conditioner.hint else "")
    return {
        "addition_embed_type": added,
        "addition_embed_type_num_heads": 64,
        "encoder_hid_dim": conditioner.text_dim if words else conditioner.image_dim,
        "encoder_hid_dim_type": "text_image_proj" if words else "image_proj",
        "mid_block_type": "UNetMidBlock2DSimpleCrossAttn",
        "resnet_time_scale_shift": "scale_shift",
    }


def prior_config(prior: PriorConfig) -> dict[str, Any]:
    """diffusers' PriorTransformer."""
    if prior.text_dim != prior.embed_dim:
        raise InputError(
            f"a prior of {prior.text_dim} text and {prior.embed_dim} embedding numbers cannot be "
            "written in the diffusers layout, which has one width for both"
        )
    return {
        "_class_name": "PriorTransformer",
        "_diffusers_version": LAYOUT,
        "added_emb_type": "prd",
        "additional_embeddings": 4,
        "attention_head_dim": prior.head_dim,
        "clip_embed_dim": None,
        "dropout": 0.0,
        "embedding_dim": prior.embed_dim,
        "embedding_proj_dim": None,
        "embedding_proj_norm_type": None,
        "encoder_hid_proj_type": "linear",
        "norm_in_type": None,
        "num_attention_heads": prior.heads,
        "num_embeddings": prior.tokens,
        "num_layers": prior.layers,
        "time_embed_act_fn": "silu",
        "time_embed_dim": None,
    }


def autoencoder_config(config: AutoencoderConfig, sample_size: int) -> dict[str, Any]:
    """diffusers' VQModel with spatial norms (MoVQ), whose latent nobody scales, or
    AutoencoderKL.
    """
    movq = config.norm == "spatial" and config.latent == "codebook"
    if not movq and (config.norm != "group" or config.latent != "gaussian"):
        raise InputError("only MoVQ and the KL autoencoder are written in this layout")
    if movq and config.scale != 1.0:
        raise InputError("only a MoVQ autoencoder of scale 1 is written in this layout")
    plain = len(config.channels) - 1
    coarsest = "Attn" if config.attends else ""
    whole = {
        "_class_name": "VQModel" if movq else "AutoencoderKL",
        "_diffusers_version": LAYOUT,
        "act_fn": "silu",
        "block_out_channels": list(config.channels),
        "down_block_types": ["DownEncoderBlock2D"] * plain + [f"{coarsest}DownEncoderBlock2D"],
        "force_upcast": False,
        "in_channels": 3,
        "latent_channels": config.latent_channels,
        "layers_per_block": config.depth,
        "mid_block_add_attention": True,
        "norm_num_groups": 32,
        "out_channels": 3,
        "sample_size": sample_size,
        "scaling_factor": config.scale,
        "up_block_types": [f"{coarsest}UpDecoderBlock2D"] + ["UpDecoderBlock2D"] * plain,
    }
    if not movq:
        return whole
    return whole | {
        "lookup_from_codebook": False,
        "norm_type": "spatial",
        "num_vq_embeddings": config.codes,
        "vq_embed_dim": config.latent_channels,
    }


def text_config(config: TextConfig) -> dict[str, Any]:
    """transformers' CLIPTextModelWithProjection, or CLIPTextModel where there is none."""
    projected = config.embed_dim is not None
    if config.eos == 2:
        raise InputError("an end-of-text id of 2 makes transformers pool elsewhere; choose another")
    return {
        "architectures": ["CLIPTextModelWithProjection" if projected else "CLIPTextModel"],
        "attention_dropout": 0.0,
        "bos_token_id": config.bos,
        "eos_token_id": config.eos,
        "hidden_act": config.activation,
        "hidden_size": config.width,
        "initializer_factor": 1.0,
        "initializer_range": 0.02,
        "intermediate_size": config.mlp,
        "layer_norm_eps": config.norm_eps,
        "max_position_embeddings": config.tokens,
        "model_type": "clip_text_model",
        "num_attention_heads": config.heads,
        "num_hidden_layers": config.layers,
        "pad_token_id": config.pad,
        "projection_dim": config.embed_dim if projected else config.width,
        "vocab_size": config.vocab,
    }


def mclip_config(config: XLMRConfig) -> dict[str, Any]:
    """The MultilingualCLIP of Kandinsky: XLM-RoBERTa's fields and the head's."""
    return {
        "architectures": ["MultilingualCLIP"],
        "attention_probs_dropout_prob": 0.1,
        "bos_token_id": config.bos,
        "eos_token_id": config.eos,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "hidden_size": config.width,
        "initializer_range": 0.02,
        "intermediate_size": config.mlp,
        "layer_norm_eps": config.norm_eps,
        "max_position_embeddings": config.positions,
        "model_type": "M-CLIP",
        "numDims": config.embed_dim,
        "num_attention_heads": config.heads,
        "num_hidden_layers": config.layers,
        "pad_token_id": config.pad,
        "transformerDimensions": config.width,
        "type_vocab_size": 1,
        "vocab_size": config.vocab,
    }


def t5_config(config: T5Config) -> dict[str, Any]:
    """transformers' MT5EncoderModel."""
    return {
        "architectures": ["MT5EncoderModel"],
        "d_ff": config.mlp,
        "d_kv": config.head_dim,
        "d_model": config.width,
        "dropout_rate": 0.1,
        "eos_token_id": config.eos,
        "feed_forward_proj": "gated-gelu",
        "layer_norm_epsilon": config.norm_eps,
        "model_type": "mt5",
        "num_heads": config.heads,
        "num_layers": config.layers,
        "pad_token_id": config.pad,
        "relative_attention_max_distance": config.distance,
        "relative_attention_num_buckets": config.buckets,
        "tie_word_embeddings": False,
        "vocab_size": config.vocab,
    }


def vision_config(config: VisionConfig) -> dict[str, Any]:
    """transformers' CLIPVisionModelWithProjection."""
    return {
        "architectures": ["CLIPVisionModelWithProjection"],
        "attention_dropout": 0.0,
        "hidden_act": config.activation,
        "hidden_size": config.width,
        "image_size": config.size,
        "initializer_factor": 1.0,
        "initializer_range": 0.02,
        "intermediate_size": config.mlp,
        "layer_norm_eps": config.norm_eps,
        "model_type": "clip_vision_model",
        "num_attention_heads": config.heads,
        "num_channels": 3,
        "num_hidden_layers": config.layers,
        "patch_size": config.patch,
        "projection_dim": config.embed_dim,
    }


def preprocessor_config(config: VisionConfig) -> dict[str, Any]:
    """transformers' CLIPImageProcessor: bicubic to the size, centre crop, mean and std."""
    return {
        "crop_size": {"height": config.size, "width": config.size},
        "do_center_crop": True,
        "do_convert_rgb": True,
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": list(config.mean),
        "image_processor_type": "CLIPImageProcessor",
        "image_std": list(config.std),
        "resample": 3,
        "rescale_factor": 1 / 255,
        "size": {"shortest_edge": config.size},
    }
