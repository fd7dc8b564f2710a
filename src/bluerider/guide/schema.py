"""What a record may hold, type by type; the one module of the guide that is written in pydantic."""

import datetime
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

from bluerider.guide import vocabulary as words
from bluerider.request import suggestion

SLUG = r"[a-z0-9]+(?:-[a-z0-9]+)*"
ID = re.compile(rf"({'|'.join(words.TYPES)})/({SLUG})")
URL = re.compile(r"https?://[^\s/?#<>\"]+\.[^\s<>\"]+")
LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")
CONTROLS = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
YEARS = (1800, 2100)
DATE = r"(\d{4})(?:-(\d{2}))?(?:-(\d{2}))?"


def refuse(message: str) -> Exception:
    """An error pydantic reports with the place it happened at."""
    return PydanticCustomError("guide", "{message}", {"message": message})


def check_date(text: object) -> str:
    """A day, month or year that exists, as ISO text; its length is its precision."""
    given = str(text) if isinstance(text, int) and not isinstance(text, bool) else text
    found = re.fullmatch(DATE, given, re.ASCII) if isinstance(given, str) else None
    if not found or not isinstance(given, str):
        raise refuse(f"got {text!r}; a date is 2023, 2023-07 or 2023-07-12")
    year, month, day = (int(part or 1) for part in found.groups())
    try:
        datetime.date(year, month, day)
    except ValueError:
        raise refuse(f"impossible date {given}") from None
    if not YEARS[0] <= year <= YEARS[1]:
        raise refuse(f"impossible date {given}; {YEARS[0]} to {YEARS[1]} are accepted")
    return given


def check_day(text: object) -> str:
    """A date with its day."""
    given = check_date(text)
    if len(given) != len("2023-07-12"):
        raise refuse(f"got {given}; the day is needed, like 2023-07-12")
    return given


def matching(pattern: re.Pattern[str], example: str) -> AfterValidator:
    """Text of one form."""

    def check(text: str) -> str:
        if not pattern.fullmatch(text):
            raise refuse(f"got {text[:80]!r}; the form is {example}")
        return text

    return AfterValidator(check)


def check_source(text: str) -> str:
    """An address or the id of a record that has one."""
    if not URL.fullmatch(text) and not ID.fullmatch(text):
        raise refuse(f"got {text[:80]!r}; an address (https://...) or the id of a record is meant")
    return text


def check_rel(name: str) -> str:
    """The name of a relation."""
    if name not in words.RELS:
        raise refuse(f"unknown relation {name[:80]!r}{suggestion(name, list(words.RELS))}")
    return name


def check_text(text: str) -> str:
    """Printable text without blanks around it."""
    if not text.strip() or text != text.strip():
        raise refuse("text is empty, or has blanks at its ends")
    if not text.isprintable() and CONTROLS.search(text):
        raise refuse("text holds control characters")
    return text


Date = Annotated[str, BeforeValidator(check_date)]
Day = Annotated[str, BeforeValidator(check_day)]
Id = Annotated[str, matching(ID, "type/some-words")]
Slug = Annotated[str, matching(re.compile(SLUG), "some-words")]
Url = Annotated[str, matching(URL, "https://example.org/page")]
Source = Annotated[str, AfterValidator(check_source)]
Language = Annotated[str, matching(LANGUAGE, "en, ru, zh-Hant")]
Line = Annotated[str, Field(max_length=160), AfterValidator(check_text)]
Text = Annotated[str, Field(max_length=500), AfterValidator(check_text)]
Names = Annotated[dict[Language, Line], Field(min_length=1)]
Lists = dict[Language, list[Line]]

