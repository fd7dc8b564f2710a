"""Networks -> published folders that diffusers and transformers open: prior/ and decoder/, written
whole or not.
"""

import json
import os
import shutil
from collections.abc import Mapping
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
from bluerider.weights.layouts import KEYMAPS
from bluerider.weights.load import DECODER_PARTS, PRIOR_PARTS
from bluerider.weights.net import check_finite
from bluerider.weights.schedules import write_schedule
from bluerider.weights.store import digest
from bluerider.weights.tokens import write_tokenizer
from bluerider.weights.zero import SHIPPED, compute, fingerprint, write_zero

FILES = {"unet": "diffusion_pytorch_model", "prior": "diffusion_pytorch_model"}
FILES |= {"autoencoder": "diffusion_pytorch_model", "text": "model", "image": "model"}
CLASSES = {
    "tokenizer": ["transformers", "PreTrainedTokenizerFast"],
    "text_encoder": ["transformers", "CLIPTextModelWithProjection"],
    "image_encoder": ["transformers", "CLIPVisionModelWithProjection"],
    "image_processor": ["transformers", "CLIPImageProcessor"],
    "prior": ["diffusers", "PriorTransformer"],
    "unet": ["diffusers", "UNet2DConditionModel"],
    "movq": ["diffusers", "VQModel"],
}
PARTS = (*PRIOR_PARTS, *DECODER_PARTS)


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
    stem = FILES[kind]
    path = folder / f"{stem}.safetensors"
    tensors = {}
    for name, tensor in KEYMAPS[kind].write(whole.state_dict()).items():
        tensors[name] = tensor.detach().to("cpu", dtype or tensor.dtype).contiguous()
        check_finite(tensors[name], path, name)
    if kind in ("text", "image"):
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
    return writers.text_config(net.config) if kind == "text" else writers.vision_config(net.config)


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
    """Write a whole model: `prior/` and `decoder/` (diffusers pipelines) and `bluerider.json` with
    hashes.

    parts: text, image, prior, autoencoder (networks), unet (the pair), prior_schedule, schedule
    (ScheduleConfig), tokenizer (a tokenizer.json, or the folder that holds one). An older model
    folder of the same place is replaced as one; its other files (a card, a licence) stay. Raises
    InputError, with nothing written, when a part is missing or the place holds something else.
    """
    target = Path(folder)
    check_place(target)
    lacking = [part for part in PARTS if part not in parts]
    if lacking:
        raise InputError(f"a model needs all its parts; missing: {', '.join(lacking)}")
    temporary = target.parent / f".{target.name}.{os.getpid()}.tmp"
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        write_prior(parts, temporary / "prior", dtype)
        write_decoder(parts, temporary / "decoder", dtype, defaults)
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


def write_prior(parts: Mapping[str, Any], folder: Path, dtype: torch.dtype | None) -> None:
    """The prior's pipeline: tokenizer, both towers, prior, schedule, and the embedding of the zero
    picture.
    """
    for part in ("text", "image", "prior"):
        save_net(parts[part], part, folder / PRIOR_PARTS[part], dtype=dtype)
    text: TextConfig = parts["text"].config
    write_tokenizer(parts["tokenizer"], folder / "tokenizer", text)
    vision = writers.preprocessor_config(parts["image"].config)
    write_json(folder / "image_processor" / "preprocessor_config.json", vision)
    scheduler = write_scheduler(parts["prior_schedule"], folder / "scheduler")
    names = ("prior", "image_encoder", "text_encoder", "tokenizer", "image_processor")
    index = {name: CLASSES[name] for name in names} | {"scheduler": scheduler}
    write_index(folder, "KandinskyV22PriorPipeline", index)
    image = folder / PRIOR_PARTS["image"]
    write_zero(folder / SHIPPED, fingerprint(image), compute(image))


def write_decoder(
    parts: Mapping[str, Any], folder: Path, dtype: torch.dtype | None, defaults: Defaults
) -> None:
    """The decoder's pipeline: U-Net with its conditioner, autoencoder, schedule."""
    unet, conditioner = parts["unet"]
    cells = defaults.width // parts["autoencoder"].config.factor
    for part in ("unet", "autoencoder"):
        place = folder / DECODER_PARTS[part]
        save_net(parts[part], part, place, dtype=dtype, sample_size=cells)
    scheduler = write_scheduler(parts["schedule"], folder / "scheduler")
    latent = parts["autoencoder"].config.latent_channels
    pipeline = "KandinskyV22Pipeline"
    if conditioner.config.hint:
        pipeline = "KandinskyV22ControlnetPipeline"
    elif unet.config.in_channels == 2 * latent + 1:
        pipeline = "KandinskyV22InpaintPipeline"
    index = {name: CLASSES[name] for name in ("unet", "movq")} | {"scheduler": scheduler}
    write_index(folder, pipeline, index)


def write_scheduler(config: ScheduleConfig, folder: Path) -> list[str]:
    """A scheduler's config; returns its library and class."""
    data = write_schedule(config) | {"_diffusers_version": writers.LAYOUT}
    write_json(folder / "scheduler_config.json", data)
    return ["diffusers", data["_class_name"]]


def write_index(folder: Path, pipeline: str, parts: Mapping[str, list[str]]) -> None:
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
