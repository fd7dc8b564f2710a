"""Published config.json files -> our shapes. Read as data: nothing named in them is imported or
run.
"""

from collections.abc import Callable
from pathlib import Path
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
from bluerider.errors import WeightsError
from bluerider.weights.fields import Fields, read_json

WIDEST, DEEPEST = 65_536, 256
TOKENS = {"image": 32, "text_image": 10}  # made of an image embedding; diffusers has no choice
JOINT = "SimpleCrossAttnDownBlock2D"
CROSS = "CrossAttnDownBlock2D"
UP = {
    "ResnetDownsampleBlock2D": "ResnetUpsampleBlock2D",
    JOINT: "SimpleCrossAttnUpBlock2D",
    "DownBlock2D": "UpBlock2D",
    CROSS: "CrossAttnUpBlock2D",
}
Config = Any


def read_unet(fields: Fields) -> tuple[UNetConfig, ConditionerConfig]:
    """diffusers' UNet2DConditionModel, as Kandinsky 2.1, 2.2 and Stable Diffusion 1.x use it."""
    fields.choice("_class_name", ("UNet2DConditionModel",))
    fields.fixed(**UNET_FIXED)
    stable = fields.data.get("encoder_hid_dim_type") is None
    return read_stable(fields) if stable else read_kandinsky(fields)


def read_kandinsky(fields: Fields) -> tuple[UNetConfig, ConditionerConfig]:
    """The U-Net of Kandinsky 2.1 and 2.2: joint attention, residual resampling."""
    for name, value in KANDINSKY_NAMED.items():
        fields.choice(name, (value,))
    hidden = fields.choice("encoder_hid_dim_type", ("image_proj", "text_image_proj"))
    channels, attends = read_levels(fields, "ResnetDownsampleBlock2D", JOINT)
    fields.fixed(num_attention_heads=None, dual_cross_attention=False)
    context = fields.integer("cross_attention_dim", WIDEST)
    unet = UNetConfig(
        in_channels=fields.integer("in_channels", 64),
        out_channels=fields.integer("out_channels", 64),
        channels=channels,
        depth=fields.integer("layers_per_block", 16, 2),
        attends=attends,
        context_dim=context,
        head_dim=fields.integer("attention_head_dim", WIDEST, 8),
        groups=fields.integer("norm_num_groups", 1024, 32),
    )
    for width in channels:
        if width % unet.groups or width % (unet.head_dim or 1):
            raise fields.refuse("block_out_channels", "multiples of the groups and of a head")
    if hidden == "text_image_proj":
        fields.choice("addition_embed_type", ("text_image",))
        return unet, ConditionerConfig(
            kind="text_image",
            context_dim=context,
            time_dim=unet.time_dim,
            image_dim=context,
            tokens=TOKENS["text_image"],
            text_dim=fields.integer("encoder_hid_dim", WIDEST),
            pooled_dim=context,
        )
    kind = fields.choice("addition_embed_type", ("image", "image_hint"))
    return unet, ConditionerConfig(
        kind="image",
        context_dim=context,
        time_dim=unet.time_dim,
        image_dim=fields.integer("encoder_hid_dim", WIDEST),
        tokens=TOKENS["image"],
        hint=kind == "image_hint",
    )


def read_stable(fields: Fields) -> tuple[UNetConfig, ConditionerConfig]:
    """The U-Net of Stable Diffusion 1.x: transformer blocks, convolutions that resample."""
    fields.fixed(**STABLE_FIXED)
    channels, attends = read_levels(fields, "DownBlock2D", CROSS)
    heads = fields.integer("attention_head_dim", 1024, 8)  # by this name, in these files
    unet = UNetConfig(
        in_channels=fields.integer("in_channels", 64, 4),
        out_channels=fields.integer("out_channels", 64, 4),
        channels=channels,
        depth=fields.integer("layers_per_block", 16, 2),
        attends=attends,
        context_dim=fields.integer("cross_attention_dim", WIDEST, 1280),
        attention="cross",
        head_dim=None,
        heads=heads,
        time="add",
        resample="conv",
        groups=fields.integer("norm_num_groups", 1024, 32),
    )
    for width in channels:
        if width % unet.groups or width % heads:
            raise fields.refuse("block_out_channels", "multiples of the groups and of the heads")
    context, time = unet.context_dim, unet.time_dim
    return unet, ConditionerConfig(kind="none", context_dim=context, time_dim=time)


