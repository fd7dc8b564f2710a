"""Half precision trains on a CPU too, and a run is taken up to the same bits."""

import math
from pathlib import Path

import pytest

from tests.training.tuning.conftest import Train
from tests.training.tuning.test_resume import losses, same, state


@pytest.mark.parametrize("numbers", ["bfloat16", "float16"])
def test_a_run_in_half_precision_is_taken_up_to_the_same_bits(
    train: Train, tmp_path: Path, numbers: str
) -> None:
    flags = (f"precision={numbers}", f"base={numbers}")
    train(tmp_path / "whole", *flags)
    train(tmp_path / "cut", *flags, "steps=2")
    train(tmp_path / "cut", *flags, resume=True)
    for key in ("state_dict", "optimizer_states", "lr_schedulers", "bluerider"):
        assert same(state(tmp_path / "cut")[key], state(tmp_path / "whole")[key]), key
    rows = losses(tmp_path / "whole")
    assert losses(tmp_path / "cut") == rows
    assert all(math.isfinite(float(row[1])) for row in rows)
    assert ("MixedPrecision" in state(tmp_path / "cut")) == (numbers == "float16")  # its scaler
