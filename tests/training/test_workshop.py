"""What the training stages share."""

import torch

from bluerider.training.workshop import Workshop, deepened


def test_a_deeper_text_tower_begins_as_the_one_it_was(trained: Workshop) -> None:
    text = trained.trained("text")
    deeper = deepened(text, 3)
    ids = torch.tensor([[1, 9, 8, 3, 0], [1, 7, 3, 0, 0]])
    assert len(deeper.layers) == 3
    torch.testing.assert_close(deeper(ids).embedding, text(ids).embedding)


def test_a_tower_that_is_deep_enough_stays(trained: Workshop) -> None:
    text = trained.trained("text")
    assert deepened(text, 1) is text
