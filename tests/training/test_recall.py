"""The stage that learns by heart which picture a text's embedding means."""

import pytest
import torch

from bluerider.config import PriorConfig
from bluerider.nets.prior import Prior
from bluerider.tokenizers import Tokenizer
from bluerider.training.appearance import NONE, TRAITS
from bluerider.training.recall import (
    BEGIN,
    Recall,
    Reminder,
    begin_as_echo,
    last_token,
    looked,
)
from bluerider.training.rehearsal import attune
from bluerider.training.tokenizer import train_tokenizer

WIDTH = 256


def prior() -> Prior:
    torch.manual_seed(0)
    config = PriorConfig(embed_dim=WIDTH, text_dim=WIDTH, tokens=8, layers=2, heads=4)
    net = Prior(config)
    net.mean.data.uniform_(-1, 1)
    net.std.data.uniform_(0.5, 2)
    return net


def read(count: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Token states, text embeddings, and which tokens there are."""
    mask = torch.arange(5) < torch.randint(2, 6, (count, 1))
    return torch.randn(count, 5, WIDTH), 0.4 * torch.randn(count, WIDTH), mask


def answer(
    net: Prior, states: torch.Tensor, text: torch.Tensor, mask: torch.Tensor
) -> torch.Tensor:
    """Of the whole prior, to a noisy embedding."""
    count = len(text)
    x, t = torch.randn(count, WIDTH), torch.full((count,), 999)
    return net.restore(net(x, t, states, text, mask))


def test_a_prior_begins_as_an_echo() -> None:
    net, (states, text, mask) = prior(), read(16)
    begin_as_echo(net)
    with torch.no_grad():
        found = answer(net, states, text, mask)
    assert torch.cosine_similarity(found, text).min() > 0.98


def taught(net: Prior, told: tuple[torch.Tensor, torch.Tensor, torch.Tensor]) -> Recall:
    """A few steps of training, so that nothing is zero any more."""
    recall = Recall(net)
    optimizer = torch.optim.Adam([p for p in net.parameters() if p.requires_grad], lr=1e-3)
    for _ in range(8):
        recall(*told).answer.square().sum().backward()
        optimizer.step()
        optimizer.zero_grad()
    return recall


def test_recall_is_the_whole_prior_after_training() -> None:
    net, told = prior(), read(16)
    recall = taught(net, told)
    states, text, mask = told
    with torch.no_grad():
        assert torch.allclose(answer(net, states, text, mask), recall(*told).answer, atol=2e-3)


def test_recall_reads_tokens_but_no_padding() -> None:
    net, (states, text, mask) = prior(), read(16)
    recall = taught(net, (states, text, mask))
    other = torch.randn_like(states)
    with torch.no_grad():
        found = recall(states, text, mask).answer
        padded = torch.where(mask[..., None], states, other)
        assert torch.allclose(recall(padded, text, mask).answer, found, atol=1e-5)
        assert not torch.allclose(recall(other, text, mask).answer, found, atol=1e-2)


def test_attuning_changes_no_answer() -> None:
    net, told = prior(), read(16)
    recall = taught(net, told)
    states, text, mask = told
    with torch.no_grad():
        before, heard = recall(*told).answer, recall.hear(*told)
        attune(recall, heard.found)
        assert torch.allclose(recall(*told).answer, before, atol=2e-3)
        assert torch.allclose(answer(net, states, text, mask), before, atol=5e-3)
        found = recall.hear(*told).found
    assert found.mean(dim=(0, 1)).abs().max() < 1e-3
    assert 0.8 < found.std(dim=(0, 1)).mean() < 1.2


def test_recall_goes_on_where_it_stopped() -> None:
    net, told = prior(), read(4)
    before = Recall(net)(*told).answer
    assert torch.equal(Recall(net, anew=False)(*told).answer, before)


@pytest.mark.parametrize("part", ["attn", "norm1"])
def test_only_the_way_of_the_text_is_trained(part: str) -> None:
    net = Recall(prior()).prior
    assert not any(p.requires_grad for p in getattr(net.blocks[0], part).parameters())
    assert all(p.requires_grad for p in net.blocks[0].mlp.parameters())
    assert all(p.requires_grad for p in net.blocks[1].attn.parameters())


def test_a_name_ends_in_a_token() -> None:
    tokenizer = train_tokenizer(["a black cat", "a dog"] * 9, vocab=60, alphabet=40)
    words = Tokenizer(tokenizer, 48, 0)
    text = "a black cat left of a dog"
    stop = len(words.rows([text])[0]) - 1
    for end in range(1, len(text) + 1):
        at = last_token(words, text, end, stop)
        start, after = words.offsets(text)[at]
        assert start < end <= after or text[end - 1] == " "
    assert last_token(words, text, len(text), stop - 1) == 0  # cut off
    assert last_token(words, text, 0, stop) == 0


def reminder(ends: list[list[int]], second: list[int]) -> Reminder:
    """Of which only the ends and whether there is a second thing count."""
    row = torch.zeros(len(ends), dtype=torch.int64)
    traits = torch.zeros(len(ends), TRAITS)
    return Reminder([], row, torch.tensor(second), traits, torch.tensor(ends))


def test_each_half_of_the_heads_looks_at_its_name() -> None:
    looks = torch.full((1, 4, 6), -50.0)
    looks[0, :2, 2] = looks[0, 2:, 5] = 50.0
    assert looked([looks], reminder([[2, 5]], [7])) < 1e-6
    assert looked([looks], reminder([[5, 2]], [7])) > 50


def test_without_a_second_name_its_heads_look_at_the_begin() -> None:
    looks = torch.full((1, 4, 6), -50.0)
    looks[0, :2, 2] = looks[0, 2:, BEGIN] = 50.0
    assert looked([looks], reminder([[2, 0]], [NONE])) < 1e-6


def test_where_a_name_ends_is_not_always_known() -> None:
    looks = torch.randn(2, 4, 6)
    looks[:, 2:, BEGIN] = 50.0
    assert looked([looks], reminder([[0, 0], [0, 0]], [NONE, NONE])) < 1e-6
