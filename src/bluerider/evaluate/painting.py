"""What an evaluation asks for, painted: what its journal holds first, then the rest, kept as it
comes.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from PIL import Image

from bluerider.evaluate.journal import Journal, Key
from bluerider.request import Request, Result


class Painter(Protocol):
    """What is measured: `bluerider.Pipeline`, or anything that paints requests in order."""

    def generate_many(self, requests: Sequence[Request], *, batch: int) -> Iterator[Result]: ...


class Asked(Protocol):
    """One picture that is asked for."""

    @property
    def prompt(self) -> str: ...

    @property
    def key(self) -> Key: ...


AnyAsked = TypeVar("AnyAsked", bound=Asked)


def paint_all(
    painter: Painter,
    asked: Sequence[AnyAsked],
    journal: Journal | None = None,
    *,
    batch: int = 8,
    own: Callable[[AnyAsked], Mapping[str, Any]] = lambda one: {},
    **fields: Any,
) -> Iterator[tuple[AnyAsked, Image.Image]]:
    """Everything asked for with its picture.

    `fields` are those of every request, `own` names more of one's own, which win.
    """
    missing = []
    for one in asked:
        image = journal.load(one.key, one.prompt) if journal else None
        if image is None:
            missing.append(one)
        else:
            yield one, image
    if not missing:
        return
    requests = [Request(**{**fields, "prompt": one.prompt, **own(one)}) for one in missing]
    results = painter.generate_many(requests, batch=batch)
    for one, result in zip(missing, results, strict=True):
        image = result.images[0]
        if journal:
            journal.keep(one.key, one.prompt, image)
        yield one, image
