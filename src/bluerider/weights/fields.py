"""A published config file as data: plain JSON, every value checked before it shapes anything
(stdlib only).
"""

import json
import math
from pathlib import Path
from typing import Any

from bluerider.errors import WeightsError

LARGEST = 16 * 2**20  # bytes of a config file


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object; raises WeightsError when the file is missing, too large, or anything else."""
    try:
        if path.stat().st_size > LARGEST:
            raise WeightsError(f"{path}: larger than {LARGEST} bytes, which no config file is")
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise WeightsError(f"{path}: missing") from None
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError) as error:
        raise WeightsError(f"{path}: not JSON ({str(error)[:80]})") from None
    if not isinstance(data, dict):
        raise WeightsError(f"{path}: holds a {type(data).__name__}; a JSON object is needed")
    return data


class Fields:
    """The values of one config file, taken by name with their accepted range; errors name file and
    field.
    """

    def __init__(self, data: dict[str, Any], path: Path) -> None:
        self.data = data
        self.path = path

    def refuse(self, name: str, accepted: str) -> WeightsError:
        """The error for a value that cannot be used."""
        given = repr(self.data.get(name))[:80]
        return WeightsError(f"{self.path}: {name} is {given}; accepted: {accepted}")

    def integer(self, name: str, high: int, default: int | None = None, low: int = 1) -> int:
        """A whole number in [low, high]; booleans are none."""
        value = self.data.get(name, default)
        if type(value) is not int or not low <= value <= high:
            raise self.refuse(name, f"a whole number from {low} to {high}")
        return value

    def number(self, name: str, low: float, high: float, default: float | None = None) -> float:
        """A finite number in [low, high]."""
        value = self.data.get(name, default)
        if not isinstance(value, int | float) or isinstance(value, bool):
            raise self.refuse(name, f"a number from {low:g} to {high:g}")
        if not low <= value <= high:
            raise self.refuse(name, f"a number from {low:g} to {high:g}")
        return float(value)

    def numbers(self, name: str, count: int, default: tuple[float, ...]) -> tuple[float, ...]:
        """A list of `count` finite numbers."""
        value = self.data.get(name, default)
        good = isinstance(value, list | tuple) and len(value) == count
        if not good or any(type(v) not in (int, float) or not math.isfinite(v) for v in value):
            raise self.refuse(name, f"{count} numbers")
        return tuple(float(v) for v in value)

    def integers(self, name: str, high: int, longest: int) -> tuple[int, ...]:
        """A list of 1 to `longest` whole numbers in [1, high]."""
        value = self.data.get(name)
        good = isinstance(value, list) and 1 <= len(value) <= longest
        if not good or any(type(v) is not int or not 1 <= v <= high for v in value):  # type: ignore[union-attr]
            raise self.refuse(name, f"1 to {longest} whole numbers from 1 to {high}")
        return tuple(value)  # type: ignore[arg-type]

    def names(self, name: str, accepted: tuple[str, ...], count: int) -> tuple[str, ...]:
        """A list of `count` of the accepted words."""
        value = self.data.get(name)
        good = isinstance(value, list) and len(value) == count
        if not good or any(v not in accepted for v in value):  # type: ignore[union-attr]
            raise self.refuse(name, f"{count} of {', '.join(accepted)}")
        return tuple(value)  # type: ignore[arg-type]

    def choice(self, name: str, accepted: tuple[str, ...], default: str | None = None) -> str:
        """One of the accepted words."""
        value = self.data.get(name, default)
        if not isinstance(value, str) or value not in accepted:
            raise self.refuse(name, ", ".join(accepted))
        return value

    def flag(self, name: str, default: bool) -> bool:
        """True or false."""
        value = self.data.get(name, default)
        if type(value) is not bool:
            raise self.refuse(name, "true or false")
        return value

    def fixed(self, **accepted: Any) -> None:
        """Fields that must be absent or have the one value our network has."""
        for name, value in accepted.items():
            given = self.data.get(name, value)
            if given != value or isinstance(given, bool) != isinstance(value, bool):
                raise self.refuse(name, json.dumps(value))
