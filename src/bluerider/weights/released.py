"""Models as their authors first released them: Kandinsky 2.0's and 2.1's own files, and the single
files of Stable Diffusion 1.x.

They come without configs, so shapes are read off the weights, and noise levels are the catalog's.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from bluerider import catalog
from bluerider.catalog import Shapes
from bluerider.config import ScheduleConfig
from bluerider.errors import InputError, WeightsError
from bluerider.weights import infer, originals
from bluerider.weights.net import Source, folder_source, grouped, listed
from bluerider.weights.pickles import SUFFIXES

EMBEDDED_WORDS = Path(__file__).parents[1] / "embedded" / "clip"
CLIP_VOCABULARY = 49408
STORED = (".safetensors", *SUFFIXES)
NAMES = {  # what each file of a release is called, without its ending; the first found is read
    "kandinsky-2.0": {
        "unet": ("Kandinsky-2-0", "Kandinsky-2-0-inpainting"),
        "autoencoder": ("vae",),
    },
    "kandinsky-2.1": {
        "unet": ("decoder_fp16", "decoder", "inpainting_fp16", "inpainting"),
        "autoencoder": ("movq_final",),
        "prior": ("prior_fp16", "prior"),
        "statistics": ("ViT-L-14_stats",),
    },
}
ENCODERS = {
    "kandinsky-2.0": {"mclip": "text_encoder1", "t5": "text_encoder2"},
    "kandinsky-2.1": {"mclip": "text_encoder"},
}
SIGNS = (  # a name in a checkpoint, and what it is then
    ("clip_to_seq.weight", "kandinsky-2.1"),
    ("to_model_dim2.weight", "kandinsky-2.0"),
    ("conditioner.embedders.", "Stable Diffusion XL"),
    ("cond_stage_model.model.", "Stable Diffusion 2"),
    ("model.diffusion_model.joint_blocks.", "Stable Diffusion 3"),
    ("double_blocks.", "FLUX"),
    ("model.diffusion_model.double_blocks.", "FLUX"),
    ("model.diffusion_model.", "stable-diffusion-1"),
    ("model.transformer.resblocks.", "a prior of Kandinsky 2.1"),
    ("lora_unet_", "a LoRA"),
    ("down_blocks.", "a network of diffusers without its config.json"),
    ("encoder.down.", "an autoencoder"),
)
ACCEPTED = (
    "a single file of Stable Diffusion 1.x, or the decoder file of Kandinsky 2.0 or 2.1 among its "
    "others, is accepted"
)


@dataclass(frozen=True, kw_only=True)
class Release:
    """The parts of a model as `ModelFiles` wants them."""

    family: str
    home: Path  # the folder, or the single file
    parts: Mapping[str, Path]
    sources: Mapping[str, Source]
    schedules: Mapping[str, ScheduleConfig]


def find_release(path: Path, clip: Path | None = None, unet: str | None = None) -> Release | None:
    """The release in a folder or a file; None where a folder holds none.

    `unet` names the decoder file of a folder that holds several. Raises InputError for a file of
    anything else and where Kandinsky 2.1 lacks its CLIP, WeightsError for a damaged one.
    """
    if path.is_file():
        family = sign(path)
        if family == "stable-diffusion-1":
            return read_single(path)
        return read_folder(path.parent, family, clip, path)
    for family, names in NAMES.items():
        wanted = (unet,) if unet else names["unet"]
        if found := stored(path, wanted):
            return read_folder(path, family, clip, found)
    return None


def sign(path: Path) -> str:
    """The family of a checkpoint file, as its names tell. Raises InputError for others."""
    if path.suffix not in STORED:
        raise InputError(f"{path}: a file of another kind; {ACCEPTED}")
    names = listed(path)
    for start, what in SIGNS:
        if any(name.startswith(start) for name in names):
            if what in (*NAMES, "stable-diffusion-1"):
                return what
            raise InputError(f"{path}: holds {what}; {ACCEPTED}")
    some = ", ".join(sorted(names)[:3])
    raise InputError(f"{path}: weights of an unknown model ({some}, ...); {ACCEPTED}")


def stored(folder: Path, stems: tuple[str, ...]) -> Path | None:
    """The first file of these names, safetensors before pickles."""
    for stem in stems:
        for ending in STORED:
            if (folder / f"{stem}{ending}").is_file():
                return folder / f"{stem}{ending}"
    return None


def needed(folder: Path, stems: tuple[str, ...]) -> Path:
    """The same, which has to be there."""
    found = stored(folder, stems)
    if found is None:
        raise WeightsError(f"{folder}: lacks {stems[0]}{SUFFIXES[1]}, a file of the release")
    return found


def read_folder(folder: Path, family: str, clip: Path | None, unet: Path) -> Release:
    """The parts of Kandinsky 2.0 or 2.1 in their own files."""
    names = NAMES[family]
    shapes = getattr(catalog, "SHAPES_20" if family == "kandinsky-2.0" else "SHAPES_21")
    if (found := sign(unet)) != family:
        raise InputError(f"{unet}: a decoder of {found} among the files of {family}")
    sources = {
        "unet": read_unet(unet),
        "autoencoder": read_autoencoder(
            needed(folder, names["autoencoder"]), shapes.autoencoder.scale
        ),
    }
    parts = {part: source.place for part, source in sources.items()}
    for part, name in ENCODERS[family].items():
        sources[part] = folder_source(folder / name, part)
        parts |= {part: folder / name, f"{part}_tokenizer": folder / name}
    if "prior" in names:
        sources["prior"] = read_prior(
            needed(folder, names["prior"]), needed(folder, names["statistics"])
        )
        parts["prior"] = sources["prior"].place
        sources |= dict(read_clip(folder, clip))
        parts |= {part: sources[part].place for part in ("text", "image")}
        parts["tokenizer"] = words_of(parts["text"])
    return Release(
        family=family,
        home=folder,
        parts=parts,
        sources=sources,
        schedules=schedules(shapes),
    )


def schedules(shapes: Shapes) -> dict[str, ScheduleConfig]:
    """The noise levels of a family, which its files do not tell."""
    given = {
        "schedule": shapes.schedule,
        "ddpm_schedule": shapes.ddpm_schedule,
        "prior_schedule": shapes.prior_schedule,
    }
    return {part: config for part, config in given.items() if config is not None}


def read_unet(path: Path) -> Source:
    """A decoder file: U-Net and heads."""
    table = listed(path)
    try:
        config = infer.unet(table)
        heads = infer.conditioner(table, config)
    except (KeyError, IndexError):
        raise incomplete(path) from None
    keymap = originals.unet(config, heads)
    return Source(kind="unet", place=path, config=(config, heads), keymap=keymap, files=(path,))


def read_autoencoder(path: Path, scale: float) -> Source:
    """MoVQ or the KL autoencoder of 2.0."""
    try:
        config = infer.autoencoder(listed(path), scale)
    except (KeyError, IndexError):
        raise incomplete(path) from None
    keymap = originals.autoencoder(config)
    return Source(kind="autoencoder", place=path, config=config, keymap=keymap, files=(path,))


def read_prior(path: Path, statistics: Path) -> Source:
    """The prior of 2.1 and the file of its statistics."""
    try:
        config = infer.prior(listed(path))
    except (KeyError, IndexError, ValueError):
        raise incomplete(path) from None
    files = (path, statistics)
    keymap = originals.prior(config)
    return Source(kind="prior", place=path, config=config, keymap=keymap, files=files)


def incomplete(path: Path) -> WeightsError:
    """The error for a file whose shape cannot be read off it."""
    return WeightsError(f"{path}: incomplete or another network's: its first blocks are missing")


def read_clip(folder: Path, clip: Path | None) -> Iterator[tuple[str, Source]]:
    """CLIP ViT-L/14's two towers: of a folder in transformers' layout, of one with text_encoder/
    and image_encoder/, or of a file in OpenAI's names.
    """
    home = clip or folder / "clip"
    if clip is None and not home.is_dir():
        raise InputError(
            f"{folder}: the files of Kandinsky 2.1 lack CLIP ViT-L/14, which its prior reads with; "
            "put its folder there as clip/, or give it as --clip FOLDER "
            "(openai/clip-vit-large-patch14, or kandinsky-community/kandinsky-2-1-prior)"
        )
    if home.is_file():
        table = listed(home)
        try:
            shapes: dict[str, Any] = {
                "text": infer.openai_text(table),
                "image": infer.openai_vision(table),
            }
        except KeyError:
            raise InputError(f"{home}: not CLIP in OpenAI's names; give a folder") from None
        for part, config in shapes.items():
            keymap = originals.keymap(part, config)
            yield (
                part,
                Source(kind=part, place=home, config=config, keymap=keymap, files=(home,)),
            )
        return
    halves = {"text": home / "text_encoder", "image": home / "image_encoder"}
    for part, half in halves.items():
        yield part, folder_source(half if half.is_dir() else home, part)


def words_of(text: Path) -> Path:
    """Where the tokenizer of a CLIP text tower stands: with it, beside it, or inside the
    package.
    """
    for folder in (text, text.parent / "tokenizer"):
        if (folder / "tokenizer.json").is_file() or (folder / "vocab.json").is_file():
            return folder
    return EMBEDDED_WORDS


def read_single(path: Path) -> Release:
    """A checkpoint of Stable Diffusion 1.x in one file."""
    table = listed(path)
    check_names(path, table)
    scale = catalog.SHAPES_SD.autoencoder.scale
    scoped = {
        part: {
            name.removeprefix(scope): shape
            for name, shape in table.items()
            if name.startswith(scope)
        }
        for part, scope in originals.SCOPES.items()
    }
    try:
        unet = infer.unet(scoped["unet"])
        configs: dict[str, Any] = {
            "unet": (unet, infer.conditioner(scoped["unet"], unet)),
            "autoencoder": infer.autoencoder(scoped["autoencoder"], scale),
            "text": infer.text(scoped["text"]),
        }
    except (KeyError, IndexError):
        raise incomplete(path) from None
    sources = {
        part: Source(
            kind=part,
            place=path,
            config=config,
            keymap=originals.single(part, config),
            files=(path,),
            scope=originals.SCOPES[part],
        )
        for part, config in configs.items()
    }
    parts = {part: path for part in sources} | {"tokenizer": words_beside(path, configs["text"])}
    return Release(
        family="stable-diffusion-1",
        home=path,
        parts=parts,
        sources=sources,
        schedules=schedules(catalog.SHAPES_SD),
    )


def words_beside(path: Path, text: Any) -> Path:
    """The tokenizer of a single file: NAME.tokenizer.json beside it, or CLIP's."""
    beside = path.with_suffix(".tokenizer.json")
    if beside.is_file():
        return beside
    if text.vocab != CLIP_VOCABULARY:
        raise WeightsError(
            f"{path}: reads {text.vocab} words, not CLIP's {CLIP_VOCABULARY}; "
            f"put its tokenizer beside it as {beside.name}"
        )
    return EMBEDDED_WORDS


def check_names(path: Path, names: Mapping[str, Any]) -> None:
    """Whether a single file holds nothing that nobody knows."""
    scopes = tuple(originals.SCOPES.values())
    strange = [
        name
        for name in names
        if not name.startswith(scopes)
        and not any(fnmatchcase(name, form) for form in originals.LEFT_OUT)
    ]
    if strange:
        raise WeightsError(f"{path}: {grouped('unexpected', sorted(strange))}; another model's?")
