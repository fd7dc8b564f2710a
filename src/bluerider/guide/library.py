"""Records from folders, checked alone and against each other; every complaint has its line."""

import datetime
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bluerider.guide.frontmatter import Document, FrontMatterError, parse
from bluerider.guide.vocabulary import RELS, REVIEW_DAYS, SETTINGS, TYPES
from bluerider.request import suggestion

if TYPE_CHECKING:
    from bluerider.guide.schema import Claim, Record

SHIPPED = Path(__file__).parent / "records"
MAX_BYTES = 200_000


@dataclass(frozen=True, order=True)
class Problem:
    """What is wrong in a file, at which line; a warning lets the build go on."""

    path: Path
    line: int
    text: str
    warning: bool = False

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {'warning: ' if self.warning else ''}{self.text}"


@dataclass(frozen=True)
class Entry:
    """A record, where it stands, its prose, and its claims' statuses as the build sees them."""

    path: Path
    document: Document
    record: "Record"

    @property
    def type(self) -> str:
        """The first half of the id."""
        return self.record.id.split("/")[0]

    def line(self, *path: str | int) -> int:
        """The line of a field."""
        return self.document.line(path)

    def due(self) -> datetime.date:
        """The day after which the record wants another look."""
        days = self.record.review_days or REVIEW_DAYS[self.type]
        return datetime.date.fromisoformat(self.record.reviewed) + datetime.timedelta(days)

    def plain(self) -> dict[str, Any]:
        """The record as plain values, with type, prose and the claims' settled statuses."""
        data = self.record.model_dump(mode="json")
        for claim, plain in zip(self.record.claims, data["claims"], strict=True):
            plain["status"] = settled(claim, self.record)
            plain["id"] = f"{self.record.id}#{claim.key}"
        return {**data, "type": self.type, "body": self.document.body}


@dataclass
class Library:
    """All records by id, and what is wrong with them."""

    entries: dict[str, Entry] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    broken: set[str] = field(default_factory=set)  # ids whose files could not be read

    @property
    def errors(self) -> list[Problem]:
        """What stops a build."""
        return [each for each in self.problems if not each.warning]


def settled(claim: "Claim", record: "Record") -> str:
    """A claim's status: checked only with address, locator and the day it was opened."""
    if claim.status == "checked" and not (claim.locator and claim.opened):
        return "recalled"
    return str(claim.status)


def files(folders: Iterable[Path]) -> list[Path]:
    """Every record file, in one order whatever the file system."""
    return [path for folder in folders for path in sorted(folder.glob("*/*.md"))]


def load(folders: Sequence[Path], today: datetime.date | None = None) -> Library:
    """Read and check the records of some folders; with `today`, also what depends on the clock."""
    library = Library()
    for folder in folders:
        library.problems.extend(strays(folder))
    for path in files(folders):
        add(library, path)
    for entry in library.entries.values():
        library.problems.extend(check(entry, library, today))
    library.problems.sort()
    return library


def strays(folder: Path) -> Iterator[Problem]:
    """Folders that are no type, files that are no record."""
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        place = path.relative_to(folder).parts
        if path.is_dir() and (len(place) > 1 or place[0] not in TYPES):
            near = suggestion(place[0], TYPES)
            yield Problem(path, 1, f"no record type {place[-1]!r}{near}: TYPE/NAME.md is read")
        elif path.is_file() and (len(place) != 2 or path.suffix != ".md"):
            yield Problem(path, 1, "no record: TYPE/NAME.md is read", warning=True)


def add(library: Library, path: Path) -> None:
    """Read one file into the library, or say why not."""
    try:
        entry = read(path)
    except FrontMatterError as error:
        library.broken.add(f"{path.parent.name}/{path.stem}")
        one = Problem(path, error.line, error.text)
        library.problems.extend(error.problems if isinstance(error, Refused) else [one])
        return
    if twin := library.entries.get(entry.record.id):
        text = f"duplicate id {entry.record.id}; {twin.path} has it"
        library.problems.append(Problem(path, entry.line("id"), text))
        return
    library.entries[entry.record.id] = entry


