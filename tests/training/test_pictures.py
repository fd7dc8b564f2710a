"""Training pictures: drawings on white, and blends of them."""

import numpy as np
import torch

from bluerider.training.appearance import Appearance
from bluerider.training.pictures import Crops, Sights, framed, on_white
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
    dark = {int((crops.draw(rng)[0, 0] == -1).sum()) for _ in range(60)}
    assert max(dark) == 64 and min(dark) == 36  # whole, and moved by the margin both ways


def test_crops_lie_channels_first_in_memory() -> None:
    drawings = np.zeros((2, 12, 12, 4), np.uint8)
    assert Crops(drawings, batch=2, crop=8, seed=0).draw(np.random.default_rng(0)).is_contiguous()
