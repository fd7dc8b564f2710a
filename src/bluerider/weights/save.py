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
from bluerider.config import ScheduleConfig, TextConfig
from bluerider.errors import BlueriderError, InputError
from bluerider.files import beside
from bluerider.weights import writers
from bluerider.weights.families import FAMILIES, NETS, Family, Folder
from bluerider.weights.layouts import keymap
from bluerider.weights.net import check_finite, folder_source
from bluerider.weights.schedules import write_schedule
from bluerider.weights.store import digest
from bluerider.weights.tokens import write_tokenizer
from bluerider.weights.zero import SHIPPED, compute, fingerprint, write_zero

FILES = {"unet": "diffusion_pytorch_model", "prior": "diffusion_pytorch_model"}
FILES |= {"autoencoder": "diffusion_pytorch_model"}
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
) -> None:
    """Write one network's config.json and safetensors into a folder; for `unet` give the pair
    (UNet, conditioner).

    dtype: the type of the stored weights (None: as they are). Raises WeightsError when a weight is
    not finite in it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    whole = nn.ModuleDict({"unet": net[0], "conditioner": net[1]}) if kind == "unet" else net
    config = net_config(net, kind, sample_size)
    stem = FILES.get(kind, "model")
    path = folder / f"{stem}.safetensors"
    tensors = {}
    shape = (net[0].config, net[1].config) if kind == "unet" else net.config
    for name, tensor in keymap(kind, shape).write(whole.state_dict()).items():
        tensors[name] = tensor.detach().to("cpu", dtype or tensor.dtype).contiguous()
        check_finite(tensors[name], path, name)
    if kind not in FILES:
        config["dtype"] = str(next(iter(tensors.values())).dtype).removeprefix("torch.")
    write_json(folder / "config.json", config)
    with beside(path) as part:
        save_file(tensors, part, metadata={"format": "pt"})


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
) -> Path:
    """Write a whole model as diffusers pipelines, and `bluerider.json` with hashes: in `prior/` and
    `decoder/`, or, of Stable Diffusion, in the folder itself.

    parts: the networks of its family (unet the pair of U-Net and conditioner), ScheduleConfigs, and
    for each tokenizer a tokenizer.json or the folder that holds one. An older model
    folder of the same place is replaced as one; its other files (a card, a licence) stay. Raises
    InputError, with nothing written, when a part is missing or the place holds something else.
    """
    target = Path(folder)
    check_place(target)
    layout = layout_of(parts)
    folders = [layout.decoder, *([layout.prior] if layout.prior else [])]
    lacking = [part for each in folders for part in each.parts if part not in parts]
    if lacking:
        raise InputError(f"a model needs all its parts; missing: {', '.join(sorted(lacking))}")
    temporary = target.parent / f".{target.name}.{os.getpid()}.tmp"
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        if layout.prior is None:
            write_pipeline(parts, layout.decoder, temporary, dtype, defaults)
        else:
            write_pipeline(parts, layout.prior, temporary / "prior", dtype, defaults)
            write_pipeline(parts, layout.decoder, temporary / "decoder", dtype, defaults)
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
            text: TextConfig = parts[READ_BY[part]].config
            write_tokenizer(parts[part], place, text)
            index[name] = CLASSES[part]
        else:
            written = write_scheduler(parts[part], place)
            index |= {name: written} if part in layout.parts else {}
    if "image" in layout.parts:
        write_image_extras(parts["image"], folder, layout)
        index["image_processor"] = CLASSES["image_processor"]
    write_index(folder, pipeline_of(parts, layout), index | OPTIONAL.get(layout.pipelines[0], {}))


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
            if path.is_file() and not (new / path.name).exists():
                shutil.copy2(path, new / path.name)
        os.rename(target, old)
    try:
        os.rename(new, target)
    except OSError:
        if old.is_dir():
            os.rename(old, target)
        raise
    shutil.rmtree(old, ignore_errors=True)
