"""Published names of weights <-> ours, as two-way rules; one table a network and layout.

A template holds {i} {j} {k} for numbers and {p} for weight or bias. A rule with an operation turns one published
tensor into several of ours and back (fused attention, 1x1 convolutions that are linear layers).
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

PLACES = {"i": r"\d+", "j": r"\d+", "k": r"\d+", "p": "weight|bias"}


@dataclass(frozen=True)
class Operation:
    """One published tensor -> the tensors it holds, and back."""

    split: Callable[[Tensor], tuple[Tensor, ...]]
    join: Callable[[tuple[Tensor, ...]], Tensor]


def interleaved(pieces: int, width: int = 64, trailing: int = 0) -> Operation:
    """Projections fused head by head, `width` rows a piece; `trailing` axes of size 1 follow the weights."""

    def split(tensor: Tensor) -> tuple[Tensor, ...]:
        tensor = unpointed(trailing).split(tensor)[0]
        parts = tensor.reshape(-1, pieces, width, *tensor.shape[1:])
        return tuple(parts[:, index].flatten(0, 1) for index in range(pieces))

    def join(parts: tuple[Tensor, ...]) -> Tensor:
        stacked = torch.stack([part.unflatten(0, (-1, width)) for part in parts], dim=1)
        return unpointed(trailing).join((stacked.flatten(0, 2),))

    return Operation(split, join)


def unpointed(axes: int) -> Operation:
    """A convolution of kernel 1 <-> a linear layer; vectors (biases) stay as they are."""

    def split(tensor: Tensor) -> tuple[Tensor, ...]:
        if tensor.dim() < 2:
            return (tensor,)
        if tensor.shape[2:] != (1,) * axes:
            raise RuntimeError("not a kernel of size 1")
        return (tensor.flatten(1),)

    def join(parts: tuple[Tensor, ...]) -> Tensor:
        (tensor,) = parts
        return tensor if tensor.dim() < 2 else tensor[(...,) + (None,) * axes]

    return Operation(split, join)


KEEP = Operation(split=lambda tensor: (tensor,), join=lambda parts: parts[0])


@dataclass(frozen=True)
class Rule:
    """A published name, our name or names, and what is done to the tensor."""

    published: str
    ours: tuple[str, ...]
    operation: Operation = KEEP


def compiled(template: str) -> re.Pattern[str]:
    """A template as a pattern with one group a place."""
    pattern = re.escape(template)
    for name, accepted in PLACES.items():
        pattern = pattern.replace(rf"\{{{name}\}}", f"(?P<{name}>{accepted})")
    return re.compile(pattern)


@dataclass(frozen=True)
class Piece:
    """Where one of our tensors comes from."""

    published: str
    index: int
    operation: Operation


@dataclass(frozen=True)
class Keymap:
    """The rules of one layout; `ignored` are published names that carry nothing (position counters)."""

    rules: tuple[Rule, ...]
    ignored: tuple[str, ...] = ()

    @cached_property
    def forward(self) -> list[tuple[re.Pattern[str], Rule]]:
        return [(compiled(rule.published), rule) for rule in self.rules]

    @cached_property
    def backward(self) -> list[tuple[re.Pattern[str], int, Rule]]:
        return [
            (compiled(name), index, rule)
            for rule in self.rules
            for index, name in enumerate(rule.ours)
        ]

    def ours(self, published: str) -> tuple[tuple[str, ...], Operation] | None:
        """Our names for a published one, and the operation; None where no rule knows it."""
        for pattern, rule in self.forward:
            if match := pattern.fullmatch(published):
                names = tuple(name.format(**match.groupdict()) for name in rule.ours)
                return names, rule.operation
        return None

    def published(self, ours: str) -> Piece | None:
        """Where our tensor stands in the published layout; None where no rule knows it."""
        for pattern, index, rule in self.backward:
            if match := pattern.fullmatch(ours):
                return Piece(rule.published.format(**match.groupdict()), index, rule.operation)
        return None

    def is_ignored(self, published: str) -> bool:
        """Whether a published name carries nothing."""
        return published in self.ignored

    def read(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Published tensors under our names; raises KeyError naming one that no rule knows."""
        result: dict[str, Tensor] = {}
        for name, tensor in tensors.items():
            if self.is_ignored(name):
                continue
            found = self.ours(name)
            if found is None:
                raise KeyError(name)
            result.update(zip(found[0], found[1].split(tensor), strict=True))
        return result

    def write(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Our tensors under their published names; raises KeyError naming one that no rule knows."""
        parts: dict[str, dict[int, Tensor]] = {}
        operations: dict[str, Operation] = {}
        for name, tensor in tensors.items():
            piece = self.published(name)
            if piece is None:
                raise KeyError(name)
            parts.setdefault(piece.published, {})[piece.index] = tensor
            operations[piece.published] = piece.operation
        return {
            name: operations[name].join(tuple(found[index] for index in range(len(found))))
            for name, found in parts.items()
        }


def rename(*pairs: tuple[str, str]) -> list[Rule]:
    """Rules that only rename; the {p} of a layer's weight and bias is added where no place or leaf is named."""
    return [Rule(leafed(published), (leafed(ours),)) for published, ours in pairs]


def leafed(name: str) -> str:
    """A layer's name with the place of its weight or bias; a name ending in `!` is a tensor of its own."""
    return name[:-1] if name.endswith("!") else name + ".{p}"


def nested(published: str, ours: str, rules: Iterable[Rule]) -> list[Rule]:
    """Rules of a part, under the names of the whole."""
    return [
        Rule(
            f"{published}.{rule.published}",
            tuple(f"{ours}.{name}" for name in rule.ours),
            rule.operation,
        )
        for rule in rules
    ]


def placed(ours: str, rules: list[Rule]) -> list[Rule]:
    """Rules whose networks stand under a name on our side only."""
    return [
        Rule(rule.published, tuple(f"{ours}.{name}" for name in rule.ours), rule.operation)
        for rule in rules
    ]


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
