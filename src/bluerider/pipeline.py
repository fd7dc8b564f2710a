"""Words -> pictures: the one Python API."""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import Any, TypeVar

import torch
from PIL import Image
from torch import Tensor

from bluerider.catalog import Defaults
from bluerider.devices import choose_device, choose_dtype
from bluerider.diffusion.denoiser import Denoiser
from bluerider.diffusion.samplers import rule_named, sample
from bluerider.diffusion.schedule import Schedule
from bluerider.errors import InputError
from bluerider.images import from_array
from bluerider.nets.autoencoder import Autoencoder
from bluerider.nets.clip import TextTower
from bluerider.nets.conditioner import ImageConditioner
from bluerider.nets.prior import Prior
from bluerider.nets.unet import UNet
from bluerider.request import Progress, Request, Result
from bluerider.tokenizers import Tokenizer
from bluerider.weights.hub import Announce
from bluerider.weights.load import ModelFiles, open_model

BATCH = 8
PRIOR_NOISE, DECODER_NOISE = 0, 1
T = TypeVar("T")


@dataclass(frozen=True)
class Job:
    """One picture: a resolved request with n = 1, and which of the requests given it belongs to."""

    request: Request
    owner: int

    @property
    def settings(self) -> Request:
        """What pictures painted in one batch must share."""
        return replace(self.request, prompt="-", negative="", seed=0)


