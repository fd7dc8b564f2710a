"""Published scheduler configs <-> our schedule of noise levels."""

from pathlib import Path
from typing import Any

from bluerider.config import ScheduleConfig
from bluerider.weights.fields import Fields, read_json

KINDS = {"linear": "linear", "scaled_linear": "scaled_linear", "squaredcos_cap_v2": "cosine"}
PREDICTS = {"epsilon": "eps", "sample": "x0", "v_prediction": "v"}
VARIANCES = {
    "fixed_small": "fixed_small",
    "fixed_small_log": "fixed_small",
    "fixed_large": "fixed_large",
    "fixed_large_log": "fixed_large",
    "learned": "learned",
    "learned_range": "learned",
}
CLASSES = (
    "UnCLIPScheduler",
    "DDPMScheduler",
    "DDIMScheduler",
    "PNDMScheduler",
    "DPMSolverMultistepScheduler",
    "UniPCMultistepScheduler",
    "EulerDiscreteScheduler",
    "EulerAncestralDiscreteScheduler",
    "HeunDiscreteScheduler",
)
CLIPPING = ("UnCLIPScheduler", "DDPMScheduler", "DDIMScheduler")


def read_schedule(folder: Path) -> ScheduleConfig:
    """The noise levels of a published scheduler folder; which sampler it names is left to the
    request.
    """
    path = folder / "scheduler_config.json"
    fields = Fields(read_json(path), path)
    name = fields.choice("_class_name", CLASSES)
    fields.fixed(trained_betas=None, rescale_betas_zero_snr=False)
    unclip = name == "UnCLIPScheduler"
    kind = "squaredcos_cap_v2" if unclip else "linear"
    threshold = fields.flag("thresholding", False)
    clamp: float | None = None
    if threshold:
        clamp = fields.number("sample_max_value", 0.0, 1e6, 1.0)
    elif name in CLIPPING and fields.flag("clip_sample", True):
        clamp = fields.number("clip_sample_range", 0.0, 1e6, 1.0)
    return ScheduleConfig(
        kind=KINDS[fields.choice("beta_schedule", tuple(KINDS), kind)],  # type: ignore[arg-type]
        predict=PREDICTS[fields.choice("prediction_type", tuple(PREDICTS), "epsilon")],  # type: ignore[arg-type]
        length=fields.integer("num_train_timesteps", 100_000, 1000, low=2),
        clamp=clamp,
        threshold=fields.number("dynamic_thresholding_ratio", 0.0, 1.0, 0.995)
        if threshold
        else None,
        variance=variance(fields),  # type: ignore[arg-type]
        **({"spacing": "linspace", "offset": 0} if unclip else betas(fields)),
    )


def variance(fields: Fields) -> str:
    """The variance of a random step, where the scheduler has one."""
    if fields.data.get("variance_type") is None:
        return "fixed_small"
    return VARIANCES[fields.choice("variance_type", tuple(VARIANCES))]


def betas(fields: Fields) -> dict[str, Any]:
    """Ends of the betas and the spacing of steps."""
    return {
        "start": fields.number("beta_start", 0.0, 1.0, 0.0001),
        "end": fields.number("beta_end", 0.0, 1.0, 0.02),
        "spacing": fields.choice(
            "timestep_spacing", ("leading", "trailing", "linspace"), "leading"
        ),
        "offset": fields.integer("steps_offset", 1000, 0, low=0),
    }


def write_schedule(config: ScheduleConfig) -> dict[str, Any]:
    """diffusers' scheduler config: UnCLIPScheduler for a cosine schedule (the prior), DDPMScheduler
    otherwise.
    """
    names = {ours: theirs for theirs, ours in PREDICTS.items()}
    clamped = config.clamp is not None and config.threshold is None
    if config.kind == "cosine":
        return {
            "_class_name": "UnCLIPScheduler",
            "beta_schedule": "squaredcos_cap_v2",
            "clip_sample": clamped,
            "clip_sample_range": config.clamp if clamped else 1.0,
            "num_train_timesteps": config.length,
            "prediction_type": names[config.predict],
            "variance_type": "learned_range" if config.variance == "learned" else "fixed_small_log",
        }
    return {
        "_class_name": "DDPMScheduler",
        "beta_end": config.end,
        "beta_schedule": config.kind,
        "beta_start": config.start,
        "clip_sample": clamped,
        "clip_sample_range": config.clamp if clamped else 1.0,
        "dynamic_thresholding_ratio": config.threshold or 0.995,
        "num_train_timesteps": config.length,
        "prediction_type": names[config.predict],
        "rescale_betas_zero_snr": False,
        "sample_max_value": config.clamp if config.threshold and config.clamp else 1.0,
        "steps_offset": config.offset,
        "thresholding": config.threshold is not None,
        "timestep_spacing": config.spacing if config.spacing != "karras" else "leading",
        "trained_betas": None,
        "variance_type": "learned_range" if config.variance == "learned" else config.variance,
    }
