"""Fine-tuning on a captioned set: the prior or the decoder of any model, as Kandinsky 2.1's own
trainers do it for theirs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bluerider.errors import InputError
from bluerider.prompts.identifiers import has_place
from bluerider.training.framing import Framing
from bluerider.training.gathering import gather
from bluerider.training.subjects import Subject, SubjectSet
from bluerider.training.tuning import run, teach
from bluerider.training.tuning.chosen import FROZEN
from bluerider.training.tuning.ledger import Advance
from bluerider.training.tuning.plan import MODES, PARTS
from bluerider.training.tuning.run import Asked, Say

FULL_RATE = 1e-5  # of weights that train themselves, where none is said
SHOWN = 64  # letters of a caption in what a result says of itself


@dataclass(frozen=True, kw_only=True)
class Studies(Asked):
    """What the user wants trained, and on what."""

    data: str | Path
    parts: Sequence[str] = ()
    train: str = "lora"
    freeze: Sequence[str] = ()
    inpainting: bool = False

    def __post_init__(self) -> None:
        given = (("part", self.parts, PARTS), ("freeze", self.freeze, tuple(FROZEN)))
        for name, values, accepted in (*given, ("train", [self.train], MODES[1:])):
            for value in values:
                if value not in accepted:
                    raise InputError(f"--{name}: got {value!r}; accepted: {', '.join(accepted)}")
        named = any(".train=" in change for change in self.changes)
        if not (self.parts or named or self.config or self.resume):
            raise InputError("--part is missing; prior or decoder, or both")
        for name, is_given in (("freeze", self.freeze), ("inpainting", self.inpainting)):
            if is_given and self.parts and "decoder" not in self.parts:
                raise InputError(f"--{name} is for the decoder; add --part decoder")

    @property
    def settings(self) -> list[str]:
        """The same as KEY=VALUE."""
        found = [f"{part}.train={self.train}" for part in self.parts]
        if self.train != "lora":
            found += [f"{part}.rate={FULL_RATE:g}" for part in self.parts]
        if self.freeze:
            found.append(f"decoder.freeze={','.join(k for k in FROZEN if k in self.freeze)}")
        return [*found, *(["inpainting=true"] if self.inpainting else [])]


class Run(run.Run):
    """One training on a captioned set."""

    wanted: Studies
    purpose = "finetune"
    halves = ("data",)

    @property
    def changes(self) -> Sequence[str]:
        return [*self.wanted.settings, *self.wanted.changes]

    def gather(self, framing: Framing) -> SubjectSet:
        found = Subject(phrase="", class_phrase="", gathered=gather(self.wanted.data))
        return SubjectSet(subjects=(found,), framing=framing, seed=self.plan.seed)

    def captions(self) -> list[str]:
        found = [shot.caption or "" for _, shot in self.learned.shots]
        for (_, shot), caption in zip(self.learned.shots, found, strict=True):
            if has_place(caption):
                raise InputError(
                    f"{shot.name}: its caption has [V], which is for bluerider dreambooth; plain "
                    "words are accepted"
                )
        return found

    def check(self) -> None:
        super().check()
        plan, captions = self.plan, self.school.captions
        for name, usual in (("captions", "given"), ("backdrops", 0)):
            if getattr(plan, name) != usual:
                raise InputError(f"{name}: only dreambooth takes it, whose pictures show a subject")
        worded = "prior" in plan.trained or self.files.config("unet")[1].kind != "image"
        bare = captions.count("")
        if worded and bare == len(captions):
            raise InputError(
                f"{self.wanted.data}: no picture has a caption; write it in NAME.txt beside each, "
                "in a metadata.jsonl, or in a .csv"
            )
        if worded and bare:
            self.say(f"warning: {bare} of {len(captions)} pictures have no caption")

    def rows(self) -> dict[str, teach.Rows]:
        return self.learned_rows()

    def prompts(self) -> dict[str, Sequence[str]]:
        """Captions of the data from its beginning to its end, and something else."""
        plan = self.plan
        different = list(dict.fromkeys(c for c in self.school.captions if c)) or [plan.unrelated]
        count = max(plan.samples, 1)
        chosen = [different[i * len(different) // count] for i in range(count)]
        return {"data": chosen, "unrelated": [plan.unrelated]}

    def about(self) -> dict[str, Any]:
        """The set's name and size, and a caption of it."""
        return {
            "data": Path(self.wanted.data).resolve().name,
            "pictures": len(self.learned.shots),
            "prompt": self.prompts()["data"][0][:SHOWN],
        }


def finetune(
    data: str | Path,
    *,
    part: str | Sequence[str] = (),
    out: str | Path,
    say: Say = lambda line: None,
    advance: Advance = lambda done, word: None,
    **options: Any,
) -> Path:
    """Train a model's prior or decoder on captioned pictures; returns the LoRA file it wrote, or
    the model's folder.

    `data` is a folder, or a .csv or .jsonl of pictures and captions. `options` are `Studies`'
    fields: train ("lora", "attention", "full"), freeze (["resblocks"], ["attention"]), inpainting,
    model, preset, config, changes (`["steps=300"]`), resume, device, offline. Raises InputError,
    BlueriderError, and Stopped when a signal ends it early with a checkpoint left.
    """
    parts = [part] if isinstance(part, str) else list(part)
    wanted = Studies(data=data, parts=parts, out=Path(out), **options)
    return Run(wanted, say, advance).run()
