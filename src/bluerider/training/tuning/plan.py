"""Every setting of a tuning run: read from presets, files and `key=value`, checked before anything
heavy is imported.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Any, get_type_hints

import yaml

from bluerider.checks import suggestion
from bluerider.errors import InputError

PRESETS = Path(__file__).parents[1] / "presets"
TABLES = ("models", "purposes")  # files there that are no presets
MODES = ("off", "word", "lora", "attention", "full")
FILED = ("word", "lora")  # of these, what is learned goes into a LoRA's file
NEW = "new"  # the identifier that is learned
LIVE = "live"  # the decoder is told what the prior makes of the words as it learns
PARTS = ("prior", "decoder", "text_encoder")
CHOICES = {
    "train": MODES,
    "layers": ("attention", "transformer", "all"),
    "freeze": ("none", "resblocks", "attention", "resblocks,attention"),
    "precision": ("auto", "float32", "bfloat16", "float16"),
    "base": ("float32", "bfloat16", "float16"),
    "save_as": ("float32", "bfloat16", "float16"),
    "optimizer": ("adamw", "adamw8bit"),
    "schedule": ("constant", "cosine", "linear"),
    "loss": ("l2", "l1"),
    "variance": ("auto", "on", "off"),
    "decoder_condition": ("auto", "true", "prior", "mix", LIVE),
    "captions": ("given", "auto"),
    "crop": ("centre", "random", "bucket"),
    "strategy": ("auto", "ddp", "fsdp"),
}


@dataclass(frozen=True, kw_only=True)
class PartPlan:
    """How one part trains."""

    train: str = "off"
    rate: float = 1e-4  # peak learning rate
    rank: int = 16
    alpha: float = 16.0
    layers: str = "attention"  # that LoRA corrects; transformer: attention and MLPs; all: every one
    batch: int = 0  # pictures of the subject a step; 0: the run's batch
    drop_text: float = 0.1  # how often the words are left out
    drop_image: float = 0.1  # how often the image embedding is
    freeze: str = "none"  # of a decoder: resblocks, attention, or both with a comma between


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A run's settings; documented in docs/DREAMBOOTH.md."""

    steps: int = 500
    batch: int = 1
    accumulate: int = 1
    prior: PartPlan = field(default_factory=PartPlan)
    decoder: PartPlan = field(default_factory=PartPlan)
    text_encoder: PartPlan = field(default_factory=PartPlan)
    identifier: str = "auto"
    identifier_rate: float = 1e-3  # peak learning rate of a new word's rows
    decoder_condition: str = "auto"
    captions: str = "given"  # auto: pictures without one are described by the model
    inpainting: bool = False  # the decoder learns to repaint what a mask leaves out
    class_weight: float = 1.0
    class_pictures: int = 100
    class_embeddings: int = 200
    others: str = ""  # words with commas between, kept beside the class
    loss: str = "l2"
    snr_gamma: float = 5.0  # 0: no weighting
    variance: str = "auto"  # the learned variance's own loss; auto: where the model has one
    optimizer: str = "adamw"
    decay: float = 0.01
    warmup: int = 0
    schedule: str = "constant"
    clip: float = 1.0
    average: float = 0.0  # decay of the weights' moving average; 0: none
    precision: str = "float32"
    base: str = "float32"  # how frozen weights are kept
    checkpointing: bool = False
    workers: int = 0
    seed: int = 0
    size: int = 0  # pixels; 0: the model's
    crop: str = "centre"
    flip: bool = False
    variants: int = 1  # framings of each picture that are cached
    backdrops: int = (
        0  # times that the subject of each picture on one plain colour is put on others
    )
    checkpoint_every: int = 100
    keep: int = 2
    sample_every: int = 100
    samples: int = 1  # of each kind
    unrelated: str = "a cat"
    devices: int = 1
    strategy: str = "auto"
    save_as: str = "float16"  # the numbers of the LoRA file
    tensorboard: bool = True
    wandb: bool = False

    def __post_init__(self) -> None:
        check(self, "")

    @property
    def trained(self) -> list[str]:
        """The parts that train."""
        return [part for part in PARTS if self.part(part).train != "off"]

    @property
    def kept(self) -> list[str]:
        """The words that are kept beside the class."""
        return [word.strip() for word in self.others.split(",") if word.strip()]

    @property
    def spells(self) -> bool:
        """Whether the subject's word is a new token, which is learned."""
        return self.identifier == NEW

    def rate_of(self, group: str) -> float:
        """The peak learning rate of a part, or of the new words (`identifier`)."""
        return self.identifier_rate if group == "identifier" else self.part(group).rate

    def part(self, name: str) -> PartPlan:
        """How a part trains."""
        found: PartPlan = getattr(self, name)
        return found

    def batch_of(self, name: str) -> int:
        """Pictures of the subject that a part sees in a micro-batch."""
        return self.part(name).batch or self.batch

    def to_yaml(self) -> str:
        """All settings as YAML."""
        return str(yaml.safe_dump(asdict(self), sort_keys=False, allow_unicode=True))


OF_PARTS = {each.name for each in fields(PartPlan)} - {each.name for each in fields(Plan)}
LIMITS: dict[str, tuple[float, float]] = {
    "steps": (1, 10_000_000),
    "batch": (0, 4096),
    "accumulate": (1, 4096),
    "rate": (0.0, 10.0),
    "rank": (1, 1024),
    "alpha": (0.0, 4096.0),
    "average": (0.0, 0.999999),
    "drop_text": (0.0, 1.0),
    "drop_image": (0.0, 1.0),
    "checkpoint_every": (1, 10_000_000),
    "keep": (1, 10_000),
    "workers": (0, 256),
    "devices": (1, 1024),
    "variants": (1, 1000),
    "backdrops": (0, 1000),
    "size": (0, 4096),
}


