"""Words: CLIP in OpenAI's names, its tokenizer, and what the prior of 2.1 makes of them."""

import json
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from bluerider import catalog
from bluerider.diffusion.denoiser import Denoiser
from bluerider.diffusion.samplers import ancestral, ddpm, sample
from bluerider.diffusion.schedule import Schedule
from bluerider.nets.clip import TextTower, VisionTower
from bluerider.nets.prior import Prior
from bluerider.weights import infer, originals
from bluerider.weights.places import EMBEDDED
from bluerider.weights.tokens import load_tokenizer
from tests.goldens.case import Case, check, close
from tests.goldens.check_nets import prior_of, shapes


def walked(
    net: Prior,
    told: tuple[Tensor, Tensor, Tensor],
    scales: list[float],
    first: Tensor,
    noises: Tensor,
    spacing: str,
) -> Tensor:
    """Image embeddings (B, D) by the prior; rows of `told` and of the noise are [cond; uncond]."""
    schedule = Schedule(catalog.PRIOR_SCHEDULE)
    name, count = ("leading", int(spacing[4:])) if "ddim" in spacing else ("linspace", int(spacing))
    steps = schedule.steps(count, name, offset=1 if name == "leading" else 0)
    half = len(first) // 2

    def predict(x: Tensor, t: Tensor, both: bool) -> tuple[Tensor | None, Tensor]:
        out = net(x.repeat(2, 1), t.repeat(2), *told)
        return out[half:], out[:half]

    denoise = Denoiser(predict, schedule, guidance=scales)
    rule = ancestral(0.0) if name == "leading" else ddpm("fixed_small")
    fresh = iter(noises[:, :half]).__next__
    x = first[:half] / steps[0].scale
    for _, after, _ in sample(denoise, x, steps, rule, fresh):
        x = after
    return net.restore(x * steps[-1].scale)


@check("c3", "c4", "c5")
def prior_run(case: Case) -> None:
    net = prior_of(case, case.weights)
    told = (case["in.txt_feat_seq"], case["in.txt_feat"], case["in.mask"])
    found = walked(
        net,
        told,
        case["in.cf_guidance_scales"].tolist(),
        case["in.noise_init"],
        case["in.noise_steps"],
        case.meta["timestep_respacing"],
    )
    close(found, case["out.image_emb"], atol=3e-5 * float(case["out.image_emb"].abs().max()))


def towers(case: Case) -> tuple[TextTower, VisionTower]:
    """CLIP's two towers from weights in OpenAI's names."""
    given: dict[str, Any] = case.meta["config"]["clip"]
    weights = case.under("weights.")
    table = shapes(weights)
    # Its two last ids but one frame a text; in the published vocabulary they are the two last.
    text = replace(infer.openai_text(table), heads=given["transformer_heads"], eos=98)
    vision = infer.openai_vision(table)
    nets = TextTower(text), VisionTower(vision)
    for net, keymap in zip(nets, (originals.OPENAI_TEXT, originals.OPENAI_VISION), strict=True):
        net.load_state_dict(keymap.read(weights))
        net.requires_grad_(False).eval()
    return nets


@check("j1")
def clip_and_the_embeddings_of_the_prior(case: Case) -> None:
    text, vision = towers(case)
    close(text(case["in.tokens"]).embedding, case["out.encode_text"])
    close(vision(case["in.image"]), case["out.encode_image"])
    size = vision.config.size
    close(vision(torch.zeros(1, 3, size, size)), case["out.zero_image_emb"])
    net = prior_of(case, case.only("c1_prior_forward.safetensors"))
    words = {"plain": ([97, 3, 41, 60, 98], [97, 98]), "negative": (None, [97, 55, 98])}
    for name, (prompt, negative) in words.items():
        rows = case[f"out.{name}.mask"].shape[0] // 2
        ids = padded([prompt or [97, 3, 41, 60, 98]] * rows + [negative] * rows)
        states, embedding, _ = text(ids)
        close(states, case[f"out.{name}.txt_feat_seq"])
        close(embedding, case[f"out.{name}.txt_feat"])
        found = walked(
            net,
            (states, embedding, case[f"out.{name}.mask"]),
            case[f"out.{name}.scales"].tolist(),
            case[f"in.{name}.noise_init"],
            case[f"in.{name}.noise_steps"],
            "5",
        )
        close(found, case[f"out.{name}.image_emb"])


def padded(rows: list[list[int]], length: int = 7) -> Tensor:
    """Ids with zeros behind."""
    return torch.tensor([row + [0] * (length - len(row)) for row in rows])


@check("j2")
def clip_tokenizer(case: Case) -> None:
    texts = case.meta.get("texts") or json.loads(case.meta["config"])["texts"]
    words = load_tokenizer(EMBEDDED / "clip", replace(catalog.L14_TEXT, pad=0))
    ids, mask = words(texts)
    assert torch.equal(ids.to(torch.int32), case["out.tokens"])
    assert torch.equal(mask.to(torch.uint8), case["out.mask"])
