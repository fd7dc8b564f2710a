"""One layout -> another: the same tensors, of the same types, under the names other software
looks for.
"""

from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import torch
from torch import nn

from bluerider.catalog import Defaults
from bluerider.errors import BlueriderError, InputError
from bluerider.weights import originals
from bluerider.weights.load import ModelFiles
from bluerider.weights.net import Tensors, listed
from bluerider.weights.released import CLIP_VOCABULARY, ENCODERS
from bluerider.weights.save import (
    check_place,
    published,
    put_tokenizer,
    save_model,
    save_net,
    write_model,
    write_tensors,
)
from bluerider.weights.tokens import tokenizer_json

LAYOUTS = ("diffusers", "single", "original")
FAMILIES = {
    "diffusers": ("kandinsky-2.1", "kandinsky-2.2", "stable-diffusion-1"),
    "single": ("stable-diffusion-1",),
    "original": ("kandinsky-2.0", "kandinsky-2.1"),
}
HALF = (torch.float16, torch.bfloat16)


@dataclass(frozen=True, kw_only=True)
class Matched:
    """What became of one network's tensors."""

    part: str
    place: Path
    read: int  # published tensors that our network is made of
    left: tuple[str, ...]  # names that carry nothing it needs
    parameters: int

    @property
    def line(self) -> str:
        """In a sentence."""
        some = ", ".join(self.left[:3]) + (", ..." if len(self.left) > 3 else "")
        left = f"; {len(self.left)} left out ({some})" if self.left else ""
        return f"{self.part}: {self.read} tensors, {self.parameters:,} parameters{left}"


def convert(files: ModelFiles, target: Path, layout: str) -> list[Matched]:
    """Write a model in another layout and tell what matched.

    `diffusers` and `original` write a folder, `single` a .safetensors or .ckpt file. Raises
    InputError where the family was never published so, WeightsError where weights do not fit.
    """
    check_layout(layout, target)
    if files.family not in FAMILIES[layout]:
        can = [name for name, families in FAMILIES.items() if files.family in families]
        raise InputError(
            f"{files.name}: {files.family} has no layout {layout!r}; it has {', '.join(can)}"
        )
    nets: dict[str, Any] = {part: files.load(part) for part in files.sources}
    WRITERS[layout](files, nets, target)
    return [matched(files, part, nets[part]) for part in files.sources]


def check_layout(layout: str, target: Path) -> None:
    """Whether there is such a layout, and it can be written there: what is known at the door."""
    if layout not in LAYOUTS:
        raise InputError(f"layout: got {layout!r}; choose from {', '.join(LAYOUTS)}")
    if layout != "single":
        check_place(target)
        return
    if target.suffix not in (".safetensors", ".ckpt"):
        raise InputError(f"{target}: a single file ends in .safetensors or .ckpt")
    if target.is_dir() or not target.parent.is_dir():
        raise InputError(f"{target}: not a file in a folder that exists")


def matched(files: ModelFiles, part: str, net: Any) -> Matched:
    """What was read of a network and what was left."""
    source = files.sources[part]
    names = set(Tensors(source).stored.values())
    left = {name for name in names if source.keymap.is_ignored(name)}
    if part == "unet" and source.scope:
        left |= {name for path in source.files for name in listed(path) if is_left_out(name)}
    whole = whole_net(net)
    return Matched(
        part=part,
        place=source.place,
        read=len(names) - len(left & names),
        left=tuple(sorted(left)),
        parameters=sum(parameter.numel() for parameter in whole.parameters()),
    )


def is_left_out(name: str) -> bool:
    """Whether a name of a single file belongs to none of its networks."""
    return any(fnmatchcase(name, form) for form in originals.LEFT_OUT)


def whole_net(net: Any) -> nn.Module:
    """A network part as one module."""
    return nn.ModuleDict({"unet": net[0], "conditioner": net[1]}) if isinstance(net, tuple) else net


def to_diffusers(files: ModelFiles, nets: dict[str, Any], target: Path) -> None:
    """A folder of diffusers pipelines."""
    parts: dict[str, Any] = dict(nets)
    for part in (*files.parts, *files.schedules):
        if part.endswith("schedule"):
            parts[part] = files.schedule(part)
        elif part.endswith("tokenizer"):
            parts[part] = files.parts[part]
    save_model(
        parts,
        target,
        name=files.name,
        defaults=files.defaults,
        licence=files.licence,
        known=files.known(),
    )


