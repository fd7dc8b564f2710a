"""`bluerider dreambooth sweep`: a subject taught at every point of a small grid, and ranked."""

import inspect
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from bluerider.cli import values
from bluerider.cli.data import check_folder
from bluerider.cli.dreambooth import check_given, dreambooth
from bluerider.cli.evaluating import fields_of, show_table, stamp
from bluerider.cli.flags import option
from bluerider.cli.painting import progress_bar, say
from bluerider.cli.teaching import Sitting
from bluerider.cli.tuning import FILES, MODEL
from bluerider.errors import BlueriderError, InputError
from bluerider.request import check_whole

if TYPE_CHECKING:
    from PIL.Image import Image

    from bluerider.evaluate.tuned import Judge
    from bluerider.training.dreambooth import Lessons, Run
    from bluerider.training.tuning.grid import Point

app = typer.Typer(rich_markup_mode="rich", add_completion=False, no_args_is_help=True)

NOT_SHARED = ("resume", "wandb", "dry_run")
RESULT = "lora.safetensors"
EXAMPLES = """[bold]Examples[/bold]

bluerider dreambooth sweep photos rate=1e-4,3e-4 rank=4,8 \\
  --subject "a \\[V] robot" --class "a robot" --out tried

bluerider dreambooth sweep photos steps=100,200 class_weight=0,1 --preset quick \\
  --subject "a \\[V] robot" --class "a robot" --out tried
"""


@dataclass
class Trial:
    """One run of a sweep and what came of it."""

    point: "Point"
    lessons: "Lessons"
    measures: dict[str, float] = field(default_factory=dict)
    score: float | None = None
    failed: str = ""
    variant: str = ""  # what its pictures are kept under

    @property
    def lora(self) -> Path:
        """The file that it leaves."""
        return self.lessons.out / RESULT

    def to_json(self) -> dict[str, Any]:
        """A plain table; the file's place is that below the sweep's folder."""
        folder = "/".join(self.lora.parts[-3:])
        found = {"settings": self.point.values, "lora": folder, "score": self.score}
        return {
            **found,
            "measures": self.measures,
            **({"failed": self.failed} if self.failed else {}),
        }


def sweep(
    *,
    encoder: Annotated[
        Path | None,
        option("Folder of a vision tower to compare by (the model's own).", MODEL, "--encoder"),
    ] = None,
    unrelated: Annotated[
        str, option("Unrelated names, for the drift of a drawing (40).", MODEL, "--unrelated")
    ] = "40",
    batch: Annotated[str, option("Pictures at a time (8).", MODEL, "--batch")] = "8",
    as_json: Annotated[bool, option("Print JSON on stdout.", FILES, "--json")] = False,
    **given: Any,
) -> None:
    """Teach a subject at every point of a small grid, judge every run, rank them.

    KEY=VALUE,VALUE is a side of the grid, KEY=VALUE is the same for all runs. Each run has its own
    folder under DIR/runs; the same command goes on where it was stopped, and a larger grid keeps
    what is there. DIR/sweep.json has the measures, DIR/sweep.png the pictures, best run first.
    """
    folders, changes = check_given(
        given["pictures"], given["subject"], given["class_"], given["out"]
    )
    if len(folders) > 1 or len(given["subject"]) > 1 or len(given["class_"]) > 1:
        raise InputError("a sweep teaches one subject; give one folder, --subject and --class")
    others = check_whole("unrelated", values.whole("unrelated", unrelated), 1, 1626)
    at_once = check_whole("batch", values.whole("batch", batch), 1, 256)
    from bluerider.training.dreambooth import Lessons
    from bluerider.training.tuning.grid import read_grid

    points, fixed = read_grid(changes)
    place = given["out"]
    check_folder(place)
    if threads := given.pop("threads"):
        import torch

        torch.set_num_threads(threads)
    shared = Lessons(
        pictures=folders,
        subjects=given["subject"],
        classes=given["class_"],
        out=place,
        changes=fixed,
        **{
            k: given[k]
            for k in ("model", "preset", "config", "class_pictures", "device", "offline")
        },
    )
    trials = [
        Trial(
            point,
            replace(shared, out=place / "runs" / point.slug, changes=[*fixed, *point.changes]),
        )
        for point in points
    ]
    first = check_trials(trials)
    course = Course(first, encoder, others, at_once, place, fixed)
    for number, trial in enumerate(trials, start=1):
        say(f"run {number} of {len(trials)}: {trial.point.name}")
        course.teach(trial)
        course.ask(trial)
    course.finish(trials, as_json=as_json)


