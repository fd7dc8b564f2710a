"""A published folder -> a network: built on the meta device, filled strictly from memory-mapped
safetensors.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from bluerider.errors import WeightsError
from bluerider.nets.autoencoder import Autoencoder
from bluerider.nets.clip import TextTower, VisionTower
from bluerider.nets.conditioner import ImageConditioner
from bluerider.nets.prior import Prior
from bluerider.nets.unet import UNet
from bluerider.weights.configs import read_config
from bluerider.weights.fields import read_json
from bluerider.weights.header import Entry, read_header
from bluerider.weights.keymaps import Keymap, Piece
from bluerider.weights.layouts import KEYMAPS

STEMS = ("diffusion_pytorch_model", "model")
PICKLED = (".bin", ".ckpt", ".pt", ".pth", ".pkl")
NAMED = 3  # how many names of a group an error spells out

BUILDERS: dict[str, Callable[..., nn.Module]] = {
    "unet": lambda config: nn.ModuleDict(
        {"unet": UNet(config[0]), "conditioner": ImageConditioner(config[1])}
    ),
    "prior": Prior,
    "autoencoder": Autoencoder,
    "text": TextTower,
    "image": VisionTower,
}


class Uninitialised(TorchFunctionMode):
    """Leaves out drawing initial weights, which a file is about to replace.

    On the meta device a normal draw imports torch's compiler: 0.7 s of every cold start.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is nn.init.normal_:
            return kwargs["tensor"]
        return func(*args, **(kwargs or {}))


def load_net(
    folder: Path,
    kind: str,
    *,
    dtype: torch.dtype | None = None,
    device: str | torch.device = "cpu",
    variant: str | None = None,
) -> Any:
    """The network of a published folder, frozen; for `unet` the pair (UNet, conditioner).

    kind: unet, prior, autoencoder, text or image. Tensors of the type asked for (None: as stored)
    stay memory-mapped on the CPU; others are cast one by one. Raises WeightsError, naming file and
    tensors, for anything that does not fit.
    """
    config = read_config(folder, kind)
    with torch.device("meta"), Uninitialised():
        net = BUILDERS[kind](config)
    tensors = Tensors(folder, find_weights(folder, variant))
    expected = {name: tuple(tensor.shape) for name, tensor in net.state_dict().items()}
    plan = match(expected, tensors, KEYMAPS[kind])
    state = dict(tensors.fill(plan, dtype, torch.device(device)))
    net.load_state_dict(state, strict=True, assign=True)
    net.requires_grad_(False).eval()
    return (net["unet"], net["conditioner"]) if isinstance(net, nn.ModuleDict) else net


def find_weights(folder: Path, variant: str | None = None) -> list[Path]:
    """The safetensors files of a folder: the plain ones, else those of the variant asked for or of
    the only one.
    """
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    for stem in STEMS:
        plain = [""] if variant is None else []
        others = [variant] if variant else ["fp16", "bf16"]
        for infix in plain + [f".{name}" for name in others]:
            single, index = f"{stem}{infix}.safetensors", f"{stem}.safetensors.index{infix}.json"
            if single in names:
                return [folder / single]
            if index in names:
                return shards(folder / index)
    pickled = [name for name in names if name.endswith(PICKLED)]
    if pickled:
        raise WeightsError(
            f"{folder}: holds {pickled[0]}, a pickle, which can run code and is not opened; "
            "save the weights as safetensors"
        )
    wanted = f" of the variant {variant!r}" if variant else ""
    raise WeightsError(f"{folder}: no weights here; a .safetensors file{wanted} is needed")


def shards(index: Path) -> list[Path]:
    """The files an index names; each must stand beside it."""
    table = read_json(index).get("weight_map")
    if not isinstance(table, dict) or not all(isinstance(v, str) for v in table.values()):
        raise WeightsError(f"{index}: weight_map must name a file for each tensor")
    files = sorted(set(table.values()))
    for name in files:
        if Path(name).name != name or not name.endswith(".safetensors"):
            raise WeightsError(f"{index}: {name!r} is not a safetensors file beside the index")
        if not (index.parent / name).is_file():
            raise WeightsError(f"{index}: names {name}, which is missing")
    return [index.parent / name for name in files]


