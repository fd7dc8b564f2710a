"""LoRA files: factors of low-rank corrections in the names of PEFT and diffusers, or of kohya."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from bluerider.errors import BlueriderError, InputError, WeightsError
from bluerider.files import beside
from bluerider.nets.lora import Factors, layers, merge
from bluerider.weights.header import read_header
from bluerider.weights.keymaps import Keymap
from bluerider.weights.net import Uninitialised, check_finite, grouped
from bluerider.weights.store import digest
from bluerider.weights.words import Word, take_words

PREFIXES = {
    "unet": ("unet", "lora_unet"),
    "text": ("text_encoder", "lora_te"),
    "prior": ("prior", "lora_prior"),
}
"""Our part -> how its layers' names begin in PEFT's style, and in kohya's."""

ROLES = (
    (re.compile(r"(.+)\.lora_A(?:\.\w+)?\.weight"), "down"),
    (re.compile(r"(.+)\.lora_B(?:\.\w+)?\.weight"), "up"),
    (re.compile(r"(.+)\.lora(?:_linear_layer)?[._]down\.weight"), "down"),
    (re.compile(r"(.+)\.lora(?:_linear_layer)?[._]up\.weight"), "up"),
    (re.compile(r"(.+)_lora\.down\.weight"), "down"),
    (re.compile(r"(.+)_lora\.up\.weight"), "up"),
    (re.compile(r"(.+)\.alpha"), "alpha"),
)
FOREIGN = {
    "dora_scale": "DoRA",
    "lora_magnitude_vector": "DoRA",
    "hada_": "LoHa",
    "lokr_": "LoKr",
    "lora_mid": "Tucker factors",
    "oft_": "OFT",
}
LARGEST = 10.0  # scale
ABOUT = "bluerider"  # the metadata key of what we say of a file


@dataclass(frozen=True, kw_only=True)
class Target:
    """A network that corrections may be for: its layers' shapes, and the map of its names."""

    keymap: Keymap
    shapes: Mapping[str, tuple[int, ...]]  # our layer -> shape of its weight

    @classmethod
    def of(cls, build: Any, keymap: Keymap) -> "Target":
        """The target of a network, built by `build` on the meta device."""
        with torch.device("meta"), Uninitialised():
            net = build()
        return cls.around(net, keymap)

    @classmethod
    def around(cls, net: nn.Module, keymap: Keymap) -> "Target":
        """The target of a network at hand."""
        shapes = {name: tuple(tensor.shape) for name, tensor in net.state_dict().items()}
        return cls(keymap=keymap, shapes={n: shapes[f"{n}.weight"] for n in layers(net)})

    def published(self, layer: str) -> str | None:
        """A layer's published name; None where it shares its tensor with others."""
        piece = self.keymap.published(f"{layer}.weight")
        if piece is None or self.keymap.ours(piece.published) is None:
            return None
        names, _ = self.keymap.ours(piece.published) or ((), None)
        return piece.published.removesuffix(".weight") if len(names) == 1 else None

    @cached_property
    def names(self) -> dict[str, str]:
        """Published name, dotted and underscored -> our layer."""
        found = {}
        for layer in self.shapes:
            if name := self.published(layer):
                found[name] = found[name.replace(".", "_")] = layer
        return found


@dataclass(frozen=True, kw_only=True)
class Adapter:
    """A LoRA file, read: corrections by part and layer of ours, and what it says of itself."""

    name: str
    sha256: str
    scale: float
    factors: Mapping[str, Mapping[str, Factors]]
    about: Mapping[str, Any] = field(default_factory=dict)
    words: tuple[Word, ...] = ()

    @property
    def identifiers(self) -> tuple[str | None, ...]:
        """The word that stands for each of its subjects; None where the file names none."""
        said = self.about.get("identifier")
        words = said if isinstance(said, list) and said else [said]
        return tuple(w if isinstance(w, str) and w.strip() else None for w in words)

    def merge(self, part: str, net: nn.Module) -> None:
        """Add the corrections of a part to its network's weights."""
        for layer, factors in self.factors.get(part, {}).items():
            merge(net, layer, factors, self.scale)


