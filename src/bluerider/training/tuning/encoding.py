"""Latents and embeddings, computed once by networks that are then let go, and kept."""

import hashlib
import json
from collections.abc import Callable, Generator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from bluerider.pipeline import Pipeline
from bluerider.pipeline.prior import imagine
from bluerider.request import Request
from bluerider.training.pictures import normalised
from bluerider.training.tuning.cache import Frame, encoded, identity, keep, kept
from bluerider.training.tuning.plan import LIVE
from bluerider.training.tuning.school import School
from bluerider.weights.load import ModelFiles
from bluerider.weights.store import home

BATCH = 64
FAITHFUL = 25  # prior steps, without guidance: samples of what the base believes
Tell = Callable[[float], None]
Made = dict[str, list[Tensor]]  # of pictures, by what it is: rows


def encode_pictures(school: School, frames: Sequence[Frame], tell: Tell) -> Made:
    """Latents and, where the model knows them, image embeddings of pictures."""
    files, device = school.files, school.device
    parts = ["autoencoder"] + (["image"] if "image" in files.parts else [])
    maker = " ".join(identity(files.sources[part]) for part in parts)
    nets: dict[str, nn.Module] = {}

    def encode(pictures: Tensor) -> dict[str, Tensor]:
        for part in parts:
            if part not in nets:
                nets[part] = files.load(part, dtype=torch.float32, device=device)
        pictures = pictures.to(device)
        mean, log_variance = nets["autoencoder"].moments(pictures)
        scale = nets["autoencoder"].config.scale
        made = {"latent": mean * scale}
        if log_variance is not None:
            made["spread"] = (0.5 * log_variance).exp() * scale
        if "image" in nets:
            made["embedding"] = nets["image"](normalised(middle(pictures), nets["image"].config))
        return made

    return encoded(frames, encode, maker, tell)


def middle(pictures: Tensor) -> Tensor:
    """The largest square in the middle of pictures, which is what a vision tower is shown."""
    side = min(pictures.shape[-2:])
    top, left = ((length - side) // 2 for length in pictures.shape[-2:])
    return pictures[..., top : top + side, left : left + side]


def class_embeddings(school: School, prompts: Sequence[str], tell: Tell) -> Tensor:
    """Image embeddings that the untouched prior imagines for the class, one a seed, as it believes
    them: many steps, no guidance.
    """
    words = [prompts[i % len(prompts)] for i in range(school.plan.class_embeddings)]
    return imagined(school.files, school.device, words, FAITHFUL, 1.0, tell)


def imagined(
    files: ModelFiles,
    device: torch.device,
    words: Sequence[str],
    steps: int,
    guidance: float,
    tell: Tell,
) -> Tensor:
    """What the untouched prior imagines for each of these words, word i with seed i; kept like
    what is made of pictures.
    """
    count = len(words)
    weights = [identity(files.sources[part]) for part in ("prior", "text")]
    maker = json.dumps([*weights, list(words), steps, guidance])
    path = home() / "encoded" / f"{hashlib.sha256(maker.encode()).hexdigest()}.safetensors"
    if found := kept(path):
        return found["embedding"]
    pipe = Pipeline(files, device=device.type, dtype="float32")
    made = []
    for start in range(0, count, BATCH):
        seeds = list(range(start, min(start + BATCH, count)))
        chosen = [words[seed] for seed in seeds]
        settings = Request(prompt=chosen[0], prior_steps=steps, prior_guidance=guidance)
        with torch.inference_mode():
            made.append(ended(imagine(pipe.parts, chosen, [""] * len(seeds), seeds, settings)))
        tell((start + len(seeds)) / count)
    embedding = torch.cat(made).float().cpu().clone()
    keep(path, {"embedding": embedding})
    return embedding


def conditioned(
    school: School, captions: Sequence[str], made: Made, tell: Tell
) -> tuple[list[str], int, Made]:
    """The decoder's rows of the subject (captions, rows a picture, tensors): told the pictures'
    own embeddings, those that the untouched prior imagines for the captions, or each in turn.

    Of itself the latter only where the prior does not learn: it is then all that the subject's
    word can reach the decoder by.
    """
    plan, wanted = school.plan, school.plan.decoder_condition
    if wanted == "auto":
        wanted = "prior" if plan.prior.train == "off" else "true"
    if wanted in ("true", LIVE) or "embedding" not in made:
        return list(captions), school.variants, made
    told = usual(school, captions, tell)
    other = {**made, "embedding": list(told)}
    if wanted == "prior":
        return list(captions), school.variants, other
    pairs = {name: zip(made[name], other[name], strict=True) for name in made}
    both = {name: [row for pair in each for row in pair] for name, each in pairs.items()}
    return [one for one in captions for _ in range(2)], 2 * school.variants, both


def usual(school: School, words: Sequence[str], tell: Tell) -> Tensor:
    """What the untouched prior imagines for words with the model's default settings."""
    files, settings = school.files, school.files.defaults
    steps, guidance = settings.prior_steps, settings.prior_guidance
    return imagined(files, school.device, words, steps, guidance, tell)


def ended(steps: Generator[Any, None, Tensor]) -> Tensor:
    """What a generator returns when it is run to its end."""
    while True:
        try:
            next(steps)
        except StopIteration as stop:
            found: Tensor = stop.value
            return found
