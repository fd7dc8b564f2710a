"""Tables: betas, respaced chains, DDIM's numbers, noising, masks and pictures."""

import re
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from bluerider import catalog
from bluerider.diffusion.compat import grown, noised, spaced, walk
from bluerider.diffusion.loss import elbo_weight
from bluerider.diffusion.schedule import Posterior, Schedule
from bluerider.images import from_array, to_array
from bluerider.weights import originals
from bluerider.weights.net import BUILDERS, Uninitialised
from tests.goldens.case import Case, check, close

PUBLISHED = {
    "k20": catalog.SCHEDULE_20,
    "k21": catalog.SCHEDULE_21,
    "prior": catalog.PRIOR_SCHEDULE,
}
EXACT: dict[str, Any] = {"rtol": 1e-9, "atol": 1e-12}


@check("e0")
def tables(case: Case) -> None:
    name = case.name.removeprefix("e0_")
    TABLES[name](case)


def full_schedules(case: Case) -> None:
    for family, config in PUBLISHED.items():
        schedule, wanted = Schedule(config), case.under(f"out.{family}.full.")
        bar = schedule.alpha_bar
        found = {
            "betas": schedule.betas,
            "alphas_cumprod": bar,
            "alphas_cumprod_prev": torch.cat([bar.new_ones(1), bar[:-1]]),
            "sqrt_alphas_cumprod": bar.sqrt(),
            "sqrt_one_minus_alphas_cumprod": (1 - bar).sqrt(),
            "sqrt_recipm1_alphas_cumprod": schedule.sigmas,
            **posterior(schedule.posterior),
        }
        for key, table in found.items():
            close(table, wanted[key], **EXACT)


def posterior(found: Posterior) -> dict[str, Tensor]:
    return {
        "posterior_variance": found.variance,
        "posterior_log_variance_clipped": found.log_variance,
        "posterior_mean_coef1": found.of_x0,
        "posterior_mean_coef2": found.of_x,
    }


def respaced_schedules(case: Case) -> None:
    for family, config in PUBLISHED.items():
        prefix = f"out.{family}.r"
        named = {key.split(".")[0] for key in case.under(prefix)}
        assert named
        for respacing in named:
            kept = timesteps(respacing)
            wanted = case.under(f"{prefix}{respacing}.")
            assert kept == wanted["timestep_map"].tolist()
            bar = Schedule(config).alpha_bar[kept]
            chain = Posterior(bar)
            found = {"betas": chain.betas, "alphas_cumprod": bar, **posterior(chain)}
            for key, table in found.items():
                close(table, wanted[key], **EXACT)


