"""One tuning run, from what was asked to the file it leaves; what is taught differs by command."""

import json
import os
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import nn

from bluerider import __version__
from bluerider.devices import choose_device, trained_in
from bluerider.errors import InputError
from bluerider.images import make_folder
from bluerider.nets.lora import Factors, LowRank
from bluerider.nets.tokens import learned_rows
from bluerider.training.framing import Framing
from bluerider.training.report import write_report
from bluerider.training.subjects import SubjectSet
from bluerider.training.tuning import encoding, keeper, teach
from bluerider.training.tuning.cache import identity
from bluerider.training.tuning.draws import Draws
from bluerider.training.tuning.forecast import Forecast, Forecaster
from bluerider.training.tuning.ledger import Advance, Ledger, Trackers
from bluerider.training.tuning.lessons import Lesson
from bluerider.training.tuning.loop import fit
from bluerider.training.tuning.plan import FILED, Plan, gathered
from bluerider.training.tuning.samples import Samples
from bluerider.training.tuning.school import HOMES, School
from bluerider.training.tuning.tuner import Tuner, check_installed
from bluerider.training.tuning.whole import write_model
from bluerider.weights.load import ModelFiles, open_model
from bluerider.weights.lora import write_lora
from bluerider.weights.store import write_whole
from bluerider.weights.words import Word