class Dice:
    """Standard normal noise of a batch in which every picture draws from a generator of its own.

    Drawn on the CPU, so that a seed means the same picture on every device and in every batch;
    prior and
    decoder draw from different generators, so that the steps of one do not move the noise of the
    other.
    """

    def __init__(self, seeds: Sequence[int], stream: int, shape: tuple[int, ...]) -> None:
        self.shape = shape
        self.generators = [torch.Generator().manual_seed(2 * seed + stream) for seed in seeds]

    def __call__(self) -> Tensor:
        """The next draw (B, *shape)."""
        return torch.stack([torch.randn(self.shape, generator=g) for g in self.generators])

    def on(self, device: torch.device) -> Callable[[], Tensor]:
        """What draws and moves to a device."""
        return lambda: self().to(device)


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

    def __init__(self, files: ModelFiles, *, device: str = "auto", dtype: str = "auto") -> None:
        self.files = files
        check_plain(files)
        self.device = choose_device(device)
        self.dtype = choose_dtype(dtype, self.device, files.bytes("unet") // 2)

    @classmethod
    def load(
        cls,
        model: str | Path = "murnau",
        *,
        device: str = "auto",
        dtype: str = "auto",
        prior: str | Path | None = None,
        offline: bool = False,
        announce: Announce | None = None,
    ) -> "Pipeline":
        """A catalog name, a model folder, a decoder folder or a hub id. Raises InputError,
        WeightsError, OfflineError.
        """
        files = open_model(model, prior=prior, offline=offline, announce=announce)
        return cls(files, device=device, dtype=dtype)

    @property
    def name(self) -> str:
        """What the model is called."""
        return self.files.name

    @property
    def defaults(self) -> Defaults:
        """What a request that says nothing gets."""
        return self.files.defaults

    def part(self, name: str) -> Any:
        """A network part on this pipeline's device, in its dtype, convolutions channels-last."""
        net = self.files.load(name, dtype=self.dtype, device=self.device)
        if name == "unet":
            return net[0].to(memory_format=torch.channels_last), net[1]
        return net.to(memory_format=torch.channels_last) if name == "autoencoder" else net

    @cached_property
    def tokenizer(self) -> Tokenizer:
        return self.files.tokenizer()

    @cached_property
    def text(self) -> TextTower:
        return self.part("text")

    @cached_property
    def prior(self) -> Prior:
        return self.part("prior")

    @cached_property
    def decoder(self) -> tuple[UNet, ImageConditioner]:
        return self.part("unet")

    @cached_property
    def autoencoder(self) -> Autoencoder:
        return self.part("autoencoder")

    @cached_property
    def zero(self) -> Tensor:
        """The embedding (1, D) of the zero picture: the decoder's condition for "nothing in
        particular".
        """
        return self.files.zero_embedding().to(self.device, torch.float32)

    def fit(self, prompt: str) -> tuple[str, list[str]]:
        """The part of a prompt that the model reads, and the words that are cut."""
        return self.tokenizer.fit(prompt)

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
        return request.resolve(self.defaults)

    def warnings(self, request: Request) -> list[str]:
        """What the user should know: words that do not fit the model."""
        found = []
        for name, text in (("prompt", request.prompt), ("negative", request.negative)):
            _, cut = self.fit(text)
            if cut:
                found.append(
                    f"{name}: the model reads {self.tokenizer.length} tokens; cut: {' '.join(cut)}"
                )
        return found

    def _paint(
        self, requests: Sequence[Request], batch: int
    ) -> Iterator[tuple[Progress, list[tuple[Job, Image.Image]]]]:
        """Every step of every batch; with the last step of a batch, its pictures."""
        if batch < 1:
            raise InputError(f"batch: got {batch}; 1 or more is accepted")
        jobs = [Job(r.at(i), owner) for owner, r in enumerate(requests) for i in range(r.n)]
        done = 0
        for settings, group in groupby(jobs, key=lambda job: job.settings):
            same = list(group)
            for start in range(0, len(same), batch):
                chunk = same[start : start + batch]
                for stage, step, steps, value in without_grad(self._batch(chunk, settings)):
                    event = Progress(
                        stage=stage,
                        step=step,
                        steps=steps,
                        first=done,
                        count=len(chunk),
                        total=len(jobs),
                        preview=value if stage == "decoder" else None,
                    )
                    pictures = [from_array(p) for p in value] if stage == "pixels" else []
                    yield event, list(zip(chunk, pictures, strict=False))
                done += len(chunk)

    def _batch(self, jobs: list[Job], settings: Request) -> Iterator[tuple[str, int, int, Any]]:
        """One batch from words to pixels, as (stage, step, steps, value)."""
        seeds = [job.request.seed or 0 for job in jobs]
        prompts = [job.request.prompt for job in jobs]
        negatives = [job.request.negative for job in jobs]
        embedding = uncond = self.zero.expand(len(jobs), -1)
        for step, steps, x in self._imagine(prompts, negatives, seeds, settings):
            yield "prior", step, steps, None
            embedding = x
        if any(negative.strip() for negative in negatives):
            for _, _, x in self._imagine(negatives, [""] * len(jobs), seeds, settings):
                blank = torch.tensor([not n.strip() for n in negatives], device=self.device)
                uncond = torch.where(blank[:, None], self.zero, x)
        latent = None
        for step, steps, x, x0 in self._draw(embedding, uncond, seeds, settings):
            yield "decoder", step, steps, x0
            latent = x
        assert latent is not None
        pixels = self.autoencoder.decode(latent.to(self.dtype)).float()
        yield "pixels", 1, 1, pixels.movedim(1, -1).cpu().numpy()

    def _imagine(
        self, prompts: list[str], negatives: list[str], seeds: list[int], settings: Request
    ) -> Iterator[tuple[int, int, Tensor]]:
        """The prior: words -> image embedding (B, D), as (step, steps, embedding so far)."""
        schedule = Schedule(self.files.schedule("prior_schedule"))
        prior, count = self.prior, len(prompts)
        ids, mask = (x.to(self.device) for x in self.tokenizer([*negatives, *prompts], full=False))
        states, pooled = self.text(ids)

        def predict(x: Tensor, t: Tensor, both: bool) -> tuple[Tensor | None, Tensor]:
            first = 0 if both else count
            times = 2 if both else 1
            told = (states[first:], pooled[first:], mask[first:])
            out = prior(x.to(self.dtype).repeat(times, 1), t.repeat(times), *told).float()
            return (out[:count], out[count:]) if both else (None, out)

        dice = Dice(seeds, PRIOR_NOISE, (prior.config.embed_dim,))
        steps = schedule.steps(settings.prior_steps or 1)
        scale = 1.0 if settings.prior_guidance is None else settings.prior_guidance
        denoise = Denoiser(predict, schedule, guidance=scale)
        noise = dice.on(self.device)
        start = noise() / steps[0].scale
        rule = rule_named("ddpm", variance=schedule.config.variance)
        for index, x, _ in sample(denoise, start, steps, rule, noise):
            yield index + 1, len(steps) - 1, prior.restore(x * steps[-1].scale).float()

    def _draw(
        self, embedding: Tensor, uncond: Tensor, seeds: list[int], settings: Request
    ) -> Iterator[tuple[int, int, Tensor, Tensor]]:
        """The decoder: image embedding -> latent (B, C, h, w), as (step, steps, latent
        so far, x0).
        """
        schedule = Schedule(self.files.schedule("schedule"))
        unet, conditioner = self.decoder
        count = len(embedding)
        context, pooled = conditioner(torch.cat([uncond, embedding]).to(self.dtype))
        keys = unet.keys(context)
        cond_keys = [(k[count:], v[count:]) for k, v in keys]

        def predict(x: Tensor, t: Tensor, both: bool) -> tuple[Tensor | None, Tensor]:
            x = x.to(self.dtype, memory_format=torch.channels_last)
            if not both:
                return None, unet(x, t, cond_keys, pooled[count:]).float()
            out = unet(x.repeat(2, 1, 1, 1), t.repeat(2), keys, pooled).float()
            return out[:count], out[count:]

        config = self.autoencoder.config
        assert settings.height and settings.width and settings.sampler
        cells = (settings.height // config.factor, settings.width // config.factor)
        dice = Dice(seeds, DECODER_NOISE, (config.latent_channels, *cells))
        steps = schedule.steps(settings.steps or 1, settings.spacing)
        rule = rule_named(
            settings.sampler, eta=settings.eta or 0.0, variance=schedule.config.variance
        )
        denoise = Denoiser(
            predict,
            schedule,
            guidance=1.0 if settings.guidance is None else settings.guidance,
            interval=settings.guidance_interval,
        )
        noise = dice.on(self.device)
        start = noise() / steps[0].scale
        for index, x, x0 in sample(denoise, start, steps, rule, noise):
            yield index + 1, len(steps) - 1, x * steps[-1].scale, x0


def check_plain(files: ModelFiles) -> None:
    """Whether words alone are enough for this model. Raises InputError for inpainting and depth."""
    unet, conditioner = files.config("unet")
    if conditioner.hint or unet.in_channels != files.config("autoencoder").latent_channels:
        raise InputError(
            f"{files.name}: this model needs a picture beside the words, which this version cannot "
            "give it; use the plain model, e.g. kandinsky-2.2"
        )