def to_single(files: ModelFiles, nets: dict[str, Any], target: Path) -> None:
    """One file as CompVis and most other software of Stable Diffusion 1.x have it."""
    tensors: dict[str, torch.Tensor] = {}
    for part, net in nets.items():
        config = files.config(part)
        tensors |= published(whole_net(net), originals.single(part, config), target)
    try:
        write_tensors(tensors, target, "state_dict")
        text = files.config("text")
        if text.vocab != CLIP_VOCABULARY:
            words = tokenizer_json(files.parts["tokenizer"], text)
            target.with_suffix(".tokenizer.json").write_bytes(words)
    except OSError as error:
        raise BlueriderError(f"{target}: cannot be written ({error.strerror})") from None


def to_original(files: ModelFiles, nets: dict[str, Any], target: Path) -> None:
    """A folder of the files that Kandinsky 2.0 or 2.1 was released in."""
    parts = nets | {part: path for part, path in files.parts.items() if part not in nets}
    save_release(
        parts,
        target,
        family=files.family,
        name=files.name,
        defaults=files.defaults,
        licence=files.licence,
    )


def save_release(
    parts: dict[str, Any],
    target: Path,
    *,
    family: str,
    name: str,
    defaults: Defaults,
    licence: str = "not stated",
) -> Path:
    """Write networks and tokenizers as the files that Kandinsky 2.0 or 2.1 was released in."""

    def fill(folder: Path) -> None:
        for part, names in ORIGINAL[family].items():
            write_part(parts[part], part, folder / names(parts[part]))
        for part, place in ENCODERS[family].items():
            save_net(parts[part], part, folder / place, pickled=True)
            words = Path(parts[f"{part}_tokenizer"])
            put_tokenizer(words, folder / place, parts[part].config)
        if "prior" in parts:
            write_clip(parts, folder / "clip")

    return write_model(target, fill, name=name, defaults=defaults, licence=licence)


def write_part(net: Any, part: str, path: Path) -> None:
    """One file of a release; a prior's statistics get one of their own."""
    config = (net[0].config, net[1].config) if part == "unet" else net.config
    tensors = published(whole_net(net), originals.keymap(part, config), path)
    if part == "prior":
        pair = tuple(tensors.pop(key) for key in ("0", "1"))
        torch.save(pair, path.parent / "ViT-L-14_stats.th")
    write_tensors(tensors, path, "state_dict" if path.name == "vae.ckpt" else "")


def write_clip(parts: dict[str, Any], folder: Path) -> None:
    """CLIP's towers, which the release left to another package, beside its files."""
    for part, name in (("text", "text_encoder"), ("image", "image_encoder")):
        save_net(parts[part], part, folder / name)
    put_tokenizer(Path(parts["tokenizer"]), folder / "tokenizer", parts["text"].config)


def halved(net: Any) -> bool:
    """Whether most of a network is stored in sixteen bits, as the smaller releases are."""
    weights = list(whole_net(net).parameters())
    half = sum(weight.numel() for weight in weights if weight.dtype in HALF)
    return 2 * half > sum(weight.numel() for weight in weights)


def decoder_20(net: Any) -> str:
    """What the decoder file of 2.0 is called."""
    return "Kandinsky-2-0-inpainting.pt" if net[0].config.in_channels == 9 else "Kandinsky-2-0.pt"


def decoder_21(net: Any) -> str:
    """What the decoder file of 2.1 is called."""
    kind = "inpainting" if net[0].config.in_channels == 9 else "decoder"
    return f"{kind}_fp16.ckpt" if halved(net) else f"{kind}.ckpt"


ORIGINAL: dict[str, dict[str, Callable[[Any], str]]] = {
    "kandinsky-2.0": {"unet": decoder_20, "autoencoder": lambda net: "vae.ckpt"},
    "kandinsky-2.1": {
        "unet": decoder_21,
        "autoencoder": lambda net: "movq_final.ckpt",
        "prior": lambda net: "prior_fp16.ckpt" if halved(net) else "prior.ckpt",
    },
}
WRITERS: dict[str, Callable[[ModelFiles, dict[str, Any], Path], None]] = {
    "diffusers": to_diffusers,
    "single": to_single,
    "original": to_original,
}
