"""The stage that learns by heart which picture a text's embedding means."""

import pytest
import torch

from bluerider.config import PriorConfig
from bluerider.evaluate.choice import choose_scenes
from bluerider.evaluate.drawings import load_drawings
from bluerider.evaluate.truth import Truth
from bluerider.nets.prior import Prior
from bluerider.tokenizers import Tokenizer
from bluerider.training.appearance import NONE, TRAITS
from bluerider.training.recall import (
    BEGIN,
    Recall,
    begin_as_echo,
    looked,
    loud_of,
)
from bluerider.training.rehearsal import Kept, attune, settle, steady, turn_away
from bluerider.training.reminders import Reminder, last_token
from bluerider.training.tokenizer import train_tokenizer
from bluerider.weights.load import open_model

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


Told = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


def lost(net: Prior) -> Recall:
    """As after long training: the query makes much of what it reads, and the first block adds so
    much to every token alike that their mark is lost.
    """
    recall, mlp = Recall(net), net.blocks[0].mlp
    with torch.no_grad():
        mlp.in_.weight[0], mlp.out.weight[:, 0] = loud_of(net)[2], torch.randn(WIDTH) * 20
        net.blocks[1].attn.out.weight.normal_()
        net.proj_x.weight.mul_(0.1)  # noise and times differ little beside what is added to them
        net.positions[0, -3:-1] = torch.randn(2, WIDTH)
    return recall


def beside(net: Prior, told: Told) -> torch.Tensor:
    """What stands beside the tokens in the second block."""
    states, text, mask = told
    x, t = torch.randn(len(text), WIDTH), torch.randint(1000, (len(text),))
    tokens = net.blocks[0](*net.lay_out(x, t, states, text, mask))
    return net.blocks[1].norm1(tokens[:, -4:])


def attuned(net: Prior, recall: Recall, told: Told) -> None:
    """After many texts like those told; what they mean does not matter."""
    heard = recall.hear(*told)
    attune(recall, Kept(heard.held, heard.found, heard.held), beside(net, told))


def test_attuning_changes_no_answer() -> None:
    net, told = prior(), read(512)
    recall = lost(net)
    with torch.no_grad():
        before = recall(*told).answer
        attuned(net, recall, told)
        assert torch.allclose(recall(*told).answer, before, atol=0.05)
        found = recall.hear(*told).found
    assert found.mean(dim=(0, 1)).abs().max() < 0.3
    assert 0.5 < found.std(dim=(0, 1)).mean() < 2.0


@pytest.mark.parametrize("place", [-4, -3, -2, -1])
def test_the_query_looks_at_tokens_alone_where_their_mark_is_lost(place: int) -> None:
    net, told = prior(), read(512)
    recall = lost(net)
    with torch.no_grad():
        net.blocks[1].attn.k.weight[0] += beside(net, told)[:, place].mean(dim=0)
        before = (answer(net, *told) - recall(*told).answer).abs().max()
        attuned(net, recall, told)
        after = (answer(net, *told) - recall(*told).answer).abs().max()
    assert before > 0.5 and after < 0.1 * before


def test_a_steady_direction_is_found_where_queries_point_both_ways() -> None:
    both = torch.randn(400, 1) * torch.tensor([30.0, 10.0, 0.0, 0.0])  # along a line, either way
    queries = both + torch.tensor([20.0, 0.0, 1.0, 0.5]) + 0.1 * torch.randn(400, 4)
    along = queries @ steady(queries)
    assert (queries @ queries.mean(dim=0)).min() < 0 < 0.5 < along.min() and along.max() < 1.5


def test_what_is_turned_away_already_is_left_as_it_is() -> None:
    net, told = prior(), read(512)
    recall = lost(net)
    norm, attn = net.blocks[1].norm1, net.blocks[1].attn
    with torch.no_grad():
        heard, others = recall.hear(*told), beside(net, told)
        turn_away(attn, norm(heard.held), heard.found, others)
        before = attn.k.weight.clone()
        turn_away(attn, norm(heard.held), heard.found, others)
    torch.testing.assert_close(attn.k.weight, before, atol=1e-3, rtol=1e-3)


def test_what_is_stored_answers_as_the_way_that_is_trained() -> None:
    net, told = prior(), read(64)
    recall = taught(net, told)
    with torch.no_grad():
        settle(net)
        assert all(torch.equal(p, p.bfloat16().float()) for p in net.parameters())
        assert torch.allclose(answer(net, *told), recall(*told).answer, atol=2e-4)


def test_the_prior_of_murnau_answers_as_it_was_trained_to() -> None:
    files = open_model("murnau")
    text, net = files.load("text", dtype=torch.float32), files.load("prior", dtype=torch.float32)
    tokens = files.tokenizer()(["cat", "a dog to the left of a teapot", "Zwei Bäume", ""])
    with torch.no_grad():
        words = text(tokens.ids)
        told = words.states, words.embedding, tokens.mask
        torch.testing.assert_close(
            answer(net, *told), Recall(net, anew=False)(*told).answer, atol=0.02, rtol=0.02
        )


def test_murnau_is_not_led_astray_by_what_stands_beside_the_tokens() -> None:
    files, drawings = open_model("murnau"), load_drawings()
    text, net = files.load("text", dtype=torch.float32), files.load("prior", dtype=torch.float32)
    kinds, tongues = ["thing", "and", "relation", "place"], ["en", "ru", "de", "hi"]
    asked = choose_scenes(drawings, Truth(drawings), kinds, tongues, subset=15)
    tokens = files.tokenizer()([one.prompt for one in asked])
    with torch.no_grad():
        words = text(tokens.ids)
        told = words.states, words.embedding, tokens.mask
        whole, trained = answer(net, *told), Recall(net, anew=False)(*told).answer
    apart = (whole - trained).norm(dim=1) / trained.norm(dim=1)
    assert len(apart) == 240 and (apart > 0.05).float().mean() < 0.02
    # Codes of things that are met seldom lie many deviations from the mean.
    assert net.normalise(trained).abs().max() < files.schedule("prior_schedule").clamp


def test_recall_goes_on_where_it_stopped() -> None:
    net, told = prior(), read(4)
    before = Recall(net)(*told).answer
    assert torch.equal(Recall(net, anew=False)(*told).answer, before)


def test_only_the_way_of_the_text_is_trained() -> None:
    net = Recall(prior()).prior
    assert not any(p.requires_grad for p in net.blocks[0].parameters())
    assert all(p.requires_grad for p in net.blocks[1].mlp.parameters())
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
    aims, sure = torch.zeros(len(ends), 1), torch.ones(len(ends), dtype=torch.bool)
    return Reminder([], row, torch.tensor(second), traits, torch.tensor(ends), aims, sure)


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