def check_trials(trials: Sequence[Trial]) -> "Run":
    """Whether every run could begin, before any does; the first of them. Raises InputError."""
    from bluerider.training.dreambooth import Run
    from bluerider.training.tuning.plan import FILED

    plans: dict[str, str] = {}
    runs = []
    with progress_bar() as advance:
        for trial in trials:
            run = Run(trial.lessons, lambda line: None, advance)
            runs.append(run)
            if any(run.plan.part(part).train not in FILED for part in run.plan.trained):
                raise InputError("a sweep compares LoRAs; train=attention and full leave models")
            same = plans.setdefault(run.plan.to_yaml(), trial.point.name)
            if same != trial.point.name:
                raise InputError(f"{same} and {trial.point.name} are the same run; drop one")
    return runs[0]


class Course:
    """A sweep under way: one model, one judge, a journal of all pictures."""

    def __init__(
        self,
        run: "Run",
        encoder: Path | None,
        unrelated: int,
        batch: int,
        place: Path,
        fixed: Sequence[str],
    ) -> None:
        from bluerider.evaluate.journal import Journal
        from bluerider.evaluate.personal import BEFORE
        from bluerider.pipeline import Pipeline
        from bluerider.request import Request

        wanted = run.wanted
        self.place, self.batch, self.device = place, batch, wanted.device
        self.pipe = Pipeline(run.files, device=wanted.device)
        self.judge, told = judge_of(run, encoder, unrelated)
        request = Request(prompt="-", model=wanted.model, seed=0).resolve(self.pipe.defaults)
        self.fields = fields_of(request)
        config = wanted.config.read_text("utf-8") if wanted.config else ""
        self.facts: dict[str, Any] = {
            "model": self.pipe.name,
            "weights": stamp(run.files),
            "pictures": [shot.sha256 for _, shot in run.learned.shots],
            "subject": wanted.subjects[0],
            "class": wanted.classes[0],
            "preset": wanted.preset,
            "config": config,
            "settings": sorted(fixed),
            "measured by": told,
        }
        place.mkdir(exist_ok=True)
        self.journal: Journal = Journal(place, self.facts, name="sweep", fields=("run", "asked"))
        self.answers: dict[Any, Image] = {}
        self.paint(BEFORE, "the untouched model")

    def teach(self, trial: Trial) -> None:
        """Train a run where it is not there yet; one that fails is told and passed over."""
        if trial.lora.is_file():
            return
        from bluerider.training.dreambooth import Run
        from bluerider.training.tuning.keeper import Stopped

        out = trial.lessons.out
        out.parent.mkdir(exist_ok=True)
        resume = out.is_dir() and any(out.iterdir())
        try:
            with progress_bar() as advance:
                Run(replace(trial.lessons, resume=resume), say, advance).run()
        except Stopped:
            raise Stopped(f"stopped in {trial.point.name}; the same command goes on") from None
        except InputError:
            raise
        except BlueriderError as error:
            trial.failed = str(error)
            say(f"failed: {error}")

    def ask(self, trial: Trial) -> None:
        """Paint and measure what a run learned."""
        if trial.failed:
            return
        from bluerider.images import digest

        trial.variant = f"{trial.point.slug}-{digest(trial.lora)[:8]}"
        self.pipe.adapt([trial.lora])
        self.paint(trial.variant, trial.point.name)
        self.pipe.adapt([])
        trial.measures = self.judge.measure(trial.variant, self.answers)
        trial.score = self.judge.score(trial.measures)

    def paint(self, variant: str, label: str) -> None:
        """Everything that is asked of a variant."""
        sitting = Sitting(self.pipe, self.journal, self.batch, self.fields)
        self.answers |= sitting.answer(self.judge.asked(variant), label)

    def finish(self, trials: Sequence[Trial], *, as_json: bool) -> None:
        """Write sweep.json and the sheet, best run first; show the table."""
        from bluerider.files import write_whole

        best = sorted(
            trials, key=lambda one: -1e9 if one.score is None else one.score, reverse=True
        )
        whole = {**self.facts, "runs": [one.to_json() for one in best]}
        text = json.dumps(whole, indent=2, ensure_ascii=False)
        write_whole(self.place / "sweep.json", text.encode() + b"\n")
        self.draw([one for one in best if one.score is not None])
        say(f"{self.place / 'sweep.json'}, pictures in {self.place / 'sweep.png'}")
        if as_json:
            typer.echo(text)
            return
        columns = list(next((one.measures for one in best if one.measures), {}))
        show_table("run", ["score", *columns], rows(best, columns))
        if best[0].score is not None:
            say(f"best: {best[0].lora}")

    def draw(self, trials: Sequence[Trial]) -> None:
        """One sheet: the untouched model, then a row for every run."""
        from bluerider.evaluate.personal import BEFORE
        from bluerider.evaluate.tuned import label
        from bluerider.images import chart, write

        shown = [self.judge.shown(variant) for variant in (BEFORE, *(t.variant for t in trials))]
        names = ["untouched", *(f"{one.score:.2f}  {one.point.name}" for one in trials)]
        pictures = [self.answers[one] for row in shown for one in row]
        page = chart(pictures, across=[label(one) for one in shown[0]], down=names)
        write(page, self.place / "sweep.png")


