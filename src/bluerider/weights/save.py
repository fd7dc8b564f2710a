"""Networks -> published folders that diffusers and transformers open: prior/ and decoder/, written
whole or not.
"""

import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import nn

from bluerider.catalog import Defaults
from bluerider.config import ScheduleConfig
from bluerider.errors import BlueriderError, InputError
from bluerider.files import beside
from bluerider.weights import writers
from bluerider.weights.families import FAMILIES, NETS, Family, Folder
from bluerider.weights.fields import read_json
from bluerider.weights.keymaps import Keymap
from bluerider.weights.known import KNOWN, Known, save_known
from bluerider.weights.layouts import keymap
from bluerider.weights.net import check_finite, folder_source
from bluerider.weights.pickles import SUFFIXES
from bluerider.weights.schedules import write_schedule
from bluerider.weights.store import digest, write_whole
from bluerider.weights.tokens import write_tokenizer
from bluerider.weights.zero import SHIPPED, compute, fingerprint, write_zero

FILES = {"unet": "diffusion_pytorch_model", "prior": "diffusion_pytorch_model"}
FILES |= {"autoencoder": "diffusion_pytorch_model"}
PICKLED = "pytorch_model"
FAST = ["transformers", "PreTrainedTokenizerFast"]
CLASSES = {
    "tokenizer": FAST,
    "mclip_tokenizer": FAST,
    "text": ["transformers", "CLIPTextModelWithProjection"],
    "mclip": ["kandinsky", "MultilingualCLIP"],
    "image": ["transformers", "CLIPVisionModelWithProjection"],
    "image_processor": ["transformers", "CLIPImageProcessor"],
    "prior": ["diffusers", "PriorTransformer"],
    "unet": ["diffusers", "UNet2DConditionModel"],
}
OF_KIND = {"image": "kandinsky-2.2", "text_image": "kandinsky-2.1", "none": "stable-diffusion-1"}


def save_net(
    net: Any,
    kind: str,
    folder: Path,
    *,
    dtype: torch.dtype | None = None,
    sample_size: int = 64,
    pickled: bool = False,
) -> None:
    """Write one network's config.json and weights into a folder; for `unet` give the pair
    (UNet, conditioner).

    dtype: the type of the stored weights (None: as they are). `pickled` writes a .bin of tensors,
    for software that opens nothing else. Raises WeightsError when a weight is not finite.
    """
    folder.mkdir(parents=True, exist_ok=True)
    whole = nn.ModuleDict({"unet": net[0], "conditioner": net[1]}) if kind == "unet" else net
    config = net_config(net, kind, sample_size)
    stem = FILES.get(kind, "model")
    path = folder / (f"{PICKLED}.bin" if pickled else f"{stem}.safetensors")
    shape = (net[0].config, net[1].config) if kind == "unet" else net.config
    tensors = published(whole, keymap(kind, shape), path, dtype)
    if kind not in FILES:
        config["dtype"] = str(next(iter(tensors.values())).dtype).removeprefix("torch.")
    write_json(folder / "config.json", config)
    write_tensors(tensors, path)


def published(
    net: nn.Module, names: Keymap, path: Path, dtype: torch.dtype | None = None
) -> dict[str, torch.Tensor]:
    """A network's tensors under their published names, checked for what `path` is to hold."""
    tensors = {}
    for name, tensor in names.write(net.state_dict()).items():
        tensors[name] = tensor.detach().to("cpu", dtype or tensor.dtype).contiguous()
        check_finite(tensors[name], path, name)
    return tensors


def write_tensors(tensors: Mapping[str, torch.Tensor], path: Path, nest: str = "") -> None:
    """A file of weights, whole or not at all: safetensors, or by its ending a pickle, under `nest`
    where the software it is for looks there.
    """
    with beside(path) as part:
        if path.suffix in SUFFIXES:
            torch.save({nest: dict(tensors)} if nest else dict(tensors), part)
        else:
            save_file(dict(tensors), part, metadata={"format": "pt"})


def net_config(net: Any, kind: str, sample_size: int) -> dict[str, Any]:
    """The published config of a network."""
    if kind == "unet":
        return writers.unet_config(net[0].config, net[1].config, sample_size)
    if kind == "prior":
        return writers.prior_config(net.config)
    if kind == "autoencoder":
        return writers.autoencoder_config(net.config, sample_size * net.config.factor)
    return WRITERS[kind](net.config)


