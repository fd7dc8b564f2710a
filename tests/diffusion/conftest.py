"""Tables and runs of the original implementations, and the published schedules."""

from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import load_file
from torch import Tensor

from bluerider.config import ScheduleConfig
from bluerider.diffusion.schedule import Schedule

GOLDENS = Path(__file__).parents[1] / "data" / "goldens"


@pytest.fixture(scope="session")
def golden() -> Callable[[str], dict[str, Tensor]]:
    """The tensors of a golden case by its file name; some files hold a slice of the original's."""
    return lambda name: load_file(GOLDENS / f"{name}.safetensors")


@pytest.fixture(scope="session")
def published() -> dict[str, Schedule]:
    """The schedules of Kandinsky 2.0, of 2.1 and 2.2, of Stable Diffusion 1.x, and of the prior."""
    configs = {
        "k20": ScheduleConfig(kind="linear", predict="eps", start=1e-4, end=0.02),
        "k21": ScheduleConfig(kind="linear", predict="eps"),
        "ldm": ScheduleConfig(kind="scaled_linear", predict="eps"),
        "prior": ScheduleConfig(kind="cosine", predict="x0"),
    }
    return {name: Schedule(config) for name, config in configs.items()}
