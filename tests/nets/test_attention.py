"""Attention: keys brought to whole tiles for the CPU's matrix units."""

import pytest
import torch
from torch.nn import functional as F

from bluerider.nets.attention import attend, gains


@pytest.mark.parametrize("count", [77, 1, 250])
def test_keys_up_to_a_whole_tile_change_nothing(count: int) -> None:
    torch.manual_seed(0)
    q, k, v = (torch.randn(2, 3, n, 8).to(torch.bfloat16) for n in (256, count, count))
    assert gains(q, k)
    wanted = F.scaled_dot_product_attention(q.double(), k.double(), v.double())
    off = attend(q, k, v) - wanted.transpose(1, 2).flatten(2)
    assert off.abs().max() <= 0.02


@pytest.mark.parametrize(("queries", "keys"), [(255, 77), (256, 80), (256, 333)])
def test_few_queries_whole_tiles_and_many_keys_stay_as_they_are(queries: int, keys: int) -> None:
    q, k = (torch.zeros(1, 1, n, 8, dtype=torch.bfloat16) for n in (queries, keys))
    assert not gains(q, k)


def test_float32_stays_as_it_is() -> None:
    assert not gains(torch.zeros(1, 1, 256, 8), torch.zeros(1, 1, 77, 8))
