"""Names or scenes painted at many settings: which guidance, steps, sampler serve a model best."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any

from bluerider.charts import Point, line_chart
from bluerider.checks import suggestion
from bluerider.errors import InputError
from bluerider.evaluate.retrieval import Score
from bluerider.evaluate.scenes import Marks
from bluerider.request import SAMPLERS, SPACINGS, Request

NUMBERS = ("guidance", "steps", "prior_guidance", "prior_steps", "eta")
INTERVAL = "guidance_interval"
WORDS = {"sampler": SAMPLERS, "spacing": SPACINGS}
AXES = (*NUMBERS, INTERVAL, *WORDS)
WHOLE = ("steps", "prior_steps")
# What is drawn, the first of which says what is best.
CURVES: dict[type, dict[str, str]] = {
    Score: {"top1": "top-1", "top5": "top-5"},
    Marks: {"both": "both", "right": "said"},
}
Values = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Setting:
    """What is changed against the model's defaults, and what came of it."""

    changes: dict[str, Any]
    score: Score | Marks
    seconds: float  # a picture, while it was painted; 0 where it was painted before

    def to_json(self) -> dict[str, Any]:
        """A plain table."""
        return asdict(self)


def parse_axes(texts: Sequence[str]) -> dict[str, list[Any]]:
    """'guidance=1,2,4' ... -> values by field, in order. Raises InputError."""
    axes: dict[str, list[Any]] = {}
    for text in texts:
        name, sign, values = text.partition("=")
        name = name.strip().replace("-", "_")
        if not sign or name not in AXES:
            raise InputError(
                f"{text!r}{suggestion(name, AXES)}; FIELD=VALUE,VALUE,... is accepted, "
                f"fields: {', '.join(AXES)}"
            )
        parts = values.split(";" if name == INTERVAL else ",")
        axes[name] = [read(name, each.strip()) for each in parts]
    if not axes:
        raise InputError("nothing to vary; give FIELD=VALUE,VALUE,... such as guidance=1,2,4,8")
    return axes


def read(name: str, text: str) -> Any:
    """One value of a field. Raises InputError."""
    value: Any = text
    if name == INTERVAL:
        value = tuple(read_number(name, each) for each in text.split(","))
    elif name not in WORDS:
        value = read_number(name, text)
    Request(prompt="-", **{name: value})  # refuses what is out of range
    return value


def read_number(name: str, text: str) -> int | float:
    """A number of a field. Raises InputError."""
    try:
        return int(text) if name in WHOLE else float(text)
    except ValueError:
        kind = "a whole number" if name in WHOLE else "a number"
        raise InputError(f"{name}: got {text!r}; {kind} is accepted") from None


def points(axes: Mapping[str, Sequence[Any]], *, full: bool) -> list[dict[str, Any]]:
    """The settings to try: each axis on its own, or every combination."""
    if full:
        return [dict(zip(axes, each, strict=True)) for each in product(*axes.values())]
    return [{name: value} for name, values in axes.items() for value in values]


def slug(changes: Values) -> str:
    """A setting as the name of a folder."""
    return "-".join(f"{name}_{written(value)}" for name, value in changes.items())


def written(value: Any) -> str:
    """A value as it is typed."""
    return ",".join(f"{each:g}" for each in value) if isinstance(value, tuple) else str(value)


def draw_curves(axes: Mapping[str, Sequence[Any]], found: Sequence[Setting]) -> dict[str, str]:
    """Field -> an SVG of the shares over its values; those of the best setting where combined."""
    curves = CURVES[type(found[0].score)]
    charts = {}
    for name, values in axes.items():
        best = [best_at(name, value, found) for value in values]
        words = [] if name in NUMBERS else [written(value) for value in values]
        places = range(len(values)) if words else values
        series = {
            label: [
                Point(x=float(x), y=100 * s.value, low=100 * s.low, high=100 * s.high)
                for x, s in zip(places, (getattr(one.score, field) for one in best), strict=True)
            ]
            for field, label in curves.items()
        }
        title = name.replace("_", " ")
        charts[name] = line_chart(title, series, x_label=title, y_label="%", names=words)
    return charts


def best_at(name: str, value: Any, found: Sequence[Setting]) -> Setting:
    """The setting with this value that scores best."""

    def rank(one: Setting) -> list[float]:
        return [getattr(one.score, field).value for field in CURVES[type(one.score)]]

    return max((one for one in found if one.changes.get(name) == value), key=rank)