def scaled(given: str | Path) -> tuple[Path, float]:
    """The file and the scale of FILE[:SCALE]. Raises InputError."""
    text = str(given)
    name, sign, number = text.rpartition(":")
    if Path(text).exists() or not sign:
        return Path(text), 1.0
    try:
        scale = float(number)
    except ValueError:
        return Path(text), 1.0
    if not -LARGEST <= scale <= LARGEST:
        raise InputError(f"--lora {text}: scale {number}; -{LARGEST} to {LARGEST} are accepted")
    return Path(name), scale


def read_lora(path: Path, scale: float, targets: Mapping[str, Target], model: str) -> Adapter:
    """A LoRA file for a model whose parts are `targets`.

    Raises InputError for a file that is none or is for another model, WeightsError for a damaged
    one.
    """
    if not path.is_file():
        raise InputError(f"--lora {path}: no such file; a LoRA's .safetensors is accepted")
    read_header(path)
    try:
        with safe_open(path, "pt") as file:
            said = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path}: cannot be read ({str(error)[:80]})") from None
    words = tuple(take_words(tensors))
    groups = grouped_by_layer(tensors, path)
    factors: dict[str, dict[str, Factors]] = {}
    unknown, misshaped = [], []
    for place, roles in groups.items():
        found = locate(place, targets)
        if found is None:
            unknown.append(place)
            continue
        part, layer = found
        made = make_factors(roles, targets[part].shapes[layer], alpha_said(said, place))
        if made is None:
            misshaped.append(place)
        else:
            factors.setdefault(part, {})[layer] = made
    groups_ = {"layers it does not have": unknown, "layers of another shape": misshaped}
    if complaints := [grouped(what, sorted(names)) for what, names in groups_.items() if names]:
        raise InputError(
            f"--lora {path}: made for another model than {model}: {'; '.join(complaints)}"
        )
    for word in words:
        for name, row in word.tensors().items():
            check_finite(row, path, name)
    return Adapter(
        name=path.name,
        sha256=digest(path),
        scale=scale,
        factors=factors,
        about=read_about(said),
        words=words,
    )