WRITERS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "text": writers.text_config,
    "image": writers.vision_config,
    "mclip": writers.mclip_config,
    "t5": writers.t5_config,
}


def write_json(path: Path, data: Mapping[str, Any]) -> None:
    """A JSON file, sorted, as the published ones are."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data, indent=2, sort_keys=True) + "\n", encoding="utf-8")


def save_model(
    parts: Mapping[str, Any],
    folder: str | Path,
    *,
    name: str,
    defaults: Defaults,
    licence: str = "not stated",
    dtype: torch.dtype | None = None,
    known: Known | None = None,
) -> Path:
    """Write a whole model as diffusers pipelines, and `bluerider.json` with hashes: in `prior/` and
    `decoder/`, or, of Stable Diffusion, in the folder itself.

    parts: the networks of its family (unet the pair of U-Net and conditioner), ScheduleConfigs, and
    for each tokenizer a tokenizer.json or the folder that holds one. `known`: what it has read in
    training. An older model
    folder of the same place is replaced as one; its other files (a card, a licence) stay. Raises
    InputError, with nothing written, when a part is missing or the place holds something else.
    """
    layout = layout_of(parts)
    folders = [layout.decoder, *([layout.prior] if layout.prior else [])]
    lacking = [part for each in folders for part in each.parts if part not in parts]
    if lacking:
        raise InputError(f"a model needs all its parts; missing: {', '.join(sorted(lacking))}")

    def fill(place: Path) -> None:
        if known is not None:
            save_known(known, place / KNOWN)
        if layout.prior is None:
            write_pipeline(parts, layout.decoder, place, dtype, defaults)
            return
        write_pipeline(parts, layout.prior, place / "prior", dtype, defaults)
        write_pipeline(parts, layout.decoder, place / "decoder", dtype, defaults)

    return write_model(Path(folder), fill, name=name, defaults=defaults, licence=licence)


def write_model(
    target: Path,
    fill: Callable[[Path], None],
    *,
    name: str,
    defaults: Defaults,
    licence: str,
) -> Path:
    """A model's folder, whole or not at all: what `fill` writes into it, and `bluerider.json`."""
    check_place(target)
    temporary = target.parent / f".{target.name}.{os.getpid()}.tmp"
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir()
        fill(temporary)
        write_json(
            temporary / "bluerider.json",
            {
                "name": name,
                "licence": licence,
                "defaults": asdict(defaults),
                "files": inventory(temporary),
            },
        )
        swap(temporary, target)
    except OSError as error:
        raise BlueriderError(f"{target}: cannot be written ({error.strerror})") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return target


def check_place(target: Path) -> None:
    """Whether a model may be written here: a new name in a folder that exists, an empty folder, or
    an older model.
    """
    if not target.parent.is_dir():
        raise InputError(f"{target.parent}: no such folder; make it first")
    if target.exists() and not target.is_dir():
        raise InputError(f"{target}: a file stands here; a folder is needed")
    if target.is_dir() and not (target / "bluerider.json").is_file() and any(target.iterdir()):
        raise InputError(f"{target}: holds something that is not a model; choose another folder")


def layout_of(parts: Mapping[str, Any]) -> Family:
    """The folders of the family a decoder belongs to."""
    kind = parts["unet"][1].config.kind if "unet" in parts else "image"
    if kind not in OF_KIND:
        raise InputError("Kandinsky 2.0 has no diffusers layout; its own is --layout original")
    return FAMILIES[OF_KIND[kind]]


def write_pipeline(
    parts: Mapping[str, Any],
    layout: Folder,
    folder: Path,
    dtype: torch.dtype | None,
    defaults: Defaults,
) -> None:
    """One pipeline: its networks, tokenizers and schedules, and the index that names them."""
    cells = defaults.width // parts["autoencoder"].config.factor
    index: dict[str, list[str]] = {}
    for part, name in {**layout.parts, **layout.extra}.items():
        if part not in parts:
            continue
        place = folder / name
        if part in NETS:
            save_net(parts[part], part, place, dtype=dtype, sample_size=cells)
            index[name] = class_of(part, parts[part])
        elif part.endswith("tokenizer"):
            index[name] = put_tokenizer(Path(parts[part]), place, parts[READ_BY[part]].config)
        else:
            written = write_scheduler(parts[part], place)
            index |= {name: written} if part in layout.parts else {}
    if "image" in layout.parts:
        write_image_extras(parts["image"], folder, layout)
        index["image_processor"] = CLASSES["image_processor"]
    write_index(folder, pipeline_of(parts, layout), index | OPTIONAL.get(layout.pipelines[0], {}))


