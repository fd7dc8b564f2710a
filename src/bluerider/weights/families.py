"""How each family stands in diffusers folders: which pipelines, and in which subfolder each part.

Parts are named once for all families: tokenizer, text, image, prior, prior_schedule, unet,
autoencoder, schedule, and what only 2.1 has: mclip, mclip_tokenizer, ddpm_schedule. 2.0 adds t5
and t5_tokenizer; it was never published in this layout.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

NETS = ("text", "image", "prior", "mclip", "t5", "unet", "autoencoder")


@dataclass(frozen=True, kw_only=True)
class Folder:
    """One pipeline's folder."""

    pipelines: tuple[str, ...]  # the class names that model_index.json may give, ours first
    parts: Mapping[str, str]  # part -> subfolder
    extra: Mapping[str, str] = field(default_factory=dict)  # parts that may be missing


@dataclass(frozen=True, kw_only=True)
class Family:
    """The folders of a family; without `prior` one folder holds all."""

    decoder: Folder
    prior: Folder | None = None


PRIOR_PARTS = {
    "tokenizer": "tokenizer",
    "text": "text_encoder",
    "image": "image_encoder",
    "prior": "prior",
    "prior_schedule": "scheduler",
}
K22 = Family(
    decoder=Folder(
        pipelines=(
            "KandinskyV22Pipeline",
            "KandinskyV22Img2ImgPipeline",
            "KandinskyV22InpaintPipeline",
            "KandinskyV22ControlnetPipeline",
            "KandinskyV22ControlnetImg2ImgPipeline",
        ),
        parts={"unet": "unet", "autoencoder": "movq", "schedule": "scheduler"},
    ),
    prior=Folder(
        pipelines=("KandinskyV22PriorPipeline", "KandinskyV22PriorEmb2EmbPipeline"),
        parts=PRIOR_PARTS,
    ),
)
K21 = Family(
    decoder=Folder(
        pipelines=("KandinskyPipeline", "KandinskyImg2ImgPipeline", "KandinskyInpaintPipeline"),
        parts={
            "unet": "unet",
            "autoencoder": "movq",
            "schedule": "scheduler",
            "mclip": "text_encoder",
            "mclip_tokenizer": "tokenizer",
        },
        extra={"ddpm_schedule": "ddpm_scheduler"},
    ),
    prior=Folder(pipelines=("KandinskyPriorPipeline",), parts=PRIOR_PARTS),
)
SD = Family(
    decoder=Folder(
        pipelines=(
            "StableDiffusionPipeline",
            "StableDiffusionImg2ImgPipeline",
            "StableDiffusionInpaintPipeline",
            "StableDiffusionInpaintPipelineLegacy",
        ),
        parts={
            "unet": "unet",
            "autoencoder": "vae",
            "schedule": "scheduler",
            "text": "text_encoder",
            "tokenizer": "tokenizer",
        },
    ),
)
FAMILIES = {"kandinsky-2.1": K21, "kandinsky-2.2": K22, "stable-diffusion-1": SD}


def of_pipeline(name: str) -> str | None:
    """The family whose decoder a pipeline class is of."""
    for family, layout in FAMILIES.items():
        if name in layout.decoder.pipelines:
            return family
    return None


def pipelines() -> tuple[str, ...]:
    """The class names of every decoder."""
    return tuple(name for layout in FAMILIES.values() for name in layout.decoder.pipelines)


def places(base: Path) -> Iterator[tuple[Path, str]]:
    """The folders networks may stand in under a pipeline folder, with their kinds.

    text_encoder is the home of two kinds, so the caller asks the folder's config which it is.
    """
    for layout in FAMILIES.values():
        for folder in (layout.decoder, layout.prior):
            parts = folder.parts if folder else {}
            yield from ((base / name, part) for part, name in parts.items() if part in NETS)
