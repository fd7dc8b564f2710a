"""Teaching subjects within an evaluation, and asking a model what came of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from bluerider.cli.evaluating import Asking, watched
from bluerider.cli.painting import say
from bluerider.errors import InputError

if TYPE_CHECKING:
    from PIL.Image import Image

    from bluerider.evaluate.crop import Array
    from bluerider.evaluate.journal import Journal
    from bluerider.evaluate.personal import Taught

PARTS = ("prior", "decoder", "text_encoder")
Question = TypeVar("Question")


@dataclass(frozen=True)
class Sitting:
    """A model answering questions, kept as they are answered."""

    pipe: Any
    journal: "Journal"
    batch: int
    fields: Mapping[str, Any]

    def answer(self, asked: Sequence[Any], label: str) -> "dict[Any, Image]":
        """The picture of every question; each has a prompt, a seed and a key."""
        from bluerider.evaluate.painting import paint_all

        painting = paint_all(
            self.pipe,
            asked,
            self.journal,
            batch=self.batch,
            own=lambda question: {"seed": question.seed},
            **self.fields,
        )
        return dict(watched(painting, len(asked), self.journal.folder, label))


@dataclass(frozen=True)
class School:
    """Where subjects are taught, one run folder each; a finished one is not taught again."""

    asking: Asking
    place: Path
    preset: str
    settings: Sequence[str]  # KEY=VALUE

    def teach(
        self, name: str, pictures: Path, phrase: str, class_: str, *, changes: Sequence[str] = ()
    ) -> Path:
        """The LoRA of a subject, trained where it is not there yet."""
        folder = self.place / "runs" / name
        result = folder / "lora.safetensors"
        if result.is_file():
            return result
        from bluerider.training.dreambooth import dreambooth

        say(f"teaching {name}")
        folder.parent.mkdir(parents=True, exist_ok=True)
        slug = "".join(c if c.isascii() and c.isalnum() else "-" for c in class_)
        return dreambooth(
            pictures,
            subject=phrase,
            class_=class_,
            out=folder,
            say=say,
            model=self.asking.request.model,
            preset=self.preset,
            changes=[*self.settings, *changes],
            resume=folder.is_dir() and any(folder.iterdir()),
            class_pictures=self.place / f"class-{slug}",
            device=self.asking.device,
            offline=self.asking.offline,
        )


def variant(way: str, asking: Asking, preset: str, settings: Sequence[str]) -> list[str]:
    """What a way of teaching changes, as KEY=VALUE."""
    if way == "no-preservation":
        return ["class_weight=0"]
    if way != "ten-times":
        return []
    from bluerider.training.tuning.plan import gathered
    from bluerider.weights.load import open_model

    files = open_model(asking.request.model, offline=asking.offline)
    plan = gathered(
        family=files.family, model=files.name, preset=preset, config=None, changes=settings
    )
    rates = {part: plan.part(part).rate for part in PARTS if part in plan.trained}
    return [f"{part}.rate={10 * rate:g}" for part, rate in rates.items()]


def drawn_pictures(subject: "Taught", asking: Asking, folder: Path) -> Path:
    """The folder of a subject's four pictures, from the whole drawing where there is one."""
    from bluerider.evaluate.personal import teaching_pictures
    from bluerider.evaluate.truth import cut_out
    from bluerider.images import write

    folder.mkdir(parents=True, exist_ok=True)
    drawing = whole_drawing(subject, asking.data)
    if drawing is None:
        drawing = cut_out(asking.drawings.pictures[subject.target])
    for number, image in enumerate(teaching_pictures(subject, drawing), start=1):
        path = folder / f"{number}.png"
        if not path.is_file():
            write(image, path)
    return folder


def whole_drawing(subject: "Taught", data: Path | None) -> "Array | None":
    """The drawing of a folder of an emoji set, (256, 256, 4); None where only crops are."""
    if data is None:
        return None
    from bluerider.training.emoji import load_emoji

    try:
        emoji = load_emoji(data)
    except InputError:
        return None
    return emoji.picture(emoji.emoji.index(subject.emoji), 256)
