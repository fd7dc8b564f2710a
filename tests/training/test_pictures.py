"""Training pictures: drawings on white, and blends of them."""

import numpy as np
import torch

from bluerider.training.appearance import Appearance
from bluerider.training.pictures import CELL, Crops, Renditions, Sights, framed, on_white
from tests.training.drawn import tiny_emoji


def sights() -> Sights:
    return Sights(tiny_emoji(8), 16, batch=0, scenes=1.0)


def test_a_blend_lays_two_drawings_over_each_other() -> None:
    seen = sights()
    blend = seen.blend(np.random.default_rng(0), 40)
    one, other = (on_white(seen.drawings[blend.rows[:, i].numpy()]) for i in (0, 1))
    share = blend.share[:, None, None, None]
    torch.testing.assert_close(blend.picture, one * (1 - share) + other * share)


def test_half_of_the_blends_are_even() -> None:
    share = sights().blend(np.random.default_rng(0), 400).share
    assert share.min() >= 0.25 and share.max() <= 0.75
    assert 160 < int((share == 0.5).sum()) < 240


def test_the_code_of_a_blend_is_the_mean_of_both() -> None:
    seen = sights()
    blend = seen.blend(np.random.default_rng(0), 40)
    plain = on_white(seen.drawings)
    fitted = Appearance.fit(plain, 256)
    axes = torch.linalg.lstsq(plain.flatten(1).double(), fitted.codes.double()).solution
    code = blend.picture.flatten(1).double() @ axes
    one, other = (fitted.codes[blend.rows[:, i]].double() for i in (0, 1))
    torch.testing.assert_close(
        code, torch.lerp(one, other, blend.share[:, None].double()), atol=1e-6, rtol=1e-6
    )


def test_a_margin_lets_crops_shift_drawings() -> None:
    drawings = np.full((1, 8, 8, 4), 255, np.uint8)
    drawings[..., :3] = 0
    wide = framed(drawings, 2)
    assert wide.shape == (1, 12, 12, 4)
    assert wide[0, 2:-2, 2:-2, 3].all() and wide[..., 3].sum() == drawings[..., 3].sum()
    crops = Crops(wide, batch=1, crop=8, seed=0)
    rng = np.random.default_rng(0)
    dark = {int((crops.draw(rng).picture[0, 0] == -1).sum()) for _ in range(60)}
    assert max(dark) == 64 and min(dark) == 36  # whole, and moved by the margin both ways


def test_crops_lie_channels_first_in_memory() -> None:
    drawings = np.zeros((2, 12, 12, 4), np.uint8)
    shown = Crops(drawings, batch=2, crop=8, seed=0).draw(np.random.default_rng(0))
    assert shown.picture.is_contiguous()


def test_no_renditions_are_shown_where_there_are_none() -> None:
    drawings = np.zeros((2, 16, 16, 4), np.uint8)
    shown = Crops(drawings, batch=2, crop=16, seed=0).draw(np.random.default_rng(0))
    assert len(shown.painted) == len(shown.wanted) == 0


def test_a_crop_of_a_rendition_is_of_the_same_cells_as_its_picture() -> None:
    cells = torch.arange(2 * 16.0).view(2, 1, 4, 4)
    pictures = cells.repeat_interleave(CELL, 2).repeat_interleave(CELL, 3).expand(-1, 3, -1, -1)
    crops = Crops(
        np.zeros((1, 32, 32, 4), np.uint8),
        batch=6,
        crop=16,
        seed=0,
        renditions=Renditions(cells, pictures.to(torch.uint8)),
    )
    rng, corners = np.random.default_rng(0), set()
    for _ in range(40):
        shown = crops.draw(rng)
        assert shown.painted.shape == (2, 1, 2, 2) and shown.wanted.shape == (2, 3, 16, 16)
        there = (shown.wanted[:, :1, ::CELL, ::CELL] + 1) * 127.5
        torch.testing.assert_close(there, shown.painted, atol=1e-4, rtol=0)
        corners.add(int(shown.painted[0, 0, 0, 0]) % 16)
    assert corners == {0, 1, 2, 4, 5, 6, 8, 9, 10}  # wherever two by two cells lie


def test_crops_turn_and_exchange_channels() -> None:
    drawings = np.zeros((1, 8, 8, 4), np.uint8)
    drawings[0, 0, :, 0], drawings[..., 3] = 255, 255  # a red line along the top
    crops, rng = Crops(drawings, batch=1, crop=8, seed=0), np.random.default_rng(0)
    seen = [crops.draw(rng).picture[0] for _ in range(60)]
    channel = {int(one.flatten(1).sum(1).argmax()) for one in seen}
    upright = {bool((one.amax(0)[0] > 0).all()) for one in seen}
    assert channel == {0, 1, 2} and upright == {True, False}
