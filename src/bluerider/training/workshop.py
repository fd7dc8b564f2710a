"""A run folder, a recipe and the data: what the training stages share."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from bluerider.devices import choose_device, computed_in
from bluerider.diffusion.schedule import Schedule
from bluerider.errors import InputError
from bluerider.files import beside
from bluerider.nets.autoencoder import Autoencoder
from bluerider.nets.clip import TextTower, VisionTower
from bluerider.nets.conditioner import ImageConditioner
from bluerider.nets.prior import Prior
from bluerider.nets.unet import UNet
from bluerider.tokenizers import Tokenizer
from bluerider.training.appearance import SIDE, Appearance
from bluerider.training.emoji import EmojiSet, load_emoji
from bluerider.training.pictures import on_white, rgba
from bluerider.training.recipe import Recipe
from bluerider.training.stage import Settings

Say = Callable[[str], None]
SMALL = 0.02  # deviation of positions and tokens, at first

MAKES = {
    "text": ("recall", "text"),
    "image": ("image", "vision"),
    "autoencoder": ("autoencoder", "autoencoder"),
    "prior": ("rehearse", "prior"),
    "unet": ("decoder", "unet"),
    "conditioner": ("decoder", "conditioner"),
}
KINDS: dict[str, Any] = {
    "text": TextTower,
    "image": VisionTower,
    "autoencoder": Autoencoder,
    "prior": Prior,
    "unet": UNet,
    "conditioner": ImageConditioner,
}


@dataclass
class Workshop:
    """A run folder, a recipe and the data: what the stages share."""

    recipe: Recipe
    out: Path
    data: Path
    init: Path | None = None
    accelerator: str = "auto"
    say: Say = lambda text: None  # of long work before a stage's first step

    @cached_property
    def emoji(self) -> EmojiSet:
        return load_emoji(self.data)

    @cached_property
    def appearance(self) -> Appearance:
        width = self.recipe.nets["image"].embed_dim
        return Appearance.fit(on_white(rgba(self.emoji, SIDE, self.emoji.seen)), width)

    @cached_property
    def tokenizer(self) -> Tokenizer:
        text = self.recipe.nets["text"]
        file = self.need("tokenizer") / "tokenizer.json"
        return Tokenizer.load(file, length=text.tokens, pad=text.pad)

    def settings(self, stage: str) -> Settings:
        """A stage's settings; where the device would emulate half precision, many times slower,
        float32 stands in for it.
        """
        settings = self.recipe.settings(stage)
        device = choose_device("cpu" if self.accelerator == "cpu" else "auto")
        dtype = computed_in(getattr(torch, settings.precision), device)
        return replace(settings, precision=str(dtype).removeprefix("torch."))

    def at_rest(self, stage: str) -> torch.dtype:
        """What networks that only answer, on the CPU, compute in for a stage."""
        wished = getattr(torch, self.recipe.settings(stage).precision)
        return computed_in(wished, torch.device("cpu"))

    def need(self, stage: str) -> Path:
        """The folder of a stage that has to be finished."""
        folder = self.out / stage
        done = folder / ("tokenizer.json" if stage == "tokenizer" else "net.safetensors")
        if not done.is_file():
            raise InputError(
                f"{self.out}: stage {stage} is not finished; run: bluerider train {stage}"
            )
        return folder

    def fresh(self, name: str) -> Any:
        """A network to train: new, or as exported in the folder given with --init."""
        if self.init is None:
            return begun_small(KINDS[name](self.recipe.nets[name]))
        from bluerider.weights.load import open_model

        loaded = open_model(self.init).load("unet" if name == "conditioner" else name)
        loaded = loaded[name == "conditioner"] if isinstance(loaded, tuple) else loaded
        if name == "text":
            loaded = deepened(loaded, self.recipe.nets[name].layers)
        if loaded.config != self.recipe.nets[name]:
            raise InputError(f"{self.init}: its {name} has another shape than the recipe's")
        return loaded.float().requires_grad_(True).train()

    def trained(self, name: str, stage: str | None = None) -> Any:
        """A network as its stage (or an earlier one that held it) left it."""
        made, module = MAKES[name]
        net = KINDS[name](self.recipe.nets[name])
        net.load_state_dict(self.left(stage or made, module))
        return net.eval()

    def left(self, stage: str, module: str) -> dict[str, Tensor]:
        """A module's weights as a stage left them."""
        return inside(load_file(self.need(stage) / "net.safetensors"), module)

    def schedule(self, name: str) -> Schedule:
        """Noise levels of `schedule` or `prior_schedule`."""
        return Schedule(self.recipe.nets[name])


def once(file: Path, make: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
    """The tensors in a file, which are made when there is none."""
    if not file.is_file():
        made = make()
        file.parent.mkdir(parents=True, exist_ok=True)
        with beside(file) as part:
            save_file(made, part)
    return load_file(file)


def inside(state: dict[str, Tensor], module: str) -> dict[str, Tensor]:
    """The weights of one module, by their names in it, wherever a stage holds it."""
    paths = [(key.split("."), tensor) for key, tensor in state.items()]
    return {".".join(p[p.index(module) + 1 :]): t for p, t in paths if module in p}


def begun_small(net: nn.Module) -> nn.Module:
    """Positions and tokens of a tower begin small (as CLIP's do), so that they do not drown what
    they stand beside; other networks are as they are.
    """
    if isinstance(net, TextTower | VisionTower):
        nn.init.normal_(net.positions.weight, std=SMALL)
    if isinstance(net, TextTower):
        nn.init.normal_(net.embed.weight, std=SMALL)
    return net


def deepened(text: TextTower, layers: int) -> TextTower:
    """The same tower with `layers` layers, if it has fewer: the new ones add nothing at first."""
    if text.config.layers >= layers:
        return text
    deeper = TextTower(replace(text.config, layers=layers))
    for layer in deeper.layers[text.config.layers :]:
        for last in (layer.attn.out, layer.mlp.out):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)
    deeper.load_state_dict(text.state_dict(), strict=False)
    return deeper