def check(plan: Any, prefix: str) -> None:
    """Raise InputError, naming the key, at the first value of another type or out of range."""
    hints = get_type_hints(type(plan))
    for each in fields(plan):
        value, kind, name = getattr(plan, each.name), hints[each.name], f"{prefix}{each.name}"
        if is_dataclass(kind):
            check(value, f"{name}.")
            continue
        if kind is float and type(value) is int:
            object.__setattr__(plan, each.name, float(value))
        elif type(value) is not kind:
            raise InputError(f"{name}: got {value!r}; {NAMED[kind]} is accepted")
        accepted = CHOICES.get(each.name)
        if accepted and value not in accepted:
            raise InputError(f"{name}: got {value!r}; accepted: {', '.join(accepted)}")
        if kind in (int, float):
            low, high = LIMITS.get(each.name, (0, 1e9))
            if not low <= value <= high:
                raise InputError(f"{name}: got {value}; {low:g} to {high:g} are accepted")


NAMED = {int: "a whole number", float: "a number", str: "a word", bool: "true or false"}


def merged(base: dict[str, Any], more: Mapping[str, Any]) -> dict[str, Any]:
    """`more` over `base`, tables inside tables."""
    result = dict(base)
    for key, value in more.items():
        inner = result.get(key)
        nested = isinstance(value, Mapping) and isinstance(inner, Mapping)
        result[key] = merged(dict(inner or {}), value) if nested else value
    return result


def presets() -> list[str]:
    """The names of the presets inside the package."""
    return sorted(path.stem for path in PRESETS.glob("*.yaml") if path.stem not in TABLES)


def read_table(path: Path) -> dict[str, Any]:
    """A YAML file of settings. Raises InputError."""
    try:
        table = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"--config {path}: cannot be read ({type(error).__name__})") from None
    except yaml.YAMLError as error:
        said = str(error).splitlines()[0][:80]
        raise InputError(f"--config {path}: not YAML ({said})") from None
    if not isinstance(table, dict) or not all(isinstance(key, str) for key in table):
        raise InputError(f"--config {path}: a table of settings is accepted")
    return table


def change(table: dict[str, Any], text: str) -> dict[str, Any]:
    """A table with one `key=value`, where a key may be `part.key`; a key that only parts have is
    set for every part. Raises InputError.
    """
    key, sign, value = text.partition("=")
    if not sign or not key:
        raise InputError(f"{text!r}: KEY=VALUE is accepted, such as steps=300 or prior.rate=1e-4")
    try:
        read = yaml.safe_load(value)
    except yaml.YAMLError:
        read = value
    if isinstance(read, str):  # YAML takes 1e-4 for a word
        try:
            read = float(read)
        except ValueError:
            pass
    *above, last = key.split(".")
    if len(above) > 1:
        raise InputError(f"{text!r}: keys are KEY or PART.KEY")
    if above:
        return merged(table, {above[0]: {last: read}})
    if last in OF_PARTS:
        return merged(table, {part: {last: read} for part in PARTS})
    return merged(table, {last: read})


def gathered(
    *,
    family: str,
    model: str,
    purpose: str = "dreambooth",
    preset: str = "balanced",
    config: Path | None = None,
    changes: Sequence[str] = (),
) -> Plan:
    """The plan for a model: family, purpose, preset, model, file and changes, the later over the
    earlier.
    """
    if preset not in presets():
        near = suggestion(preset, presets())
        raise InputError(f"--preset {preset}{near}; accepted: {', '.join(presets())}")
    known = read_table(PRESETS / "models.yaml")
    aim = read_table(PRESETS / "purposes.yaml")[purpose]
    own = read_table(PRESETS / f"{preset}.yaml")
    models, for_models = aim.pop("models", {}), own.pop("models", {})
    table: dict[str, Any] = {}
    for more in (
        *(known["all"], known.get(family, {}), aim, models.get(family, {})),
        *(own, for_models.get(family, {})),
        *(known.get(model, {}), models.get(model, {}), for_models.get(model, {})),
    ):
        table = merged(table, more)
    if config is not None:
        table = merged(table, read_table(config))
    for text in changes:
        table = change(table, text)
    return build(Plan, table, "")


def build(kind: Any, table: Mapping[str, Any], prefix: str) -> Any:
    """A plan from a table. Raises InputError naming an unknown key."""
    hints = get_type_hints(kind)
    values = {}
    for key, value in table.items():
        if key not in hints:
            near = suggestion(key, list(hints))
            raise InputError(f"unknown setting {prefix}{key}{near}; accepted: {', '.join(hints)}")
        if is_dataclass(hints[key]):
            if not isinstance(value, Mapping):
                raise InputError(f"{prefix}{key}: got {value!r}; a table of settings is accepted")
            value = build(hints[key], value, f"{prefix}{key}.")
        elif key == "train" and isinstance(value, bool):  # YAML reads off and on as booleans
            value = "full" if value else "off"
        elif hints[key] is str and isinstance(value, bool):
            value = {True: "true", False: "off"}[value]
        values[key] = value
    return kind(**values)