def read_levels(fields: Fields, plain: str, attending: str) -> tuple[tuple[int, ...], Any]:
    """Width of each level, and whether it attends."""
    channels = fields.integers("block_out_channels", WIDEST, 8)
    down = fields.names("down_block_types", (plain, attending), len(channels))
    if fields.data.get("up_block_types") != [UP[name] for name in reversed(down)]:
        raise fields.refuse("up_block_types", "the mirror of down_block_types")
    return channels, tuple(name == attending for name in down)


KANDINSKY_NAMED = {  # where diffusers' own default is another network
    "mid_block_type": "UNetMidBlock2DSimpleCrossAttn",
    "resnet_time_scale_shift": "scale_shift",
}
STABLE_FIXED: dict[str, Any] = {
    "mid_block_type": "UNetMidBlock2DCrossAttn",
    "resnet_time_scale_shift": "default",
    "addition_embed_type": None,
    "encoder_hid_dim": None,
    "num_attention_heads": None,
    "use_linear_projection": False,
    "dual_cross_attention": False,
    "transformer_layers_per_block": 1,
    "reverse_transformer_layers_per_block": None,
    "upcast_attention": False,
    "attention_type": "default",
    "downsample_padding": 1,
    "dropout": 0.0,
}
UNET_FIXED: dict[str, Any] = {
    "act_fn": "silu",
    "norm_eps": 1e-5,
    "flip_sin_to_cos": True,
    "freq_shift": 0,
    "center_input_sample": False,
    "only_cross_attention": False,
    "cross_attention_norm": None,
    "class_embed_type": None,
    "time_embedding_type": "positional",
    "time_embedding_dim": None,
    "time_embedding_act_fn": None,
    "timestep_post_act": None,
    "time_cond_proj_dim": None,
    "conv_in_kernel": 3,
    "conv_out_kernel": 3,
    "mid_block_scale_factor": 1,
    "resnet_skip_time_act": False,
    "resnet_out_scale_factor": 1.0,
}


def read_prior(fields: Fields) -> PriorConfig:
    """diffusers' PriorTransformer."""
    fields.choice("_class_name", ("PriorTransformer",))
    fields.fixed(
        additional_embeddings=4,
        added_emb_type="prd",
        encoder_hid_proj_type="linear",
        time_embed_act_fn="silu",
        time_embed_dim=None,
        norm_in_type=None,
        embedding_proj_norm_type=None,
        embedding_proj_dim=None,
        clip_embed_dim=None,
    )
    width = fields.integer("embedding_dim", WIDEST, 768)
    return PriorConfig(
        embed_dim=width,
        text_dim=width,
        tokens=fields.integer("num_embeddings", WIDEST, 77),
        layers=fields.integer("num_layers", DEEPEST, 20),
        heads=fields.integer("num_attention_heads", 1024, 32),
        head_dim=fields.integer("attention_head_dim", 1024, 64),
    )


def read_autoencoder(fields: Fields) -> AutoencoderConfig:
    """diffusers' VQModel with spatial norms (MoVQ), or AutoencoderKL."""
    kind = fields.choice("_class_name", ("VQModel", "AutoencoderKL"))
    fields.fixed(
        norm_num_groups=32,
        act_fn="silu",
        in_channels=3,
        out_channels=3,
        mid_block_add_attention=True,
    )
    return read_movq(fields) if kind == "VQModel" else read_kl(fields)


def read_movq(fields: Fields) -> AutoencoderConfig:
    """MoVQ; no pipeline of its scales the latent, so the scale is 1."""
    fields.choice("norm_type", ("spatial",))
    fields.fixed(lookup_from_codebook=False)
    channels, attends = read_sides(fields)
    latent = fields.integer("latent_channels", 1024, 3)
    if fields.data.get("vq_embed_dim") not in (None, latent):
        raise fields.refuse("vq_embed_dim", f"{latent}, as many as latent_channels")
    return AutoencoderConfig(
        channels=channels,
        depth=fields.integer("layers_per_block", 16, 1),
        latent_channels=latent,
        attends=attends,
        codes=fields.integer("num_vq_embeddings", 2**24, 256),
    )


def read_kl(fields: Fields) -> AutoencoderConfig:
    """The KL autoencoder of Stable Diffusion."""
    fields.fixed(
        use_quant_conv=True,
        use_post_quant_conv=True,
        shift_factor=None,
        latents_mean=None,
        latents_std=None,
    )
    channels, attends = read_sides(fields)
    return AutoencoderConfig(
        channels=channels,
        depth=fields.integer("layers_per_block", 16, 1),
        latent_channels=fields.integer("latent_channels", 1024, 4),
        latent="gaussian",
        norm="group",
        attends=attends,
        scale=fields.number("scaling_factor", 1e-6, 1e6, 0.18215),
    )


