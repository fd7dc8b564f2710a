"""What stage `decoder` is shown: drawings, scenes and blends as latents, what they show as
embeddings, and what the prior answers to their words. It takes minutes, so the run folder keeps it.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from bluerider.files import beside
from bluerider.training.answers import Answerer, answers_to
from bluerider.training.appearance import NONE, TRAITS
from bluerider.training.captions import Captions
from bluerider.training.motifs import Motif, Motifs
from bluerider.training.pictures import Sights, on_white
from bluerider.training.recall import Recall
from bluerider.training.workshop import Workshop

PART, PAINTED = 16, 256  # pictures encoded, and painted, at a time


def encoded(shop: Workshop, scenes: int, blends: int) -> tuple[Tensor, Tensor]:
    """Latents (N, C, h, w) and embeddings (N, D) of the drawings on white, then of `scenes` scenes,
    then of `blends` of two drawings.
    """
    seed = shop.recipe.settings("decoder").seed
    file = shop.out / "decoder" / f"latents-{scenes}-{blends}-{seed}.safetensors"
    found = once(file, lambda: encode(shop, scenes, blends, seed))
    return found["latents"], found["embeddings"]


def answered(shop: Workshop, scenes: int) -> Tensor:
    """What the prior answers (M, V, D), in half precision, to the words of the drawings on white
    and of the scenes that `encoded` begins with.
    """
    seed = shop.recipe.settings("decoder").seed
    file = shop.out / "decoder" / f"answers-{scenes}-{seed}.safetensors"
    return once(file, lambda: answer(shop, scenes, seed))["answers"]


def once(file: Path, make: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
    """The tensors in a file, which are made when there is none."""
    if not file.is_file():
        made = make()
        file.parent.mkdir(parents=True, exist_ok=True)
        with beside(file) as part:
            save_file(made, part)
    return load_file(file)


def motifs_of(motifs: Motifs, count: int, seed: int) -> tuple[list[Motif], np.random.Generator]:
    """The scenes that the decoder is shown, the same for a seed, and what draws what follows."""
    rng = np.random.default_rng(seed)
    return [motifs.draw(rng) for _ in range(count)], rng


@torch.no_grad()
def encode(shop: Workshop, scenes: int, blends: int, seed: int) -> dict[str, Tensor]:
    """The pictures painted and encoded."""
    look, embed = encoder_of(shop), shop.appearance.embed
    sights = Sights(shop.emoji, 128, batch=0, scenes=1.0)
    motifs, rng = motifs_of(sights.motifs, scenes, seed)
    rows = torch.arange(len(sights.drawings))
    none, bare = torch.full_like(rows, NONE), torch.zeros(len(rows), TRAITS)
    latents, embeddings = [look(on_white(sights.drawings))], [embed(rows, none, bare)]
    for start in range(0, scenes, PAINTED):
        seen = sights.paint(motifs[start : start + PAINTED])
        latents.append(look(seen.picture))
        embeddings.append(embed(seen.first, seen.second, seen.traits))
    for start in range(0, blends, PAINTED):
        blend = sights.blend(rng, min(PAINTED, blends - start))
        latents.append(look(blend.picture))
        one, other = (embeddings[0][blend.rows[:, i]] for i in (0, 1))
        embeddings.append(torch.lerp(one, other, blend.share[:, None]))
    return {"latents": torch.cat(latents), "embeddings": torch.cat(embeddings)}


def encoder_of(shop: Workshop) -> Callable[[Tensor], Tensor]:
    """Pictures (N, 3, H, W) -> latents (N, C, h, w), float32, in parts that fit in memory."""
    dtype = getattr(torch, shop.recipe.settings("decoder").precision)
    autoencoder = shop.trained("autoencoder").to(dtype, memory_format=torch.channels_last)

    def look(pictures: Tensor) -> Tensor:
        shown = pictures.to(dtype, memory_format=torch.channels_last)
        parts = [autoencoder.encode(part) for part in shown.split(PART)]
        return torch.cat(parts).float().contiguous()

    return look


def answer(shop: Workshop, scenes: int, seed: int) -> dict[str, Tensor]:
    """The prior asked."""
    dtype = getattr(torch, shop.recipe.settings("decoder").precision)
    text, prior = (
        shop.trained(name) if shop.init is None else shop.fresh(name).eval()
        for name in ("text", "prior")
    )
    recall = Recall(prior, anew=False).eval()
    longest = shop.recipe.stages["recall"]["longest"]
    answerer = Answerer(text, recall, shop.tokenizer, longest, dtype)
    captions = Captions(shop.emoji)
    motifs, _ = motifs_of(captions.motifs, scenes, seed)
    answers = answers_to(answerer, captions, motifs, seed).to(dtype)
    return {"answers": answers.contiguous()}