def timesteps(respacing: str) -> list[int]:
    """The kept timesteps of a respacing as the original spells it, _ for its commas."""
    if respacing.startswith("ddim"):
        return [t + 1 for t in range(0, 1000, 1000 // int(respacing[4:])) if t + 1 < 1000]
    counts = [int(count) for count in respacing.split("_")]
    size, extra = divmod(1000, len(counts))
    kept, start = [], 0
    for index, count in enumerate(counts):
        length = size + (index < extra)
        kept += [start + t for t in spaced(length, count)]
        start += length
    return kept


def ddim_tables(case: Case) -> None:
    schedule, compat = Schedule(catalog.SCHEDULE_21), catalog.COMPAT["original"]["kandinsky-2.1"]
    for key in case.under("out."):
        if not key.endswith(".timesteps"):
            continue
        prefix = key.removesuffix("timesteps")
        wanted = case.under(f"out.{prefix}")
        count, begin = re.findall(r"S(\d+)\.init(\w+)\.", prefix)[0]
        start = None if begin == "None" else int(begin)
        steps = walk(schedule, compat, "ddim", int(count), start)
        sigmas = torch.tensor([step.sigma for step in steps], dtype=torch.float64).flip(0)
        bars = 1 / (1 + sigmas**2)
        assert [step.t for step in steps[:-1]][::-1] == wanted["timesteps"].tolist()
        close(bars[1:], wanted["alphas"], **EXACT)
        close(bars[:-1], wanted["alphas_prev"], **EXACT)
        for name, sigma in wanted.items():
            if name.startswith("sigmas_eta"):
                eta = float(name.removeprefix("sigmas_eta"))
                below, above = bars[:-1], bars[1:]
                part = ((1 - below) / (1 - above) * (1 - above / below)).clamp_min(0).sqrt()
                close(eta * part, sigma, rtol=1e-7, atol=1e-12)


def noising(case: Case) -> None:
    x, noise = case["in.x_start"], case["in.noise"]
    compat = catalog.COMPAT["original"]
    for key, wanted in case.under("out.").items():
        if ".t" not in key:
            continue
        t = int(key.rpartition(".t")[2])
        at = torch.full((len(x),), t)
        if key.startswith("diffusion_q_sample"):
            family = key.split(".")[1]
            close(Schedule(PUBLISHED[family]).noised(x, noise, at), wanted)
        else:
            for family in ("kandinsky-2.0", "kandinsky-2.1"):
                schedule = Schedule(PUBLISHED["k20" if family.endswith("0") else "k21"])
                close(noised(schedule, compat[family], x, noise, t), wanted)


def image_helpers(case: Case) -> None:
    compat = catalog.COMPAT["original"]["kandinsky-2.1"]
    for i in range(3):
        assert torch.equal(grown(case[f"in.mask{i}"], compat), case[f"out.prepare_mask{i}"])
        wanted = case[f"out.prepare_image{i}"][0]
        picture = Image.fromarray(case[f"in.pil{i}"].numpy())
        size = (wanted.shape[2], wanted.shape[1])
        fitted = picture.resize(size, Image.Resampling.BICUBIC, reducing_gap=1)
        close(torch.from_numpy(to_array(fitted)).movedim(-1, 0), wanted)
    full = case["in.mask_full"][None, None]
    small = torch.nn.functional.interpolate(full, (8, 12), mode="nearest")
    assert torch.equal(grown(small, compat), case["out.mask_latent_prepared"])
    pictures = case["in.batch"].movedim(1, -1).numpy()
    ours = np.stack([np.asarray(from_array(picture)) for picture in pictures])
    levels = np.abs(ours.astype(int) - case["out.process_images"].numpy().astype(int))
    assert levels.max() <= 1


TABLES = {
    "schedules_full": full_schedules,
    "schedules_respaced": respaced_schedules,
    "ddim_tables": ddim_tables,
    "q_sample": noising,
    "image_helpers": image_helpers,
}


@check("h3")
def latent_diffusion_tables(case: Case) -> None:
    schedule = Schedule(catalog.SCHEDULE_SD)
    bar = schedule.alpha_bar
    found = {
        "betas": schedule.betas,
        "alphas_cumprod": bar,
        "alphas_cumprod_prev": torch.cat([bar.new_ones(1), bar[:-1]]),
        "sqrt_alphas_cumprod": bar.sqrt(),
        "sqrt_one_minus_alphas_cumprod": (1 - bar).sqrt(),
        "lvlb_weights": elbo_weight(schedule, torch.arange(schedule.length)),
        **posterior(schedule.posterior),
    }
    for key, table in found.items():
        # Its buffers are float32, and its clipped log variance starts at 1e-20.
        first = 1 if key == "posterior_log_variance_clipped" else 0
        close(table[first:], case[f"out.{key}"][first:], rtol=1e-4, atol=1e-9)
    linear = case["out.make_beta_schedule.linear"]
    close(schedule.betas, linear, **EXACT)


K1 = {
    "k20_unet": ("unet", catalog.SHAPES_20),
    "k21_unet": ("unet", catalog.SHAPES_21),
    "k21_movq": ("autoencoder", catalog.SHAPES_21),
    "k20_autoencoder_kl": ("autoencoder", catalog.SHAPES_20),
    "k21_prior": ("prior", catalog.SHAPES_21),
    "sd_v1_unet": ("unet", catalog.SHAPES_SD),
}


@check("k1")
def names_of_the_published_files(case: Case) -> None:
    for model, table in case.table.items():
        base = model.removesuffix("_inpaint")
        kind, shapes = K1[base]
        if base != model:
            shapes = catalog.widened(shapes)
            table = case.table[base] | table
        config = getattr(shapes, kind)
        config = (config, shapes.conditioner) if kind == "unet" else config
        with torch.device("meta"), Uninitialised():
            ours = BUILDERS[kind](config).state_dict()
        if kind == "prior":
            table = table | {"0": [config.embed_dim], "1": [config.embed_dim]}
        published = originals.keymap(kind, config).write(ours)
        assert {name: list(tensor.shape) for name, tensor in published.items()} == table, model