def put_tokenizer(source: Path, folder: Path, config: Any) -> list[str]:
    """A tokenizer's folder: the files of a published one as they are, or a tokenizer.json with what
    goes with it. Returns its library and class.
    """
    settings = source / "tokenizer_config.json"
    if not settings.is_file():
        write_tokenizer(source, folder, config)
        return FAST
    folder.mkdir(parents=True, exist_ok=True)
    for name in TOKENIZER_FILES:
        if (source / name).is_file():
            shutil.copyfile(source / name, folder / name)
    named = read_json(settings).get("tokenizer_class")
    return ["transformers", named] if isinstance(named, str) else FAST


TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "sentencepiece.bpe.model",
    "spiece.model",
)
READ_BY = {"tokenizer": "text", "mclip_tokenizer": "mclip", "t5_tokenizer": "t5"}
OPTIONAL: dict[str, dict[str, Any]] = {
    "StableDiffusionPipeline": {
        "feature_extractor": [None, None],
        "image_encoder": [None, None],
        "requires_safety_checker": False,
        "safety_checker": [None, None],
    }
}


def class_of(part: str, net: Any) -> list[str]:
    """The library and class that a pipeline's index gives for a network."""
    if part == "autoencoder":
        movq = net.config.latent == "codebook"
        return ["diffusers", "VQModel" if movq else "AutoencoderKL"]
    if part == "text" and net.config.embed_dim is None:
        return ["transformers", "CLIPTextModel"]
    return CLASSES[part]


def pipeline_of(parts: Mapping[str, Any], layout: Folder) -> str:
    """The pipeline's class: the plain one, or the one for the extra channels of its U-Net."""
    plain = layout.pipelines[0]
    if "unet" not in layout.parts:
        return plain
    unet, conditioner = parts["unet"]
    latent = parts["autoencoder"].config.latent_channels
    kind = ""
    if conditioner.config.kind == "image" and conditioner.config.hint:
        kind = "Controlnet"
    elif unet.config.in_channels == 2 * latent + 1:
        kind = "Inpaint"
    return plain.replace("Pipeline", f"{kind}Pipeline")


def write_image_extras(net: Any, folder: Path, layout: Folder) -> None:
    """What goes with an image tower: how pictures are prepared, and the zero picture's
    embedding.
    """
    vision = writers.preprocessor_config(net.config)
    write_json(folder / "image_processor" / "preprocessor_config.json", vision)
    source = folder_source(folder / layout.parts["image"], "image")
    write_zero(folder / SHIPPED, fingerprint(source), compute(source))


def write_scheduler(config: ScheduleConfig, folder: Path) -> list[str]:
    """A scheduler's config; returns its library and class."""
    data = write_schedule(config) | {"_diffusers_version": writers.LAYOUT}
    write_json(folder / "scheduler_config.json", data)
    return ["diffusers", data["_class_name"]]


def write_index(folder: Path, pipeline: str, parts: Mapping[str, Any]) -> None:
    """The pipeline's model_index.json."""
    head = {"_class_name": pipeline, "_diffusers_version": writers.LAYOUT}
    write_json(folder / "model_index.json", head | dict(parts))


def keep_known(known: Known, folder: Path) -> None:
    """Put what a model has read into its folder, in the place of an older table."""
    path, told = folder / KNOWN, folder / "bluerider.json"
    entry = read_json(told)
    save_known(known, path)
    files = dict(entry.get("files") or {}) | {KNOWN: [path.stat().st_size, digest(path)]}
    text = json.dumps({**entry, "files": files}, indent=2, sort_keys=True)
    write_whole(told, f"{text}\n".encode())


def inventory(folder: Path) -> dict[str, list[int | str]]:
    """Size and SHA-256 of every file of a model."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): [path.stat().st_size, digest(path)] for path in files
    }


def swap(new: Path, target: Path) -> None:
    """Put a finished folder in the place of an older one, whose other files (a card, a licence)
    come along.
    """
    old = target.parent / f".{target.name}.{os.getpid()}.old"
    if target.is_dir():
        for path in target.iterdir():
            if path.is_file() and path.name != KNOWN and not (new / path.name).exists():
                shutil.copy2(path, new / path.name)
        os.rename(target, old)
    try:
        os.rename(new, target)
    except OSError:
        if old.is_dir():
            os.rename(old, target)
        raise
    shutil.rmtree(old, ignore_errors=True)