def read_sides(fields: Fields) -> tuple[tuple[int, ...], bool]:
    """Width of each level of an autoencoder, and whether the coarsest attends."""
    channels = fields.integers("block_out_channels", WIDEST, 8)
    plain, attending = "DownEncoderBlock2D", "AttnDownEncoderBlock2D"
    down = fields.names("down_block_types", (plain, attending), len(channels))
    if attending in down[:-1]:
        raise fields.refuse("down_block_types", f"{attending} at the coarsest level only")
    mirror = {plain: "UpDecoderBlock2D", attending: "AttnUpDecoderBlock2D"}
    if fields.data.get("up_block_types") != [mirror[name] for name in reversed(down)]:
        raise fields.refuse("up_block_types", "the mirror of down_block_types")
    if any(width % 32 for width in channels):
        raise fields.refuse("block_out_channels", "multiples of 32")
    return channels, down[-1] == attending


def read_text(fields: Fields) -> TextConfig:
    """transformers' CLIPTextModel, with a projection or without, or the half of a whole CLIPModel;
    absent fields have transformers' defaults.
    """
    fields, named = half(fields, "text", "CLIPTextModel")
    vocab = fields.integer("vocab_size", 2**24, 49408)
    eos = fields.integer("eos_token_id", vocab - 1, 49407, low=0)
    width, heads = tower(fields, width=512, heads=8)
    return TextConfig(
        vocab=vocab,
        width=width,
        layers=fields.integer("num_hidden_layers", DEEPEST, 12),
        heads=heads,
        mlp=fields.integer("intermediate_size", WIDEST, 2048),
        tokens=fields.integer("max_position_embeddings", WIDEST, 77),
        embed_dim=None
        if named == "CLIPTextModel"
        else fields.integer("projection_dim", WIDEST, 512),
        activation=activation(fields),
        bos=fields.integer("bos_token_id", vocab - 1, min(49406, vocab - 1), low=0),
        eos=vocab - 1 if eos == 2 else eos,  # 2 was written by mistake: pooled at the highest id
        pad=fields.integer("pad_token_id", vocab - 1, 1, low=0),
        norm_eps=fields.number("layer_norm_eps", 1e-12, 1.0, 1e-5),
    )


def half(fields: Fields, side: str, plain: str) -> tuple[Fields, str]:
    """The fields of one tower and the class they were saved from: a file of its own, or a part of a
    whole CLIPModel's.
    """
    if fields.data.get("model_type") == "clip":
        inner = fields.data.get(f"{side}_config")
        if not isinstance(inner, dict):
            raise fields.refuse(f"{side}_config", "a table")
        given = fields.data.get("projection_dim", 512)
        return Fields({**inner, "projection_dim": given}, fields.path), "CLIPModel"
    projected = f"{plain}WithProjection"
    named = fields.data.get("architectures") or [projected]
    if fields.data.get("model_type") != f"clip_{side}_model":
        raise fields.refuse("model_type", f"clip_{side}_model")
    if named not in ([plain], [projected]) or (side == "vision" and named != [projected]):
        raise fields.refuse("architectures", projected)
    return fields, named[0]


def read_mclip(fields: Fields) -> XLMRConfig:
    """The MultilingualCLIP of Kandinsky 2.0 and 2.1: XLM-RoBERTa's fields and the head's."""
    fields.choice("model_type", ("M-CLIP",))
    fields.fixed(hidden_act="gelu", type_vocab_size=1, is_decoder=False)
    vocab = fields.integer("vocab_size", 2**24)
    width, heads = tower(fields)
    if fields.data.get("transformerDimensions", width) != width:
        raise fields.refuse("transformerDimensions", f"{width}, the hidden_size")
    pad = fields.integer("pad_token_id", vocab - 1, 1, low=0)
    positions = fields.integer("max_position_embeddings", WIDEST)
    return XLMRConfig(
        vocab=vocab,
        width=width,
        layers=fields.integer("num_hidden_layers", DEEPEST),
        heads=heads,
        mlp=fields.integer("intermediate_size", WIDEST),
        positions=positions,
        embed_dim=fields.integer("numDims", WIDEST),
        tokens=min(XLMRConfig.tokens, positions - pad - 1),
        bos=fields.integer("bos_token_id", vocab - 1, 0, low=0),
        eos=fields.integer("eos_token_id", vocab - 1, 2, low=0),
        pad=pad,
        norm_eps=fields.number("layer_norm_eps", 1e-12, 1.0, 1e-5),
    )


