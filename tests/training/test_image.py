"""Pictures of stage `image`, and what they show."""

import torch

from bluerider.training.appearance import NONE, TRAITS
from bluerider.training.stages import PREPARE
from bluerider.training.workshop import Workshop
from tests.training.tiny import workshop


def test_blends_are_shown_with_the_code_between_their_drawings(trained: Workshop) -> None:
    recipe = trained.recipe.changed("image", ["batch=12", "blends=8"])
    shown = PREPARE["image"](workshop(recipe, trained.emoji, trained.out))[1].batch(0)
    assert len(shown.picture) == len(shown.embedding) == 12
    assert (shown.drawing == NONE).tolist() == [False] * 3 + [True] * 9
    codes = trained.appearance.codes
    rows = torch.cartesian_prod(torch.arange(len(codes)), torch.arange(len(codes)))
    one, way = codes[rows[:, 0]], codes[rows[:, 1]] - codes[rows[:, 0]]
    length = way.square().sum(1)
    blends = shown.embedding[3:11]
    mixed = 0
    for each in trained.appearance.parts(blends)[0]:
        share = ((each - one) * way).sum(1) / length.clamp(min=1e-9)
        on = (one + share[:, None] * way - each).norm(dim=1) < 1e-5
        between = on & (length > 0) & (share >= 0.25) & (share <= 0.75)
        with_itself = on & (length == 0)
        assert (between | with_itself).any()
        mixed += int(between.any())
    assert mixed > 3
    assert not blends[:, -TRAITS:].any()


def test_no_blends_are_shown_where_none_are_asked_for(trained: Workshop) -> None:
    recipe = trained.recipe.changed("image", ["blends=0"])
    shown = PREPARE["image"](workshop(recipe, trained.emoji, trained.out))[1].batch(0)
    assert (shown.drawing == NONE).tolist() == [False] * 5 + [True]
