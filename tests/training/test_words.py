"""The stage that reads texts as bags of pieces, in place of the whole tower."""

from dataclasses import replace

import pytest
import torch

from bluerider.config import TextConfig
from bluerider.errors import InputError
from bluerider.nets.clip import TextTower
from bluerider.training.stages import PREPARE
from bluerider.training.words import Bag, Meant, begin_as_bag
from bluerider.training.workshop import Workshop
from tests.training.tiny import workshop

CONFIG = TextConfig(
    vocab=40, width=16, layers=3, heads=2, mlp=32, tokens=9, embed_dim=8, activation="gelu", bos=1,
    eos=3, pad=0,
)  # fmt: skip
GROUPS = [[[1, 7, 3, 0], [1, 3, 0, 0]], [[1, 9, 8, 7, 11, 3], [1, 30, 31, 32, 3, 0]]]


@pytest.fixture
def bag() -> Bag:
    """After a few steps of training, so that nothing stands as it began."""
    torch.manual_seed(0)
    text = TextTower(CONFIG)
    begin_as_bag(text)
    net = Bag(text, pad=0, width=5)
    optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
    for _ in range(5):
        read = net(*map(torch.tensor, GROUPS))
        ((read.embedding - 1).square().mean() + (read.meaning + 1).square().mean()).backward()
        optimizer.step()
        optimizer.zero_grad()
    return net


def whole(net: Bag, ids: torch.Tensor) -> Meant:
    """What the tower itself says, every token of every layer, at the text's end."""
    words, end = net.text(ids), (ids == 3).int().argmax(dim=1)
    return Meant(words.embedding, net.meaning(words.early[torch.arange(len(ids)), end]))


@torch.no_grad()
def test_the_tower_says_what_its_bag_has_learned(bag: Bag) -> None:
    groups = list(map(torch.tensor, GROUPS))
    said = [torch.cat(part) for part in zip(*(whole(bag, ids) for ids in groups), strict=True)]
    for ours, theirs in zip(bag(*groups), said, strict=True):
        assert torch.allclose(ours, theirs, atol=1e-5)


@torch.no_grad()
def test_a_bag_has_no_order(bag: Bag) -> None:
    there, back = bag(torch.tensor([[1, 9, 8, 7, 3]])), bag(torch.tensor([[1, 7, 9, 8, 3]]))
    assert torch.allclose(there.embedding, back.embedding, atol=1e-5)
    other = bag(torch.tensor([[1, 7, 9, 9, 3]]))
    assert not torch.allclose(there.embedding, other.embedding, atol=1e-2)


@torch.no_grad()
def test_padding_is_not_in_the_bag(bag: Bag) -> None:
    short, long = bag(torch.tensor([[1, 7, 3]])), bag(torch.tensor([[1, 7, 3, 0, 0]]))
    assert torch.allclose(short.meaning, long.meaning, atol=1e-6)


def test_recall_begins_where_the_words_ended(trained: Workshop) -> None:
    stage, _ = PREPARE["recall"](trained)
    left = trained.left("words", "text")
    assert all(
        torch.equal(left[k], v) for k, v in stage.get_submodule("net.text").state_dict().items()
    )
    read = trained.left("words", "meaning")
    assert all(
        torch.equal(read[k], v) for k, v in stage.get_submodule("net.meaning").state_dict().items()
    )


def test_a_batch_of_nothing_but_pairs_teaches_nothing(trained: Workshop) -> None:
    stage, stream = PREPARE["words"](trained)
    batch = stream.batch(0)
    stage.log_dict = lambda *_: None  # type: ignore[method-assign, assignment]
    assert stage.training_step(batch, 0).isfinite() and stage.training_step(batch, 0) > 0
    pairs = batch._replace(second=torch.zeros_like(batch.first))
    assert stage.training_step(pairs, 0) == 0


def test_a_tower_of_one_layer_is_refused(trained: Workshop) -> None:
    shallow = replace(trained.recipe.nets["text"], layers=1)
    recipe = replace(trained.recipe, nets=trained.recipe.nets | {"text": shallow})
    shop = workshop(recipe, trained.emoji, trained.out)
    with pytest.raises(InputError, match="text: layers: got 1; stage words needs 2 or more"):
        PREPARE["words"](shop)
