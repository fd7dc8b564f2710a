"""The original's ways, each where it parts from ours."""

from dataclasses import replace

import pytest
import torch

from bluerider import catalog
from bluerider.config import Compat
from bluerider.diffusion.compat import OriginalDenoiser, begun, grown, noised, spaced, told, walk
from bluerider.diffusion.schedule import Schedule
from bluerider.errors import InputError

OURS = Compat()
THEIRS = catalog.COMPAT["original"]["kandinsky-2.1"]
SCHEDULE = Schedule(catalog.SCHEDULE_21)
DDPM = Schedule(catalog.DDPM_21)


def test_a_repainted_cell_takes_six_neighbours_along() -> None:
    kept = torch.ones(1, 1, 5, 5)
    kept[..., 2, 2] = 0.0
    lost = (grown(kept, THEIRS)[0, 0] == 0).nonzero().tolist()
    assert lost == [[1, 1], [1, 2], [2, 1], [2, 2], [2, 3], [3, 2], [3, 3]]
    assert torch.equal(grown(kept, OURS), kept)


def test_growth_stops_at_the_edge() -> None:
    kept = torch.ones(1, 1, 3, 4)
    kept[..., 0, 3] = 0.0
    lost = (grown(kept, THEIRS)[0, 0] == 0).nonzero().tolist()
    assert lost == [[0, 2], [0, 3], [1, 3]]


@pytest.mark.parametrize("n", [3, 9, 27, 36, 101, 999])
def test_the_numbers_of_steps_the_original_fails_at_are_refused(n: int) -> None:
    with pytest.raises(InputError, match="the original fails there"):
        walk(SCHEDULE, THEIRS, "ddim", n)


@pytest.mark.parametrize(("n", "count"), [(5, 5), (30, 31), (60, 63), (75, 77), (150, 167)])
def test_the_original_takes_the_steps_its_stride_fits_in(n: int, count: int) -> None:
    assert len(walk(SCHEDULE, THEIRS, "ddim", n)) - 1 == count
    assert len(walk(SCHEDULE, replace(THEIRS, strides=False), "ddim", n)) - 1 == n


def test_the_original_ends_above_no_noise() -> None:
    assert walk(SCHEDULE, THEIRS, "plms", 5)[-1].sigma == float(SCHEDULE.sigmas[0])
    assert walk(SCHEDULE, OURS, "plms", 5)[-1].sigma == 0.0
    assert walk(SCHEDULE, THEIRS, "ddpm", 5)[-1].sigma == 0.0


def test_its_respacing_rounds_a_running_sum() -> None:
    assert spaced(1000, 5) == [0, 250, 500, 749, 999]
    with pytest.raises(InputError, match="2 or more"):
        spaced(1000, 1)


def test_a_picture_is_noised_to_another_level_than_the_first_steps() -> None:
    start = begun(SCHEDULE, THEIRS, "ddim", 10, 0.4)
    steps = walk(SCHEDULE, THEIRS, "ddim", 10, start)
    assert (start, told(SCHEDULE, "ddim", 10, start), steps[0].t) == (400, 399, 301)
    with pytest.raises(InputError, match="cannot start there"):
        begun(SCHEDULE, THEIRS, "ddpm", 10, 0.0)


def test_21_noises_along_the_betas_of_20() -> None:
    latent, noise = torch.zeros(1, 4, 2, 2), torch.ones(1, 4, 2, 2)
    theirs = float(noised(SCHEDULE, THEIRS, latent, noise, 299)[0, 0, 0, 0])
    ours = float(noised(SCHEDULE, OURS, latent, noise, 299)[0, 0, 0, 0])
    assert (round(theirs, 3), round(ours, 3)) == (0.777, 0.729)


def limited(compat: Compat, x0: torch.Tensor, **known: torch.Tensor) -> torch.Tensor:
    def predict(x: torch.Tensor, t: torch.Tensor, both: bool) -> tuple[None, torch.Tensor]:
        return None, torch.zeros_like(x)

    denoise = OriginalDenoiser(predict, DDPM, compat, **known)
    return denoise._limit(x0)


def test_the_first_picture_decides_the_threshold_of_all() -> None:
    x0 = torch.stack([torch.full((4, 4, 4), 2.0), torch.full((4, 4, 4), 0.5)])
    theirs, ours = limited(THEIRS, x0), limited(OURS, x0)
    assert torch.equal(theirs[0], ours[0])
    assert float(theirs[1].max()) == 0.25
    assert float(ours[1].max()) == 0.5


def test_the_known_region_is_rescaled_with_the_rest() -> None:
    x0, known = torch.full((1, 4, 2, 2), 2.0), torch.full((1, 4, 2, 2), 1.0)
    kept = torch.zeros(1, 1, 2, 2)
    kept[..., 0, 0] = 1.0
    theirs = limited(THEIRS, x0, known=known, kept=kept)
    assert float(theirs[0, 0, 0, 0]) == 0.5
