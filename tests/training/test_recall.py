"""The stage that learns by heart which picture a text's embedding means."""

import pytest
import torch

from bluerider.config import PriorConfig
from bluerider.nets.prior import Prior
from bluerider.training.recall import Recall, begin_as_echo

WIDTH = 256


def prior() -> Prior:
    torch.manual_seed(0)
    config = PriorConfig(embed_dim=WIDTH, text_dim=WIDTH, tokens=8, layers=2, heads=4)
    net = Prior(config)
    net.mean.data.uniform_(-1, 1)
    net.std.data.uniform_(0.5, 2)
    return net


def answer(net: Prior, text: torch.Tensor) -> torch.Tensor:
    """Of the whole prior, to a noisy embedding and words that say nothing."""
    count, states = len(text), torch.randn(len(text), 5, WIDTH)
    mask = torch.ones(count, 5, dtype=torch.bool)
    x, t = torch.randn(count, WIDTH), torch.full((count,), 999)
    return net.restore(net(x, t, states, text, mask))


def test_a_prior_begins_as_an_echo() -> None:
    net, text = prior(), 0.4 * torch.randn(16, WIDTH)
    begin_as_echo(net)
    with torch.no_grad():
        assert torch.cosine_similarity(answer(net, text), text).min() > 0.98


def test_recall_is_the_whole_prior_after_training() -> None:
    net, text = prior(), 0.4 * torch.randn(16, WIDTH)
    recall = Recall(net)
    optimizer = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], lr=1e-3)
    for _ in range(3):
        recall(text).square().sum().backward()
        optimizer.step()
        optimizer.zero_grad()
    with torch.no_grad():
        assert torch.allclose(answer(net, text), recall(text), atol=2e-3)


def test_recall_goes_on_where_it_stopped() -> None:
    net, text = prior(), 0.4 * torch.randn(4, WIDTH)
    before = Recall(net)(text)
    assert torch.equal(Recall(net, anew=False)(text), before)


@pytest.mark.parametrize("part", ["attn", "norm1"])
def test_only_the_way_of_the_text_is_trained(part: str) -> None:
    net = Recall(prior()).prior
    assert not any(p.requires_grad for p in getattr(net.blocks[0], part).parameters())
    assert all(p.requires_grad for p in net.blocks[0].mlp.parameters())
