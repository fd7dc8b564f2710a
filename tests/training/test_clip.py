"""The choice among all drawings by the distance of their codes."""

import math

import torch

from bluerider.training.appearance import NONE, TRAITS, Appearance
from bluerider.training.clip import SECOND, chosen

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