# Literal takes a tuple of strings; mypy wants them spelt out where they are typed.
Domain = Literal[words.DOMAINS]  # type: ignore[valid-type]
Lifecycle = Literal[words.LIFECYCLE]  # type: ignore[valid-type]
Level = Literal[words.LEVELS]  # type: ignore[valid-type]
Status = Literal[words.STATUSES]  # type: ignore[valid-type]
ClaimStatus = Literal[words.CLAIM_STATUSES]  # type: ignore[valid-type]
Confidence = Literal[words.CONFIDENCES]  # type: ignore[valid-type]
RelName = Annotated[str, AfterValidator(check_rel)]
Commercial = Literal[words.COMMERCIAL]  # type: ignore[valid-type]
ModelState = Literal[words.MODEL_STATES]  # type: ignore[valid-type]
Modality = Literal[words.MODALITIES]  # type: ignore[valid-type]
Support = Literal[words.SUPPORTS]  # type: ignore[valid-type]
Category = Literal[words.CATEGORIES]  # type: ignore[valid-type]
ModifierKind = Literal[words.MODIFIER_KINDS]  # type: ignore[valid-type]
Aspect = Literal[words.ASPECTS]  # type: ignore[valid-type]
Direction = Literal[words.DIRECTIONS]  # type: ignore[valid-type]
Syntax = Literal[words.SYNTAXES]  # type: ignore[valid-type]
SourceKind = Literal[words.SOURCE_KINDS]  # type: ignore[valid-type]
SourceStyle = Literal[words.SOURCE_STYLES]  # type: ignore[valid-type]
Price = Literal[words.PRICES]  # type: ignore[valid-type]
ProductState = Literal[words.PRODUCT_STATES]  # type: ignore[valid-type]
Layer = Literal[words.LAYERS]  # type: ignore[valid-type]
RiskLevel = Literal[words.RISK_LEVELS]  # type: ignore[valid-type]
Component = Literal[words.COMPONENTS]  # type: ignore[valid-type]
MitigationKind = Literal[words.MITIGATION_KINDS]  # type: ignore[valid-type]
EventKind = Literal[words.EVENT_KINDS]  # type: ignore[valid-type]
PartyKind = Literal[words.PARTY_KINDS]  # type: ignore[valid-type]
PartyState = Literal[words.PARTY_STATES]  # type: ignore[valid-type]
Arm = Literal[words.ARMS]  # type: ignore[valid-type]


