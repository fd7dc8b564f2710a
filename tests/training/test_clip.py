"""The choice among all drawings by the distance of their codes."""

import math

import torch

from bluerider.training.appearance import NONE, TRAITS, Appearance
from bluerider.training.clip import SECOND, chosen
from bluerider.training.stages import PREPARE
from bluerider.training.workshop import Workshop
from tests.training.tiny import workshop

FAR = Appearance(torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]), 1)


def missed(second: list[int]) -> float:
    """Of two texts that name drawing 1 rightly and mean these second things."""
    first, beside = torch.tensor([1, 1]), torch.tensor(second)
    embedding = FAR.embed(first, beside, torch.zeros(2, TRAITS))
    return float(chosen(FAR, embedding, first, beside, torch.tensor(2.0))[0])


def choice(distances: list[float], right: int) -> float:
    """Cross-entropy of a choice at sharpness 2."""
    return 2 * distances[right] + math.log(sum(math.exp(-2 * far) for far in distances))


def test_a_thing_is_chosen_by_the_distance_of_its_code() -> None:
    assert abs(missed([NONE, NONE]) - choice([2.0, 0.0, 2.0], 1)) < 1e-5


def test_a_second_thing_weighs_more_for_the_few_that_have_one() -> None:
    beside = choice([0.0, 1.0, 4.0], 0)  # by its first number alone: 1, 0, -1
    found = missed([0, NONE]) - missed([NONE, NONE])
    assert abs(found - SECOND * 0.5 * beside) < 1e-5


def test_blends_are_shown_with_the_code_between_their_drawings(trained: Workshop) -> None:
    met = PREPARE["clip"](trained)[1].batch(0)
    pictures, blends, drawings = 3, 2, len(trained.emoji.seen)
    assert len(met.picture) == len(met.embedding) == pictures + blends + 1
    assert met.drawing[pictures:].tolist() == [NONE] * (blends + 1)
    rows = torch.cartesian_prod(torch.arange(drawings), torch.arange(drawings))
    shown = met.embedding[pictures : pictures + blends]
    codes = trained.appearance.codes
    one, way = codes[rows[:, 0]], codes[rows[:, 1]] - codes[rows[:, 0]]
    for each in trained.appearance.parts(shown)[0]:
        share = ((each - one) * way).sum(1) / way.square().sum(1).clamp(min=1e-9)
        off = (one + share[:, None] * way - each).norm(dim=1)
        assert ((off < 1e-5) & (share >= 0.25) & (share <= 0.75)).any()
    assert not shown[:, -TRAITS:].any()


def test_no_blends_are_shown_where_none_are_asked_for(trained: Workshop) -> None:
    recipe = trained.recipe.changed("clip", ["blends=0"])
    met = PREPARE["clip"](workshop(recipe, trained.emoji, trained.out))[1].batch(0)
    assert met.drawing[3:].tolist() == [NONE]
