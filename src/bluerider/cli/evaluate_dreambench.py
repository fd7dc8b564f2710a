"""`bluerider evaluate dreambench`: the protocol of DreamBooth's paper, on photographs."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bluerider.cli import values
from bluerider.cli.evaluating import Asking, Text, fields_of, keep, option, show_table
from bluerider.cli.teaching import School, Sitting
from bluerider.request import check_whole

if TYPE_CHECKING:
    from PIL.Image import Image

    from bluerider.evaluate.dreambench import BenchQuestion, BenchRow
    from bluerider.evaluate.retrieval import Share

COLUMNS = ("n", "DINO", "95 %", "CLIP-I", "95 %", "CLIP-T", "PRES", "DIV")


def evaluate_dreambench(
    asking: Asking,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="google/dreambooth's dataset.")],
    dino: Annotated[Path, option("Folder of facebook/dino-vits16.", "FOLDER")],
    clip: Annotated[Path, option("Folder of openai/clip-vit-base-patch32.", "FOLDER")],
    subset: Annotated[Text, option("Subjects (all).", "N")] = None,
    prompts: Annotated[str, option("Prompts a subject (25).", "N")] = "25",
    pictures: Annotated[str, option("Pictures a prompt (4).", "N")] = "4",
    preset: Annotated[str, option("Of `bluerider dreambooth` (balanced).", "NAME")] = "balanced",
    settings: Annotated[str, option("KEY=VALUE,... for `bluerider dreambooth`.", "LIST")] = "",
) -> None:
    """Teach every subject of DreamBooth's set, paint its prompts, compare as the paper does.

    DINO and CLIP-I: mean similarity to the photographs; CLIP-T: to the prompt; PRES: of the class
    asked alone to the photographs, lower is better; DIV: how unlike the pictures of one prompt are.
    Rows for the photographs and the untouched model bound the others. DINO needs transformers.

    bluerider evaluate dreambench dataset --dino dino-vits16 --clip clip-vit-base-patch32 --model M
    """
    counts = {
        name: check_whole(name, values.whole(name, text), 1, 1000)
        for name, text in (("prompts", prompts), ("pictures", pictures))
    }
    from bluerider.evaluate.dreambench import bench_questions, painted_row, read_bench, real_row

    subjects = read_bench(folder)
    count = values.whole("subset", subset)
    if count is not None:
        subjects = subjects[: check_whole("subset", count, 1, len(subjects))]
    place = asking.place("dreambench")
    from bluerider.evaluate.dino import Dino
    from bluerider.evaluate.dreambench import Encoders
    from bluerider.evaluate.encoder import Encoder, WordEncoder
    from bluerider.evaluate.journal import Journal

    encoders = Encoders(dino=Dino(dino), clip=Encoder(clip), words=WordEncoder(clip))
    pipe = asking.pipeline()
    request = asking.request.resolve(pipe.defaults)
    facts = {**asking.facts(pipe, request), "preset": preset, "settings": settings}
    journal = Journal(place, facts, name="dreambench", fields=("subject", "asked"))
    changes = [one for one in settings.split(",") if one.strip()]
    school = School(asking, place, preset, changes)
    sitting = Sitting(pipe, journal, asking.batch, fields_of(request))
    answers: dict[BenchQuestion, Image] = {}
    for one in subjects:
        plain = bench_questions(one, tuned=False, **counts)
        answers |= sitting.answer(plain, f"{one.name}, untouched")
        lora = school.teach(one.name, folder / one.name, one.phrase, one.class_phrase)
        pipe.adapt([lora])
        answers |= sitting.answer(bench_questions(one, tuned=True, **counts), one.name)
        pipe.adapt([])
    rows = {
        "photographs": real_row(subjects, encoders),
        "untouched model": painted_row(subjects, answers, encoders, tuned=False),
        "tuned model": painted_row(subjects, answers, encoders, tuned=True),
    }
    named = {"encoders": {"dino": dino.name, "clip": clip.name}, **counts}
    keep(place, "dreambench", {**facts, **named, **{k: r.to_json() for k, r in rows.items()}}, [])
    if asking.as_json:
        typer.echo((place / "dreambench.json").read_text("utf-8"))
    else:
        show_table("row", COLUMNS, cells(rows))


def cells(rows: "Mapping[str, BenchRow]") -> Iterator[list[str]]:
    """Similarities with three decimals."""
    for name, row in rows.items():
        both = [text for share in (row.dino, row.clip_i) for text in (mean(share), span(share))]
        rest = [mean(share) for share in (row.clip_t, row.pres, row.div)]
        yield [name, str(row.subjects), *both, *rest]


def mean(share: "Share | None") -> str:
    """A mean, or a dash where there is none."""
    return f"{share.value:.3f}" if share else "-"


def span(share: "Share") -> str:
    """Its interval."""
    return f"{share.low:.3f}-{share.high:.3f}"
