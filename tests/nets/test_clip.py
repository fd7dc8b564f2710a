"""CLIP's text tower."""

import torch

from bluerider.config import TextConfig
from bluerider.nets.clip import TextTower


def test_early_states_are_what_the_last_layer_is_given() -> None:
    torch.manual_seed(0)
    config = TextConfig(
        vocab=20,
        width=16,
        layers=3,
        heads=2,
        mlp=32,
        tokens=8,
        embed_dim=16,
        activation="gelu",
        bos=1,
        eos=3,
        pad=0,
    )
    tower, ids = TextTower(config), torch.tensor([[1, 7, 9, 3], [1, 5, 3, 0]])
    causal = torch.ones(4, 4, dtype=torch.bool).tril()
    words = tower(ids)
    assert torch.equal(tower.norm_out(tower.layers[-1](words.early, causal)), words.states)
