"""Shapes read off the weights themselves, for the published files that come without a config.

What no shape tells is what all published networks share: heads of 64 in Kandinsky's attention, its
prior and CLIP's towers, eight heads in Stable Diffusion 1.x.
"""

from collections.abc import Mapping

from bluerider.config import (
    AutoencoderConfig,
    ConditionerConfig,
    PriorConfig,
    TextConfig,
    UNetConfig,
    VisionConfig,
)

Shapes = Mapping[str, tuple[int, ...]]
HEAD = 64


def numbered(shapes: Shapes, template: str) -> int:
    """How many consecutive numbers, from 0, begin a name with the template's prefix."""
    count = 0
    while any(name.startswith(template.format(count)) for name in shapes):
        count += 1
    return count


def unet(shapes: Shapes) -> UNetConfig:
    """A U-Net in GLIDE's or latent diffusion's numbering. Raises KeyError where it is neither."""
    blocks = numbered(shapes, "output_blocks.{}.")
    joint = "middle_block.1.qkv.weight" in shapes
    resized = ".in_layers.0.weight" if joint else ".conv.weight"
    ups = (
        k
        for k in range(blocks)
        if any(f"output_blocks.{k}.{place}{resized}" in shapes for place in (1, 2))
    )
    stride = next(ups, blocks - 1) + 1
    firsts = [1 + stride * i for i in range(max(blocks // stride, 1))]
    channels = tuple(shapes[f"input_blocks.{n}.0.in_layers.2.weight"][0] for n in firsts)
    key = "encoder_kv.weight" if joint else "transformer_blocks.0.attn2.to_k.weight"
    return UNetConfig(
        in_channels=shapes["input_blocks.0.0.weight"][1],
        out_channels=shapes["out.2.weight"][0],
        channels=channels,
        depth=stride - 1,
        attends=tuple(f"input_blocks.{n}.1.norm.weight" in shapes for n in firsts),
        context_dim=shapes[f"middle_block.1.{key}"][1],
        attention="joint" if joint else "cross",
        head_dim=HEAD if joint else None,
        heads=None if joint else 8,
        time="scale_shift" if joint else "add",
        resample="residual" if joint else "conv",
    )


def conditioner(shapes: Shapes, config: UNetConfig) -> ConditionerConfig:
    """The heads beside a U-Net: Kandinsky 2.1's, 2.0's, or none."""
    context, time = config.context_dim, config.time_dim
    if "clip_to_seq.weight" in shapes:
        attends = "proj_n.q_linear.weight" in shapes
        return ConditionerConfig(
            kind="text_image",
            context_dim=context,
            time_dim=time,
            image_dim=shapes["clip_to_seq.weight"][1],
            tokens=shapes["clip_to_seq.weight"][0] // context,
            text_dim=shapes["to_model_dim_n.weight"][1],
            pooled_dim=0 if attends else shapes["proj_n.weight"][1],
            pooling="attention" if attends else "linear",
        )
    if "to_model_dim2.weight" in shapes:
        return ConditionerConfig(
            kind="texts",
            context_dim=context,
            time_dim=time,
            text_dim=shapes["to_model_dim.weight"][1],
            pooled_dim=shapes["proj.weight"][1],
            text_dim2=shapes["to_model_dim2.weight"][1],
        )
    return ConditionerConfig(kind="none", context_dim=context, time_dim=time)


def autoencoder(shapes: Shapes, scale: float) -> AutoencoderConfig:
    """MoVQ or a KL autoencoder in VQGAN's names; `scale` stands in no file."""
    levels = numbered(shapes, "encoder.down.{}.block.")
    latent = shapes["post_quant_conv.weight"][0]
    gaussian = shapes["quant_conv.weight"][0] == 2 * latent
    codes = shapes.get("quantize.embedding.weight", (AutoencoderConfig.codes,))[0]
    return AutoencoderConfig(
        channels=tuple(shapes[f"encoder.down.{i}.block.0.conv1.weight"][0] for i in range(levels)),
        depth=numbered(shapes, "encoder.down.0.block.{}."),
        latent_channels=latent,
        latent="gaussian" if gaussian else "codebook",
        norm="spatial" if "decoder.norm_out.norm_layer.weight" in shapes else "group",
        attends=f"encoder.down.{levels - 1}.attn.0.q.weight" in shapes,
        codes=codes,
        scale=scale,
    )


def prior(shapes: Shapes) -> PriorConfig:
    """Kandinsky 2.1's prior."""
    _, positions, width = shapes["model.positional_embedding"]
    return PriorConfig(
        embed_dim=shapes["model.out_proj.weight"][0],
        text_dim=shapes["model.text_enc_proj.weight"][1],
        tokens=positions - 4,
        layers=numbered(shapes, "model.transformer.resblocks.{}."),
        heads=max(width // HEAD, 1),
        head_dim=min(width, HEAD),
        final_norm="model.final_ln.weight" in shapes,
    )


def openai_text(shapes: Shapes) -> TextConfig:
    """CLIP's text tower in OpenAI's names."""
    tokens, width = shapes["positional_embedding"]
    vocab = shapes["token_embedding.weight"][0]
    return TextConfig(
        vocab=vocab,
        width=width,
        layers=numbered(shapes, "transformer.resblocks.{}."),
        heads=max(width // HEAD, 1),
        mlp=shapes["transformer.resblocks.0.mlp.c_fc.weight"][0],
        tokens=tokens,
        embed_dim=shapes["text_projection"][1],
        activation="quick_gelu",
        bos=vocab - 2,
        eos=vocab - 1,
        pad=0,
    )


def openai_vision(shapes: Shapes) -> VisionConfig:
    """CLIP's image tower in OpenAI's names."""
    width, _, patch, _ = shapes["visual.conv1.weight"]
    cells = shapes["visual.positional_embedding"][0] - 1
    return VisionConfig(
        size=round(cells**0.5) * patch,
        patch=patch,
        width=width,
        layers=numbered(shapes, "visual.transformer.resblocks.{}."),
        heads=max(width // HEAD, 1),
        mlp=shapes["visual.transformer.resblocks.0.mlp.c_fc.weight"][0],
        embed_dim=shapes["visual.proj"][1],
        activation="quick_gelu",
    )


def text(shapes: Shapes) -> TextConfig:
    """The CLIP text tower inside a single file (transformers' names, no projection)."""
    vocab, width = shapes["text_model.embeddings.token_embedding.weight"]
    return TextConfig(
        vocab=vocab,
        width=width,
        layers=numbered(shapes, "text_model.encoder.layers.{}."),
        heads=max(width // HEAD, 1),
        mlp=shapes["text_model.encoder.layers.0.mlp.fc1.weight"][0],
        tokens=shapes["text_model.embeddings.position_embedding.weight"][0],
        embed_dim=None,
        activation="quick_gelu",
        bos=vocab - 2,
        eos=vocab - 1,
        pad=vocab - 1,
    )
