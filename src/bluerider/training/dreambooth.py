"""DreamBooth (Ruiz et al. 2023): a model learns a subject from a few pictures, keeps its class."""

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import nn

from bluerider import __version__
from bluerider.devices import choose_device
from bluerider.errors import InputError
from bluerider.images import make_folder
from bluerider.nets.lora import Factors, LowRank
from bluerider.pipeline import Pipeline
from bluerider.prompts.identifiers import PLACE, filled, has_place
from bluerider.training.framing import Framing
from bluerider.training.gathering import gather
from bluerider.training.report import write_report
from bluerider.training.subjects import SubjectSet, pair
from bluerider.training.tuning import identifier, keeper, teach
from bluerider.training.tuning.cache import identity
from bluerider.training.tuning.classes import Wanted, class_pictures, listed, prompts_of
from bluerider.training.tuning.draws import Draws
from bluerider.training.tuning.ledger import Advance, Ledger, Trackers
from bluerider.training.tuning.lessons import Lesson
from bluerider.training.tuning.loop import fit
from bluerider.training.tuning.plan import Plan, gathered
from bluerider.training.tuning.samples import Samples
from bluerider.training.tuning.tuner import Tuner, check_installed
from bluerider.weights.load import ModelFiles, open_model
from bluerider.weights.lora import write_lora
from bluerider.weights.store import write_whole

RESULT = "lora.safetensors"
SAVED = "config.yaml"
Say = Callable[[str], None]
FIXED = ("batch", "accumulate", "seed", "class_weight", "snr_gamma", "variance", "optimizer")


@dataclass(frozen=True, kw_only=True)
class Lessons:
    """What the user wants taught."""

    pictures: Sequence[str | Path]
    subjects: Sequence[str]
    classes: Sequence[str]
    out: Path
    model: str = "murnau"
    preset: str = "balanced"
    config: Path | None = None
    changes: Sequence[str] = ()
    resume: bool = False
    class_pictures: Path | None = None
    device: str = "auto"
    offline: bool = False

    def __post_init__(self) -> None:
        for subject in self.subjects:
            if not has_place(subject):
                raise InputError(
                    f"--subject {subject!r}: [V] has to stand where the subject's own word goes, "
                    "as in 'a [V] robot'"
                )
        if not self.classes:
            raise InputError("--class is missing: what the subject is one of, as in 'a robot'")
        for one in self.classes:
            if has_place(one) or not one.strip():
                raise InputError(f"--class {one!r}: plain words are accepted, as in 'a robot'")