class Refused(FrontMatterError):
    """Fields that break the schema, all of them."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__(problems[0].line, problems[0].text)
        self.problems = problems


def read(path: Path) -> Entry:
    """One record. Raises FrontMatterError or Refused."""
    from pydantic import ValidationError

    from bluerider.guide.schema import MODELS

    if path.stat().st_size > MAX_BYTES:
        raise FrontMatterError(1, f"more than {MAX_BYTES} bytes")
    try:
        document = parse(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise FrontMatterError(1, "not UTF-8 text") from None
    kind = path.parent.name
    if kind not in MODELS:
        raise FrontMatterError(1, f"no record type {kind!r}{suggestion(kind, TYPES)}")
    try:
        record = MODELS[kind].model_validate(document.data)
    except ValidationError as error:
        raise Refused([told(path, document, kind, each) for each in error.errors()]) from None
    wanted = f"{kind}/{path.stem}"
    if record.id != wanted:
        text = f"the id is {record.id}, the file's place says {wanted}"
        raise Refused([Problem(path, document.line(["id"]), text)])
    return Entry(path, document, record)


def told(path: Path, document: Document, kind: str, error: Any) -> Problem:
    """A complaint of the schema in our form."""
    from bluerider.guide.schema import MODELS

    place = [step for step in error["loc"] if step != "[key]"]
    name = ".".join(map(str, place))
    if error["type"] == "missing":
        text = f"{name} is missing"
        if place[0] == "claims" and place[-1] == "source":
            text = "claim without source"
        place = place[:-1]
    elif error["type"] == "extra_forbidden":
        near = (
            suggestion(str(place[-1]), list(MODELS[kind].model_fields)) if len(place) == 1 else ""
        )
        text = f"unknown field {name}{near}"
    else:
        message = error["msg"].replace("Input should be", "has to be")
        given = "" if error["type"] == "guide" else f" (got {str(error['input'])[:60]!r})"
        text = f"{name}: {message}{given}"
    return Problem(path, document.line(place), text)


def check(entry: Entry, library: Library, today: datetime.date | None) -> Iterator[Problem]:
    """What is wrong with a record that its schema cannot see."""
    for line, text in (
        *check_words(entry),
        *check_links(entry, library),
        *check_claims(entry, library),
        *check_effects(entry),
        *(check_clock(entry, today) if today else ()),
    ):
        yield Problem(entry.path, line, text)
    yield from warn(entry, today)


Found = Iterator[tuple[int, str]]


def check_words(entry: Entry) -> Found:
    """Title and summary in English; something to check in every record."""
    for name in ("title", "summary"):
        if "en" not in getattr(entry.record, name):
            yield entry.line(name), f"{name} has no English (en)"
    if entry.type != "measurement" and not entry.record.claims:
        yield entry.line("claims"), "a record without a claim; at least one with its source"
    if entry.type == "prompt-recipe" and "{subject}" not in entry.record.template:  # type: ignore[attr-defined]
        yield entry.line("template"), "the template has no {subject}"
    if entry.type == "prompt-recipe" and "image" in entry.record.domain:
        for name in entry.record.params:  # type: ignore[attr-defined]
            if name not in SETTINGS:
                near = suggestion(name, SETTINGS) or f"; accepted: {', '.join(SETTINGS)}"
                yield entry.line("params", name), f"params: no setting {name}{near}"


def check_links(entry: Entry, library: Library) -> Found:
    """Links lead to records, between types their relation may join, and none is there twice."""
    seen = set()
    for index, link in enumerate(entry.record.links):
        line = entry.line("links", index, "to")
        if link.to == entry.record.id:
            yield line, "a link to the record itself"
        elif link.to not in library.entries and link.to not in library.broken:
            near = suggestion(link.to, list(library.entries))
            yield line, f"dangling link: there is no {link.to}{near}"
        if (link.rel, link.to) in seen:
            yield line, f"link {link.rel} {link.to} is there twice"
        seen.add((link.rel, link.to))
        rel, target = RELS[link.rel], link.to.split("/")[0]
        for allowed, kind in ((rel.origin, entry.type), (rel.target, target)):
            if allowed and kind not in allowed:
                yield line, f"{link.rel} joins {' or '.join(allowed)}, not {kind}"


def check_claims(entry: Entry, library: Library) -> Found:
    """Keys are their own, sources exist, dates follow each other, fields agree with claims."""
    keys = set()
    for index, claim in enumerate(entry.record.claims):
        if claim.key in keys:
            yield entry.line("claims", index, "key"), f"duplicate id #{claim.key} of a claim"
        keys.add(claim.key)
        if not claim.source.startswith("http"):
            home = library.entries.get(claim.source)
            if claim.source in library.broken:
                continue
            if home is None or not (home.record.url or home.type == "measurement"):
                text = f"claim without source: no record {claim.source} with an address"
                yield entry.line("claims", index, "source"), text
        if claim.opened and claim.as_of and claim.opened[: len(claim.as_of)] < claim.as_of:
            text = f"impossible date: opened {claim.opened}, before it held ({claim.as_of})"
            yield entry.line("claims", index, "opened"), text
        yield from check_field(entry, index, claim)


def check_field(entry: Entry, index: int, claim: "Claim") -> Found:
    """A claim that supports a field has the field's value."""
    if claim.field is None:
        return
    line = entry.line("claims", index, "field")
    name, _, key = claim.field.partition(".")
    value = entry.document.data.get(name)
    if key and isinstance(value, dict):
        value = value.get(key)
    if value is None:
        yield line, f"the record has no value in field {claim.field}"
    elif claim.value is not None and str(value) != str(claim.value) and value != claim.value:
        yield line, f"field {claim.field} is {value}, the claim says {claim.value}"


