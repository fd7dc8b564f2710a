"""The prior: words -> image embedding, by the one sampling loop."""

from collections.abc import Generator, Sequence

from torch import Tensor

from bluerider.diffusion.denoiser import Denoiser
from bluerider.diffusion.samplers import rule_named, sample
from bluerider.pipeline.batch import Event
from bluerider.pipeline.dice import PRIOR_NOISE, Dice
from bluerider.pipeline.parts import Parts
from bluerider.pipeline.words import tell
from bluerider.prompts.weights import parse
from bluerider.request import Request


def imagine(
    parts: Parts,
    prompts: Sequence[str],
    negatives: Sequence[str],
    seeds: Sequence[int],
    settings: Request,
    start: Tensor | None = None,
) -> Generator[Event, None, Tensor]:
    """Tells every step of the prior; returns the image embeddings (B, D), float32.

    `negatives` are the words of the prior's unconditional half. From `start`, embeddings (B, D),
    it goes as far as `settings.prior_strength` says; they are noised in the prior's own space, that
    is, normalised by its statistics.
    """
    count = len(prompts)
    states, pooled, mask = tell(parts, [*negatives, *prompts])
    with parts.using("prior") as prior:

        def predict(x: Tensor, t: Tensor, both: bool) -> tuple[Tensor | None, Tensor]:
            first = 0 if both else count
            times = 2 if both else 1
            told = (states[first:], pooled[first:], mask[first:])
            out = prior(x.to(parts.dtype).repeat(times, 1), t.repeat(times), *told).float()
            return (out[:count], out[count:]) if both else (None, out)

        schedule = parts.schedule("prior_schedule")
        noise = Dice(seeds, PRIOR_NOISE, (prior.config.embed_dim,)).on(parts.device)
        steps = schedule.steps(settings.prior_steps or 1)
        scale = 1.0 if settings.prior_guidance is None else settings.prior_guidance
        denoise = Denoiser(predict, schedule, guidance=scale)
        rule = rule_named("ddpm", variance=schedule.config.variance)
        x0 = None if start is None else prior.normalise(start.to(parts.dtype)).float()
        strength = 1.0 if settings.prior_strength is None else settings.prior_strength
        x, steps = schedule.begin(steps, noise(), x0, strength)
        for index, after, _ in sample(denoise, x, steps, rule, noise):
            x = after
            yield Event("prior", index + 1, len(steps) - 1)
        found: Tensor = prior.restore(x * steps[-1].scale).float()
    if x0 is None and scale == 1.0:
        told = [parse(prompt) for prompt in prompts]
        plain = [i for i, each in enumerate(told) if each.plain]
        parts.note([told[i].text for i in plain], found[plain])
    return found
