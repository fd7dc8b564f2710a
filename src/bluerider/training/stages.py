"""The seven stages that make a model of Kandinsky 2.2's kind, and the export of what they leave."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from bluerider.diffusion.schedule import Schedule
from bluerider.errors import InputError
from bluerider.files import beside
from bluerider.nets.autoencoder import Autoencoder
from bluerider.nets.clip import TextTower, VisionTower
from bluerider.nets.conditioner import ImageConditioner
from bluerider.nets.prior import Prior
from bluerider.nets.unet import UNet
from bluerider.scenes.reading import texts_read
from bluerider.scenes.wording import languages, said
from bluerider.tokenizers import Tokenizer
from bluerider.training.appearance import NONE, SIDE, TRAITS, Appearance
from bluerider.training.asides import asides_read
from bluerider.training.captions import Captions
from bluerider.training.emoji import EmojiSet, load_emoji
from bluerider.training.motifs import Motif, Motifs
from bluerider.training.pictures import Crops, Sights, on_white, rgba
from bluerider.training.recipe import Recipe
from bluerider.training.run import Say, train
from bluerider.training.stage import Stage
from bluerider.training.stream import Stream

MAKES = {
    "text": ("recall", "text"),
    "image": ("clip", "vision"),
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
MEASURED = 8192  # texts whose embeddings give the prior's statistics
TUNED = 12288  # texts that tell how much tokens differ, and how much what is beside them
OFTEN = 20  # times the words of scenes count, in which hundreds of names are told
FLAT = 1e-4  # deviation of a number that never changes


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
    def appearance(self) -> Appearance:
        width = self.recipe.nets["image"].embed_dim
        return Appearance.fit(on_white(rgba(self.emoji, SIDE, self.emoji.seen)), width)

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
        if name == "text":
            loaded = deepened(loaded, self.recipe.nets[name].layers)
        if loaded.config != self.recipe.nets[name]:
            raise InputError(f"{self.init}: its {name} has another shape than the recipe's")
        return loaded.float().requires_grad_(True).train()

    def trained(self, name: str, stage: str | None = None) -> Any:
        """A network as its stage (or an earlier one that held it) left it."""
        made, module = MAKES[name]
        state = load_file(self.need(stage or made) / "net.safetensors")
        net = KINDS[name](self.recipe.nets[name])
        net.load_state_dict(inside(state, module))
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


def inside(state: dict[str, Tensor], module: str) -> dict[str, Tensor]:
    """The weights of one module, by their names in it, wherever a stage holds it."""
    paths = [(key.split("."), tensor) for key, tensor in state.items()]
    return {".".join(p[p.index(module) + 1 :]): t for p, t in paths if module in p}


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


def make_tokenizer(shop: Workshop, say: Say) -> None:
    """Train the tokenizer on the names in all languages and the English keywords."""
    from bluerider.training.tokenizer import train_tokenizer

    emoji, settings = shop.emoji, shop.recipe.stages["tokenizer"]
    seen = set(emoji.emoji) - set(emoji.holdout)
    texts = Captions(emoji).every_name()
    texts += [text for lang in languages() for text in said(lang)] * OFTEN
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
    if (still := extra["still"]) not in (0, 1, 2):
        raise InputError(f"still: got {still}; choose from 0, 1, 2")
    drawings = rgba(shop.emoji, 128, shop.emoji.seen)
    stage = AutoencoderStage(shop.fresh("autoencoder"), settings, still=still)
    return stage, Crops(drawings, batch=settings.batch, crop=extra["crop"], seed=settings.seed)


def prepare_clip(shop: Workshop) -> tuple[Stage, Stream[Any]]:
    """Texts in many languages and pictures, and the code of what they show."""
    from bluerider.training.clip import ClipStage, Meetings, start_small

    extra, settings = shop.recipe.stages["clip"], shop.recipe.settings("clip")
    towers = shop.fresh("text"), shop.fresh("image")
    if shop.init is None:
        start_small(*towers)
    stage = ClipStage(*towers, settings, shop.appearance)
    vision = shop.recipe.nets["image"]
    sights = Sights(shop.emoji, 2 * vision.size, batch=extra["pictures"], scenes=extra["scenes"])
    return stage, Meetings(
        Captions(shop.emoji, extra["told"], extra["keywords"]),
        shop.tokenizer,
        sights,
        shop.appearance,
        vision,
        texts=settings.batch,
        longest=extra["longest"],
        seed=settings.seed,
    )


def prepare_prior(shop: Workshop) -> tuple[Stage, Stream[Any]]:
    """Texts and the embeddings they should call up."""
    from bluerider.training.prior import PriorStage, Questions

    extra, settings = shop.recipe.stages["prior"], shop.recipe.settings("prior")
    captions = Captions(shop.emoji, extra["told"], extra["keywords"])
    prior = shop.fresh("prior")
    if shop.init is None:
        told = captions.draw(np.random.default_rng(settings.seed), MEASURED)
        embeddings = shop.appearance.embed(told.first, told.second, told.traits)
        deviation = embeddings.std(0, keepdim=True)
        prior.mean.data = embeddings.mean(0, keepdim=True)
        prior.std.data = torch.where(deviation > FLAT, deviation, 1.0)
    text = shop.trained("text", "clip") if shop.init is None else shop.fresh("text")
    schedule = shop.schedule("prior_schedule")
    stage = PriorStage(prior, text.train(), shop.appearance, schedule, settings)
    return stage, Questions(
        captions,
        shop.tokenizer,
        shop.appearance.width,
        batch=settings.batch,
        drop=extra["drop"],
        longest=extra["longest"],
        levels=stage.schedule.length,
        seed=settings.seed,
    )


def prepare_decoder(shop: Workshop) -> tuple[Stage, Stream[Any]]:
    """Cached latents and embeddings of every drawing on white and of small scenes."""
    from bluerider.training.decoder import DecoderStage, Latents

    extra, settings = shop.recipe.stages["decoder"], shop.recipe.settings("decoder")
    latents, embeddings = encoded(shop, extra["variants"], extra["blends"])
    answers = answered(shop, extra["variants"])
    nets = shop.fresh("unet"), shop.fresh("conditioner")
    stage = DecoderStage(*nets, shop.schedule("schedule"), settings)
    return stage, Latents(
        latents,
        embeddings,
        answers,
        shop.appearance.nothing(),
        batch=settings.batch,
        drop=extra["drop"],
        plain=len(shop.emoji.seen),
        share=extra["plain"],
        told=extra["told"],
        levels=stage.schedule.length,
        seed=settings.seed,
    )


def prepare_recall(shop: Workshop) -> tuple[Stage, Stream[Any]]:
    """Texts in many languages and what they mean."""
    from bluerider.training.recall import Recall, RecallStage, Reminders

    extra, settings = shop.recipe.stages["recall"], shop.recipe.settings("recall")
    if (layers := shop.recipe.nets["prior"].layers) < 2:
        raise InputError(f"prior: layers: got {layers}; stage recall needs 2 or more")
    anew = shop.init is None
    text = shop.trained("text", "prior") if anew else shop.fresh("text")
    prior = shop.trained("prior", "prior") if anew else shop.fresh("prior")
    recall = Recall(prior.train(), anew=anew)
    stage = RecallStage(text.train(), recall, shop.appearance, settings, pad=shop.tokenizer.pad)
    return stage, Reminders(
        Captions(shop.emoji, extra["told"], extra["keywords"]),
        shop.tokenizer,
        batch=settings.batch,
        longest=extra["longest"],
        seed=settings.seed,
    )


def prepare_rehearse(shop: Workshop) -> tuple[Stage, Stream[Any]]:
    """What the query holds and finds after reading many texts, and what they mean."""
    from bluerider.training.recall import Recall, Reminders
    from bluerider.training.rehearsal import (
        Ears,
        Rehearsals,
        RehearseStage,
        attune,
        bystanders,
        keep,
    )

    extra, settings = shop.recipe.stages["rehearse"], shop.recipe.settings("rehearse")
    text, prior = (
        shop.trained(name, "recall") if shop.init is None else shop.fresh(name)
        for name in ("text", "prior")
    )
    recall = Recall(prior, anew=False)
    told = shop.recipe.stages["recall"]
    captions = Captions(shop.emoji, extra["told"], extra["keywords"])
    reminders = Reminders(
        captions, shop.tokenizer, batch=256, longest=told["longest"], seed=settings.seed + 1
    )
    ears = Ears(text, recall, shop.tokenizer.pad)
    dtype = getattr(torch, settings.precision)
    levels = shop.schedule("prior_schedule").length
    beside = bystanders(ears, reminders, TUNED, levels)
    attune(recall, keep(ears, reminders, shop.appearance, TUNED, dtype), beside)
    kept = keep(ears, reminders, shop.appearance, extra["texts"], dtype)
    stage = RehearseStage(recall.train(), settings)
    return stage, Rehearsals(kept, batch=settings.batch, seed=settings.seed)


PREPARE: dict[str, Callable[[Workshop], tuple[Stage, Stream[Any]]]] = {
    "autoencoder": prepare_autoencoder,
    "clip": prepare_clip,
    "prior": prepare_prior,
    "recall": prepare_recall,
    "rehearse": prepare_rehearse,
    "decoder": prepare_decoder,
}


def in_parts(function: Callable[[Tensor], Tensor], x: Tensor, size: int = 16) -> Tensor:
    """`function` of a long batch, in parts that fit in memory."""
    return torch.cat([function(part) for part in x.split(size)])


def encoded(shop: Workshop, scenes: int, blends: int) -> tuple[Tensor, Tensor]:
    """Latents (N, C, h, w) and embeddings (N, D) of the drawings on white, then of `scenes` scenes,
    then of `blends` of two drawings.

    Kept in the run folder, for they take minutes.
    """
    kept = shop.out / "decoder" / f"latents-{scenes}-{blends}.safetensors"
    if not kept.is_file():
        dtype = getattr(torch, shop.recipe.settings("decoder").precision)
        autoencoder = shop.trained("autoencoder").to(dtype, memory_format=torch.channels_last)
        sights = Sights(shop.emoji, 128, batch=0, scenes=1.0)
        motifs, rng = motifs_of(sights.motifs, scenes)
        rows = torch.arange(len(sights.drawings))
        none, bare = torch.full_like(rows, NONE), torch.zeros(len(rows), TRAITS)
        embeddings = [shop.appearance.embed(rows, none, bare)]

        def encode(pictures: Tensor) -> Tensor:
            shown = pictures.to(dtype, memory_format=torch.channels_last)
            return autoencoder.encode(shown).float().contiguous()

        with torch.no_grad():
            latents = [in_parts(encode, on_white(sights.drawings))]
            for start in range(0, scenes, 256):
                seen = sights.paint(motifs[start : start + 256])
                latents.append(in_parts(encode, seen.picture))
                embeddings.append(shop.appearance.embed(seen.first, seen.second, seen.traits))
            for start in range(0, blends, 256):
                blend = sights.blend(rng, min(256, blends - start))
                latents.append(in_parts(encode, blend.picture))
                one, other = (embeddings[0][blend.rows[:, i]] for i in (0, 1))
                embeddings.append(torch.lerp(one, other, blend.share[:, None]))
        kept.parent.mkdir(parents=True, exist_ok=True)
        found = {"latents": torch.cat(latents), "embeddings": torch.cat(embeddings)}
        with beside(kept) as part:
            save_file(found, part)
    found = load_file(kept)
    return found["latents"], found["embeddings"]


def motifs_of(motifs: Motifs, count: int) -> tuple[list[Motif], np.random.Generator]:
    """The scenes that the decoder is shown, the same every time, and what draws what follows."""
    rng = np.random.default_rng(0)
    return [motifs.draw(rng) for _ in range(count)], rng


def answered(shop: Workshop, scenes: int) -> Tensor:
    """What the prior answers (M, V, D), in half precision, to the words of the drawings on white
    and of the scenes that `encoded` begins with.
    """
    from bluerider.training.answers import Answerer, answers_to
    from bluerider.training.recall import Recall

    kept = shop.out / "decoder" / f"answers-{scenes}.safetensors"
    if not kept.is_file():
        settings, captions = shop.recipe.settings("decoder"), Captions(shop.emoji)
        dtype = getattr(torch, settings.precision)
        text, prior = (
            shop.trained(name) if shop.init is None else shop.fresh(name).eval()
            for name in ("text", "prior")
        )
        answerer = Answerer(
            text,
            Recall(prior, anew=False).eval(),
            shop.tokenizer,
            shop.recipe.stages["recall"]["longest"],
            dtype,
        )
        motifs, _ = motifs_of(captions.motifs, scenes)
        answers = answers_to(answerer, captions, motifs, settings.seed).to(dtype)
        kept.parent.mkdir(parents=True, exist_ok=True)
        with beside(kept) as part:
            save_file({"answers": answers.contiguous()}, part)
    return load_file(kept)["answers"]


def export(shop: Workshop, target: Path, dtype: torch.dtype = torch.bfloat16) -> None:
    """Write what the stages left as a model folder that this package, diffusers and transformers
    open.
    """
    from bluerider.catalog import MODELS
    from bluerider.weights.known import Known
    from bluerider.weights.save import save_model

    parts: dict[str, Any] = {
        name: shop.trained(name) for name in ("text", "image", "autoencoder", "prior")
    }
    parts["unet"] = (shop.trained("unet"), shop.trained("conditioner"))
    parts["tokenizer"] = shop.need("tokenizer") / "tokenizer.json"
    parts |= {name: shop.recipe.nets[name] for name in ("schedule", "prior_schedule")}
    # Without keywords, in any order as they are: beside them nearly every pair of pieces is known.
    names = Captions(shop.emoji).names_by_emoji()
    texts = texts_read(names) + asides_read(names.get("en", {}).values())
    save_model(
        parts,
        target,
        dtype=dtype,
        known=Known.of(texts, shop.tokenizer, shop.recipe.nets["text"].vocab),
        name=shop.recipe.name,
        defaults=MODELS["murnau"].defaults,
        licence="apache-2.0",
    )


def export_net(
    shop: Workshop, name: str, target: Path, dtype: torch.dtype = torch.bfloat16
) -> None:
    """Write one network, as its stage left it, into a folder of its own: config.json, weights."""
    from bluerider.weights.save import save_net

    save_net(shop.trained(name), name, target, dtype=dtype)
