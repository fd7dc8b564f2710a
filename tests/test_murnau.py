"""The model inside the package: its size, its tokenizer, and that others open it and paint it."""

from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from diffusers import KandinskyV22Pipeline, KandinskyV22PriorPipeline
from torch import Tensor

import bluerider
from bluerider import Pipeline
from bluerider.evaluate.drawings import load_drawings
from bluerider.images import digest
from bluerider.pipeline import DECODER_NOISE, PRIOR_NOISE, conditions, embeddings
from bluerider.pipeline.batch import Batch, Event
from bluerider.pipeline.parts import Parts
from bluerider.weights.store import recorded

FOLDER = Path(bluerider.__file__).parent / "embedded" / "murnau"
SEED, STEPS = 3, 4


def test_all_files_together_fit_64_mib() -> None:
    assert sum(f.stat().st_size for f in FOLDER.rglob("*") if f.is_file()) <= 64 * 2**20


def test_every_file_is_the_one_that_its_list_names() -> None:
    listed = recorded(FOLDER)
    assert listed and not [f.path for f in listed if f.sha256 != digest(FOLDER / f.path)]


def test_transformers_reads_the_same_ids_in_every_language() -> None:
    theirs = transformers.AutoTokenizer.from_pretrained(FOLDER / "prior" / "tokenizer")
    tokenizer = Pipeline.load("murnau", device="cpu").tokenizer
    names = load_drawings().names
    assert len(names) == 99
    for table in names.values():
        texts = list(table.values())[::40]
        padded = theirs(texts, padding="max_length", truncation=True, return_tensors="pt")
        ours = tokenizer(texts)
        assert torch.equal(ours.ids, padded.input_ids)
        assert torch.equal(ours.mask, padded.attention_mask.bool())


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> list[Tensor]:
    """The embeddings that pictures are painted from."""
    found: list[Tensor] = []

    def embed(parts: Parts, batch: Batch) -> Generator[Event, None, Tensor]:
        found.append((yield from embeddings.embed(parts, batch)))
        return found[-1]

    monkeypatch.setattr(conditions, "embed", embed)
    return found


@pytest.mark.parametrize("prompt", ["red apple", "красное яблоко"])
def test_diffusers_opens_it_and_paints_the_same(prompt: str, answers: list[Tensor]) -> None:
    prior, decoder = (
        pipeline.from_pretrained(FOLDER / part, dtype=torch.float32)
        for pipeline, part in (
            (KandinskyV22PriorPipeline, "prior"),
            (KandinskyV22Pipeline, "decoder"),
        )
    )
    for pipe in (prior, decoder):
        pipe.set_progress_bar_config(disable=True)
    noise = [torch.Generator().manual_seed(2 * SEED + s) for s in (PRIOR_NOISE, DECODER_NOISE)]
    settings = {"num_inference_steps": STEPS, "guidance_scale": 3.0}
    ours = Pipeline.load("murnau", device="cpu", dtype="float32").generate(
        prompt,
        seed=SEED,
        steps=STEPS,
        prior_steps=STEPS,
        guidance=3.0,
        prior_guidance=3.0,
        sampler="ddpm",
        spacing="leading",
    )
    [answer] = answers
    found = prior(prompt, generator=noise[0], **settings)
    # diffusers' float32 tables stretch the prior's last step by about 5e-4
    torch.testing.assert_close(answer, found.image_embeds, rtol=1e-3, atol=2e-3)
    size = {"height": 128, "width": 128}
    asked = {"generator": noise[1], "output_type": "np", **settings, **size}
    theirs = decoder(answer, found.negative_image_embeds, **asked).images[0]
    levels = np.asarray(ours.images[0], np.float32) / 255
    assert np.abs(levels - theirs).max() <= 0.51 / 255  # what rounding to whole levels does
