"""Published files -> a network: built on the meta device, filled strictly from memory-mapped
tensors.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from bluerider.errors import WeightsError
from bluerider.nets.autoencoder import Autoencoder
from bluerider.nets.clip import TextTower, VisionTower
from bluerider.nets.conditioner import make_conditioner
from bluerider.nets.prior import Prior
from bluerider.nets.t5 import T5Encoder
from bluerider.nets.unet import UNet
from bluerider.nets.xlmr import MultilingualCLIP
from bluerider.weights.configs import read_config
from bluerider.weights.fields import read_json
from bluerider.weights.header import read_header
from bluerider.weights.keymaps import Keymap, Piece
from bluerider.weights.layouts import keymap
from bluerider.weights.pickles import SUFFIXES, read_pickle

STEMS = ("diffusion_pytorch_model", "model")
PICKLED = ("diffusion_pytorch_model", "pytorch_model")  # with .bin, where nothing else is
NAMED = 3  # how many names of a group an error spells out

BUILDERS: dict[str, Callable[..., nn.Module]] = {
    "unet": lambda config: nn.ModuleDict(
        {"unet": UNet(config[0]), "conditioner": make_conditioner(config[1])}
    ),
    "prior": Prior,
    "autoencoder": Autoencoder,
    "text": TextTower,
    "image": VisionTower,
    "mclip": MultilingualCLIP,
    "t5": T5Encoder,
}


class Uninitialised(TorchFunctionMode):
    """Leaves out drawing initial weights, which a file is about to replace.

    On the meta device a normal draw imports torch's compiler: 0.7 s of every cold start.
    """

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is nn.init.normal_:
            return kwargs["tensor"]
        return func(*args, **(kwargs or {}))


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a network stands: its shape, its files and how they name its tensors."""

    kind: str  # unet, prior, autoencoder, text, image, mclip or t5
    place: Path  # for messages
    config: Any  # for `unet` the pair (UNetConfig, ConditionerConfig)
    keymap: Keymap
    files: tuple[Path, ...]
    scope: str = ""  # only names that begin so are this network's

    @property
    def bytes(self) -> int:
        """Size of the files together."""
        return sum(path.stat().st_size for path in self.files)


def folder_source(folder: Path, kind: str, variant: str | None = None) -> Source:
    """The network of a published folder with a config.json."""
    config = read_config(folder, kind)
    files = tuple(find_weights(folder, variant))
    return Source(kind=kind, place=folder, config=config, keymap=keymap(kind, config), files=files)


def load_net(
    folder: Path,
    kind: str,
    *,
    dtype: torch.dtype | None = None,
    device: str | torch.device = "cpu",
    variant: str | None = None,
) -> Any:
    """The network of a published folder, frozen; for `unet` the pair (UNet, conditioner).

    Raises WeightsError, naming file and tensors, for anything that does not fit.
    """
    return read_net(folder_source(folder, kind, variant), dtype=dtype, device=device)


def read_net(
    source: Source,
    *,
    dtype: torch.dtype | None = None,
    device: str | torch.device = "cpu",
    channels_last: bool = False,
) -> Any:
    """A network, frozen, its dtype as stored where None is asked; for `unet` the pair.

    Tensors of the type asked for stay memory-mapped on the CPU; others are cast one by one. With
    `channels_last` all are copied, convolutions in that order, so that nothing stays mapped.
    """
    with torch.device("meta"), Uninitialised():
        net = BUILDERS[source.kind](source.config)
    tensors = Tensors(source)
    expected = {name: tuple(tensor.shape) for name, tensor in net.state_dict().items()}
    plan = match(expected, tensors, source.keymap)
    state = dict(tensors.fill(plan, dtype, torch.device(device), channels_last))
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
    for stem in PICKLED:
        if f"{stem}.bin" in names:
            return [folder / f"{stem}.bin"]
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


def listed(path: Path) -> dict[str, tuple[int, ...]]:
    """Names and shapes of a file of weights."""
    if path.suffix in SUFFIXES:
        return {name: tuple(tensor.shape) for name, tensor in read_pickle(path).items()}
    return {name: entry.shape for name, entry in read_header(path).items()}


PORTION = 2**26  # numbers read from a file before it is let go


