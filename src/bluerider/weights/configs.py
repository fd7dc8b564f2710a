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
    TextConfig,
    UNetConfig,
    VisionConfig,
)
from bluerider.errors import WeightsError
from bluerider.weights.fields import Fields, read_json

WIDEST, DEEPEST = 65_536, 256
TOKENS = 32  # diffusers' image projection always makes 32
PLAIN, JOINT = "ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"
UP = {PLAIN: "ResnetUpsampleBlock2D", JOINT: "SimpleCrossAttnUpBlock2D"}
Config = Any


def read_unet(fields: Fields) -> tuple[UNetConfig, ConditionerConfig]:
    """diffusers' UNet2DConditionModel, as Kandinsky 2.2 uses it."""
    for name, value in UNET_NAMED.items():
        fields.choice(name, (value,))
    channels = fields.integers("block_out_channels", WIDEST, 8)
    down = fields.names("down_block_types", (PLAIN, JOINT), len(channels))
    if fields.data.get("up_block_types") != [UP[name] for name in reversed(down)]:
        raise fields.refuse("up_block_types", "the mirror of down_block_types")
    fields.fixed(**UNET_FIXED)
    context = fields.integer("cross_attention_dim", WIDEST)
    unet = UNetConfig(
        in_channels=fields.integer("in_channels", 64),
        out_channels=fields.integer("out_channels", 64),
        channels=channels,
        depth=fields.integer("layers_per_block", 16, 2),
        attends=tuple(name == JOINT for name in down),
        context_dim=context,
        head_dim=fields.integer("attention_head_dim", WIDEST, 8),
        groups=fields.integer("norm_num_groups", 1024, 32),
    )
    for width in channels:
        if width % unet.groups or width % (unet.head_dim or 1):
            raise fields.refuse("block_out_channels", "multiples of the groups and of a head")
    kind = fields.choice("addition_embed_type", ("image", "image_hint"))
    conditioner = ConditionerConfig(
        kind="image",
        context_dim=context,
        time_dim=unet.time_dim,
        image_dim=fields.integer("encoder_hid_dim", WIDEST),
        tokens=TOKENS,
        hint=kind == "image_hint",
    )
    return unet, conditioner


UNET_NAMED = {  # where diffusers' own default is another network
    "_class_name": "UNet2DConditionModel",
    "encoder_hid_dim_type": "image_proj",
    "mid_block_type": "UNetMidBlock2DSimpleCrossAttn",
    "resnet_time_scale_shift": "scale_shift",
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
    "num_attention_heads": None,
    "mid_block_scale_factor": 1,
    "resnet_skip_time_act": False,
    "resnet_out_scale_factor": 1.0,
    "dual_cross_attention": False,
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
    """diffusers' VQModel with spatial norms (MoVQ); no pipeline of its scales the latent, so the
    scale is 1.
    """
    fields.choice("_class_name", ("VQModel",))
    fields.choice("norm_type", ("spatial",))
    channels = fields.integers("block_out_channels", WIDEST, 8)
    plain, attending = "DownEncoderBlock2D", "AttnDownEncoderBlock2D"
    down = fields.names("down_block_types", (plain, attending), len(channels))
    if attending in down[:-1]:
        raise fields.refuse("down_block_types", f"{attending} at the coarsest level only")
    mirror = {plain: "UpDecoderBlock2D", attending: "AttnUpDecoderBlock2D"}
    if fields.data.get("up_block_types") != [mirror[name] for name in reversed(down)]:
        raise fields.refuse("up_block_types", "the mirror of down_block_types")
    latent = fields.integer("latent_channels", 1024, 3)
    if fields.data.get("vq_embed_dim") not in (None, latent):
        raise fields.refuse("vq_embed_dim", f"{latent}, as many as latent_channels")
    fields.fixed(
        norm_num_groups=32,
        act_fn="silu",
        in_channels=3,
        out_channels=3,
        mid_block_add_attention=True,
        lookup_from_codebook=False,
    )
    if any(width % 32 for width in channels):
        raise fields.refuse("block_out_channels", "multiples of 32")
    return AutoencoderConfig(
        channels=channels,
        depth=fields.integer("layers_per_block", 16, 1),
        latent_channels=latent,
        attends=down[-1] == attending,
        codes=fields.integer("num_vq_embeddings", 2**24, 256),
    )


def read_text(fields: Fields) -> TextConfig:
    """transformers' CLIPTextModelWithProjection; absent fields have transformers' defaults."""
    check_architecture(fields, "clip_text_model", "CLIPTextModelWithProjection")
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
        embed_dim=fields.integer("projection_dim", WIDEST, 512),
        activation=activation(fields),
        bos=fields.integer("bos_token_id", vocab - 1, min(49406, vocab - 1), low=0),
        eos=vocab - 1 if eos == 2 else eos,  # 2 was written by mistake: pooled at the highest id
        pad=fields.integer("pad_token_id", vocab - 1, 1, low=0),
        norm_eps=fields.number("layer_norm_eps", 1e-12, 1.0, 1e-5),
    )


def read_vision(fields: Fields) -> VisionConfig:
    """transformers' CLIPVisionModelWithProjection; mean and std stand in the preprocessor's own
    file.
    """
    check_architecture(fields, "clip_vision_model", "CLIPVisionModelWithProjection")
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


def check_architecture(fields: Fields, model_type: str, architecture: str) -> None:
    """Whether a transformers config is of the network asked for."""
    named = fields.data.get("architectures")
    if fields.data.get("model_type") != model_type:
        raise fields.refuse("model_type", model_type)
    if named is not None and named != [architecture]:
        raise fields.refuse("architectures", architecture)


def tower(fields: Fields, *, width: int, heads: int) -> tuple[int, int]:
    """Width and heads of a CLIP tower."""
    width = fields.integer("hidden_size", WIDEST, width)
    heads = fields.integer("num_attention_heads", 1024, heads)
    if width % heads:
        raise fields.refuse("num_attention_heads", f"a divisor of the width, {width}")
    return width, heads


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