class Run:
    """One training, from the settled plan to the file it leaves."""

    def __init__(self, wanted: Lessons, say: Say, advance: Advance) -> None:
        self.wanted, self.say, self.advance = wanted, say, advance
        self.first = os.environ.get("LOCAL_RANK", "0") == "0"
        self.files: ModelFiles = open_model(wanted.model, offline=wanted.offline)
        self.plan = self._plan()
        self.device = choose_device(wanted.device)
        self.learned = self._learned()
        self.words = self._identifiers()
        captions = [filled(self._caption(i), self.words) for i in range(len(self.learned.shots))]
        self.school = teach.School(
            files=self.files,
            plan=self.plan,
            learned=self.learned,
            captions=captions,
            device=self.device,
        )
        self.school.check()
        check_installed(self.plan)

    def _plan(self) -> Plan:
        wanted, saved = self.wanted, self.wanted.out / SAVED
        config = wanted.config or (saved if wanted.resume and saved.is_file() else None)
        return gathered(
            family=self.files.family,
            model=self.files.name,
            preset=wanted.preset,
            config=config,
            changes=wanted.changes,
        )

    def _learned(self) -> SubjectSet:
        wanted, plan = self.wanted, self.plan
        grid = self.files.defaults.grid
        size = plan.size or min(self.files.defaults.width, self.files.defaults.height)
        framing = Framing(size=size, grid=grid, crop=plan.crop, flip=plan.flip)
        subjects = pair([gather(p) for p in wanted.pictures], wanted.subjects, wanted.classes)
        return SubjectSet(subjects=subjects, framing=framing, seed=plan.seed)

    def _identifiers(self) -> list[str]:
        """A word for every subject."""
        tokenizers = [
            self.files.tokenizer(part) for part in self.files.parts if part.endswith("tokenizer")
        ]
        count = len(self.learned.subjects)
        if self.plan.identifier == "auto":
            return identifier.choose(tokenizers, count)
        words = self.plan.identifier.split(",")
        if len(words) != count:
            raise InputError(f"identifier: got {len(words)} words for {count} subjects")
        for word in words:
            for warning in identifier.check(word, tokenizers):
                self.say(f"warning: {warning}")
        return words

    def _caption(self, index: int) -> str:
        """A shot's caption; the place of its subject's word is numbered."""
        number, shot = self.learned.shots[index]
        caption = self.learned.subjects[number].caption(shot)
        return PLACE.sub(f"[V{number + 1}]", caption)

    @property
    def facts(self) -> dict[str, Any]:
        """What a checkpoint must agree on to be taken up."""
        plan = self.plan
        homes = sorted({teach.HOMES[part] for part in plan.trained})
        parts = {
            p: [plan.part(p).train, plan.part(p).rank, plan.part(p).layers] for p in plan.trained
        }
        return {
            "model": {part: identity(self.files.sources[part]) for part in homes},
            "data": self.learned.digest,
            "captions": json.dumps(self.school.captions, ensure_ascii=False),
            "trained parts": parts,
            "world size": plan.devices,
            **{name: getattr(plan, name) for name in FIXED},
        }

    def run(self) -> Path:
        """Train, and write what was learned; returns its place."""
        out, plan = self.wanted.out, self.plan
        begun = time.monotonic()
        found = self._place()
        rows = self._rows()
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
        tuner = self._tuner(lessons, teacher.nets, rows)
        trackers = (
            Trackers(out, plan)
            if self.first
            else Trackers(out, replace(plan, tensorboard=False, wandb=False))
        )
        ledger = Ledger(out, plan, self.advance, trackers)
        samples = self._samples(teacher.nets, trackers)
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
            result = self.write(teacher.nets)
            if result.name == RESULT:
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

    def _rows(self) -> dict[str, teach.Rows]:
        """The samples of each lesson: pictures of the subject, then of the class."""
        school, plan = self.school, self.plan
        captions = school.spread_out(school.captions)
        told = lambda word: lambda done: self.advance(0.0, f"{word} {done:.0%}")  # noqa: E731
        made = teach.encode_pictures(school, school.frames(), told("reading pictures"))
        prompts = prompts_of(self.wanted.classes)
        rows = {part: teach.Rows() for part in plan.trained if part != "text_encoder"}
        if "prior" in rows:
            rows["prior"].add(captions, plan.variants, **made)
        if "decoder" in rows:
            words, variants, seen = teach.conditioned(school, captions, made, told("imagining"))
            rows["decoder"].add(words, variants, **seen)
        if plan.class_weight and "prior" in rows:
            embedding = teach.class_embeddings(school, prompts, told("imagining the class"))
            words = [prompts[i % len(prompts)] for i in range(len(embedding))]
            rows["prior"].add(words, 1, embedding=embedding)
        if plan.class_weight and "decoder" in rows and plan.class_pictures:
            files, words = self._class_files(prompts, told("painting the class"))
            frames = teach.class_frames(files, self.learned.framing)
            rows["decoder"].add(
                words, 1, **teach.encode_pictures(school, frames, told("reading the class"))
            )
        return rows

    def _class_files(self, prompts: tuple[str, ...], tell: Any) -> tuple[list[Path], list[str]]:
        """Pictures of the class and their words: the user's own, or painted by the base."""
        folder, count = self.wanted.class_pictures, self.plan.class_pictures
        if folder and folder.is_dir() and not listed(folder) and any(folder.iterdir()):
            shots = gather(folder).shots
            return [s.path for s in shots], [s.caption or prompts[0] for s in shots]
        weights = " ".join(identity(self.files.sources[p]) for p in self.files.sources)
        wanted = Wanted(prompts=prompts, count=count, weights=weights)
        load = lambda: Pipeline(self.files, device=self.device.type)  # noqa: E731
        found = class_pictures(wanted, load, folder, tell)
        return found, [prompts[i % len(prompts)] for i in range(count)]

    def _tuner(
        self,
        lessons: Mapping[str, Lesson],
        nets: Mapping[str, nn.Module],
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

        return Tuner(lessons, nets, self.plan, draws, self.facts)

    def _samples(self, nets: Mapping[str, nn.Module], trackers: Trackers) -> Samples:
        live: dict[str, Any] = {}
        for part, net in nets.items():
            home = teach.HOMES[part]
            live[home] = (net["unet"], net["conditioner"]) if home == "unet" else net
        prompts = {
            "subject": filled(self._phrase(0), self.words),
            "class": self.wanted.classes[0],
            "unrelated": self.plan.unrelated,
        }
        return Samples(
            self.files,
            live,
            prompts,
            self.wanted.out / "samples",
            every=self.plan.sample_every,
            count=self.plan.samples,
            trackers=trackers,
        )

    def _phrase(self, number: int) -> str:
        """A subject's phrase, its place numbered."""
        return PLACE.sub(f"[V{number + 1}]", self.learned.subjects[number].phrase)

    def write(self, nets: Mapping[str, nn.Module]) -> Path:
        """Write what was learned: one LoRA file, or the whole model where more trained."""
        if any(self.plan.part(part).train != "lora" for part in self.plan.trained):
            return self._write_model(nets)
        factors: dict[str, dict[str, Factors]] = {}
        for part, net in nets.items():
            found = {n: m.factors for n, m in net.named_modules() if isinstance(m, LowRank)}
            factors[teach.HOMES[part]] = found
        targets = {part: t for part, t in self.files.targets().items() if part in factors}
        path = self.wanted.out / RESULT
        dtype = getattr(torch, self.plan.save_as)
        write_lora(path, factors, targets, about=self.about(), dtype=dtype)
        return path

    def about(self) -> dict[str, Any]:
        """What a result says of itself."""
        homes = {teach.HOMES[part] for part in self.plan.trained}
        fingerprints = {part: identity(self.files.sources[part]) for part in sorted(homes)}
        base = {"name": self.files.name, "family": self.files.family, "fingerprint": fingerprints}
        several = len(self.words) > 1
        return {
            "subject": list(self.wanted.subjects) if several else self.wanted.subjects[0],
            "class": list(self.wanted.classes) if several else self.wanted.classes[0],
            "identifier": list(self.words) if several else self.words[0],
            "base": base,
            "step": self.plan.steps,
            "bluerider": __version__,
        }

    def _write_model(self, nets: Mapping[str, nn.Module]) -> Path:
        from bluerider.training.tuning.whole import write_model

        path = self.wanted.out / "model"
        write_model(self.files, {teach.HOMES[p]: net for p, net in nets.items()}, path)
        write_whole(path / "subject.json", json.dumps(self.about(), indent=1).encode())
        return path


def dreambooth(
    pictures: str | Path | Sequence[str | Path],
    *,
    subject: str | Sequence[str],
    class_: str | Sequence[str],
    out: str | Path,
    say: Say = lambda line: None,
    advance: Advance = lambda done, word: None,
    **options: Any,
) -> Path:
    """Teach a model a subject from a folder of pictures; returns the LoRA file it wrote.

    `subject` has `[V]` where its own word goes ("a [V] robot"), `class_` is what it is one of ("a
    robot"); several subjects are given as lists. `options` are `Lessons`' fields: model, preset,
    config, changes (`["steps=300"]`), resume, class_pictures, device, offline. Raises InputError,
    BlueriderError, and Stopped when a signal ends it early with a checkpoint left.
    """

    def many(value: Any) -> list[Any]:
        return [value] if isinstance(value, str | Path) else list(value)

    wanted = Lessons(
        pictures=many(pictures),
        subjects=many(subject),
        classes=many(class_),
        out=Path(out),
        **options,
    )
    return Run(wanted, say, advance).run()
