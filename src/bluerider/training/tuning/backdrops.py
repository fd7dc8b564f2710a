"""What can be said of where a subject stands: in words, and for pictures put together anew."""

import numpy as np

from bluerider.scenes.scene import BACKGROUNDS, PLACES, Scene
from bluerider.scenes.wording import render

Said = dict[str, str]
GROUNDS: tuple[Said, ...] = ({}, *({"background": c} for c in BACKGROUNDS if c != "white"))
STANDS: tuple[Said, ...] = ({}, {"size": "small"}, *({"place": place} for place in PLACES))
SAID = (*GROUNDS, *STANDS[1:])
THING = "x"
ON_COLOUR, ASIDE = 0.6, 0.85  # of the draws: a colour alone; up to here a place or size alone


def worded(phrase: str, said: Said) -> str:
    """A phrase in a scene, in English."""
    scene = Scene(things=(THING,), **said)
    return render(scene, {THING: phrase}, "en")


def scene_drawn(rng: np.random.Generator) -> Said:
    """A colour behind the subject, a place or small size, or both."""
    ground = GROUNDS[int(rng.integers(1, len(GROUNDS)))]
    stand = STANDS[int(rng.integers(1, len(STANDS)))]
    luck = rng.random()
    if luck < ON_COLOUR:
        return ground
    return stand if luck < ASIDE else ground | stand