def read_t5(fields: Fields) -> T5Config:
    """transformers' MT5EncoderModel, or the encoder of the whole model."""
    fields.choice("model_type", ("mt5", "t5"))
    fields.fixed(feed_forward_proj="gated-gelu")
    vocab = fields.integer("vocab_size", 2**24)
    return T5Config(
        vocab=vocab,
        width=fields.integer("d_model", WIDEST),
        layers=fields.integer("num_layers", DEEPEST),
        heads=fields.integer("num_heads", 1024),
        head_dim=fields.integer("d_kv", WIDEST),
        mlp=fields.integer("d_ff", WIDEST),
        buckets=fields.integer("relative_attention_num_buckets", 4096, 32, low=4),
        distance=fields.integer("relative_attention_max_distance", 2**20, 128, low=4),
        eos=fields.integer("eos_token_id", vocab - 1, 1, low=0),
        pad=fields.integer("pad_token_id", vocab - 1, 0, low=0),
        norm_eps=fields.number("layer_norm_epsilon", 1e-12, 1.0, 1e-6),
    )


def read_vision(fields: Fields) -> VisionConfig:
    """transformers' CLIPVisionModelWithProjection; mean and std stand in the preprocessor's own
    file.
    """
    fields, _ = half(fields, "vision", "CLIPVisionModel")
    fields.fixed(num_channels=3)
    width, heads = tower(fields, width=768, heads=12)
    size, patch = fields.integer("image_size", 8192, 224), fields.integer("patch_size", 8192, 32)
    if patch > size:
        raise fields.refuse("patch_size", f"at most the image_size, {size}")
    return VisionConfig(
        size=size,
        patch=patch,
        width=width,
        layers=fields.integer("num_hidden_layers", DEEPEST, 12),
        heads=heads,
        mlp=fields.integer("intermediate_size", WIDEST, 3072),
        embed_dim=fields.integer("projection_dim", WIDEST, 512),
        activation=activation(fields),
        norm_eps=fields.number("layer_norm_eps", 1e-12, 1.0, 1e-5),
        **preprocessing(fields.path.parent),
    )


def tower(fields: Fields, *, width: int | None = None, heads: int | None = None) -> tuple[int, int]:
    """Width and heads of a text or image tower."""
    wide = fields.integer("hidden_size", WIDEST, width)
    count = fields.integer("num_attention_heads", 1024, heads)
    if wide % count:
        raise fields.refuse("num_attention_heads", f"a divisor of the width, {wide}")
    return wide, count


def activation(fields: Fields) -> Any:
    """The activation of a CLIP tower."""
    return fields.choice("hidden_act", ("quick_gelu", "gelu"), "quick_gelu")


def preprocessing(folder: Path) -> dict[str, Any]:
    """Mean and std the vision tower expects, from the preprocessor config in or beside its folder,
    if any.
    """
    places = (folder, folder.parent / "image_processor", folder.parent / "feature_extractor")
    for place in places:
        path = place / "preprocessor_config.json"
        if path.is_file():
            fields = Fields(read_json(path), path)
            standard = VisionConfig.mean, VisionConfig.std
            return {
                "mean": fields.numbers("image_mean", 3, standard[0]),
                "std": fields.numbers("image_std", 3, standard[1]),
            }
    return {}


READERS: dict[str, Callable[[Fields], Config]] = {
    "unet": read_unet,
    "prior": read_prior,
    "autoencoder": read_autoencoder,
    "text": read_text,
    "image": read_vision,
    "mclip": read_mclip,
    "t5": read_t5,
}


def read_config(folder: Path, kind: str) -> Config:
    """The shape of the network in a published folder (for `unet`: of the network and its
    conditioner).
    """
    path = folder / "config.json"
    if not folder.is_dir():
        raise WeightsError(f"{folder}: missing; the folder of the {kind} network is needed")
    fields = Fields(read_json(path), path)
    for name in ("auto_map", "trust_remote_code"):
        if fields.data.get(name):
            raise fields.refuse(name, "none: code that comes with weights is never run")
    return READERS[kind](fields)
