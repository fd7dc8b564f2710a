"""Whole runs of the original samplers: words, latents and noises as recorded, our nets and loop."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from bluerider import catalog
from bluerider.config import Compat
from bluerider.diffusion.compat import OriginalDenoiser, begun, grown, noised, told, walk
from bluerider.diffusion.denoiser import Denoiser, Predict
from bluerider.diffusion.samplers import Constrain, Rule, ancestral, ddpm, plms, sample
from bluerider.diffusion.schedule import Schedule, Step
from bluerider.nets.conditioner import Condition
from bluerider.pipeline.drawing import predictor
from tests.goldens.case import Case, check, close
from tests.goldens.check_nets import decoder, kandinsky

SAMPLERS = {"p_sampler": "ddpm", "ddim_sampler": "ddim", "plms_sampler": "plms"}


@dataclass(frozen=True)
class Run:
    """A recorded run of Kandinsky 2.0 or 2.1, whose rows are [cond; uncond]."""

    case: Case

    @property
    def call(self) -> dict[str, Any]:
        found: dict[str, Any] = self.case.meta["call"]
        return found

    @property
    def is_20(self) -> bool:
        return "k20" in self.case.name

    @property
    def sampler(self) -> str:
        return SAMPLERS[self.call["sampler"]]

    @property
    def compat(self) -> Compat:
        return catalog.COMPAT["original"]["kandinsky-2.0" if self.is_20 else "kandinsky-2.1"]

    @cached_property
    def schedule(self) -> Schedule:
        if self.sampler == "ddpm":
            return Schedule(catalog.DDPM_20 if self.is_20 else catalog.DDPM_21)
        return Schedule(catalog.SCHEDULE_20 if self.is_20 else catalog.SCHEDULE_21)

    @property
    def scale(self) -> float:
        return catalog.SHAPES_20.autoencoder.scale if self.is_20 else 1.0

    @property
    def half(self) -> int:
        return len(self.case["out.latents_over_scale"])

    def flipped(self, name: str) -> Tensor:
        """Rows as ours, [uncond; cond]."""
        rows = self.case[name]
        return torch.cat([rows[self.half :], rows[: self.half]])

    def condition(self, conditioner: Any) -> Condition:
        if self.is_20:
            names = ("full_emb1", "pooled_emb1", "full_emb2")
            told = [self.flipped(f"in.{name}") for name in names]
        else:
            image = self.flipped("out.generate_img_arg.img_prompt")
            told = [image, self.flipped("in.full_emb"), self.flipped("in.pooled_emb")]
        found: Condition = conditioner(*told)
        return found

    @property
    def latent(self) -> Tensor:
        return self.case["in.latent"] * self.scale

    def finish(self, x: Tensor, predict: Predict, steps: list[Step], **known: Any) -> None:
        """Walk down and compare with where the original ended."""
        denoise = OriginalDenoiser(
            predict, self.schedule, self.compat, guidance=self.call["guidance_scale"], **known
        )
        rule = {"ddpm": ddpm("learned"), "ddim": ancestral(0.0), "plms": plms()}[self.sampler]
        noise = iter(self.case["in.noise_steps"][:, : self.half]).__next__
        for _, after, _ in sample(denoise, x, steps, rule, noise):
            x = after
        agree(x * steps[-1].scale / self.scale, self.case)


def agree(latent: Tensor, case: Case, name: str = "out.latents_over_scale") -> None:
    """The accuracy the index suggests: 20 times what rounding does to a run."""
    wanted = case[name]
    rounding = 20.0 * float(case.meta.get("rounding") or 0.0)
    close(latent, wanted, atol=max(rounding, 2e-5 * float(wanted.abs().max())))


def plain(case: Case) -> tuple[Run, Predict]:
    run = Run(case)
    unet, conditioner = kandinsky(case)
    return run, predictor(unet, *run.condition(conditioner), dtype=torch.float32)


@check("e1", "e4")
def text_to_image(case: Case) -> None:
    run, predict = plain(case)
    steps = walk(run.schedule, run.compat, run.sampler, run.call["num_steps"])
    assert [step.t for step in steps[:-1]] == unique(case["out.unet_timesteps"][:, 0].tolist())
    first = case["in.noise_init"][: run.half]
    run.finish(first / steps[0].scale, predict, steps)


def unique(ts: list[float]) -> list[float]:
    """Timesteps without the one that PLMS looks at ahead."""
    return [t for i, t in enumerate(ts) if t not in ts[:i]]


@check("e2", "e5")
def image_to_image(case: Case) -> None:
    run, predict = plain(case)
    how = run.sampler, run.call["num_steps"]
    ours = 1.0 - run.call["strength"]  # the original's keeps
    start = begun(run.schedule, run.compat, *how, ours)
    steps = walk(run.schedule, run.compat, *how, start)
    t = told(run.schedule, *how, start)
    x = noised(run.schedule, run.compat, run.latent, case["in.noise_q_sample"], t)
    close(x, case["out.generate_img_arg.noise"][:1])
    run.finish(x / steps[0].scale, predict, steps)


@check("e3", "e6")
def inpainting(case: Case) -> None:
    run, inner = plain(case)
    cells = run.latent.shape[-2:]
    mask = torch.nn.functional.interpolate(case["in.mask_full"][None, None], cells, mode="nearest")
    kept = grown(mask, run.compat)
    close(kept, case["out.generate_img_arg.img_mask"][:1])
    close(run.latent, case["out.generate_img_arg.init_img"][:1])
    seen = torch.cat([run.latent * kept * kept, kept], dim=1)

    def predict(x: Tensor, t: Tensor, both: bool) -> tuple[Tensor | None, Tensor]:
        return inner(torch.cat([x, seen], dim=1), t, both)

    steps = walk(run.schedule, run.compat, run.sampler, run.call["num_steps"])
    first = case["in.noise_init"][:1]
    early = run.call.get("denoised_type", "dynamic_threshold")
    x = first / steps[0].scale
    run.finish(x, predict, steps, known=run.latent, kept=kept, early=early)


@check("f1", "f2")
def mixing(case: Case) -> None:
    run, predict = plain(case)
    call = run.call
    parts = [embedding(case, name) for name in call["images_texts"]]
    mixed = sum(w * each for w, each in zip(call["weights"], parts, strict=True))
    assert isinstance(mixed, Tensor)
    prompts = case["out.generate_img_arg.img_prompt"][: run.half]
    close(mixed.expand(run.half, -1), prompts)
    steps = walk(run.schedule, run.compat, run.sampler, call["num_steps"])
    first = case["in.noise_init"][: run.half]
    run.finish(first / steps[0].scale, predict, steps)


def embedding(case: Case, name: str) -> Tensor:
    """The recorded embedding of a text or a picture (1, D)."""
    name = name.replace(" ", "_")
    key = f"in.clip.{name}" if f"in.clip.{name}" in case else f"in.clip_image.{name}"
    return case[key][:1]


def stable(case: Case) -> tuple[Predict, Schedule]:
    unet, _ = decoder(case.weights, heads=4)
    words = torch.cat([case["in.uncond"], case["in.cond"]]) if "in.uncond" in case else None
    context = torch.cat([case["in.cond"]] * 2) if words is None else words
    return predictor(unet, context, None, dtype=torch.float32), Schedule(catalog.SCHEDULE_SD)


def ldm(
    case: Case,
    x: Tensor,
    steps: list[Step],
    rule: Rule,
    noise: Callable[[], Tensor],
    constrain: Constrain | None = None,
) -> Tensor:
    predict, schedule = stable(case)
    scale = case.meta["call"].get("unconditional_guidance_scale", 1.0)
    denoise = Denoiser(predict, schedule, guidance=scale)
    for _, after, _ in sample(denoise, x, steps, rule, noise, constrain):
        x = after
    return x * steps[-1].scale


@check("h4")
def latent_diffusion(case: Case) -> None:
    schedule = Schedule(catalog.SCHEDULE_SD)
    compat = catalog.ORIGINAL_20
    steps = walk(schedule, compat, "ddim", case.meta["call"]["S"])
    if "in.x0" not in case:
        assert [s.t for s in steps[:-1]] == case["out.ddim_timesteps"].flip(0).tolist()
        rule = ancestral(case.meta["call"]["eta"])
        fresh = iter(case["in.noise_steps"]).__next__
        agree(ldm(case, case["in.x_T"] / steps[0].scale, steps, rule, fresh), case, "out.samples")
    elif "in.mask" in case:
        agree(masked(case, steps), case, "out.samples")
    else:
        picture_of_ldm(case, schedule, steps)


def picture_of_ldm(case: Case, schedule: Schedule, steps: list[Step]) -> None:
    """Noised to one step of the list and walked from the one below it."""
    index = 3
    above = steps[-2 - index]
    at = torch.full((len(case["in.x0"]),), int(above.t))
    noisy = schedule.noised(case["in.x0"], case["in.noise"], at)
    close(noisy, case["out.stochastic_encode"])
    below = steps[-1 - index :]
    x = noisy / below[0].scale
    agree(ldm(case, x, below, ancestral(0.0), lambda: x), case, "out.decode")


def masked(case: Case, steps: list[Step]) -> Tensor:
    """The known region put into x before every step."""
    kept, known = case["in.mask"], case["in.x0"]
    draws = iter(case["in.noise_q_sample"])

    def hold(x: Tensor, step: Step) -> Tensor:
        if step is steps[-1]:
            return x
        return (known + step.sigma * next(draws)) * kept + (1.0 - kept) * x

    x = hold(case["in.x_T"] / steps[0].scale, steps[0])
    return ldm(case, x, steps, ancestral(0.0), lambda: x, Constrain(x=hold))