def grouped_by_layer(tensors: Mapping[str, Tensor], path: Path) -> dict[str, dict[str, Tensor]]:
    """Tensors by the layer they belong to and their role there. Raises InputError, WeightsError."""
    found: dict[str, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        kind = next((kind for mark, kind in FOREIGN.items() if mark in name), None)
        if kind is not None:
            raise InputError(f"--lora {path}: holds {kind}; plain low-rank factors are accepted")
        match = next(
            ((m[1], role) for pattern, role in ROLES if (m := pattern.fullmatch(name))), None
        )
        if match is None:
            raise InputError(f"--lora {path}: no LoRA: it holds {name[:80]}")
        check_finite(tensor, path, name)
        found.setdefault(plain(match[0]), {})[match[1]] = tensor
    lone = sorted(place for place, roles in found.items() if not {"down", "up"} <= set(roles))
    if lone or not found:
        raise WeightsError(
            f"{path}: damaged: {grouped('factors without their other half', lone)}"
            if lone
            else f"{path}: holds no factors"
        )
    return found


def plain(place: str) -> str:
    """A layer's name without what trainers wrap round it."""
    place = place.removeprefix("base_model.model.")
    if ".processor." in place:  # diffusers before 0.22
        place = place.replace(".processor.", ".")
        place = f"{place}.0" if place.endswith("to_out") else place
    return place


def locate(place: str, targets: Mapping[str, Target]) -> tuple[str, str] | None:
    """The part and layer of ours a name stands for; without a prefix, the only part it fits."""
    for part, target in targets.items():
        dotted, underscored = PREFIXES[part]
        for prefix in (f"{dotted}.", f"{underscored}_"):
            if place.startswith(prefix) and (layer := target.names.get(place[len(prefix) :])):
                return part, layer
    bare = [(part, t.names[place]) for part, t in targets.items() if place in t.names]
    return bare[0] if len(bare) == 1 else None


def make_factors(
    roles: Mapping[str, Tensor], shape: tuple[int, ...], said: float | None
) -> Factors | None:
    """A layer's correction, in the shape of its weight; None where it does not fit."""
    down, up = roles["down"], roles["up"]
    rank = len(down) if down.ndim else 0
    sides = (rank, *shape[1:]), (shape[0], rank, *[1] * (len(shape) - 2))
    counts = [torch.Size(side).numel() for side in sides]
    if not rank or [down.numel(), up.numel()] != counts or len(up) != shape[0]:
        return None
    alpha = float(roles["alpha"]) if "alpha" in roles else said
    return Factors(down.reshape(sides[0]), up.reshape(sides[1]), rank if alpha is None else alpha)


def alpha_said(said: Mapping[str, str], place: str) -> float | None:
    """A layer's alpha in the metadata that diffusers writes."""
    table = decoded(said.get("lora_adapter_metadata"))
    prefixes = [f"{dotted}." for dotted, _ in PREFIXES.values() if place.startswith(dotted)]
    for prefix in ("", *prefixes):
        own = table.get(f"{prefix}alpha_pattern")
        value = (own or {}).get(place.removeprefix(prefix)) if isinstance(own, dict) else None
        value = table.get(f"{prefix}lora_alpha") if value is None else value
        if isinstance(value, int | float):
            return float(value)
    return None


def decoded(text: str | None) -> dict[str, Any]:
    """A JSON object in a file's metadata; empty where it is none."""
    try:
        data = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return {}
    return data if isinstance(data, dict) else {}


def read_about(said: Mapping[str, str]) -> dict[str, Any]:
    """What we wrote of a file: subject, class, identifier, base model."""
    return decoded(said.get(ABOUT))


def read_said(path: Path) -> dict[str, Any]:
    """What we wrote of a file, without reading its tensors. Raises WeightsError."""
    read_header(path)
    try:
        with safe_open(path, "pt") as file:
            return read_about(file.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise WeightsError(f"{path}: cannot be read ({str(error)[:80]})") from None


def write_lora(
    path: Path,
    factors: Mapping[str, Mapping[str, Factors]],
    targets: Mapping[str, Target],
    *,
    about: Mapping[str, Any],
    style: str = "peft",
    dtype: torch.dtype | None = torch.float32,
    words: Sequence[Word] = (),
) -> None:
    """Write corrections, whole or not at all, in the names of `peft` or `kohya`, as `dtype` or in
    the type they have.

    PEFT's readers take alpha for the rank where none is said, so it is folded into `up` there.
    Raises BlueriderError when the disk fails.
    """
    tensors: dict[str, Tensor] = {}
    ranks: set[int] = set()
    for part, found in factors.items():
        for layer, (down, up, alpha) in found.items():
            name = targets[part].published(layer)
            assert name is not None, layer
            ranks.add(rank := len(down))
            if style == "kohya":
                stem = f"{PREFIXES[part][1]}_{name.replace('.', '_')}"
                tensors[f"{stem}.lora_down.weight"] = down.to(dtype or down.dtype)
                tensors[f"{stem}.lora_up.weight"] = up.to(dtype or up.dtype)
                tensors[f"{stem}.alpha"] = torch.tensor(float(alpha))
            else:
                stem = f"{PREFIXES[part][0]}.{name}"
                tensors[f"{stem}.lora_A.weight"] = down.to(dtype or down.dtype)
                tensors[f"{stem}.lora_B.weight"] = (up * (alpha / rank)).to(dtype or up.dtype)
    for word in words:
        tensors |= {name: row.to(dtype or row.dtype) for name, row in word.tensors().items()}
    metadata = {"format": "pt", ABOUT: json.dumps(dict(about), ensure_ascii=False)}
    if style == "kohya":
        metadata |= {"ss_network_module": "networks.lora", "ss_network_dim": str(max(ranks))}
    try:
        with beside(path) as part_file:
            whole = {name: tensor.cpu().contiguous() for name, tensor in tensors.items()}
            save_file(whole, part_file, metadata=metadata)
    except (OSError, SafetensorError) as error:
        raise BlueriderError(f"{path}: cannot be written ({str(error)[:80]})") from None
