"""Our shapes -> published config.json files, complete, so that diffusers and transformers open what
we save.
"""

from typing import Any

from bluerider.config import (
    AutoencoderConfig,
    ConditionerConfig,
    PriorConfig,
    TextConfig,
    UNetConfig,
    VisionConfig,
)
from bluerider.errors import InputError

LAYOUT = "0.42.1"  # the diffusers version whose layout is written


def unet_config(
    unet: UNetConfig, conditioner: ConditionerConfig, sample_size: int
) -> dict[str, Any]:
    """diffusers' UNet2DConditionModel; `sample_size` is the usual side of a latent in cells."""
    if unet.attention != "joint" or conditioner.kind != "image" or conditioner.tokens != 32:
        raise InputError(
            "only Kandinsky 2.2's U-Net, of 32 image tokens, is written in this layout"
        )
    down = ["SimpleCrossAttn" if attends else "Resnet" for attends in unet.attends]
    sides = {True: "DownBlock2D", False: "DownsampleBlock2D"}
    ups = {True: "UpBlock2D", False: "UpsampleBlock2D"}
    pairs = list(zip(down, unet.attends, strict=True))
    return {
        "_class_name": "UNet2DConditionModel",
        "_diffusers_version": LAYOUT,
        "act_fn": "silu",
        "addition_embed_type": "image_hint" if conditioner.hint else "image",
        "addition_embed_type_num_heads": 64,
        "attention_head_dim": unet.head_dim,
        "block_out_channels": list(unet.channels),
        "center_input_sample": False,
        "class_embed_type": None,
        "conv_in_kernel": 3,
        "conv_out_kernel": 3,
        "cross_attention_dim": unet.context_dim,
        "cross_attention_norm": None,
        "down_block_types": [name + sides[attends] for name, attends in pairs],
        "downsample_padding": 1,
        "encoder_hid_dim": conditioner.image_dim,
        "encoder_hid_dim_type": "image_proj",
        "flip_sin_to_cos": True,
        "freq_shift": 0,
        "in_channels": unet.in_channels,
        "layers_per_block": unet.depth,
        "mid_block_scale_factor": 1,
        "mid_block_type": "UNetMidBlock2DSimpleCrossAttn",
        "norm_eps": 1e-05,
        "norm_num_groups": unet.groups,
        "only_cross_attention": False,
        "out_channels": unet.out_channels,
        "resnet_time_scale_shift": "scale_shift",
        "sample_size": sample_size,
        "up_block_types": [name + ups[attends] for name, attends in reversed(pairs)],
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
    """diffusers' VQModel with spatial norms (MoVQ), whose latent nobody scales."""
    if config.norm != "spatial" or config.latent != "codebook" or config.scale != 1.0:
        raise InputError("only a MoVQ autoencoder of scale 1 is written in this layout")
    plain = len(config.channels) - 1
    coarsest = "Attn" if config.attends else ""
    return {
        "_class_name": "VQModel",
        "_diffusers_version": LAYOUT,
        "act_fn": "silu",
        "block_out_channels": list(config.channels),
        "down_block_types": ["DownEncoderBlock2D"] * plain + [f"{coarsest}DownEncoderBlock2D"],
        "force_upcast": False,
        "in_channels": 3,
        "latent_channels": config.latent_channels,
        "layers_per_block": config.depth,
        "lookup_from_codebook": False,
        "mid_block_add_attention": True,
        "norm_num_groups": 32,
        "norm_type": "spatial",
        "num_vq_embeddings": config.codes,
        "out_channels": 3,
        "sample_size": sample_size,
        "scaling_factor": 1.0,
        "up_block_types": [f"{coarsest}UpDecoderBlock2D"] + ["UpDecoderBlock2D"] * plain,
        "vq_embed_dim": config.latent_channels,
    }


def text_config(config: TextConfig) -> dict[str, Any]:
    """transformers' CLIPTextModelWithProjection."""
    if config.eos == 2:
        raise InputError("an end-of-text id of 2 makes transformers pool elsewhere; choose another")
    return {
        "architectures": ["CLIPTextModelWithProjection"],
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
        "projection_dim": config.embed_dim,
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
