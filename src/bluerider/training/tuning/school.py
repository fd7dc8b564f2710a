"""What the lessons of a run are made from: a model, a plan, and the pictures framed."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from bluerider.errors import InputError
from bluerider.images import digest, fit, open_picture
from bluerider.scenes.cutting import cut_plain
from bluerider.scenes.painting import compose_scene
from bluerider.scenes.scene import Scene
from bluerider.training.framing import Framing
from bluerider.training.gathering import Shot
from bluerider.training.subjects import SubjectSet
from bluerider.training.tuning.backdrops import THING, Said, scene_drawn, worded
from bluerider.training.tuning.cache import Frame
from bluerider.training.tuning.plan import FILED, LIVE, NEW, PARTS, Plan
from bluerider.weights.load import ModelFiles

HOMES = {"prior": "prior", "decoder": "unet", "text_encoder": "text"}
"""What trains -> the model's part that holds it."""


@dataclass(kw_only=True)
class School:
    """What the lessons of a run are made from."""

    files: ModelFiles
    plan: Plan
    learned: SubjectSet
    captions: list[str]  # of the shots, with the identifier in place
    phrases: list[str]  # of their subjects, likewise
    device: torch.device

    @property
    def cells(self) -> int:
        """Channels of a latent."""
        return int(self.files.config("autoencoder").latent_channels)

    @property
    def widens(self) -> bool:
        """Whether the decoder gets the channels of an inpainting one."""
        return self.plan.inpainting and self.files.config("unet")[0].in_channels == self.cells

    @property
    def masked(self) -> bool:
        """Whether the decoder is an inpainting one, or becomes one."""
        return self.widens or self.files.config("unet")[0].in_channels > self.cells

    def check(self) -> None:
        """Raise InputError for a part that this model lacks, and for nothing to train."""
        name = self.files.name
        if self.files.config("unet")[1].hint:
            raise InputError(f"{name} is told a depth map beside the words; a plain one can learn")
        if self.plan.inpainting and self.plan.decoder.train == "off":
            raise InputError("inpainting: the decoder has to learn it; decoder.train=lora")
        has = [part for part in PARTS if HOMES[part] in self.files.parts]
        for part in self.plan.trained:
            if part not in has:
                raise InputError(f"{part}: {name} has none; it has {', '.join(has)}")
        modes = {self.plan.part(p).train for p in self.plan.trained}
        if self.plan.spells and modes - set(FILED):
            raise InputError(
                f"identifier={NEW}: a new word goes into a LoRA's file; set train=lora, or choose "
                "a word with identifier=WORD"
            )
        self.check_word(modes)
        if not self.plan.trained:
            raise InputError(f"nothing trains; set {' or '.join(f'{p}.train=lora' for p in has)}")

    def check_word(self, modes: set[str]) -> None:
        """Raise InputError where a new word alone is to learn and there is none, or nothing reads
        it; and where what the decoder or the captions need of the model is missing.
        """
        plan, name, kind = self.plan, self.files.name, self.files.config("unet")[1].kind
        if "word" in modes and not plan.spells:
            raise InputError(f"train=word: the new word alone learns; set identifier={NEW}")
        if plan.decoder.train == "word" and kind == "image":
            raise InputError(f"decoder.train=word: the decoder of {name} reads no words")
        both = {"prior", "image"} <= set(self.files.parts)
        if plan.captions == "auto" and not both:
            raise InputError(
                f"captions=auto: {name} has no prior and image encoder to describe pictures with; "
                "write captions (PICTURE.txt) and set captions=given"
            )
        if plan.decoder_condition == LIVE and (
            plan.prior.train == "off" or self.files.defaults.prior_steps != 1
        ):
            raise InputError(
                f"decoder_condition={LIVE}: a prior that learns and answers in one step is needed"
            )

    @property
    def variants(self) -> int:
        """Rows of each shot."""
        return self.plan.variants + self.plan.backdrops

    def frames(self) -> list[Frame]:
        """Every shot in every variant of its framing, then on its backdrops."""
        framing, found = self.learned.framing, []
        for index, (_, shot) in enumerate(self.learned.shots):
            for variant in range(self.plan.variants):
                seed = (self.plan.seed, 1, index, variant)
                drawn = framing.crop == "random" or framing.flip
                key = [shot.sha256, *describe(framing), seed if drawn else 0]
                found.append(Frame(key, partial(framed, shot.path, framing, seed)))
            own = found[-self.plan.variants]
            found += [
                backdrop(shot, framing.size, said, number) if said else own
                for number, said in enumerate(self.backdrops[index])
            ]
        return found

    @cached_property
    def backdrops(self) -> list[list[Said]]:
        """What is said of each shot's backdrops; nothing where its background is not plain, and the
        shot stands for them as it is.
        """
        count, found = self.plan.backdrops, []
        for index, (_, shot) in enumerate(self.learned.shots):
            plain = count and cut_plain(open_picture(shot.path).image) is not None
            rng = np.random.default_rng((self.plan.seed, 2, index))
            found.append([scene_drawn(rng) if plain else {} for _ in range(count)])
        return found

    @property
    def shapes(self) -> list[tuple[int, int]]:
        """The widths and heights in pixels that the pictures are brought to."""
        framing = self.learned.framing
        return sorted({framing.shape(shot.width, shot.height) for _, shot in self.learned.shots})

    def spread_out(self, captions: Sequence[str]) -> list[str]:
        """A caption for every frame, from one for every shot and what is said of its backdrops."""
        found = []
        for index, caption in enumerate(captions):
            found += [caption] * self.plan.variants
            for said in self.backdrops[index]:
                found.append(worded(self.phrases[index], said) if said else caption)
        return found


def framed(path: Path, framing: Framing, seed: tuple[int, ...]) -> Image.Image:
    """A picture, cropped as the seed draws."""
    return framing.frame(open_picture(path).image, np.random.default_rng(seed))


def backdrop(shot: Shot, size: int, said: Said, number: int) -> Frame:
    """A shot's subject elsewhere, as is said."""
    key = [shot.sha256, size, "backdrop", *sorted(said.items()), number]
    return Frame(key, partial(moved, shot.path, size, said, number))


def moved(path: Path, size: int, said: Said, number: int) -> Image.Image:
    """The subject of a picture on one plain colour, in a scene; `number` draws the layout."""
    cut = cut_plain(open_picture(path).image)
    assert cut is not None
    scene = Scene(things=(THING,), **said)
    return compose_scene(scene, {THING: cut}, size, np.random.default_rng(number))


def describe(framing: Framing) -> list[Any]:
    """A framing as plain values."""
    return [framing.size, framing.crop, framing.flip]


def class_frames(
    files: Sequence[Path], framing: Framing, shapes: Sequence[tuple[int, int]]
) -> list[Frame]:
    """Class pictures, cropped by their middle: each once in every shape that a batch may have."""
    square = [framing.size, "centre", False]
    return [
        Frame(
            [digest(path), *(square if shape == (framing.size,) * 2 else ["fit", *shape]), 0],
            partial(fitted, path, shape),
        )
        for path in files
        for shape in shapes
    ]


def fitted(path: Path, shape: tuple[int, int]) -> Image.Image:
    """The middle of a picture at a shape."""
    return fit(open_picture(path).image, *shape)