class Part(BaseModel):
    """Exactly the fields that are declared, of exactly their types."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Claim(Part):
    """One statement with its source; the unit of truth."""

    key: Slug  # the claim's id is RECORD#KEY
    text: Text
    value: float | int | str | bool | None = None
    unit: Line | None = None
    as_of: Date | None = None  # when it held
    source: Source
    locator: Line | None = None  # section, table, page, line
    opened: Day | None = None  # when somebody read it there
    confidence: Confidence = "medium"
    status: ClaimStatus = "recalled"
    field: Line | None = None  # the field of the record that this claim supports


class Link(Part):
    """A typed edge; the inverse is made by the build."""

    rel: RelName
    to: Id
    note: Line | None = None


class Record(Part):
    """What every record has."""

    id: Id
    title: Names
    aliases: Lists = {}
    keywords: Lists = {}  # what people look for it by, no names
    summary: dict[Language, Text]
    domain: Annotated[list[Domain], Field(min_length=1)]
    tags: list[Slug] = []
    lifecycle: list[Lifecycle] = []
    level: Level | None = None
    date: Date | None = None  # when the thing was first public
    url: Url | None = None
    status: Status = "current"
    reviewed: Day
    review_days: Annotated[int, Field(ge=1, le=10000)] | None = None
    links: list[Link] = []
    claims: list[Claim] = []


class Model(Record):
    """A trained model or a family of them."""

    family: Line | None = None
    inputs: list[Modality]
    outputs: list[Modality]
    params: Annotated[float, Field(gt=0)] | None = None  # count, all parts together
    text_languages: list[Language] = []
    token_limit: Annotated[int, Field(gt=0)] | None = None
    license: Line | None = None  # SPDX id where there is one
    commercial: Commercial | None = None
    open_weights: bool | None = None
    vram_gb: dict[Slug, float] = {}  # number format -> GB
    supports: list[Support] = []
    state: ModelState = "live"


class Technique(Record):
    """A way to train, tune, compress or use models."""

    problem: Text
    how: Text
    cost: Text | None = None
    failure_modes: list[Text] = []


class Effect(Part):
    """What a word is said to change, and which claim says so."""

    aspect: Aspect
    direction: Direction
    toward: Line | None = None  # for `toward`: what the aspect moves to
    claim: Slug


class PromptModifier(Record):
    """A word of a prompt."""

    text: Annotated[Lists, Field(min_length=1)]  # how it is written, by language
    category: Category
    kind: ModifierKind = "style"
    effects: Annotated[list[Effect], Field(min_length=1)]
    example: Line | None = None  # a prompt with the word in it


class PromptRecipe(Record):
    """A prompt with a slot for the subject."""

    goal: Text
    template: Text  # with {subject} where the subject goes
    negative: Text | None = None
    syntax: Syntax = "plain"
    params: dict[Slug, float | int | str] = {}
    models: list[Line] = []


class SourceRecord(Record):
    """Something to read, watch or use."""

    url: Url
    kind: SourceKind
    authors: list[Line] = []
    hours: Annotated[float, Field(gt=0, le=1000)] | None = None
    style: Annotated[list[SourceStyle], Field(min_length=1)]
    language: Language = "en"
    price: Price = "free"
    archive: Url | None = None
    last_ok: Day | None = None  # when the address last answered


class Product(Record):
    """Something people use."""

    maker: Line
    state: ProductState
    layer: Layer
    open_source: bool | None = None
    local: bool | None = None  # whether it runs on one's own machine
    editors: list[Slug] = []
    license: Line | None = None
    price: Price | None = None


class Risk(Record):
    """What can go wrong, at which level, and what has to be there for it."""

    at: RiskLevel
    needs: list[Component] = []
    owasp: list[Line] = []
    atlas: list[Line] = []
    impact: Text


class Mitigation(Record):
    """What helps against risks."""

    kind: MitigationKind
    how: Text
    residual: Text | None = None  # what it leaves open
    atlas: list[Line] = []


class Pattern(Record):
    """A way to build, with its costs."""

    problem: Text
    solution: Text
    parts: list[Line] = []
    components: list[Component] = []
    when: Text
    when_not: Text
    metrics: list[Line] = []


class Benchmark(Record):
    """A test, what it counts and what is wrong with it."""

    task: Text
    size: Annotated[int, Field(gt=0)] | None = None
    metric: Line
    human: float | None = None
    known_issues: list[Text] = []
    license: Line | None = None
    saturated: bool | None = None


class Dataset(Record):
    """Data, what it is and what is wrong with it."""

    size: Line | None = None
    license: Line | None = None
    languages: list[Language] = []
    known_issues: list[Text] = []


class Event(Record):
    """Something that happened, or will, on a date."""

    date: Date
    kind: EventKind
    actors: list[Line] = []


class PersonOrCommunity(Record):
    """Who to follow, and on what."""

    kind: PartyKind
    topics: Annotated[list[Line], Field(min_length=1)]
    state: PartyState = "active"


class Term(Record):
    """A word of the field; its meaning is the summary."""


class Metric(Part):
    """One effect: the paired mean difference, its 95 % interval, d_z, and q after correction."""

    name: Slug
    effect: float
    low: float
    high: float
    d: float
    q: Annotated[float, Field(ge=0, le=1)]
    detected: bool


class Measurement(Record):
    """What a word did on one model."""

    model: Line
    weights: Line  # a hash of the model's files
    word: Line
    language: Language
    arm: Arm
    subjects: Annotated[int, Field(gt=0)]
    seeds: Annotated[int, Field(gt=0)]
    settings: dict[Slug, Any]
    known: bool  # whether anything is above the placebo band
    metrics: Annotated[list[Metric], Field(min_length=1)]


MODELS: dict[str, type[Record]] = {
    "model": Model,
    "technique": Technique,
    "prompt-modifier": PromptModifier,
    "prompt-recipe": PromptRecipe,
    "source": SourceRecord,
    "product": Product,
    "risk": Risk,
    "mitigation": Mitigation,
    "pattern": Pattern,
    "benchmark": Benchmark,
    "dataset": Dataset,
    "event": Event,
    "person-or-community": PersonOrCommunity,
    "term": Term,
    "measurement": Measurement,
}