class Tensors:
    """The tensors of one network's files, known by their shapes and read one at a time."""

    def __init__(self, source: Source) -> None:
        self.place = source.place
        self.shapes: dict[str, tuple[int, ...]] = {}
        self.file: dict[str, Path] = {}
        self.stored: dict[str, str] = {}  # today's spelling of a name -> the file's
        self.pickles: dict[Path, dict[str, Tensor]] = {}
        for path in source.files:
            for name, shape in self.opened_names(path).items():
                today = source.keymap.today(name)
                if today in self.file:
                    raise WeightsError(f"{path}: tensor {name} stands in another shard as well")
                if name.startswith(source.scope):
                    self.shapes[today], self.file[today], self.stored[today] = shape, path, name

    def opened_names(self, path: Path) -> dict[str, tuple[int, ...]]:
        """Names and shapes of a file; a pickle is mapped into memory for it, and kept so."""
        if path.suffix not in SUFFIXES:
            return listed(path)
        self.pickles[path] = read_pickle(path)
        return {name: tuple(tensor.shape) for name, tensor in self.pickles[path].items()}

    def meta(self, name: str) -> Tensor:
        """A tensor's shape without its numbers."""
        return torch.empty(self.shapes[name], device="meta")

    @contextmanager
    def opened(self, path: Path) -> Iterator[Callable[[str], Tensor]]:
        """What reads a tensor of a file by the name it has there."""
        if path in self.pickles:
            yield self.pickles[path].__getitem__
            return
        try:
            with safe_open(path, framework="pt", device="cpu") as file:
                yield file.get_tensor
        except (SafetensorError, OSError) as error:
            raise WeightsError(f"{path}: cannot be read ({str(error)[:80]})") from None

    def fill(
        self,
        plan: Mapping[str, Piece],
        dtype: torch.dtype | None,
        device: torch.device,
        channels_last: bool = False,
    ) -> Iterator[tuple[str, Tensor]]:
        """Our names and tensors, in the type and on the device asked for; refuses what is not
        finite.
        """
        wanted: dict[Path, dict[str, list[str]]] = {}
        for ours, piece in plan.items():
            path = self.file[piece.published]
            wanted.setdefault(path, {}).setdefault(piece.published, []).append(ours)
        for path, names in wanted.items():
            for some in self.portions(list(names)):
                with self.opened(path) as read:
                    for published in some:
                        tensor = read(self.stored[published])
                        check_finite(tensor, path, self.stored[published])
                        for ours in names[published]:
                            piece = plan[ours]
                            part = piece.operation.split(tensor)[piece.index]
                            yield ours, placed(part, dtype or part.dtype, device, channels_last)
                        del tensor, part

    def portions(self, names: list[str]) -> Iterator[list[str]]:
        """Names of up to PORTION numbers together: a file is closed after each, and with it the
        pages of it that are not used any more leave the memory.
        """
        some: list[str] = []
        count = 0
        for name in names:
            some.append(name)
            count += math.prod(self.shapes[name])
            if count >= PORTION:
                yield some
                some, count = [], 0
        if some:
            yield some


def placed(
    part: Tensor, dtype: torch.dtype, device: torch.device, channels_last: bool = False
) -> Tensor:
    """A tensor in its type and on its device; a copy in any case for `channels_last`."""
    if not channels_last:
        return part.to(device=device, dtype=dtype)
    order = torch.channels_last if part.dim() == 4 else torch.preserve_format
    return part.to(device=device, dtype=dtype, copy=True, memory_format=order)


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
        if piece is None or piece.published not in tensors.shapes:
            missing.append(piece.published if piece else ours)
            continue
        used.add(piece.published)
        try:
            given = tuple(piece.operation.split(tensors.meta(piece.published))[piece.index].shape)
        except (RuntimeError, IndexError):
            given = tensors.shapes[piece.published]
        if given != shape:
            misshaped.append(f"{piece.published} {list(given)} instead of {list(shape)}")
        plan[ours] = piece
    left = tensors.shapes.keys() - used
    unexpected = sorted(name for name in left if not keymap.is_ignored(name))
    groups = {"missing": missing, "unexpected": unexpected, "mis-shaped": misshaped}
    complaints = [grouped(what, sorted(set(names))) for what, names in groups.items() if names]
    if complaints:
        raise WeightsError(
            f"{tensors.place}: the weights do not fit: {'; '.join(complaints)}; "
            "they are incomplete or another network's"
        )
    return plan


def grouped(what: str, names: list[str]) -> str:
    """One group of names, the first few spelled out."""
    more = f", and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"{len(names)} {what} ({', '.join(names[:NAMED])}{more})"
