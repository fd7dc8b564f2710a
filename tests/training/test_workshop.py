"""What the training stages share."""

import pytest
import torch

from bluerider.training.workshop import Workshop, deepened


@pytest.mark.parametrize(("native", "used"), [(True, "bfloat16"), (False, "float32")])
def test_half_precision_is_used_where_the_processor_has_it(
    trained: Workshop, monkeypatch: pytest.MonkeyPatch, native: bool, used: str
) -> None:
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: native)
    monkeypatch.setattr("bluerider.devices.is_x86", lambda: True)
    assert trained.settings("decoder").precision == used
    assert trained.at_rest("decoder") == getattr(torch, used)


def test_a_stage_in_float32_stays_in_it(trained: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.ops.mkldnn, "_is_mkldnn_bf16_supported", lambda: True)
    plain = trained.recipe.changed("decoder", ["precision=float32"])
    monkeypatch.setattr(trained, "recipe", plain)
    assert trained.settings("decoder").precision == "float32"
    assert trained.at_rest("decoder") == torch.float32


def test_a_deeper_text_tower_begins_as_the_one_it_was(trained: Workshop) -> None:
    text = trained.trained("text")
    deeper = deepened(text, 3)
    ids = torch.tensor([[1, 9, 8, 3, 0], [1, 7, 3, 0, 0]])
    assert len(deeper.layers) == 3
    torch.testing.assert_close(deeper(ids).embedding, text(ids).embedding)


def test_a_tower_that_is_deep_enough_stays(trained: Workshop) -> None:
    text = trained.trained("text")
    assert deepened(text, 1) is text
