"""What stage `decoder` is shown: drawings, scenes and blends as latents, what they show as
embeddings, and what the prior answers to their words. It takes minutes, so the run folder keeps it.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from bluerider.training.answers import Answerer, answers_to
from bluerider.training.appearance import NONE, TRAITS
from bluerider.training.captions import Captions
from bluerider.training.motifs import Motif, Motifs
from bluerider.training.pictures import Sights, on_white
from bluerider.training.recall import Recall
from bluerider.training.workshop import Workshop, once

PART, PAINTED = 16, 256  # pictures encoded, and painted, at a time


class Exhibits(NamedTuple):
    """The drawings on white, then scenes, then blends of two drawings."""

    latents: Tensor  # (N, C, h, w)
    embeddings: Tensor  # (N, D) of what they show
    answers: Tensor  # (N, V, D) the prior's to their words; a blend's lie between


def exhibits(shop: Workshop, scenes: int, blends: int) -> Exhibits:
    """All that the decoder is shown: every drawing, `scenes` scenes, `blends` blends."""
    seed, folder = shop.recipe.settings("decoder").seed, shop.out / "decoder"
    file = folder / f"exhibits-{scenes}-{blends}-{seed}.safetensors"
    shown = once(file, lambda: encode(shop, scenes, blends, seed))
    file = folder / f"answers-{scenes}-{seed}.safetensors"
    told = once(file, lambda: answer(shop, scenes, seed))["answers"]
    one, other = (told[shown["rows"][:, i]] for i in (0, 1))
    between = torch.lerp(one.float(), other.float(), shown["share"][:, None, None])
    answers = torch.cat([told, between.to(told.dtype)])
    return Exhibits(shown["latents"], shown["embeddings"], answers)


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
    pairs, shares = [torch.empty(0, 2, dtype=torch.int64)], [torch.empty(0)]
    for start in range(0, blends, PAINTED):
        blend = sights.blend(rng, min(PAINTED, blends - start))
        latents.append(look(blend.picture))
        embeddings.append(shop.appearance.between(blend.rows, blend.share))
        pairs.append(blend.rows)
        shares.append(blend.share)
    found = {"latents": latents, "embeddings": embeddings, "rows": pairs, "share": shares}
    return {name: torch.cat(parts) for name, parts in found.items()}


def encoder_of(shop: Workshop) -> Callable[[Tensor], Tensor]:
    """Pictures (N, 3, H, W) -> latents (N, C, h, w), float32, in parts that fit in memory."""
    dtype = shop.at_rest("decoder")
    autoencoder = shop.trained("autoencoder").to(dtype, memory_format=torch.channels_last)

    def look(pictures: Tensor) -> Tensor:
        shown = pictures.to(dtype, memory_format=torch.channels_last)
        parts = [autoencoder.encode(part) for part in shown.split(PART)]
        return torch.cat(parts).float().contiguous()

    return look


def answer(shop: Workshop, scenes: int, seed: int) -> dict[str, Tensor]:
    """The prior asked."""
    dtype = shop.at_rest("decoder")
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
