"""A recipe: the shapes of a model's networks and the settings of the stages that train them, from
YAML.
"""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import yaml

from bluerider.config import (
    AutoencoderConfig,
    ConditionerConfig,
    PriorConfig,
    ScheduleConfig,
    TextConfig,
    UNetConfig,
    VisionConfig,
)
from bluerider.errors import InputError
from bluerider.training.stage import Settings

RECIPES = Path(__file__).parent / "recipes"
STAGES = ("tokenizer", "autoencoder", "image", "words", "recall", "rehearse", "decoder")
NETS = {
    "text": TextConfig,
    "image": VisionConfig,
    "autoencoder": AutoencoderConfig,
    "prior": PriorConfig,
    "unet": UNetConfig,
    "conditioner": ConditionerConfig,
    "prior_schedule": ScheduleConfig,
    "schedule": ScheduleConfig,
}
SHARED = {f.name for f in fields(Settings)}


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """A model's name, the configs of its parts, and for each stage a table of settings."""

    name: str
    nets: dict[str, Any]
    stages: dict[str, dict[str, Any]]

    @classmethod
    def load(cls, path: Path | None = None) -> "Recipe":
        """Read a recipe file; murnau's own where none is given. Raises InputError naming what is
        wrong.
        """
        path = RECIPES / "murnau.yaml" if path is None else path
        try:
            table = yaml.safe_load(path.read_text("utf-8"))
            nets = {name: build(kind, table["nets"][name]) for name, kind in NETS.items()}
            stages = {name: dict(table["stages"][name]) for name in STAGES}
            return cls(name=str(table["name"]), nets=nets, stages=stages)
        except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
            raise InputError(f"recipe {path}: cannot be read ({type(error).__name__})") from None
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"recipe {path}: missing or wrong field {error}") from None

    def changed(self, stage: str, changes: list[str]) -> "Recipe":
        """This recipe with `key=value` changes of one stage; only keys the stage has
        are accepted.
        """
        table = dict(self.stages[stage])
        accepted = sorted(set(table) | (SHARED if stage != "tokenizer" else set()))
        for change in changes:
            key, sign, value = change.partition("=")
            if not sign or key not in accepted:
                raise InputError(f"{change!r}: key=value is accepted, keys: {', '.join(accepted)}")
            table[key] = number(key, value)
        return Recipe(name=self.name, nets=self.nets, stages={**self.stages, stage: table})

    def settings(self, stage: str) -> Settings:
        """The settings every stage has."""
        return Settings(**{k: v for k, v in self.stages[stage].items() if k in SHARED})


def build(kind: Any, table: dict[str, Any]) -> Any:
    """A config from a table; lists become tuples."""
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in table.items()})


def number(key: str, text: str) -> int | float | str:
    """A setting's value as typed."""
    if key == "precision":
        if text not in ("float32", "bfloat16"):
            raise InputError(f"precision: got {text!r}; choose from float32, bfloat16")
        return text
    try:
        return int(text) if text.lstrip("-").isdigit() else float(text)
    except ValueError:
        raise InputError(f"{key}: got {text!r}; a number is accepted") from None
