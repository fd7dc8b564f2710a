"""A model ready to paint: requests in, pictures out, batch by batch."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar

import torch
from PIL import Image

from bluerider.catalog import COMPAT, Defaults
from bluerider.checks import check_choice, flag
from bluerider.config import Compat
from bluerider.devices import choose_device, choose_dtype, computed_in
from bluerider.errors import InputError
from bluerider.images import Canvas, is_grey, prepare
from bluerider.nets.autoencoder import Autoencoder
from bluerider.pipeline.batch import Batch, Event, shared
from bluerider.pipeline.drawing import draw
from bluerider.pipeline.latents import develop
from bluerider.pipeline.parts import Parts
from bluerider.pipeline.readers import reader
from bluerider.pipeline.tasks import check_task
from bluerider.prompts.identifiers import filled
from bluerider.request import MEMORY, NEGATIVES, LoraUse, Progress, Request, Result
from bluerider.tokenizers import Tokenizer
from bluerider.weights.hub import Announce
from bluerider.weights.load import ModelFiles, open_model

BATCH = 8
T = TypeVar("T")


@dataclass(frozen=True)
class Job:
    """One picture: a resolved request with n = 1, and which of the requests given it belongs to."""

    request: Request
    owner: int


def without_grad(steps: Iterator[T]) -> Iterator[T]:
    """Run a generator step by step in inference mode, which must not stay on while the caller has
    control.
    """
    end = object()
    while True:
        with torch.inference_mode():
            item: Any = next(steps, end)
        if item is end:
            return
        yield item


class Pipeline:
    """A model ready to paint; its networks are read on first use."""

    def __init__(
        self,
        files: ModelFiles,
        *,
        device: str = "auto",
        dtype: str = "auto",
        memory: str = "normal",
    ) -> None:
        check_choice("memory", memory, MEMORY)
        self.files = files
        self.device = choose_device(device)
        self.dtype = choose_dtype(dtype, self.device, files.bytes("unet") // 2)
        self.parts = Parts(
            files,
            self.device,
            computed_in(self.dtype, self.device),
            low=memory == "low",
            stored=self.dtype,
        )
        self.reader = reader(self.parts)
        self._canvases: dict[Any, Canvas] = {}

    @classmethod
    def load(
        cls,
        model: str | Path = "murnau",
        *,
        device: str = "auto",
        dtype: str = "auto",
        prior: str | Path | None = None,
        clip: str | Path | None = None,
        lora: Sequence[str | Path] = (),
        memory: str = "normal",
        compat: str | None = None,
        offline: bool = False,
        announce: Announce | None = None,
    ) -> "Pipeline":
        """A catalog name, a model's folder or file or a hub id; LoRAs as FILE[:SCALE]; `clip` for
        the first files of Kandinsky 2.1, which lack it. With memory `low` each network is there
        only while it works, and pictures are decoded in strips. compat="original" paints Kandinsky
        2.0 and 2.1 as their first code did, mistakes and all. Raises InputError, WeightsError,
        OfflineError.
        """
        files = open_model(model, prior=prior, clip=clip, offline=offline, announce=announce)
        pipe = cls(files.adapted(lora), device=device, dtype=dtype, memory=memory)
        pipe.parts.compat = compat_named(compat, files)
        return pipe

    def adapt(self, lora: Sequence[str | Path] = ()) -> None:
        """Use these LoRAs from now on; without any, the model is the published one to the bit."""
        self.files = self.files.adapted(lora)
        self.parts.adapt(self.files)

    @property
    def name(self) -> str:
        """What the model is called."""
        return self.files.name

    @property
    def defaults(self) -> Defaults:
        """What a request that says nothing gets."""
        return self.files.defaults

    @property
    def tokenizer(self) -> Tokenizer:
        """What turns the words into ids."""
        return self.parts.tokenizer

    @property
    def autoencoder(self) -> Autoencoder:
        """Pixels <-> latent."""
        net: Autoencoder = self.parts.get("autoencoder")
        return net

    def generate(self, prompt: str | Request, **fields: Any) -> Result:
        """Paint: `generate("red apple", seed=7)`, or a Request. Raises InputError for what cannot
        be painted.
        """
        for event in self.stream(prompt, **fields):
            if event.result is not None:
                return event.result
        raise AssertionError("a stream ends with its result")

    def stream(
        self, prompt: str | Request, *, batch: int = BATCH, **fields: Any
    ) -> Iterator[Progress]:
        """Paint, telling every step; the last event carries the result."""
        request = self.resolve(prompt, **fields)
        begun = time.monotonic()
        images: list[Image.Image] = []
        event = None
        for event, painted in self._paint([request], batch):
            images += [image for _, image in painted]
            if len(images) < request.n:
                yield event
        assert event is not None and request.seed is not None
        result = Result(
            images=images,
            seeds=[request.seed + i for i in range(request.n)],
            request=request,
            seconds=time.monotonic() - begun,
            warnings=self.warnings(request),
        )
        yield replace(event, result=result)

    def generate_many(self, requests: Sequence[Request], *, batch: int = BATCH) -> Iterator[Result]:
        """Paint several requests, sharing batches where their settings agree; results come in the
        order given.
        """
        resolved = [self.resolve(request) for request in requests]
        begun = time.monotonic()
        images: list[list[Image.Image]] = [[] for _ in resolved]
        due = 0
        for _, painted in self._paint(resolved, batch):
            for job, image in painted:
                images[job.owner].append(image)
            while due < len(resolved) and len(images[due]) == resolved[due].n:
                request, now = resolved[due], time.monotonic()
                assert request.seed is not None
                yield Result(
                    images=images[due],
                    seeds=[request.seed + i for i in range(request.n)],
                    request=request,
                    seconds=now - begun,
                    warnings=self.warnings(request),
                )
                begun, due = now, due + 1

    def resolve(self, prompt: str | Request, **fields: Any) -> Request:
        """The request with this model's defaults filled in and a seed drawn where none is given."""
        if isinstance(prompt, Request):
            request = replace(prompt, **fields) if fields else prompt
        else:
            request = Request(prompt=prompt, **{"model": self.name, **fields})
        check_task(self.files, request.task)
        return self.named(request).resolve(self.defaults)

    def named(self, request: Request) -> Request:
        """The request with its LoRAs noted and their identifiers in the place of `[V]`."""
        loras = self.files.loras
        used = tuple(LoraUse(name=a.name, sha256=a.sha256, scale=a.scale) for a in loras)
        if request.lora and request.lora != used:
            names = ", ".join(one.name for one in request.lora)
            raise InputError(f"the request was made with the LoRA {names}; load it with --lora")
        words = [word for lora in loras for word in lora.identifiers]
        said = {role: text and filled(text, words) for role, text in request.words.items()}
        add = tuple(
            each if each.words is None else replace(each, words=filled(each.words, words))
            for each in request.add
        )
        return replace(request, lora=used, add=add, **said)

    def warnings(self, request: Request) -> list[str]:
        """What the user should know: words that do not fit the model, and what was made of its
        pictures.
        """
        told: list[str] = []
        for role, text in request.words.items():
            if text and (role not in NEGATIVES or text != request.negative):
                told += self.reader.warnings(flag(role), text)
        for each in request.add:
            told += self.reader.warnings("add", each.words) if each.words else []
        return told + self._canvas(request).notes

    def _paint(
        self, requests: Sequence[Request], batch: int
    ) -> Iterator[tuple[Progress, list[tuple[Job, Image.Image]]]]:
        """Every step of every batch; with the last step of a batch, its pictures."""
        if batch < 1:
            raise InputError(f"batch: got {batch}; 1 or more is accepted")
        jobs = [Job(r.at(i), owner) for owner, r in enumerate(requests) for i in range(r.n)]
        done = 0
        for _, group in groupby(jobs, key=lambda job: shared(job.request)):
            same = list(group)
            for start in range(0, len(same), batch):
                chunk = same[start : start + batch]
                asked = [job.request for job in chunk]
                told = self._batch(Batch(asked, [self._canvas(each) for each in asked]))
                for stage, step, steps, value in without_grad(told):
                    event = Progress(
                        stage=stage,
                        step=step,
                        steps=steps,
                        first=done,
                        count=len(chunk),
                        total=len(jobs),
                        preview=value if stage == "decoder" else None,
                    )
                    pictures = value if stage == "pixels" else []
                    yield event, list(zip(chunk, pictures, strict=False))
                done += len(chunk)

    def _batch(self, batch: Batch) -> Iterator[Event]:
        """One batch from words and canvases to pictures."""
        if batch.settled:
            yield Event("pixels", 1, 1, [canvas.picture for canvas in batch.canvases])
            return
        inputs = yield from self.reader.read(batch)
        latent = yield from draw(self.parts, batch, inputs)
        yield Event("pixels", 1, 1, develop(self.parts, batch, latent))

    def _canvas(self, request: Request) -> Canvas:
        """What a request is painted on; requests on the same picture share it."""
        geometry = (request.task, request.width, request.height, request.invert_mask)
        sides = (request.feather, request.left, request.right, request.up, request.down)
        key = (request.inputs, geometry, sides)
        if key not in self._canvases:
            self._canvases = {key: with_depth(request, prepare(request))}
        return self._canvases[key]


def with_depth(request: Request, canvas: Canvas) -> Canvas:
    """The canvas, for depth with a depth map in the place of a picture."""
    if request.depth_model is None or canvas.picture is None or is_grey(canvas.picture):
        return canvas
    from bluerider.pipeline.depth import estimate_depth

    return replace(canvas, picture=estimate_depth(request.depth_model, canvas.picture))


def compat_named(name: str | None, files: ModelFiles) -> Compat | None:
    """The ways of a published program, by name; None is our own. Raises InputError."""
    if name is None:
        return None
    check_choice("compat", name, tuple(COMPAT))
    if files.family not in COMPAT[name]:
        families = " and ".join(COMPAT[name])
        raise InputError(f"compat {name}: it is known for {families}, not for {files.name}")
    return COMPAT[name][files.family]
