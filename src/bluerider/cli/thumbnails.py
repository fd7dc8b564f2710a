"""A small picture of every style, painted by a model, and a page of them all."""

from collections.abc import Sequence
from pathlib import Path

from bluerider.cli.jobs import Job
from bluerider.cli.painting import progress_bar
from bluerider.cli.styles import styled
from bluerider.errors import InputError
from bluerider.request import Request, check_prompt

PAGE = "all-styles.png"


def paint(
    names: Sequence[str], subject: str, model: str, seed: int | None, folder: Path
) -> list[Path]:
    """NAME.png for every style, in the order given, and PAGE; each holds its request, so `show` and
    `--like` read it. Raises InputError.
    """
    check_prompt(subject)
    if not folder.absolute().parent.is_dir() or (folder.exists() and not folder.is_dir()):
        raise InputError(f"--thumbnails: got {folder}; a folder whose parent exists is accepted")
    plain = Job(request=Request(prompt=subject, model=model, seed=seed))
    requests = [styled([plain], name)[0].request for name in names]
    from bluerider.images import sheet, write
    from bluerider.pipeline import Pipeline

    pipe = Pipeline.load(model)
    images, paths = [], [folder / f"{name}.png" for name in names]
    with progress_bar() as bar:
        for place, result in enumerate(pipe.generate_many(requests)):
            images.append(result.images[0])
            write(images[-1], paths[place], request=result.request.to_json())
            bar((place + 1) / len(names), f"style {place + 1} of {len(names)}")
    write(sheet(images, captions=list(names)), folder / PAGE)
    return paths
