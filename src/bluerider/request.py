"""The one vocabulary of Python, command line and files: what to paint, how far, what came of it."""

import re
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bluerider.catalog import Defaults
from bluerider.checks import MAX_TEXT as MAX_TEXT
from bluerider.checks import check_choice as check_choice
from bluerider.checks import check_keys as check_keys
from bluerider.checks import check_number as check_number
from bluerider.checks import check_text as check_text
from bluerider.checks import check_whole as check_whole
from bluerider.checks import flag as flag
from bluerider.checks import shown as shown
from bluerider.checks import suggestion as suggestion
from bluerider.editing import (
    FIELDS,
    KEEPS_SIZE,
    STRENGTHS,
    TAKES,
    TASKS,
    WORDLESS,
    Ingredient,
    Input,
    check_ingredients,
    check_picture,
    check_takes,
    name_of,
)
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
MEMORY = ("normal", "low")

SEEDS = 2**63  # seed + n may not exceed it: a torch generator takes a signed 64-bit seed
MAX_N = 1000
MAX_STEPS = 1000
MAX_GUIDANCE = 100.0
MAX_FEATHER = 1024  # pixels
MAX_SIDE = 4096  # pixels
DEFAULTED = (
    "steps",
    "guidance",
    "guidance_interval",
    "prior_steps",
    "prior_guidance",
    "width",
    "height",
    "sampler",
    "spacing",
)

NEGATIVES = ("negative_prior", "negative_decoder")  # where None, `negative` goes


@dataclass(frozen=True, kw_only=True)
class LoraUse:
    """A LoRA file a picture is painted with, known by its bytes."""

    name: str
    sha256: str
    scale: float = 1.0