def check_effects(entry: Entry) -> Found:
    """Effects point to claims of their record; `toward` says what it leads to."""
    keys = {claim.key for claim in entry.record.claims}
    for index, effect in enumerate(getattr(entry.record, "effects", ())):
        if effect.claim not in keys:
            line = entry.line("effects", index, "claim")
            yield line, f"effect without source: no claim {effect.claim!r} in this record"
        if (effect.direction == "toward") != (effect.toward is not None):
            line = entry.line("effects", index, "direction")
            yield line, "`toward` says what direction toward leads to, and stands only with it"


def check_clock(entry: Entry, today: datetime.date) -> Found:
    """Nothing was read or reviewed in the future."""
    now = today.isoformat()
    if entry.record.reviewed > now:
        yield entry.line("reviewed"), f"impossible date: reviewed {entry.record.reviewed}, not yet"
    for index, claim in enumerate(entry.record.claims):
        for name in ("opened", "as_of"):
            value = getattr(claim, name)
            if value and value > now[: len(value)]:
                line = entry.line("claims", index, name)
                yield line, f"impossible date: {name} {value} lies in the future"


def warn(entry: Entry, today: datetime.date | None) -> Iterator[Problem]:
    """What deserves a look and stops nothing."""
    for index, claim in enumerate(entry.record.claims):
        if claim.status == "checked" and settled(claim, entry.record) != "checked":
            missing = [name for name in ("locator", "opened") if not getattr(claim, name)]
            text = f"claim {claim.key}: without {' and '.join(missing)} it counts as recalled"
            yield Problem(entry.path, entry.line("claims", index, "status"), text, warning=True)
    if today and entry.due() < today:
        text = f"review due since {entry.due()}"
        yield Problem(entry.path, entry.line("reviewed"), text, warning=True)
