"""Batches for the decoder: latents, what they show, and what the prior answers to their words."""

import numpy as np
import torch

from bluerider.training.decoder import Latents

EXACT, ANSWERED, NOTHING = 0.0, 1.0, -1.0


def latents(told: float, drop: float = 0.0) -> Latents:
    """Ten pictures; each latent is filled with its number."""
    return Latents(
        torch.arange(10.0)[:, None, None, None].expand(10, 4, 2, 2),
        torch.full((10, 3), EXACT),
        torch.full((10, 2, 3), ANSWERED, dtype=torch.bfloat16),
        torch.full((1, 3), NOTHING),
        batch=400,
        drop=drop,
        plain=4,
        share=0.25,
        told=told,
        levels=1000,
        seed=0,
    )


def test_answers_take_the_place_of_a_part_of_the_embeddings() -> None:
    given = latents(told=0.5).draw(np.random.default_rng(0)).embedding[:, 0]
    assert set(given.tolist()) == {EXACT, ANSWERED}
    assert 0.4 < given.mean() < 0.6


def test_nothing_told_leaves_all_embeddings_exact() -> None:
    stream = latents(told=0.0)
    batch = stream.draw(np.random.default_rng(0))
    assert (batch.embedding == EXACT).all() and (stream.embeddings == EXACT).all()


def test_a_part_of_all_is_told_nothing() -> None:
    batch = latents(told=1.0, drop=0.5).draw(np.random.default_rng(0))
    assert 0.4 < (batch.embedding[:, 0] == NOTHING).float().mean() < 0.6


def test_drawings_on_white_are_a_share_of_every_batch() -> None:
    batch = latents(told=0.0).draw(np.random.default_rng(0))
    assert 0.2 < (batch.latent[:, 0, 0, 0] < 4).float().mean() < 0.3