@dataclass(frozen=True, kw_only=True)
class Request:
    """What to paint; the fields are the command line's flags and the keys of the JSON.

    None stands for the model's default. Raises InputError when a value is not accepted.
    """

    prompt: str
    negative: str = ""
    negative_prior: str | None = None  # for the prior's unconditional half
    negative_decoder: str | None = None  # for the decoder's
    model: str = "murnau"
    task: str = "text2img"
    seed: int | None = None  # picture i is painted from seed + i
    n: int = 1
    steps: int | None = None
    guidance: float | None = None  # 1 = off
    prior_steps: int | None = None
    prior_guidance: float | None = None
    width: int | None = None  # pixels
    height: int | None = None
    sampler: str | None = None
    spacing: str | None = None
    eta: float | None = None  # 0 = no fresh noise, 1 = as much as DDPM; ddim only
    guidance_interval: tuple[float, float] | None = None  # the part of the steps that is guided
    picture: Any = None  # the path of a file, or a Pillow image
    mask: Any = None  # likewise; white is repainted, or what is transparent
    invert_mask: bool = False
    feather: int = 0  # pixels over which the mask's edge fades into what is kept
    strength: float | None = None  # 0 keeps the picture, 1 ignores it
    left: int = 0  # pixels the picture grows by
    right: int = 0
    up: int = 0
    down: int = 0
    add: tuple[Ingredient, ...] = ()  # words and pictures to mix
    normalise: bool = False  # divide the weights by their sum
    slerp: bool = False  # mix along the sphere
    prior_strength: float | None = None  # 0 keeps the picture's embedding, 1 ignores it
    depth_model: str | None = None  # the folder of a depth-estimation model
    inputs: tuple[Input, ...] = ()  # name and SHA-256 of every input picture
    template: str = ""  # what the prompt was chosen from; a record, not read
    lora: tuple[LoraUse, ...] = ()  # filled in by the pipeline that holds them

    def __post_init__(self) -> None:
        check_choice("task", self.task, TASKS)
        check_prompt(self.prompt, empty=self.task in WORDLESS)
        for name in ("negative", "model", "template"):
            check_text(name, getattr(self, name))
        for name in NEGATIVES:
            if getattr(self, name) is not None:
                check_text(name, getattr(self, name))
        if not self.model.strip():
            raise InputError("the model's name is empty; `bluerider models list` shows the names")
        self._check_numbers()
        self._check_sampling()
        self._check_editing()
        object.__setattr__(self, "lora", check_loras(self.lora))

    @property
    def words(self) -> dict[str, str | None]:
        """Every field that holds words to paint or to keep away from."""
        return {name: getattr(self, name) for name in ("prompt", "negative", *NEGATIVES)}

    def _check_numbers(self) -> None:
        check_whole("n", self.n, 1, MAX_N)
        for name, low, high in (
            ("seed", 0, SEEDS - self.n),
            ("steps", 1, MAX_STEPS),
            ("prior_steps", 1, MAX_STEPS),
            ("width", 1, MAX_SIDE),
            ("height", 1, MAX_SIDE),
            ("feather", 0, MAX_FEATHER),
            *((side, 0, MAX_SIDE) for side in SIDES),
        ):
            if (value := getattr(self, name)) is not None:
                check_whole(name, value, low, high)
        limits = {"guidance": MAX_GUIDANCE, "prior_guidance": MAX_GUIDANCE}
        limits |= dict.fromkeys(("eta", "strength", "prior_strength"), 1.0)
        for name, limit in limits.items():
            if (value := getattr(self, name)) is not None:
                object.__setattr__(self, name, check_number(name, value, 0.0, limit))

    def _check_sampling(self) -> None:
        if self.sampler is not None:
            check_choice("sampler", self.sampler, SAMPLERS)
        if self.spacing is not None:
            check_choice("spacing", self.spacing, SPACINGS)
        if self.eta and self.sampler not in (None, "ddim"):
            raise InputError(f"eta {self.eta:g} with sampler {self.sampler}; only ddim reads eta")
        if self.guidance_interval is not None:
            object.__setattr__(self, "guidance_interval", check_interval(self.guidance_interval))

    def _check_editing(self) -> None:
        for name in ("invert_mask", "normalise", "slerp"):
            if not isinstance(value := getattr(self, name), bool):
                raise InputError(f"{flag(name)}: got {shown(value)}; true or false is accepted")
        for name in ("picture", "mask"):
            if (value := getattr(self, name)) is not None:
                object.__setattr__(self, name, check_picture(name, value))
        if self.depth_model is not None:
            check_text("depth_model", self.depth_model)
        object.__setattr__(self, "add", check_ingredients(self.add, self.slerp))
        object.__setattr__(self, "inputs", tuple(Input.of(each) for each in self.inputs))
        check_takes(self.task, vars(self), {name: PLAIN[name] for name in FIELDS})
        if self.task == "outpaint" and not any(getattr(self, side) for side in SIDES):
            raise InputError("outpaint: no side grows; give pixels to left, right, up or down")

    @property
    def pictures(self) -> tuple[Any, ...]:
        """Every picture this is painted from, in the order of `inputs`."""
        given = [self.picture, self.mask, *(each.picture for each in self.add)]
        return tuple(each for each in given if each is not None)

    def resolve(self, defaults: Defaults, seed: int | None = None) -> "Request":
        """The same request with nothing left open: the model's defaults, `seed` or a random one.

        Opens the pictures it is painted from. Raises InputError for one that cannot be used, and
        for a size off the model's grid.
        """
        filled = {name: getattr(defaults, name) for name in DEFAULTED}
        filled["strength"] = STRENGTHS.get(self.task)
        filled = {name: value for name, value in filled.items() if getattr(self, name) is None}
        if self.pictures:
            from bluerider.images import settle

            filled |= settle(self, defaults.grid)
        if self.eta is None:
            sampler = filled.get("sampler", self.sampler)
            filled["eta"] = defaults.eta if sampler == "ddim" else 0.0
        own = {name: self.negative for name in NEGATIVES if getattr(self, name) is None}
        filled.update(own)
        if self.seed is None:
            filled["seed"] = random_seed() if seed is None else seed
        whole = replace(self, **filled)
        assert whole.width is not None and whole.height is not None
        if self.task not in KEEPS_SIZE:
            check_size(whole.width, whole.height, defaults.grid)
        return whole

    def at(self, index: int) -> "Request":
        """The request that paints picture `index` of this one alone; it has to have a seed."""
        if self.seed is None:
            raise InputError("the request has no seed yet; resolve it first")
        check_whole("index", index, 0, self.n - 1)
        return replace(self, seed=self.seed + index, n=1)

    def to_json(self) -> dict[str, Any]:
        """Plain values under the fields' names, ready for json.dumps."""
        data = {each.name: getattr(self, each.name) for each in fields(self)}
        data = {name: value for name, value in data.items() if not unused(self.task, name, value)}
        for name in ("picture", "mask"):
            if name in data:
                data[name] = name_of(data[name])
        for name, part in (("add", Ingredient.to_json), ("inputs", asdict), ("lora", asdict)):
            if name in data:
                data[name] = [part(each) for each in data[name]]
        return {name: list(v) if isinstance(v, tuple) else v for name, v in data.items()}

    @classmethod
    def from_json(cls, data: object) -> "Request":
        """A request from decoded JSON. Raises InputError naming the key that is not a field."""
        if not isinstance(data, Mapping):
            raise InputError(f"a request is a JSON object of fields; got {shown(data)}")
        check_keys(data, [each.name for each in fields(cls)])
        if "prompt" not in data and data.get("task") not in WORDLESS:
            raise InputError("a request without a prompt; give one under the key 'prompt'")
        return cls(**{"prompt": "", **data})


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a request is: pictures first..first + count - 1 of `total` did `step` of `steps`."""

    stage: str  # text, prior, decoder, pixels
    step: int
    steps: int
    first: int
    count: int
    total: int
    preview: Any = None  # x0 so far, a latent, in the decoder stage
    result: "Result | None" = None  # set on the last event only


@dataclass(frozen=True, kw_only=True)
class Result:
    """The painted pictures, the seed of each, and the request with nothing left open."""

    images: list["Image"]
    seeds: list[int]
    request: Request
    seconds: float
    warnings: list[str] = field(default_factory=list)

    def save(self, path: str | Path) -> list[Path]:
        """Write every picture with its own request inside and return the paths.

        A name ending in .png, .jpg or .webp is one file; any other is a folder of <seed>.png.
        Raises InputError (the place cannot be used) or BlueriderError (the disk failed).
        """
        from bluerider.images import save_pictures

        requests = [self.request.at(i).to_json() for i in range(len(self.images))]
        return save_pictures(self.images, self.seeds, requests, Path(path))


PLAIN: dict[str, Any] = {each.name: each.default for each in fields(Request)}
SIDES = ("left", "right", "up", "down")


def unused(task: str, name: str, value: Any) -> bool:
    """Whether a field says nothing: of another task, or an input there is not."""
    if name == "inputs":
        return not value
    return name in FIELDS and (name not in TAKES[task] or value is None)


def check_prompt(prompt: object, empty: bool = False) -> None:
    """Raise InputError unless the prompt is text with something to paint in it."""
    check_text("prompt", prompt)
    if not empty and not str(prompt).strip():
        raise InputError("the prompt is empty; say what to paint, such as 'a red apple'")


def check_loras(value: object) -> tuple[LoraUse, ...]:
    """LoRAs as they stand in a request or in its JSON. Raises InputError."""
    try:
        loras = tuple(one if isinstance(one, LoraUse) else LoraUse(**one) for one in value)  # type: ignore[attr-defined]
    except TypeError:
        loras = (LoraUse(name="", sha256=""),)
    for one in loras:
        if not (isinstance(one.name, str) and one.name and isinstance(one.sha256, str)):
            raise InputError("lora: a list of name, sha256 and scale is accepted")
        check_number("lora scale", one.scale, -10.0, 10.0)
    return loras


def check_interval(value: object) -> tuple[float, float]:
    """Two numbers a < b in 0..1 as a tuple; raises InputError otherwise."""
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise InputError(
            f"guidance-interval: got {shown(value)}; two parts of the steps are accepted: 0.1,0.9"
        )
    low, high = (check_number("guidance_interval", each, 0.0, 1.0) for each in value)
    if low >= high:
        raise InputError(
            f"guidance-interval: got {low:g},{high:g}; the first has to be the smaller: 0.1,0.9"
        )
    return low, high


def check_size(width: int, height: int, grid: int) -> None:
    """Raise InputError, naming the nearest accepted sizes, unless `grid` divides both sides."""
    check_whole("width", width, 1, MAX_SIDE)
    check_whole("height", height, 1, MAX_SIDE)
    if width % grid == 0 and height % grid == 0:
        return
    near = [f"{w}x{h}" for w, h in zip(around(width, grid), around(height, grid), strict=True)]
    raise InputError(
        f"size: got {width}x{height}; multiples of {grid} pixels are accepted, "
        f"the nearest: {' and '.join(dict.fromkeys(near))}"
    )


def around(side: int, grid: int) -> tuple[int, int]:
    """The multiples of `grid` at or under and at or over `side`, at least one and in the limits."""
    low = max(side // grid * grid, grid)
    high = min(-(-side // grid) * grid, MAX_SIDE // grid * grid)
    return low, max(low, high)


def parse_size(text: str) -> tuple[int, int]:
    """Width and height in pixels from "WxH", ASCII digits only. Raises InputError."""
    found = re.fullmatch(r"([0-9]{1,9})[xX×]([0-9]{1,9})", text.strip())
    if not found:
        raise InputError(f"size: got {shown(text)}; WIDTHxHEIGHT in pixels is accepted: 128x128")
    width, height = int(found[1]), int(found[2])
    if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
        raise InputError(
            f"size: got {width}x{height}; sides of 1 to {MAX_SIDE} pixels are accepted"
        )
    return width, height


def random_seed() -> int:
    """A seed nobody chose, short enough to be typed again: 0 to 2**32 - 1."""
    return secrets.randbelow(2**32)
