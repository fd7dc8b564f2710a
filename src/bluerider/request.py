"""What is asked for and what comes back: the one vocabulary of Python, the command line and files."""

import math
import re
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bluerider.catalog import Defaults
from bluerider.errors import InputError

if TYPE_CHECKING:
    from PIL.Image import Image

SAMPLERS = (
    "ddim",
    "ddpm",
    "heun",
    "plms",
    "dpmpp_2m",
    "dpmpp_2m_sde",
    "unipc",
    "euler",
    "euler_a",
)
SPACINGS = ("leading", "trailing", "linspace", "karras")
DTYPES = ("auto", "float32", "bfloat16", "float16")
DEVICES = ("auto", "cpu", "cuda", "mps")
TASKS = ("text2img",)
SEEDS = 2**63
MAX_SIDE = 4096
RANGES = {"steps": (1, 1000), "prior_steps": (1, 1000), "n": (1, 1000)}
SCALES = {"guidance": (0.0, 100.0), "prior_guidance": (0.0, 100.0), "eta": (0.0, 1.0)}
CHOICES = {"sampler": SAMPLERS, "spacing": SPACINGS, "task": TASKS}


@dataclass(frozen=True, kw_only=True)
class Request:
    """Pictures asked for; None stands for the model's default. Raises InputError for what cannot be painted."""

    prompt: str
    negative: str = ""
    model: str = "murnau"
    task: str = "text2img"
    seed: int | None = None
    n: int = 1
    steps: int | None = None
    guidance: float | None = None
    prior_steps: int | None = None
    prior_guidance: float | None = None
    width: int | None = None
    height: int | None = None
    sampler: str | None = None
    spacing: str | None = None
    eta: float | None = None
    guidance_interval: tuple[float, float] = (0.0, 1.0)

    def __post_init__(self) -> None:
        for name in ("prompt", "negative", "model"):
            check_text(name, getattr(self, name))
        if not self.prompt.strip():
            raise InputError("prompt: got nothing but blanks; say what to paint, e.g. 'red apple'")
        for name, (low, high) in RANGES.items():
            check_integer(name, getattr(self, name), low, high, optional=name != "n")
        for name, (low_, high_) in SCALES.items():
            check_number(name, getattr(self, name), low_, high_)
        for name, accepted in CHOICES.items():
            check_choice(name, getattr(self, name), accepted)
        check_integer("seed", self.seed, 0, SEEDS - self.n, optional=True)
        for name in ("width", "height"):
            check_integer(name, getattr(self, name), 1, MAX_SIDE, optional=True)
        check_interval(self)

    def resolve(self, defaults: Defaults, seed: int | None = None) -> "Request":
        """This request with every None filled; the size must fit the model's grid. Raises InputError."""
        filled = {
            f.name: getattr(defaults, f.name)
            for f in fields(defaults)
            if f.name != "grid" and getattr(self, f.name) is None
        }
        if self.seed is None:
            filled["seed"] = 0 if seed is None else seed
        request = replace(self, **filled)
        assert request.width is not None and request.height is not None
        check_size(request.width, request.height, defaults.grid)
        return request

    def at(self, index: int) -> "Request":
        """The request that paints picture `index` of this resolved one alone."""
        return replace(self, seed=(self.seed or 0) + index, n=1)

    def to_json(self) -> dict[str, Any]:
        """A plain table of all fields."""
        return {**asdict(self), "guidance_interval": list(self.guidance_interval)}

    @classmethod
    def from_json(cls, table: Any) -> "Request":
        """The request such a table describes; unknown fields and wrong types are refused by name."""
        if not isinstance(table, dict):
            raise InputError(f"request: got {type(table).__name__}; a table of fields is accepted")
        accepted = [f.name for f in fields(cls)]
        unknown = sorted(str(key)[:40] for key in set(table) - set(accepted))
        if unknown:
            raise InputError(
                f"request: unknown field {', '.join(unknown)}; accepted are {', '.join(accepted)}"
            )
        if "prompt" not in table:
            raise InputError("request: the field prompt is missing")
        interval = table.get("guidance_interval")
        if isinstance(interval, list):
            table = {**table, "guidance_interval": tuple(interval)}
        return cls(**table)


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far the painting is: `step` of `steps` in a stage, for pictures first..first + count - 1 of total."""

    stage: str  # text, prior, decoder, pixels
    step: int
    steps: int
    first: int
    count: int
    total: int
    preview: Any = None  # x0 so far, a latent, in the decoder stage
    result: "Result | None" = None  # with the last event


@dataclass(frozen=True, kw_only=True)
class Result:
    """Painted pictures with the resolved request and what there is to warn of."""

    images: list["Image"]
    seeds: list[int]
    request: Request
    seconds: float
    warnings: list[str] = field(default_factory=list)

    def save(self, path: str | Path) -> list[Path]:
        """Write the pictures with their requests inside: one file for a picture name, else a folder of <seed>.png."""
        from bluerider.images import save_pictures

        requests = [self.request.at(i).to_json() for i in range(len(self.images))]
        return save_pictures(self.images, self.seeds, requests, Path(path))


def parse_size(text: str) -> tuple[int, int]:
    """'WxH' in pixels, plain digits only -> (width, height). Raises InputError."""
    match = re.fullmatch(r"([0-9]{1,6})[xX]([0-9]{1,6})", text)
    if match is None:
        raise InputError(f"size: got {text[:40]!r}; WIDTHxHEIGHT in pixels is accepted, e.g. 128x128")
    return int(match[1]), int(match[2])


def check_size(width: int, height: int, grid: int) -> None:
    """Whether both sides are multiples of the grid; the message names the nearest that are."""
    if width % grid or height % grid:
        near = "x".join(str(max(grid, round(side / grid) * grid)) for side in (width, height))
        raise InputError(
            f"size: got {width}x{height}; multiples of {grid} are accepted, the nearest is {near}"
        )


def check_text(name: str, value: Any) -> None:
    """Text without lone surrogates or NUL."""
    if not isinstance(value, str):
        raise InputError(f"{name}: got {type(value).__name__}; text is accepted")
    if any(c == "\0" or "\ud800" <= c <= "\udfff" for c in value):
        raise InputError(f"{name}: got text with NUL or broken characters; valid Unicode is accepted")


def check_integer(name: str, value: Any, low: int, high: int, *, optional: bool) -> None:
    """A whole number in low..high, not a bool."""
    if value is None and optional:
        return
    if type(value) is not int or not low <= value <= high:
        raise InputError(f"{name}: got {str(value)[:40]!r}; whole numbers {low} to {high} are accepted")


def check_number(name: str, value: Any, low: float, high: float) -> None:
    """A finite number in low..high, or None."""
    if value is None:
        return
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or not low <= value <= high:
        raise InputError(f"{name}: got {str(value)[:40]!r}; numbers {low:g} to {high:g} are accepted")


def check_choice(name: str, value: Any, accepted: tuple[str, ...]) -> None:
    """One of the accepted names, or None; a near miss is named."""
    if value is None or value in accepted:
        return
    import difflib

    near = difflib.get_close_matches(str(value), accepted, n=1)
    hint = f"; did you mean {near[0]}?" if near else ""
    raise InputError(f"{name}: got {str(value)[:40]!r}; choose from {', '.join(accepted)}{hint}")


def check_interval(request: Request) -> None:
    """Two fractions of the steps, rising."""
    value = request.guidance_interval
    if not isinstance(value, tuple) or len(value) != 2:
        raise InputError("guidance_interval: two fractions are accepted, e.g. 0.1,0.9")
    for part in value:
        check_number("guidance_interval", part, 0.0, 1.0)
    if None in value or value[0] >= value[1]:
        raise InputError(f"guidance_interval: got {value}; a rising pair is accepted, e.g. 0.1,0.9")
