"""The shapes of the networks as values: one frozen dataclass a network, no defaults that hide a
choice.
"""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class UNetConfig:
    """A denoising U-Net; the families differ on these fields only (GLIDE/ADM for Kandinsky, LDM for
    SD).
    """

    in_channels: int
    out_channels: int
    channels: tuple[int, ...]  # width of each level, finest first
    depth: int  # residual blocks a level on the way down; one more on the way up
    attends: tuple[bool, ...]  # which levels attend; the middle always does
    context_dim: int
    attention: Literal["joint", "cross"] = "joint"
    head_dim: int | None = 64  # heads of this width ...
    heads: int | None = None  # ... or this many heads at every level
    time: Literal["scale_shift", "add"] = "scale_shift"
    resample: Literal["residual", "conv"] = "residual"
    groups: int = 32

    @property
    def time_dim(self) -> int:
        """Width of the time embedding, to which the conditioner's pooled vector is added."""
        return 4 * self.channels[0]


@dataclass(frozen=True, kw_only=True)
class ConditionerConfig:
    """What turns embeddings into the U-Net's context and pooled vector."""

    kind: Literal["image", "text_image", "texts", "none"]  # 2.2, 2.1, 2.0, Stable Diffusion
    context_dim: int
    time_dim: int
    image_dim: int = 0
    tokens: int = 0  # context tokens made from the image embedding
    text_dim: int = 0  # width of the text encoder's token states
    pooled_dim: int = 0  # width of the pooled text vector
    text_dim2: int = 0  # width of the second text encoder's token states
    pooling: Literal["linear", "attention"] = "linear"  # 2.1: where the pooled text comes from
    hint: bool = False  # a picture (depth) joins the latent through a small encoder


@dataclass(frozen=True, kw_only=True)
class AutoencoderConfig:
    """Pixels <-> latent, factor 2 ** (levels - 1); MoVQ (codebook, spatial norm) or KL (gaussian,
    group norm).
    """

    channels: tuple[int, ...]
    depth: int  # residual blocks a level in the encoder; one more in the decoder
    latent_channels: int = 4
    latent: Literal["codebook", "gaussian"] = "codebook"
    norm: Literal["spatial", "group"] = "spatial"
    attends: bool = True  # attention at the coarsest level; the middle always attends
    codes: int = 16384
    scale: float = 1.0  # the U-Net's latent is this times the autoencoder's

    @property
    def factor(self) -> int:
        """Pixels a latent cell spans in each direction."""
        return int(2 ** (len(self.channels) - 1))


@dataclass(frozen=True, kw_only=True)
class PriorConfig:
    """The diffusion prior: text -> image embedding (unCLIP, Ramesh et al. 2022)."""

    embed_dim: int
    text_dim: int  # width of the text tower's token states; diffusers has it equal to embed_dim
    tokens: int
    layers: int
    heads: int
    head_dim: int = 64
    final_norm: bool = True


@dataclass(frozen=True, kw_only=True)
class TextConfig:
    """A CLIP text tower."""

    vocab: int
    width: int
    layers: int
    heads: int
    mlp: int
    tokens: int
    embed_dim: int | None  # None: no projection (Stable Diffusion uses the token states alone)
    activation: Literal["quick_gelu", "gelu"]
    bos: int
    eos: int
    pad: int
    norm_eps: float = 1e-5


@dataclass(frozen=True, kw_only=True)
class XLMRConfig:
    """An XLM-RoBERTa encoder (Conneau et al. 2020) under multilingual CLIP's head (M-CLIP)."""

    vocab: int
    width: int
    layers: int
    heads: int
    mlp: int
    positions: int  # rows of the table; the first `pad` + 1 of them are never counted
    embed_dim: int  # of the head
    tokens: int = 77  # how many the decoder was trained with
    bos: int = 0
    eos: int = 2
    pad: int = 1
    norm_eps: float = 1e-5


@dataclass(frozen=True, kw_only=True)
class T5Config:
    """The encoder of mT5 (Xue et al. 2021)."""

    vocab: int
    width: int
    layers: int
    heads: int
    head_dim: int
    mlp: int
    buckets: int = 32  # of relative distance, half of them for each direction
    distance: int = 128  # from which all distances share a bucket
    tokens: int = 77
    eos: int = 1
    pad: int = 0
    norm_eps: float = 1e-6


@dataclass(frozen=True, kw_only=True)
class VisionConfig:
    """A CLIP vision tower (ViT) and the picture it expects."""

    size: int  # pixels a side
    patch: int
    width: int
    layers: int
    heads: int
    mlp: int
    embed_dim: int
    activation: Literal["quick_gelu", "gelu"]
    mean: tuple[float, float, float] = (0.48145466, 0.4578275, 0.40821073)
    std: tuple[float, float, float] = (0.26862954, 0.26130258, 0.27577711)
    norm_eps: float = 1e-5


@dataclass(frozen=True, kw_only=True)
class ScheduleConfig:
    """Noise levels of training and how a published pipeline samples with them."""

    kind: Literal["linear", "scaled_linear", "cosine"]
    predict: Literal["eps", "x0", "v"]
    start: float = 0.00085  # beta at t = 0 (linear, scaled_linear)
    end: float = 0.012
    length: int = 1000
    clamp: float | None = None  # |x0| is held under this
    threshold: float | None = None  # dynamic threshold: this quantile of |x0|, at most `clamp`
    variance: Literal["fixed_small", "fixed_large", "learned"] = "fixed_small"
    spacing: Literal["leading", "trailing", "linspace", "karras"] = "leading"
    offset: int = 1  # added to `leading` timesteps


@dataclass(frozen=True, kw_only=True)
class Compat:
    """Where a published program's ways differ from ours; a field that is off is our way."""

    strength_keeps: bool = False  # a larger strength keeps more of the picture
    noise_start: float | None = None  # the picture is noised along other betas than are walked:
    noise_end: float | None = None  # linear ones between these
    first_decides: bool = False  # the first picture's threshold is the whole batch's
    holds_early: bool = False  # the known region is put back before x0 is thresholded and rescaled
    limits_twice: bool = False  # and once more after it
    mask_grows: tuple[tuple[int, int], ...] = ()  # cells (down, right) a repainted one takes along
    ends_low: bool = False  # ddim and plms end at the lowest trained level, not at none
    strides: bool = False  # ddim and plms take as many steps as their stride fits in
