"""DreamBooth (Ruiz et al. 2023): a model learns a subject from a few pictures, keeps its class."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from bluerider.errors import InputError
from bluerider.pipeline import Pipeline
from bluerider.prompts.identifiers import PLACE, filled, has_place
from bluerider.training.framing import Framing
from bluerider.training.gathering import gather
from bluerider.training.subjects import SubjectSet, pair
from bluerider.training.tuning import encoding, identifier, run, teach
from bluerider.training.tuning.backdrops import worded
from bluerider.training.tuning.cache import identity
from bluerider.training.tuning.classes import Wanted, class_pictures, listed, prompts_of
from bluerider.training.tuning.describing import describe
from bluerider.training.tuning.draws import HALVES
from bluerider.training.tuning.forecast import Forecast, Forecaster
from bluerider.training.tuning.ledger import Advance
from bluerider.training.tuning.plan import LIVE
from bluerider.training.tuning.run import Asked, Say
from bluerider.training.tuning.school import class_frames


@dataclass(frozen=True, kw_only=True)
class Lessons(Asked):
    """What the user wants taught."""

    pictures: Sequence[str | Path]
    subjects: Sequence[str]
    classes: Sequence[str]
    class_pictures: Path | None = None

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


class Run(run.Run):
    """One training of subjects."""

    wanted: Lessons
    purpose = "dreambooth"
    halves = HALVES

    def gather(self, framing: Framing) -> SubjectSet:
        wanted = self.wanted
        subjects = pair([gather(p) for p in wanted.pictures], wanted.subjects, wanted.classes)
        return SubjectSet(subjects=subjects, framing=framing, seed=self.plan.seed)

    def captions(self) -> list[str]:
        self.words = self._identifiers()
        self.word = f"[V] is {', '.join(self.words)}; "
        return [filled(self._caption(i), self.words) for i in range(len(self.learned.shots))]

    def phrases(self) -> list[str]:
        found = [
            PLACE.sub(f"[V{number + 1}]", self.learned.subjects[number].phrase)
            for number, _ in self.learned.shots
        ]
        return [filled(phrase, self.words) for phrase in found]

    def _identifiers(self) -> list[str]:
        """A word for every subject."""
        tokenizers = [
            self.files.tokenizer(part) for part in self.files.parts if part.endswith("tokenizer")
        ]
        count = len(self.learned.subjects)
        if self.plan.identifier == "auto":
            return identifier.choose(tokenizers, count)
        if self.plan.spells:
            return self._new_words()
        words = self.plan.identifier.split(",")
        if len(words) != count:
            raise InputError(f"identifier: got {len(words)} words for {count} subjects")
        for word in words:
            for warning in identifier.check(word, tokenizers):
                self.say(f"warning: {warning}")
        return words

    def _new_words(self) -> list[str]:
        """A word for every subject that no vocabulary has, nor another subject's file; the model
        learns it from what it knows of the class.
        """
        texts = [
            identifier.made(
                [self.learned.digest, subject.phrase, subject.class_phrase, self.plan.seed]
            )
            for subject in self.learned.subjects
        ]
        classes = [subject.class_phrase for subject in self.learned.subjects]
        words = teach.new_words(self.files, texts, classes)
        self.files = replace(self.files, words=tuple(words))
        return texts

    def _caption(self, index: int) -> str:
        """A shot's caption; the place of its subject's word is numbered."""
        number, shot = self.learned.shots[index]
        caption = self.learned.subjects[number].caption(shot)
        return PLACE.sub(f"[V{number + 1}]", caption)

    def described(self) -> list[str]:
        school, plan = self.school, self.plan
        made = encoding.encode_pictures(school, school.frames(), self.told("reading pictures"))
        seen = torch.stack(list(made["embedding"])[:: school.variants])
        words = plan.kept or list(prompts_of(self.wanted.classes))
        say = self.told("describing pictures")
        found = describe(self.files, school.device, seen, words, say)
        shots = [shot for _, shot in self.learned.shots]
        return [
            caption if shot.caption else worded(caption, said)
            for shot, caption, said in zip(shots, school.captions, found, strict=True)
        ]

    def shown(self) -> list[str]:
        found = []
        for caption in self.school.captions:
            for number, word in enumerate(self.words, start=1):
                place = f"[V{number}]" if len(self.words) > 1 else "[V]"
                caption = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", place, caption)
            found.append(caption)
        return found

    def check(self) -> None:
        super().check()
        plan, folder = self.plan, self.wanted.class_pictures
        painted = plan.class_weight and plan.class_pictures and plan.decoder.train != "off"
        if painted and self.school.masked and not self.school.widens and folder is None:
            raise InputError(
                f"{self.files.name} only repaints, so it paints no class pictures; give some with "
                "--class-pictures, or class_weight=0"
            )

    def rows(self) -> dict[str, teach.Rows]:
        """Pictures of the subject, then of the class."""
        school, plan = self.school, self.plan
        rows = self.learned_rows()
        prompts = (*prompts_of(self.wanted.classes), *plan.kept)
        if plan.class_weight and "prior" in rows and plan.prior.train != "word":
            embedding = encoding.class_embeddings(school, prompts, self.told("imagining the class"))
            words = [prompts[i % len(prompts)] for i in range(len(embedding))]
            rows["prior"].add(words, 1, embedding=embedding)
        if plan.class_weight and "decoder" in rows and plan.class_pictures:
            files, words = self._class_files(prompts, self.told("painting the class"))
            shapes = school.shapes
            frames = class_frames(files, self.learned.framing, shapes)
            words = [word for word in words for _ in shapes]
            made = encoding.encode_pictures(school, frames, self.told("reading the class"))
            if plan.decoder_condition == LIVE and self._own_class is None:
                # what they were painted from
                made["embedding"] = list(encoding.usual(school, words, self.told("imagining")))
            rows["decoder"].add(words, len(shapes), frames, **made)
        return rows

    @property
    def _own_class(self) -> Path | None:
        """The folder of the user's own class pictures."""
        folder = self.wanted.class_pictures
        is_own = folder and folder.is_dir() and not listed(folder) and any(folder.iterdir())
        return folder if is_own else None

    def _class_files(
        self, prompts: tuple[str, ...], tell: Callable[[float], None]
    ) -> tuple[list[Path], list[str]]:
        """Pictures of the class and their words: the user's own, or painted by the base."""
        folder, count = self.wanted.class_pictures, self.plan.class_pictures
        if self._own_class is not None:
            shots = gather(self._own_class).shots
            return [s.path for s in shots], [s.caption or prompts[0] for s in shots]
        weights = " ".join(identity(self.files.sources[p]) for p in self.files.sources)
        wanted = Wanted(prompts=prompts, count=count, weights=weights)
        load = lambda: Pipeline(self.files, device=self.device.type)  # noqa: E731
        found = class_pictures(wanted, load, folder, tell)
        return found, [prompts[i % len(prompts)] for i in range(count)]

    def forecast(self) -> Forecast:
        plan = self.plan
        painted = plan.class_pictures * len(self.school.shapes)
        sizes = {"prior": plan.class_embeddings, "decoder": painted}
        counts = [sizes[part] for part in sizes if part in plan.trained]
        more = max(counts, default=0) if plan.class_weight else 0
        return Forecaster(self.school, paints=more > 0, more=more).forecast()

    def prompts(self) -> dict[str, Sequence[str]]:
        """The subject, its class alone (drift), something else (bleed)."""
        subject = PLACE.sub("[V1]", self.learned.subjects[0].phrase)
        return {
            "subject": [filled(subject, self.words)],
            "class": [self.wanted.classes[0]],
            "unrelated": [self.plan.unrelated],
        }

    def about(self) -> dict[str, Any]:
        """Subject, class and the subject's word; of several, lists."""
        several = len(self.words) > 1
        return {
            "subject": list(self.wanted.subjects) if several else self.wanted.subjects[0],
            "class": list(self.wanted.classes) if several else self.wanted.classes[0],
            "identifier": list(self.words) if several else self.words[0],
        }


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