def judge_of(run: "Run", encoder: Path | None, unrelated: int) -> "tuple[Judge, str]":
    """How runs are measured, and that in words. Raises InputError where nothing can measure."""
    from bluerider.evaluate.drawings import load_drawings
    from bluerider.evaluate.encoder import Encoder
    from bluerider.evaluate.tuned import ByDrawings, ByLikeness, drawn_subject
    from bluerider.images import open_picture

    phrase, class_ = run.wanted.subjects[0], run.wanted.classes[0]
    photographs = [open_picture(shot.path).image for _, shot in run.learned.shots]
    drawings = load_drawings()
    drawn = None if encoder else drawn_subject(phrase, photographs, drawings)
    if drawn is not None:
        told = f"drawings {drawings.digest}, {unrelated} unrelated names"
        return ByDrawings(drawn, class_, drawings, unrelated), told
    if encoder is None and "image" not in run.files.sources:
        raise InputError(
            f"--encoder is missing: {run.files.name} has no vision tower of its own to compare "
            "pictures by; give the folder of one"
        )
    see = Encoder(encoder or run.files.sources["image"])
    return ByLikeness(phrase, class_, photographs, see), f"{encoder or 'the model'}'s vision tower"


def rows(trials: Sequence[Trial], columns: Sequence[str]) -> Iterator[list[str]]:
    """One row a run, the best first."""
    for one in trials:
        score = "failed" if one.score is None else f"{one.score:.3f}"
        yield [one.point.name, score, *cells(one.measures, columns)]


def cells(measures: Mapping[str, float], columns: Sequence[str]) -> list[str]:
    """Measures in their columns."""
    return [f"{measures[name]:.3f}" if name in measures else "-" for name in columns]


def with_shared_flags() -> Any:
    """`sweep` with the flags of `bluerider dreambooth` that it shares."""
    theirs = inspect.signature(dreambooth).parameters
    shared = [one for name, one in theirs.items() if name not in NOT_SHARED]
    own = [one for one in inspect.signature(sweep).parameters.values() if one.name != "given"]
    together = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in (*shared, *own)]

    def command(**given: Any) -> None:
        sweep(**given)

    command.__signature__ = inspect.Signature(together)  # type: ignore[attr-defined]
    command.__annotations__ = {one.name: one.annotation for one in together}
    command.__name__, command.__doc__ = "sweep", sweep.__doc__
    return command


app.command(epilog=EXAMPLES)(with_shared_flags())
