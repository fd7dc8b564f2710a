"""The image embedding of every picture of a batch: of its words, of a picture, or of a mix."""

from collections.abc import Generator, Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from bluerider.config import VisionConfig
from bluerider.images import square
from bluerider.pipeline.batch import Batch, Event
from bluerider.pipeline.parts import Parts
from bluerider.pipeline.prior import imagine
from bluerider.request import Request

ROUNDS = 32  # of the mean on the sphere; it settles in a handful


def embed(parts: Parts, batch: Batch) -> Generator[Event, None, Tensor]:
    """Tells the steps of the prior; returns embeddings (B, D), float32."""
    settings = batch.settings
    if settings.task == "mix":
        return (yield from mixed(parts, batch))
    start = None
    if settings.task == "vary":
        pictures = [canvas.picture for canvas in batch.canvases if canvas.picture is not None]
        start = seen(parts, pictures)
        if settings.prior_strength is None:
            return start
    told = imagine(parts, batch.prompts, batch.prior_negatives, batch.seeds, settings, start)
    return (yield from told)


def mixed(parts: Parts, batch: Batch) -> Generator[Event, None, Tensor]:
    """The weighted blend of each picture's ingredients."""
    found: list[list[Tensor]] = [[] for _ in batch.requests]
    for place in range(max(len(request.add) for request in batch.requests)):
        rows = [i for i, request in enumerate(batch.requests) if len(request.add) > place]
        worded = [i for i in rows if batch.requests[i].add[place].words is not None]
        made: dict[int, Tensor] = {}
        if worded:
            words = [batch.requests[i].add[place].words or "" for i in worded]
            negatives, seeds = (
                [each[i] for i in worded] for each in (batch.negatives, batch.seeds)
            )
            told = yield from imagine(parts, words, negatives, seeds, batch.settings)
            beside = [several(batch.requests[i]) for i in worded]
            made |= dict(zip(worded, exact(parts, told, beside), strict=True))
        pictured = [i for i in rows if i not in made]
        if pictured:
            shown = [picture_at(batch, i, place) for i in pictured]
            made |= dict(zip(pictured, seen(parts, shown), strict=True))
        for i in rows:
            found[i].append(made[i])
    pairs = zip(batch.requests, found, strict=True)
    return torch.stack([blend(torch.stack(each), request) for request, each in pairs])


def several(request: Request) -> bool:
    """Whether more than one ingredient counts."""
    return sum(each.weight != 0 for each in request.add) > 1


def exact(parts: Parts, answers: Tensor, beside: Sequence[bool]) -> Tensor:
    """The prior's answers (B, D) to ingredients, those `beside` others as the exact codes of what
    they mean, where they are close to one: errors of several add up, and of each thing there is
    less to be seen.
    """
    if parts.known is None:
        return answers
    mixed = torch.tensor(beside, device=answers.device)[:, None]
    return torch.where(mixed, parts.known.recognised(answers), answers)


def picture_at(batch: Batch, index: int, place: int) -> Image.Image:
    """The picture that stands at a place of a mix."""
    before = batch.requests[index].add[:place]
    return batch.canvases[index].added[sum(each.picture is not None for each in before)]


def blend(embeddings: Tensor, request: Request) -> Tensor:
    """The mix (D,) of embeddings (n, D)."""
    weights = torch.tensor([each.weight for each in request.add], device=embeddings.device)
    if request.slerp:
        return spherical(embeddings, weights)
    weights = weights / weights.sum() if request.normalise else weights
    return weights @ embeddings


def spherical(embeddings: Tensor, weights: Tensor) -> Tensor:
    """The weighted mean (D,) on the sphere, of the weighted mean length.

    Of two it is their slerp (Shoemake 1985); of more, the point whose weighted arcs to them cancel
    (Buss & Fillmore 2001, algorithm A1), which does not depend on their order.
    """
    weights = weights / weights.sum()
    lengths = embeddings.norm(dim=-1, keepdim=True)
    units = embeddings / lengths.clamp_min(1e-12)
    mean = weights @ units
    mean = mean / mean.norm().clamp_min(1e-12)
    for _ in range(ROUNDS):
        cos = (units @ mean).clamp(-1.0, 1.0)
        sides = units - cos[:, None] * mean
        arcs = sides / sides.norm(dim=-1, keepdim=True).clamp_min(1e-12) * cos.arccos()[:, None]
        step = weights @ arcs
        angle = step.norm()
        if angle < 1e-7:
            break
        mean = mean * angle.cos() + step / angle * angle.sin()
    return mean * (weights @ lengths)


def seen(parts: Parts, pictures: Sequence[Image.Image]) -> Tensor:
    """The vision tower's embeddings (B, D), float32; each picture is looked at once."""
    different = {id(picture): picture for picture in pictures}
    rows = [list(different).index(id(picture)) for picture in pictures]
    config: VisionConfig = parts.files.config("image")
    shown = np.stack([normalised(picture, config) for picture in different.values()])
    with parts.using("image") as tower:
        found = tower(torch.from_numpy(shown).to(parts.device, parts.dtype)).float()
    return found[rows]


def normalised(picture: Image.Image, config: VisionConfig) -> np.ndarray:
    """A picture as a vision tower takes it (3, size, size)."""
    levels = np.asarray(square(picture, config.size), np.float32) / 255.0
    mean, std = (np.asarray(each, np.float32) for each in (config.mean, config.std))
    return ((levels - mean) / std).transpose(2, 0, 1)
