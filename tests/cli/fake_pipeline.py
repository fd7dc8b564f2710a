"""A pipeline without networks: every picture is a flat colour of its prompt and seed."""

import sys
import time
import types
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from PIL import Image

from bluerider.catalog import Defaults
from bluerider.request import Progress, Request, Result

DEFAULTS = Defaults(
    steps=4, guidance=4.0, prior_steps=2, prior_guidance=2.0, width=64, height=64, sampler="ddim"
)
LIMIT = 5  # words


class FakePipeline:
    """What the command line needs of a pipeline; notes how it was loaded and what it painted."""

    loads: ClassVar[list[dict[str, Any]]] = []
    painted: ClassVar[list[Request]] = []
    batches: ClassVar[list[int]] = []
    pause = 0.0
    fails_at: ClassVar[dict[int, BaseException]] = {}  # seed -> what is raised in mid-picture

    def __init__(self, name: str) -> None:
        self.name = name
        self.defaults = DEFAULTS

    @classmethod
    def load(cls, model: str = "murnau", **options: Any) -> "FakePipeline":
        cls.loads.append({"model": model, **options})
        return cls(model)

    def stream(self, prompt: Request) -> Iterator[Progress]:
        request = prompt.resolve(self.defaults)
        for stage, steps in (("prior", 2), ("decoder", 4), ("pixels", 1)):
            for step in range(1, steps + 1):
                time.sleep(self.pause)
                event = Progress(
                    stage=stage, step=step, steps=steps, first=0, count=request.n, total=request.n
                )
                if (stage, step) == ("decoder", 2):
                    self._fail(request)
                if stage != "pixels":
                    yield event
        yield replace(event, result=self._result(request))

    def generate_many(self, requests: Sequence[Request], *, batch: int = 8) -> Iterator[Result]:
        self.batches.append(len(requests))
        for request in requests:
            time.sleep(self.pause)
            self._fail(request)
            yield self._result(request.resolve(self.defaults))

    def _fail(self, request: Request) -> None:
        assert request.seed is not None
        for seed in range(request.seed, request.seed + request.n):
            if seed in self.fails_at:
                raise self.fails_at[seed]

    def _result(self, request: Request) -> Result:
        assert request.seed is not None and request.width and request.height
        self.painted.append(request)
        seeds = [request.seed + index for index in range(request.n)]
        size = (request.width, request.height)
        words = request.prompt.split()
        cut = f"prompt: the model reads {LIMIT} words; cut: {' '.join(words[LIMIT:])}"
        return Result(
            images=[Image.new("RGB", size, colour(request.prompt, seed)) for seed in seeds],
            seeds=seeds,
            request=request,
            seconds=0.25,
            warnings=[cut] if len(words) > LIMIT else [],
        )


def colour(prompt: str, seed: int) -> tuple[int, int, int]:
    return sum(map(ord, prompt)) % 256, seed % 256, seed // 256 % 256


def install(pipeline: type[FakePipeline] = FakePipeline) -> types.ModuleType:
    """A module that stands in for bluerider.pipeline, so that torch is never imported."""
    module = types.ModuleType("bluerider.pipeline")
    module.Pipeline = pipeline  # type: ignore[attr-defined]
    sys.modules["bluerider.pipeline"] = module
    return module


if __name__ == "__main__":  # python fake_pipeline.py PAUSE ARGUMENTS...: the command in a process
    FakePipeline.pause = float(sys.argv[1])
    install()
    from bluerider.cli.main import main

    sys.exit(main(sys.argv[2:]))
