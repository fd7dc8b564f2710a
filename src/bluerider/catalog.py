"""The models as values: shapes at their real sizes, where their files are published, licence, tasks
and defaults.

Shapes follow the published configs and counts of parameters (tests rebuild them on the meta
device). Sizes and hashes of files do not stand here: the hub announces them when a model is
fetched, and they are kept with the files.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, NoReturn

from bluerider.config import (
    AutoencoderConfig,
    Compat,
    ConditionerConfig,
    PriorConfig,
    ScheduleConfig,
    T5Config,
    TextConfig,
    UNetConfig,
    VisionConfig,
    XLMRConfig,
)
from bluerider.errors import InputError

Family = Literal["kandinsky-2.0", "kandinsky-2.1", "kandinsky-2.2", "stable-diffusion-1"]


@dataclass(frozen=True, kw_only=True)
class Defaults:
    """What a request that says nothing gets; sizes in pixels, multiples of `grid`."""

    steps: int
    guidance: float
    prior_steps: int
    prior_guidance: float
    width: int
    height: int
    sampler: str = "dpmpp_2m"
    spacing: str = "trailing"
    eta: float = 0.0
    guidance_interval: tuple[float, float] = (0.0, 1.0)
    grid: int = 64


@dataclass(frozen=True, kw_only=True)
class Shapes:
    """The networks of a model and its noise schedules; None for a part the family does not
    have.
    """

    unet: UNetConfig
    conditioner: ConditionerConfig
    autoencoder: AutoencoderConfig
    schedule: ScheduleConfig
    prior: PriorConfig | None = None
    prior_schedule: ScheduleConfig | None = None
    text: TextConfig | None = None
    vision: VisionConfig | None = None
    mclip: XLMRConfig | None = None
    t5: T5Config | None = None
    ddpm_schedule: ScheduleConfig | None = None  # where the ddpm sampler has limits of its own


@dataclass(frozen=True, kw_only=True)
class Hub:
    """Repositories a model is fetched from, at the commit its revision then stands for."""

    decoder: str
    prior: str | None = None
    revision: str = "main"
    files: tuple[str, ...] = ()  # of a first release: all that is fetched, the decoder's file first

    @property
    def tag(self) -> str | None:
        """What tells the files of one model in a repository from another's: its decoder's name."""
        return self.files[0].rpartition(".")[0] if self.files else None


@dataclass(frozen=True, kw_only=True)
class Model:
    """A model one can name."""

    name: str
    title: str
    family: Family
    tasks: tuple[str, ...]
    layouts: tuple[str, ...]  # published file layouts: diffusers, original, single
    licence: str
    source: str  # the page its facts were read on
    defaults: Defaults
    shapes: Shapes | None = None  # None: read from the files that ship inside the package
    hub: Hub | None = None  # None: ships inside the package
    parameters: int | None = (
        None  # all networks together, statistics included; None: counted in the files
    )


PLAIN = ("text2img", "img2img", "inpaint", "outpaint")
MIXING = (*PLAIN, "mix", "vary")  # of families that are told an image embedding
HF = "https://huggingface.co/"

UNET_22 = UNetConfig(
    in_channels=4,
    out_channels=8,
    channels=(384, 768, 1152, 1536),
    depth=3,
    attends=(False, True, True, True),
    context_dim=768,
)
CONDITIONER_22 = ConditionerConfig(
    kind="image", context_dim=768, time_dim=1536, image_dim=1280, tokens=32
)
MOVQ = AutoencoderConfig(channels=(128, 256, 256, 512), depth=2)
PRIOR_22 = PriorConfig(embed_dim=1280, text_dim=1280, tokens=77, layers=20, heads=32)
BIGG_TEXT = TextConfig(
    vocab=49408,
    width=1280,
    layers=32,
    heads=20,
    mlp=5120,
    tokens=77,
    embed_dim=1280,
    activation="gelu",
    bos=49406,
    eos=49407,
    pad=0,
)
BIGG_VISION = VisionConfig(
    size=224,
    patch=14,
    width=1664,
    layers=48,
    heads=16,
    mlp=8192,
    embed_dim=1280,
    activation="gelu",
)
L14_TEXT = TextConfig(
    vocab=49408,
    width=768,
    layers=12,
    heads=12,
    mlp=3072,
    tokens=77,
    embed_dim=768,
    activation="quick_gelu",
    bos=49406,
    eos=49407,
    pad=49407,
)
L14_VISION = VisionConfig(
    size=224,
    patch=14,
    width=1024,
    layers=24,
    heads=16,
    mlp=4096,
    embed_dim=768,
    activation="quick_gelu",
)
PRIOR_SCHEDULE = ScheduleConfig(
    kind="cosine", predict="x0", clamp=10.0, spacing="linspace", offset=0
)
SCHEDULE_22 = ScheduleConfig(kind="linear", predict="eps", clamp=1.0)
SCHEDULE_21 = ScheduleConfig(kind="linear", predict="eps")
SCHEDULE_20 = replace(SCHEDULE_21, start=0.0001, end=0.02)
# Both were published with a sampler (p_sampler) that learned its variance and held x0 in bounds,
# and two (ddim, plms) that did neither.
DDPM_21 = replace(
    SCHEDULE_21, clamp=2.0, threshold=0.995, variance="learned", spacing="linspace", offset=0
)
DDPM_20 = replace(DDPM_21, start=0.0001, end=0.02, clamp=None)
XLMR_LARGE = XLMRConfig(
    vocab=250_002, width=1024, layers=24, heads=16, mlp=4096, positions=514, embed_dim=768
)
MT5_SMALL = T5Config(vocab=250_112, width=512, layers=8, heads=6, head_dim=64, mlp=1024)
SCHEDULE_SD = ScheduleConfig(kind="scaled_linear", predict="eps")

SHAPES_22 = Shapes(
    unet=UNET_22,
    conditioner=CONDITIONER_22,
    autoencoder=MOVQ,
    schedule=SCHEDULE_22,
    prior=PRIOR_22,
    prior_schedule=PRIOR_SCHEDULE,
    text=BIGG_TEXT,
    vision=BIGG_VISION,
)
SHAPES_22_INPAINT = replace(
    SHAPES_22,
    unet=replace(UNET_22, in_channels=9),
    schedule=replace(SCHEDULE_22, clamp=None),
)
SHAPES_22_DEPTH = replace(
    SHAPES_22,
    unet=replace(UNET_22, in_channels=8),
    conditioner=replace(CONDITIONER_22, hint=True),
)
SHAPES_21 = Shapes(
    unet=UNET_22,
    conditioner=ConditionerConfig(
        kind="text_image",
        context_dim=768,
        time_dim=1536,
        image_dim=768,
        tokens=10,
        text_dim=1024,
        pooled_dim=768,
    ),
    autoencoder=MOVQ,
    schedule=SCHEDULE_21,
    prior=replace(PRIOR_22, embed_dim=768, text_dim=768),
    prior_schedule=PRIOR_SCHEDULE,
    text=L14_TEXT,
    vision=L14_VISION,
    mclip=XLMR_LARGE,
    ddpm_schedule=DDPM_21,
)
SHAPES_20 = Shapes(
    unet=UNET_22,
    conditioner=ConditionerConfig(
        kind="texts",
        context_dim=768,
        time_dim=1536,
        text_dim=1024,
        pooled_dim=640,
        text_dim2=512,
    ),
    autoencoder=AutoencoderConfig(
        channels=(128, 256, 512, 512),
        depth=2,
        latent="gaussian",
        norm="group",
        attends=False,
        scale=0.0512,
    ),
    schedule=SCHEDULE_20,
    mclip=replace(XLMR_LARGE, embed_dim=640),
    t5=MT5_SMALL,
    ddpm_schedule=DDPM_20,
)
SHAPES_SD = Shapes(
    unet=UNetConfig(
        in_channels=4,
        out_channels=4,
        channels=(320, 640, 1280, 1280),
        depth=2,
        attends=(True, True, True, False),
        context_dim=768,
        attention="cross",
        head_dim=None,
        heads=8,
        time="add",
        resample="conv",
    ),
    conditioner=ConditionerConfig(kind="none", context_dim=768, time_dim=1280),
    autoencoder=replace(SHAPES_20.autoencoder, scale=0.18215),
    schedule=SCHEDULE_SD,
    text=replace(L14_TEXT, embed_dim=None),
)


def widened(shapes: Shapes) -> Shapes:
    """The inpainting variant: mask and masked latent join the latent, nine channels in all."""
    return replace(shapes, unet=replace(shapes.unet, in_channels=9))


MURNAU = Model(
    name="murnau",
    title="murnau, the small model inside the package: emoji-like pictures in about 99 languages",
    family="kandinsky-2.2",
    tasks=MIXING,
    layouts=("diffusers",),
    licence="apache-2.0",
    source="embedded/murnau/README.md",
    defaults=Defaults(
        steps=10,
        guidance=2.5,
        guidance_interval=(0.0, 0.9),  # unguided at the end, its white is cleaner
        prior_steps=1,
        prior_guidance=1.0,
        width=128,
        height=128,
    ),
)
K22 = Model(
    name="kandinsky-2.2",
    title="Kandinsky 2.2",
    family="kandinsky-2.2",
    tasks=MIXING,
    layouts=("diffusers",),
    licence="apache-2.0",
    source=HF + "kandinsky-community/kandinsky-2-2-decoder",
    defaults=Defaults(
        steps=25, guidance=4.0, prior_steps=25, prior_guidance=4.0, width=512, height=512
    ),
    shapes=SHAPES_22,
    hub=Hub(
        decoder="kandinsky-community/kandinsky-2-2-decoder",
        prior="kandinsky-community/kandinsky-2-2-prior",
    ),
    parameters=4_886_682_807,
)
K22_INPAINT = replace(
    K22,
    name="kandinsky-2.2-inpaint",
    title="Kandinsky 2.2, repainting under a mask",
    tasks=("inpaint", "outpaint"),
    source=HF + "kandinsky-community/kandinsky-2-2-decoder-inpaint",
    shapes=SHAPES_22_INPAINT,
    hub=Hub(
        decoder="kandinsky-community/kandinsky-2-2-decoder-inpaint",
        prior="kandinsky-community/kandinsky-2-2-prior",
    ),
    parameters=4_886_700_087,
)
K22_DEPTH = replace(
    K22,
    name="kandinsky-2.2-depth",
    title="Kandinsky 2.2, following a depth map",
    tasks=("depth",),
    source=HF + "kandinsky-community/kandinsky-2-2-controlnet-depth",
    shapes=SHAPES_22_DEPTH,
    hub=Hub(
        decoder="kandinsky-community/kandinsky-2-2-controlnet-depth",
        prior="kandinsky-community/kandinsky-2-2-prior",
    ),
    parameters=4_887_054_731,
)
K21 = Model(
    name="kandinsky-2.1",
    title="Kandinsky 2.1, multilingual",
    family="kandinsky-2.1",
    tasks=MIXING,
    layouts=("diffusers", "original"),
    licence="apache-2.0",
    source=HF + "ai-forever/Kandinsky_2.1",
    defaults=replace(K22.defaults, width=768, height=768),
    shapes=SHAPES_21,
    hub=Hub(
        decoder="kandinsky-community/kandinsky-2-1",
        prior="kandinsky-community/kandinsky-2-1-prior",
    ),
    parameters=3_306_818_487,
)
K21_INPAINT = replace(
    K21,
    name="kandinsky-2.1-inpaint",
    title="Kandinsky 2.1, repainting under a mask",
    tasks=("inpaint", "outpaint"),
    shapes=widened(SHAPES_21),
    hub=Hub(
        decoder="kandinsky-community/kandinsky-2-1-inpaint",
        prior="kandinsky-community/kandinsky-2-1-prior",
    ),
    parameters=3_306_835_767,
)
FILES_20 = (
    "vae.ckpt",
    "text_encoder1/config.json",
    "text_encoder1/pytorch_model.bin",
    "text_encoder1/sentencepiece.bpe.model",
    "text_encoder1/special_tokens_map.json",
    "text_encoder1/tokenizer.json",
    "text_encoder1/tokenizer_config.json",
    "text_encoder2/config.json",
    "text_encoder2/pytorch_model.bin",
    "text_encoder2/special_tokens_map.json",
    "text_encoder2/spiece.model",
    "text_encoder2/tokenizer.json",
    "text_encoder2/tokenizer_config.json",
)
K20 = Model(
    name="kandinsky-2.0",
    title="Kandinsky 2.0, multilingual, two text encoders and no prior",
    family="kandinsky-2.0",
    tasks=PLAIN,
    layouts=("original",),
    licence="apache-2.0",
    source=HF + "ai-forever/Kandinsky_2.0",
    defaults=Defaults(
        steps=50, guidance=10.0, prior_steps=1, prior_guidance=1.0, width=512, height=512
    ),
    shapes=SHAPES_20,
    hub=Hub(decoder="ai-forever/Kandinsky_2.0", files=("Kandinsky-2-0.pt", *FILES_20)),
    parameters=2_014_493_487,
)
K20_INPAINT = replace(
    K20,
    name="kandinsky-2.0-inpaint",
    title="Kandinsky 2.0, repainting under a mask",
    tasks=("inpaint", "outpaint"),
    shapes=widened(SHAPES_20),
    hub=Hub(decoder="ai-forever/Kandinsky_2.0", files=("Kandinsky-2-0-inpainting.pt", *FILES_20)),
    parameters=2_014_510_767,
)
SD14 = Model(
    name="sd-1.4",
    title="Stable Diffusion 1.4",
    family="stable-diffusion-1",
    tasks=PLAIN,
    layouts=("diffusers", "single"),
    licence="creativeml-openrail-m",
    source=HF + "CompVis/stable-diffusion-v1-4",
    defaults=Defaults(
        steps=25, guidance=7.5, prior_steps=1, prior_guidance=1.0, width=512, height=512
    ),
    shapes=SHAPES_SD,
    hub=Hub(decoder="CompVis/stable-diffusion-v1-4"),
    parameters=1_066_235_307,
)
SD15 = replace(
    SD14,
    name="sd-1.5",
    title="Stable Diffusion 1.5",
    source=HF + "stable-diffusion-v1-5/stable-diffusion-v1-5",
    hub=Hub(decoder="stable-diffusion-v1-5/stable-diffusion-v1-5"),
)
SD15_INPAINT = replace(
    SD15,
    name="sd-1.5-inpaint",
    title="Stable Diffusion 1.5, repainting under a mask",
    tasks=("inpaint", "outpaint"),
    source=HF + "stable-diffusion-v1-5/stable-diffusion-inpainting",
    shapes=widened(SHAPES_SD),
    hub=Hub(decoder="stable-diffusion-v1-5/stable-diffusion-inpainting"),
    parameters=1_066_249_707,
)

MODELS: dict[str, Model] = {
    model.name: model
    for model in (
        MURNAU,
        K20,
        K20_INPAINT,
        K21,
        K21_INPAINT,
        K22,
        K22_INPAINT,
        K22_DEPTH,
        SD14,
        SD15,
        SD15_INPAINT,
    )
}


NEIGHBOURS = ((-1, 0), (0, -1), (-1, -1), (1, 0), (0, 1), (1, 1))  # two corners are left out
ORIGINAL_20 = Compat(
    strength_keeps=True,
    first_decides=True,
    holds_early=True,
    limits_twice=True,
    mask_grows=NEIGHBOURS,
    ends_low=True,
    strides=True,
)
COMPAT: dict[str, dict[str, Compat]] = {
    "original": {
        "kandinsky-2.0": ORIGINAL_20,
        # 2.1 noises pictures along 2.0's betas and walks its own.
        "kandinsky-2.1": replace(
            ORIGINAL_20, limits_twice=False, noise_start=0.0001, noise_end=0.02
        ),
    }
}
"""What ai-forever/Kandinsky-2 does differently from us, on purpose or not."""


def find(name: str) -> Model:
    """The model of that name; raises InputError naming the accepted ones."""
    if name not in MODELS:
        raise InputError(f"no model is called {name!r}; known models: {', '.join(MODELS)}")
    return MODELS[name]


def refuse(name: str, task: str, known: Sequence[str]) -> NoReturn:
    """Raise InputError: a model cannot do a task; name those that can."""
    can = ", ".join(each for each, model in MODELS.items() if task in model.tasks)
    reason = ""
    if task in ("mix", "vary") and "text2img" in known:
        reason = ", it is told no image embedding"
    raise InputError(f"{name} cannot {task}{reason}; models that can: {can}")