class Tensors:
    """The tensors of one network's files, known by their headers and read one at a time."""

    def __init__(self, folder: Path, files: list[Path]) -> None:
        self.folder = folder
        self.entries: dict[str, Entry] = {}
        self.file: dict[str, Path] = {}
        for path in files:
            for name, entry in read_header(path).items():
                if name in self.file:
                    raise WeightsError(f"{path}: tensor {name} stands in another shard as well")
                self.entries[name], self.file[name] = entry, path

    def meta(self, name: str) -> Tensor:
        """A tensor's shape without its numbers."""
        return torch.empty(self.entries[name].shape, device="meta")

    def fill(
        self, plan: Mapping[str, Piece], dtype: torch.dtype | None, device: torch.device
    ) -> Iterator[tuple[str, Tensor]]:
        """Our names and tensors, in the type and on the device asked for; refuses what is not
        finite.
        """
        wanted: dict[Path, dict[str, list[str]]] = {}
        for ours, piece in plan.items():
            path = self.file[piece.published]
            wanted.setdefault(path, {}).setdefault(piece.published, []).append(ours)
        for path, names in wanted.items():
            try:
                with safe_open(path, framework="pt", device="cpu") as file:
                    for published, targets in names.items():
                        tensor = file.get_tensor(published)
                        check_finite(tensor, path, published)
                        for ours in targets:
                            piece = plan[ours]
                            part = piece.operation.split(tensor)[piece.index]
                            yield ours, part.to(device=device, dtype=dtype or part.dtype)
            except (SafetensorError, OSError) as error:
                raise WeightsError(f"{path}: cannot be read ({str(error)[:80]})") from None


def check_finite(tensor: Tensor, path: Path, name: str) -> None:
    """Refuse integers, NaN and infinity."""
    if not tensor.is_floating_point():
        raise WeightsError(f"{path}: tensor {name} holds {tensor.dtype}; floating point is needed")
    if tensor.numel() and not all(math.isfinite(float(end)) for end in tensor.aminmax()):
        raise WeightsError(f"{path}: tensor {name} holds NaN or infinity: the weights are damaged")


def match(
    expected: Mapping[str, tuple[int, ...]], tensors: Tensors, keymap: Keymap
) -> dict[str, Piece]:
    """Where each of our tensors comes from; raises one WeightsError for all that does not fit."""
    plan: dict[str, Piece] = {}
    missing, misshaped, used = [], [], set()
    for ours, shape in expected.items():
        piece = keymap.published(ours)
        if piece is None or piece.published not in tensors.entries:
            missing.append(piece.published if piece else ours)
            continue
        used.add(piece.published)
        try:
            given = tuple(piece.operation.split(tensors.meta(piece.published))[piece.index].shape)
        except (RuntimeError, IndexError):
            given = tensors.entries[piece.published].shape
        if given != shape:
            misshaped.append(f"{piece.published} {list(given)} instead of {list(shape)}")
        plan[ours] = piece
    left = tensors.entries.keys() - used
    unexpected = sorted(name for name in left if not keymap.is_ignored(name))
    groups = {"missing": missing, "unexpected": unexpected, "mis-shaped": misshaped}
    complaints = [grouped(what, sorted(set(names))) for what, names in groups.items() if names]
    if complaints:
        raise WeightsError(
            f"{tensors.folder}: the weights do not fit its config.json: {'; '.join(complaints)}"
        )
    return plan


def grouped(what: str, names: list[str]) -> str:
    """One group of names, the first few spelled out."""
    more = f", and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{len(names)} {what} ({', '.join(names[:NAMED])}{more})"