RESULT = "lora.safetensors"
SAVED = "config.yaml"
Say = Callable[[str], None]
FIXED = (
    "batch",
    "accumulate",
    "seed",
    "class_weight",
    "snr_gamma",
    "variance",
    "optimizer",
    "inpainting",
)


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a user asks of any run."""

    out: Path
    model: str = "murnau"
    preset: str = "balanced"
    config: Path | None = None
    changes: Sequence[str] = ()  # KEY=VALUE
    resume: bool = False
    device: str = "auto"
    offline: bool = False


class Run(ABC):
    """One training, from the settled plan to the file it leaves.

    `purpose` names the defaults in presets/, `halves` what the samples of a step are called.
    """

    purpose: str
    halves: tuple[str, ...]
    word = ""  # what is to be said before the training, ending in "; "

    def __init__(self, wanted: Asked, say: Say, advance: Advance) -> None:
        self.wanted, self.say, self.advance = wanted, say, advance
        self.first = os.environ.get("LOCAL_RANK", "0") == "0"
        self.files: ModelFiles = open_model(wanted.model, offline=wanted.offline)
        self.device = choose_device(wanted.device)
        self.plan = self._plan()
        self.learned = self.gather(self._framing())
        captions = self.captions()
        self.school = School(
            files=self.files,
            plan=self.plan,
            learned=self.learned,
            captions=captions,
            phrases=self.phrases(),
            device=self.device,
        )
        self.check()
        if self.plan.captions == "auto":
            self.school = replace(self.school, captions=self.described())

    def described(self) -> list[str]:
        """The words of every picture, those without any described by the model's own towers."""
        return self.school.captions

    def shown(self) -> list[str]:
        """The words of every picture, for people."""
        return self.school.captions

    @abstractmethod
    def gather(self, framing: Framing) -> SubjectSet:
        """What there is to learn from. Raises InputError."""

    @abstractmethod
    def captions(self) -> list[str]:
        """The words of every picture, as the text encoders are to read them."""

    def phrases(self) -> list[str]:
        """What the subject of every picture is called, as the text encoders are to read it."""
        return [""] * len(self.learned.shots)

    @abstractmethod
    def rows(self) -> dict[str, teach.Rows]:
        """The samples of each lesson."""

    @abstractmethod
    def prompts(self) -> dict[str, Sequence[str]]:
        """What is painted on the way: kind -> words, one a seed, over and over."""

    @abstractmethod
    def about(self) -> dict[str, Any]:
        """What the result says of what it was taught."""

    def check(self) -> None:
        """Raise InputError for what the model lacks, or this machine."""
        self.school.check()
        check_installed(self.plan)

    @property
    def changes(self) -> Sequence[str]:
        """Settings over those of presets and files, as KEY=VALUE."""
        return self.wanted.changes

    @property
    def saved(self) -> Path | None:
        """The settings of the run that is resumed."""
        path = self.wanted.out / SAVED
        return path if self.wanted.resume and path.is_file() else None

    def _plan(self) -> Plan:
        plan = gathered(
            family=self.files.family,
            model=self.files.name,
            purpose=self.purpose,
            preset=self.wanted.preset,
            config=self.wanted.config or self.saved,
            changes=self.changes,
        )
        is_open = plan.precision == "auto"
        return replace(plan, precision=trained_in(self.device)) if is_open else plan

    def _framing(self) -> Framing:
        plan, usual = self.plan, self.files.defaults
        size = plan.size or min(usual.width, usual.height)
        return Framing(size=size, grid=usual.grid, crop=plan.crop, flip=plan.flip)

    @property
    def facts(self) -> dict[str, Any]:
        """What a checkpoint must agree on to be taken up."""
        plan = self.plan
        homes = sorted({HOMES[part] for part in plan.trained})
        parts = {
            name: [part.train, part.rank, part.layers, part.freeze]
            for name, part in ((name, plan.part(name)) for name in plan.trained)
        }
        return {
            "model": {part: identity(self.files.sources[part]) for part in homes},
            "data": self.learned.digest,
            "captions": json.dumps(self.school.captions, ensure_ascii=False),
            "trained parts": parts,
            "world size": plan.devices,
            **{name: getattr(plan, name) for name in FIXED},
        }

    def forecast(self) -> Forecast:
        """The memory that training will take."""
        return Forecaster(self.school).forecast()

    def run(self) -> Path:
        """Train, and write what was learned; returns its place."""
        out, plan = self.wanted.out, self.plan
        begun = time.monotonic()
        found = self._place()
        rows = self.rows()
        teacher = teach.Teacher(self.school)
        lessons = {
            part: getattr(teacher, part)(rows[part])
            for part in plan.trained
            if part != "text_encoder"
        }
        if not lessons:
            raise InputError(
                "text_encoder trains with the prior or the decoder; turn one of them on"
            )
        tuner = self._tuner(lessons, teacher, rows)
        quiet = {} if self.first else {"tensorboard": False, "wandb": False}
        trackers = Trackers(out, replace(plan, **quiet))
        ledger = Ledger(out, plan, self.advance, trackers, self.halves)
        samples = self._samples(teacher, trackers)
        keep = keeper.Keeper(
            out / "checkpoints", every=plan.checkpoint_every, keep=plan.keep, say=self.say
        )
        try:
            is_first = fit(
                tuner,
                plan,
                self.device,
                keeper=keep,
                callbacks=[ledger, samples],
                checkpoint=found,
            )
        finally:
            trackers.close()
        result = out / RESULT
        if is_first:
            result = self.write(teacher.nets, teacher.words())
            self.say(f"how it went: {write_report(out)}")
            self.say(f"learned in {time.monotonic() - begun:.0f} s: {result}")
        return result

    def _place(self) -> Path | None:
        """Settle the folder; the checkpoint to go on from, where there is one."""
        out, wanted = self.wanted.out, self.wanted
        if wanted.resume:
            found = keeper.newest(out / "checkpoints", self.say)
            if found:
                path, data = found
                keeper.check_facts(data["bluerider"]["facts"], self.facts)
                self.say(f"going on from step {keeper.steps_of(data)}")
            elif self.first:
                self.say("no checkpoint to go on from; starting at step 0")
        elif self.first and out.is_dir() and any(out.iterdir()):
            raise InputError(
                f"{out}: holds something already; --resume goes on with a run, or choose another"
            )
        else:
            found = None
        if self.first:
            make_folder(out)
            write_whole(out / SAVED, self.plan.to_yaml().encode())
            write_whole(
                out / "data.json", json.dumps(self._data(), indent=1, ensure_ascii=False).encode()
            )
        return found[0] if found else None

    def _data(self) -> list[dict[str, Any]]:
        """The pictures as they were understood."""
        return [
            {
                "name": shot.name,
                "sha256": shot.sha256,
                "caption": caption,
                "subject": self.learned.subjects[number].phrase,
            }
            for (number, shot), caption in zip(
                self.learned.shots, self.school.captions, strict=True
            )
        ]

    def told(self, word: str) -> Callable[[float], None]:
        """How far a preparation is."""
        return lambda done: self.advance(0.0, f"{word} {done:.0%}")

    def learned_rows(self) -> dict[str, teach.Rows]:
        """The given pictures as samples of each lesson."""
        school, plan = self.school, self.plan
        captions = school.spread_out(school.captions)
        made = encoding.encode_pictures(school, school.frames(), self.told("reading pictures"))
        rows = {part: teach.Rows() for part in plan.trained if part != "text_encoder"}
        if "prior" in rows:
            rows["prior"].add(captions, school.variants, **made)
            rows["prior"].favour(plan.variants)
        if "decoder" in rows:
            words, variants, seen = encoding.conditioned(
                school, captions, made, self.told("imagining")
            )
            frames = [f for f in school.frames() for _ in range(variants // school.variants)]
            rows["decoder"].add(words, variants, frames, **seen)
            rows["decoder"].favour(plan.variants * variants // school.variants)
        return rows

    def _tuner(
        self,
        lessons: Mapping[str, Lesson],
        teacher: teach.Teacher,
        rows: Mapping[str, teach.Rows],
    ) -> Tuner:
        sources = {n: teach.source(self.school, n, rows[n], one) for n, one in lessons.items()}

        def draws(tuner: Tuner) -> Draws:
            return Draws(
                sources,
                seed=self.plan.seed,
                rank=int(tuner.global_rank),
                world=self.plan.devices,
                first=tuner.micro,
            )

        words = [r for tower in teacher.towers.values() if (r := learned_rows(tower)) is not None]
        return Tuner(lessons, teacher.nets, self.plan, draws, self.facts, self.halves, words)

    def _samples(self, teacher: teach.Teacher, trackers: Trackers) -> Samples:
        live: dict[str, Any] = dict(teacher.towers)
        files = self.files
        for part, net in teacher.nets.items():
            home = HOMES[part]
            live[home] = (net["unet"], net["conditioner"]) if home == "unet" else net
        if "unet" in live:  # which may have got more channels
            shape = tuple(net.config for net in live["unet"])
            unet = replace(files.sources["unet"], config=shape)
            files = replace(files, sources={**files.sources, "unet": unet})
        return Samples(
            files,
            live,
            self.prompts(),
            self.wanted.out / "samples",
            every=self.plan.sample_every,
            count=self.plan.samples,
            trackers=trackers,
            given=self._canvas(),
        )

    def _canvas(self) -> dict[str, Any]:
        """What sample pictures are painted on: of an inpainting network the first picture, its
        middle repainted.
        """
        if not self.school.masked:
            return {}
        picture = self.school.frames()[0].open()
        wide, high = picture.size
        mask = Image.new("L", picture.size, 0)
        mask.paste(255, (wide // 4, high // 4, wide - wide // 4, high - high // 4))
        return {"task": "inpaint", "picture": picture, "mask": mask}

    def write(self, nets: Mapping[str, nn.Module], words: Sequence[Word] = ()) -> Path:
        """Write what was learned: one LoRA file, or the whole model where more trained."""
        about = {**self.about(), **self._origin()}
        modes = {self.plan.part(part).train for part in self.plan.trained}
        if modes - set(FILED) or self.school.widens:
            path = self.wanted.out / "model"
            write_model(self.files, {HOMES[p]: net for p, net in nets.items()}, path)
            write_whole(path / "about.json", json.dumps(about, indent=1).encode())
            return path
        factors: dict[str, dict[str, Factors]] = {}
        for part, net in nets.items():
            found = {n: m.factors for n, m in net.named_modules() if isinstance(m, LowRank)}
            if found:
                factors[HOMES[part]] = found
        targets = {part: t for part, t in self.files.targets().items() if part in factors}
        path = self.wanted.out / RESULT
        dtype = getattr(torch, self.plan.save_as)
        write_lora(path, factors, targets, about=about, dtype=dtype, words=words)
        return path

    def _origin(self) -> dict[str, Any]:
        """What a result is made from, and by whom."""
        homes = {HOMES[part] for part in self.plan.trained}
        fingerprints = {part: identity(self.files.sources[part]) for part in sorted(homes)}
        base = {"name": self.files.name, "family": self.files.family, "fingerprint": fingerprints}
        task = "inpaint" if self.school.masked else "text2img"
        return {"base": base, "task": task, "step": self.plan.steps, "bluerider": __version__}
