"""Training pictures: drawings on white, and blends of them."""

import numpy as np
import torch

from bluerider.training.appearance import Appearance
from bluerider.training.pictures import Sights, on_white
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
