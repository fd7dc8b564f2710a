"""The five stages that make a model of Kandinsky 2.2's kind, and the export of what they leave."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from bluerider.diffusion.schedule import Schedule
from bluerider.errors import InputError
from bluerider.files import beside
from bluerider.nets.autoencoder import Autoencoder
from bluerider.nets.clip import TextTower, VisionTower
from bluerider.nets.conditioner import ImageConditioner
from bluerider.nets.prior import Prior
from bluerider.nets.unet import UNet
from bluerider.tokenizers import Tokenizer
from bluerider.training.captions import Captions, Named, normalised
from bluerider.training.emoji import EmojiSet, load_emoji
from bluerider.training.pictures import Crops, compose, rgba
from bluerider.training.recipe import Recipe
from bluerider.training.run import Say, train
from bluerider.training.stage import Stage
from bluerider.training.stream import Stream

MAKES = {
    "text": ("prior", "text."),
    "image": ("clip", "vision."),
    "autoencoder": ("autoencoder", "autoencoder."),
    "prior": ("prior", "prior."),
    "unet": ("decoder", "unet."),
    "conditioner": ("decoder", "conditioner."),
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

    @cached_property
    def emoji(self) -> EmojiSet:
        return load_emoji(self.data)

    @cached_property
    def tokenizer(self) -> Tokenizer:
        text = self.recipe.nets["text"]
        file = self.need("tokenizer") / "tokenizer.json"
        return Tokenizer.load(file, length=text.tokens, pad=text.pad)

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
            return KINDS[name](self.recipe.nets[name])
        from bluerider.weights.load import open_model

        loaded = open_model(self.init).load("unet" if name == "conditioner" else name)
        loaded = loaded[name == "conditioner"] if isinstance(loaded, tuple) else loaded
        if loaded.config != self.recipe.nets[name]:
            raise InputError(f"{self.init}: its {name} has another shape than the recipe's")
        return loaded.float().requires_grad_(True)

    def trained(self, name: str, stage: str | None = None) -> Any:
        """A network as its stage (or an earlier one that held it) left it."""
        made, prefix = MAKES[name]
        state = load_file(self.need(stage or made) / "net.safetensors")
        net = KINDS[name](self.recipe.nets[name])
        net.load_state_dict({k[len(prefix) :]: v for k, v in state.items() if k.startswith(prefix)})
        return net.eval()

    def schedule(self, name: str) -> Schedule:
        """Noise levels of `schedule` or `prior_schedule`."""
        return Schedule(self.recipe.nets[name])

    def run(self, name: str, say: Say) -> None:
        """Run one stage, or go on with it."""
        if name == "tokenizer":
            return make_tokenizer(self, say)
        torch.manual_seed(self.recipe.settings(name).seed)
        stage, stream = PREPARE[name](self)
        train(stage, stream, self.out / name, say=say, accelerator=self.accelerator)


def make_tokenizer(shop: Workshop, say: Say) -> None:
    """Train the tokenizer on the names in all languages and the English keywords."""
    from bluerider.training.tokenizer import train_tokenizer

    emoji, settings = shop.emoji, shop.recipe.stages["tokenizer"]
    seen = set(emoji.emoji) - set(emoji.holdout)
    texts = [name for names in emoji.names.values() for e, name in names.items() if e in seen]
    texts += [word for e, words in emoji.keywords["en"].items() if e in seen for word in words]
    vocab = shop.recipe.nets["text"].vocab
    tokenizer = train_tokenizer(texts, vocab=vocab, alphabet=settings["alphabet"])
    folder = shop.out / "tokenizer"
    folder.mkdir(parents=True, exist_ok=True)
    with beside(folder / "tokenizer.json") as part:
        tokenizer.save(str(part))
    say(f"{tokenizer.get_vocab_size()} tokens from {len(texts)} texts")


def prepare_autoencoder(shop: Workshop) -> tuple[Stage, Stream[Any]]:
    """Crops of the drawings over white and colours."""
    from bluerider.training.autoencoder import AutoencoderStage

    extra, settings = shop.recipe.stages["autoencoder"], shop.recipe.settings("autoencoder")
    drawings = rgba(shop.emoji, 128, shop.emoji.seen)
    stage = AutoencoderStage(shop.fresh("autoencoder"), settings)
    return stage, Crops(drawings, batch=settings.batch, crop=extra["crop"], seed=settings.seed)


def prepare_clip(shop: Workshop) -> tuple[Stage, Stream[Any]]:
    """Drawings with names in many languages."""
    from bluerider.training.clip import ClipStage, start_small

    extra, settings = shop.recipe.stages["clip"], shop.recipe.settings("clip")
    vision = shop.recipe.nets["image"]
    drawings = rgba(shop.emoji, vision.size, shop.emoji.seen)
    captions = Captions(shop.emoji, shop.tokenizer)
    towers = shop.fresh("text"), shop.fresh("image")
    if shop.init is None:
        start_small(*towers)
    stage = ClipStage(*towers, settings, len(drawings), extra["look"])
    return stage, Named(
        drawings,
        captions,
        vision,
        batch=settings.batch,
        each=extra["each"],
        seed=settings.seed,
    )


def prepare_prior(shop: Workshop) -> tuple[Stage, Stream[Any]]:
    """Names and the embeddings of the drawings on white."""
    from bluerider.training.prior import PriorStage, Questions

    extra, settings = shop.recipe.stages["prior"], shop.recipe.settings("prior")
    embeddings = embed(shop, 1)[0][:, 0].clone()
    prior = shop.fresh("prior")
    if shop.init is None:
        prior.mean.data = embeddings.mean(0, keepdim=True)
        prior.std.data = embeddings.std(0, keepdim=True)
    text = shop.trained("text", "clip") if shop.init is None else shop.fresh("text")
    captions = Captions(shop.emoji, shop.tokenizer)
    stage = PriorStage(prior, text.train(), embeddings, shop.schedule("prior_schedule"), settings)
    return stage, Questions(
        captions,
        *reversed(embeddings.shape),
        batch=settings.batch,
        drop=extra["drop"],
        levels=stage.schedule.length,
        seed=settings.seed,
    )


def prepare_decoder(shop: Workshop) -> tuple[Stage, Stream[Any]]:
    """Cached latents and embeddings of every drawing on white and on colours."""
    from bluerider.training.decoder import DecoderStage, Latents

    extra, settings = shop.recipe.stages["decoder"], shop.recipe.settings("decoder")
    embeddings, pictures = embed(shop, extra["variants"])
    autoencoder, tower = shop.trained("autoencoder"), shop.trained("image")
    with torch.no_grad():
        latents = torch.stack([in_parts(autoencoder.encode, p) for p in pictures], dim=1)
        zero = tower(torch.zeros(1, 3, tower.config.size, tower.config.size))
    nets = shop.fresh("unet"), shop.fresh("conditioner")
    stage = DecoderStage(*nets, shop.schedule("schedule"), settings)
    return stage, Latents(
        latents,
        embeddings,
        zero,
        batch=settings.batch,
        drop=extra["drop"],
        plain=extra["plain"],
        levels=stage.schedule.length,
        seed=settings.seed,
    )


PREPARE: dict[str, Callable[[Workshop], tuple[Stage, Stream[Any]]]] = {
    "autoencoder": prepare_autoencoder,
    "clip": prepare_clip,
    "prior": prepare_prior,
    "decoder": prepare_decoder,
}


def in_parts(function: Callable[[Tensor], Tensor], x: Tensor, size: int = 64) -> Tensor:
    """`function` of a long batch, in parts that fit in memory."""
    return torch.cat([function(part) for part in x.split(size)])


def embed(shop: Workshop, variants: int) -> tuple[Tensor, list[Tensor]]:
    """Embeddings (N, variants, D) of the drawings on white (variant 0) and on random colours, and
    the pictures.
    """
    tower = shop.trained("image")
    drawings = torch.from_numpy(rgba(shop.emoji, 128, shop.emoji.seen))
    generator = torch.Generator().manual_seed(0)
    embeddings, pictures = [], []
    for variant in range(variants):
        colours = torch.full((len(drawings), 3), 255)
        if variant:
            colours = torch.randint(0, 256, colours.shape, generator=generator)
        pictures.append(compose(drawings, colours))
        with torch.no_grad():
            seen = in_parts(lambda p: tower(normalised(p, tower.config)), pictures[-1])
        embeddings.append(seen)
    return torch.stack(embeddings, dim=1), pictures


def export(shop: Workshop, target: Path, dtype: torch.dtype = torch.bfloat16) -> None:
    """Write what the stages left as a model folder that this package, diffusers and transformers
    open.
    """
    from bluerider.catalog import MODELS
    from bluerider.weights.save import save_model

    parts: dict[str, Any] = {
        name: shop.trained(name) for name in ("text", "image", "autoencoder", "prior")
    }
    parts["unet"] = (shop.trained("unet"), shop.trained("conditioner"))
    parts["tokenizer"] = shop.need("tokenizer") / "tokenizer.json"
    parts |= {name: shop.recipe.nets[name] for name in ("schedule", "prior_schedule")}
    save_model(
        parts,
        target,
        dtype=dtype,
        name=shop.recipe.name,
        defaults=MODELS["murnau"].defaults,
        licence="apache-2.0",
    )
