"""Whole runs of the original Kandinsky samplers, replayed: the recorded net answers, ours walks."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from bluerider.config import ScheduleConfig
from bluerider.diffusion.denoiser import Denoiser, Predict
from bluerider.diffusion.samplers import ancestral, ddpm, plms, sample
from bluerider.diffusion.schedule import Schedule

Golden = Callable[[str], dict[str, Tensor]]
PRIOR = Schedule(ScheduleConfig(kind="cosine", predict="x0", clamp=10.0))


def recorded(answers: Tensor, ts: Tensor, inputs: Tensor | None = None) -> Predict:
    """A net that gives the recorded answers, conditional half first, where it is asked as it
    was.
    """
    calls = iter(range(len(answers)))

    def predict(x: Tensor, t: Tensor, both: bool) -> tuple[Tensor | None, Tensor]:
        i, half = next(calls), len(x)
        assert both
        assert t.tolist() == ts[i, :half].tolist()
        if inputs is not None:
            torch.testing.assert_close(x, inputs[i, :half], rtol=1e-4, atol=2e-4)
        return answers[i, half:], answers[i, :half]

    return predict


@pytest.mark.parametrize(
    ("case", "family", "guidance"),
    [("e1_k20_text2img_ddim", "k20", 7.0), ("e4_k21_text2img_plms", "k21", 4.0)],
)
def test_ddim_and_plms_end_where_the_originals_do(
    case: str, family: str, guidance: float, golden: Golden, published: dict[str, Schedule]
) -> None:
    run, schedule = golden(case), published[family]
    steps = schedule.steps(5, "leading", end=float(schedule.sigmas[0]))
    half = len(run["in.noise_init"]) // 2
    net = recorded(run["out.unet_eps"], run["out.unet_timesteps"])
    denoise = Denoiser(net, schedule, guidance=guidance)
    rule = plms() if "plms" in case else ancestral(0.0)
    x = run["in.noise_init"][:half] / steps[0].scale
    *_, (index, x, _) = sample(denoise, x, steps, rule, lambda: x)
    latent = x * steps[-1].scale
    assert index == 4
    # 2.0 multiplies its latents by 0.0512 before the net, and divides by it after.
    latent = latent / 0.0512 if family == "k20" else latent
    wanted = run["out.latents_over_scale"]
    torch.testing.assert_close(latent, wanted, rtol=1e-4, atol=2e-5 * float(wanted.abs().max()))


def test_the_originals_p_sampler_is_ddpm_with_learned_variance(
    golden: Golden, published: dict[str, Schedule]
) -> None:
    """Of the first picture: the original thresholds the second by the first one's quantile."""
    run = golden("e4_k21_text2img_p")
    schedule = Schedule(replace(published["k21"].config, clamp=2.0, threshold=0.995))
    steps, half = schedule.steps(5, "linspace"), len(run["in.noise_init"]) // 2
    answers = run["out.unet_eps"]
    first = torch.stack([answers[:, 0], answers[:, half]], 1)
    denoise = Denoiser(recorded(first, run["out.unet_timesteps"]), schedule, guidance=4.0)
    noise = iter(run["in.noise_steps"][:, :1]).__next__
    x = run["in.noise_init"][:1] / steps[0].scale
    *_, (_, x, _) = sample(denoise, x, steps, ddpm("learned"), noise)
    torch.testing.assert_close(x, run["out.latents_over_scale"][:1], rtol=1e-4, atol=3e-4)


@pytest.mark.parametrize("case", ["c3_prior_sample_p5", "c5_prior_sample_ddim5"])
def test_the_prior_is_walked_as_in_the_original(case: str, golden: Golden) -> None:
    run, ddim = golden(case), "ddim" in case
    steps = PRIOR.steps(5, "leading" if ddim else "linspace")
    net = recorded(run["out.model_out"], run["out.model_timesteps"], run["out.model_in_x"])
    denoise = Denoiser(net, PRIOR, guidance=run["in.cf_guidance_scales"].tolist())
    noise = iter(run["in.noise_steps"][:, :2]).__next__
    x = run["in.noise_init"][:2] / steps[0].scale
    rule = ancestral(0.0) if ddim else ddpm("fixed_small")
    *_, (_, x, _) = sample(denoise, x, steps, rule, noise)
    embedding = x * run["in.clip_std"] + run["in.clip_mean"]
    torch.testing.assert_close(embedding, run["out.image_emb"], rtol=1e-4, atol=2e-4)
