"""`--style`: a prompt put into a recipe of the field guide before it becomes a request."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated

from bluerider.cli.flags import PICTURE, option
from bluerider.cli.jobs import Job

Style = Annotated[
    str | None,
    option(
        "Put the words into a recipe of the guide: `bluerider prompt styles`.",
        PICTURE,
        "--style",
        metavar="NAME",
    ),
]


def styled(jobs: Sequence[Job], name: str | None) -> list[Job]:
    """The jobs with their words in a style, none where no style was asked for, and the style's
    settings where a request has none of its own. Raises InputError.

    The request keeps the words that came of it, so a picture does not depend on the guide.
    """
    if name is None:
        return list(jobs)
    from bluerider.guide import prompting
    from bluerider.guide.index import Guide

    guide = Guide()
    made = []
    for job in jobs:
        request = job.request
        said, without, recipe = prompting.styled(guide, name, request.prompt, request.negative)
        fresh = {
            field: value
            for field, value in prompting.settings(recipe).items()
            if getattr(request, field) is None
        }
        request = replace(request, prompt=said, negative=without, **fresh)
        made.append(replace(job, request=request))
    return made
