"""The seven stages that make a model of Kandinsky 2.2's kind, and the export of what they leave."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bluerider.errors import InputError
from bluerider.files import beside
from bluerider.nets.prior import Prior
from bluerider.scenes.reading import texts_read
from bluerider.scenes.wording import languages, said
from bluerider.training.appearance import Appearance
from bluerider.training.asides import asides_read
from bluerider.training.captions import Captions
from bluerider.training.exhibits import exhibits
from bluerider.training.glosses import Glosses, glosses
from bluerider.training.pictures import Crops, Sights, framed, rgba
from bluerider.training.reminders import Reminders
from bluerider.training.renditions import renditions
from bluerider.training.run import Say, train
from bluerider.training.stage import Stage
from bluerider.training.stream import Stream
from bluerider.training.workshop import Workshop

MEASURED = 8192  # texts whose embeddings give the prior's statistics
TUNED = 12288  # texts that tell how much tokens differ, and how much what is beside them
NAMED = 2  # times names count beside keywords, in what the tokenizer is trained on
OFTEN = 20  # times the words of scenes count, in which hundreds of names are told
FLAT = 1e-4  # deviation of a number that never changes


def make_tokenizer(shop: Workshop, say: Say) -> None:
    """Train the tokenizer on names and keywords in all languages, and on the words of scenes."""
    from bluerider.training.tokenizer import train_tokenizer

    emoji, settings = shop.emoji, shop.recipe.stages["tokenizer"]
    captions = Captions(emoji)
    texts = captions.every_name() * NAMED + captions.every_keyword()
    texts += [text for lang in languages() for text in said(lang)] * OFTEN
    vocab = shop.recipe.nets["text"].vocab
    tokenizer = train_tokenizer(texts, vocab=vocab, alphabet=settings["alphabet"])
    folder = shop.out / "tokenizer"
    folder.mkdir(parents=True, exist_ok=True)
    with beside(folder / "tokenizer.json") as part:
        tokenizer.save(str(part))
    say(f"{tokenizer.get_vocab_size()} tokens from {len(texts)} texts")


def prepare_autoencoder(shop: Workshop) -> tuple[Stage, Stream[Any]]:
    """Crops of the drawings over white and colours; of `painted` latents too, if there are any."""
    from bluerider.training.autoencoder import AutoencoderStage, Weights

    extra, settings = shop.recipe.stages["autoencoder"], shop.settings("autoencoder")
    if (still := extra["still"]) not in (0, 1, 2):
        raise InputError(f"still: got {still}; choose from 0, 1, 2")
    drawings = framed(rgba(shop.emoji, 128, shop.emoji.seen), extra["margin"])
    weights = Weights(near=extra["near"], psnr=extra["psnr"])
    stage = AutoencoderStage(shop.fresh("autoencoder"), settings, still=still, weights=weights)
    return stage, Crops(
        drawings,
        batch=settings.batch,
        crop=extra["crop"],
        seed=settings.seed,
        renditions=renditions(shop, extra["painted"]) if extra["painted"] else None,
    )


def prepare_image(shop: Workshop) -> tuple[Stage, Stream[Any]]:
    """Drawings, scenes and blends, and the code of what they show."""
    from bluerider.training.image import ImageStage, Showings

    extra, settings = shop.recipe.stages["image"], shop.settings("image")
    config, blends = shop.recipe.nets["image"], extra["blends"]
    if settings.batch < blends + 2:
        raise InputError(f"batch: got {settings.batch}; stage image needs {blends + 2} or more")
    stage = ImageStage(shop.fresh("image"), settings, shop.appearance)
    # Blends and the empty picture are of the batch.
    count = settings.batch - blends - 1
    sights = Sights(shop.emoji, 2 * config.size, batch=count, scenes=extra["scenes"])
    return stage, Showings(sights, shop.appearance, config, blends=blends, seed=settings.seed)


def prepare_decoder(shop: Workshop) -> tuple[Stage, Stream[Any]]:
    """Cached latents and embeddings of every drawing on white and of small scenes."""
    from bluerider.training.decoder import DecoderStage, Latents

    extra, settings = shop.recipe.stages["decoder"], shop.settings("decoder")
    shown = exhibits(shop, extra["variants"], extra["blends"])
    nets = shop.fresh("unet"), shop.fresh("conditioner")
    stage = DecoderStage(*nets, shop.schedule("schedule"), settings)
    return stage, Latents(
        *shown,
        shop.appearance.nothing(),
        batch=settings.batch,
        drop=extra["drop"],
        plain=len(shop.emoji.seen),
        share=extra["plain"],
        told=extra["told"],
        levels=stage.schedule.length,
        seed=settings.seed,
    )


def reminders(shop: Workshop, stage: str, captions: Captions, told: Glosses) -> Reminders:
    """What a stage reads, by its settings."""
    extra, settings = shop.recipe.stages[stage], shop.settings(stage)
    return Reminders(
        captions,
        told,
        shop.tokenizer,
        glossed=extra["glossed"],
        batch=settings.batch,
        longest=extra["longest"],
        seed=settings.seed,
        undone=extra["undone"],
    )


def prepare_words(shop: Workshop) -> tuple[Stage, Stream[Any]]:
    """Names, keywords, glosses and scenes, and what they mean. With --init the tower's table and
    layers go on; its attention begins anew.
    """
    from bluerider.training.words import WordsStage

    extra, settings = shop.recipe.stages["words"], shop.settings("words")
    if (layers := shop.recipe.nets["text"].layers) < 2:
        raise InputError(f"text: layers: got {layers}; stage words needs 2 or more")
    captions = Captions(shop.emoji, extra["told"], extra["keywords"])
    told = glosses(shop, captions)
    pad, meanings = shop.tokenizer.pad, told.meanings
    text = shop.fresh("text").train()
    stage = WordsStage(text, shop.appearance, settings, pad=pad, meanings=meanings)
    return stage, reminders(shop, "words", captions, told)


def measure(prior: Prior, captions: Captions, appearance: Appearance, seed: int) -> None:
    """Set the mean and deviation of the embeddings that the prior answers with."""
    told = captions.draw(np.random.default_rng(seed), MEASURED)
    embeddings = appearance.embed(told.first, told.second, told.traits)
    deviation = embeddings.std(0, keepdim=True)
    prior.mean.data = embeddings.mean(0, keepdim=True)
    prior.std.data = torch.where(deviation > FLAT, deviation, 1.0)


def prepare_recall(shop: Workshop) -> tuple[Stage, Stream[Any]]:
    """Texts in many languages and what they mean."""
    from bluerider.training.recall import Recall, RecallStage

    extra, settings = shop.recipe.stages["recall"], shop.settings("recall")
    if (layers := shop.recipe.nets["prior"].layers) < 2:
        raise InputError(f"prior: layers: got {layers}; stage recall needs 2 or more")
    anew = shop.init is None
    text = shop.trained("text", "words") if anew else shop.fresh("text")
    prior = shop.fresh("prior")
    captions = Captions(shop.emoji, extra["told"], extra["keywords"])
    if anew:
        measure(prior, captions, shop.appearance, settings.seed)
    recall = Recall(prior.train(), anew=anew)
    told = glosses(shop, captions)
    pad, meanings = shop.tokenizer.pad, told.meanings
    stage = RecallStage(text.train(), recall, shop.appearance, settings, pad=pad, meanings=meanings)
    if anew:
        stage.net.meaning.load_state_dict(shop.left("words", "meaning"))
    return stage, reminders(shop, "recall", captions, told)


def prepare_rehearse(shop: Workshop) -> tuple[Stage, Stream[Any]]:
    """What the query holds and finds after reading many texts, and what they mean."""
    from bluerider.training.recall import Recall
    from bluerider.training.rehearsal import (
        Ears,
        Rehearsals,
        RehearseStage,
        attune,
        bystanders,
        keep,
        settle,
    )

    extra, settings = shop.recipe.stages["rehearse"], shop.settings("rehearse")
    text, prior = (
        shop.trained(name, "recall") if shop.init is None else shop.fresh(name)
        for name in ("text", "prior")
    )
    recall = Recall(prior, anew=False)
    longest = shop.recipe.stages["recall"]["longest"]
    captions = Captions(shop.emoji, extra["told"], extra["keywords"])
    told = glosses(shop, captions)
    texts = Reminders(
        captions,
        told,
        shop.tokenizer,
        glossed=extra["glossed"],
        batch=256,
        longest=longest,
        seed=settings.seed + 1,
    )
    ears = Ears(text, recall, shop.tokenizer.pad)
    dtype = shop.at_rest("rehearse")
    levels = shop.schedule("prior_schedule").length
    settle(ears)
    beside = bystanders(ears, texts, TUNED, levels)
    attune(recall, keep(ears, texts, shop.appearance, TUNED, dtype), beside)
    settle(ears)
    kept = keep(ears, texts, shop.appearance, extra["texts"], dtype)
    stage = RehearseStage(recall.train(), settings)
    return stage, Rehearsals(kept, batch=settings.batch, seed=settings.seed)


PREPARE: dict[str, Callable[[Workshop], tuple[Stage, Stream[Any]]]] = {
    "autoencoder": prepare_autoencoder,
    "image": prepare_image,
    "words": prepare_words,
    "recall": prepare_recall,
    "rehearse": prepare_rehearse,
    "decoder": prepare_decoder,
}


def run_stage(shop: Workshop, name: str, say: Say) -> None:
    """Run one stage, or go on with it."""
    if name == "tokenizer":
        return make_tokenizer(shop, say)
    torch.manual_seed(shop.recipe.settings(name).seed)
    stage, stream = PREPARE[name](shop)
    train(stage, stream, shop.out / name, say=say, accelerator=shop.accelerator)


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
        known=Known.of(
            texts, shop.tokenizer, shop.recipe.nets["text"].vocab, shop.appearance.codes
        ),
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
