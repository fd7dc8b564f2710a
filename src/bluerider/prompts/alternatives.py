"""Templates: `{a|b|c}` and `__name__` of a file, one of which a seed chooses."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path

from bluerider.errors import InputError
from bluerider.request import MAX_TEXT, suggestion

MAX_FILE = 2**20  # bytes of a file of wildcards
MAX_DEPTH = 20  # wildcards within wildcards
MAX_LOOKS = 1000  # lines taken for one prompt
MAX_EVERY = 1000  # prompts a template may stand for where all are asked for
# Names are letters and digits with single signs between, so `..` is none.
TOKEN = re.compile(r"\\.|(?P<brace>[{|}])|__(?P<name>[^\W_]++(?:[-_/.][^\W_]++)*+)__", re.DOTALL)
Pick = Callable[[str, int], int]  # a place in the template, how many there are -> which


@dataclass(frozen=True)
class Wildcards:
    """A folder of `name.txt`, one value a line; blank lines and those beginning with # are not
    values.
    """

    folder: Path
    read: dict[str, list[str]] = field(default_factory=dict, repr=False, compare=False)

    def lines(self, name: str) -> list[str]:
        """The values under a name. Raises InputError where there is no such file, or none in it."""
        if name not in self.read:
            self.read[name] = self._load(name)
        return self.read[name]

    def _load(self, name: str) -> list[str]:
        path = self.folder / f"{name}.txt"
        try:
            with open(path, "rb") as file:
                data = file.read(MAX_FILE + 1)
            text = data.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise InputError(f"{path}: it is no text; UTF-8 is accepted") from None
        except (OSError, ValueError):
            raise InputError(self._missing(name)) from None
        if len(data) > MAX_FILE or "\0" in text:
            raise InputError(f"{path}: up to {MAX_FILE >> 20} MiB of text are accepted")
        stripped = (line.strip() for line in text.splitlines())
        found = [line for line in stripped if line and not line.startswith("#")]
        if not found:
            raise InputError(f"{path}: it holds no value; one a line is accepted")
        return found

    def _missing(self, name: str) -> str:
        if not self.folder.is_dir():
            return f"--wildcards {self.folder}: there is no such folder"
        known = [
            str(p.relative_to(self.folder).with_suffix("")) for p in self.folder.rglob("*.txt")
        ]
        near = suggestion(name, known) or f"; there are: {', '.join(sorted(known)[:10]) or 'none'}"
        return f"__{name}__: there is no readable {self.folder / name}.txt{near}"


def is_template(text: str) -> bool:
    """Whether there is anything in the text to choose."""
    return bool(branches(text)) or any(token["name"] for token in TOKEN.finditer(text))


def choose(
    template: str, seed: int, wildcards: Wildcards | None = None, *, role: str = "prompt"
) -> str:
    """The prompt a seed makes of a template: the same on every machine, in every batch.

    Each place of the template is chosen for itself, so a change in one leaves the others as they
    were, and so does a text in another role. Weights and backslashes pass through. Raises
    InputError for an unknown wildcard, one that leads to itself, and a prompt that grows beyond
    MAX_TEXT characters.
    """

    def pick(place: str, count: int) -> int:
        key = blake2b(f"{role}/{seed}/{place}".encode(), digest_size=8).digest()
        return int.from_bytes(key, "big") % count

    return Template(wildcards, pick).fill(template)


def every(template: str, wildcards: Wildcards | None = None) -> Iterator[str]:
    """Every prompt a template stands for, in the order written. Raises InputError as `choose` does,
    and where there are more than MAX_EVERY.
    """
    path: list[list[int]] = []  # of the places met so far: which one is taken, of how many
    for _ in range(MAX_EVERY):
        met = 0

        def pick(place: str, count: int) -> int:
            nonlocal met
            if met == len(path):
                path.append([0, count])
            met += 1
            return path[met - 1][0]

        yield Template(wildcards, pick).fill(template)
        while path and path[-1][0] + 1 == path[-1][1]:
            path.pop()
        if not path:
            return
        path[-1][0] += 1
    raise InputError(f"the prompt stands for more than {MAX_EVERY} prompts; leave some out")


def branches(text: str) -> dict[int, list[int]]:
    """Of each `{` that is closed: where its `|`s and its `}` are."""
    found: dict[int, list[int]] = {}
    opened: list[list[int]] = []
    for token in TOKEN.finditer(text):
        if token["brace"] == "{":
            opened.append([token.start()])
        elif token["brace"] and opened:
            opened[-1].append(token.start())
            if token["brace"] == "}":
                start, *ends = opened.pop()
                found[start] = ends
    return found


class Template:
    """One filling of a template."""

    def __init__(self, wildcards: Wildcards | None, pick: Pick) -> None:
        self.wildcards = wildcards
        self.pick = pick
        self.looks = 0
        self.length = 0

    def fill(self, text: str, place: str = "", above: tuple[str, ...] = ()) -> str:
        """The text with one alternative taken at each place. A single pass."""
        if len(text) > MAX_TEXT:
            raise InputError(f"a template of {len(text)} characters; at most {MAX_TEXT} go in")
        groups = branches(text)
        names = (token.start() for token in TOKEN.finditer(text) if token["name"])
        number = {start: f"{place}{i}" for i, start in enumerate(sorted([*groups, *names]))}
        leave: dict[int, int] = {}  # an alternative's end -> behind its group
        out: list[str] = []
        at = 0
        while token := TOKEN.search(text, at):
            start = token.start()
            self._keep(out, text[at:start])
            at = token.end()
            if start in groups:
                ends = groups[start]
                taken = self.pick(number[start], len(ends))
                at = ends[taken - 1] + 1 if taken else start + 1
                leave[ends[taken]] = ends[-1] + 1
            elif start in leave:
                at = leave[start]
            elif token["name"]:
                out.append(self._line(token["name"], f"{number[start]}.", above))
            else:
                self._keep(out, token[0])
        self._keep(out, text[at:])
        return "".join(out)

    def _keep(self, out: list[str], text: str) -> None:
        self.length += len(text)
        if self.length > MAX_TEXT:
            raise InputError(f"the prompt grows beyond {MAX_TEXT} characters; use fewer wildcards")
        out.append(text)

    def _line(self, name: str, place: str, above: tuple[str, ...]) -> str:
        """A line of a file, with what it holds filled in turn."""
        if self.wildcards is None:
            raise InputError(f"__{name}__: no folder of wildcards was given; add --wildcards DIR")
        if name in above or len(above) >= MAX_DEPTH:
            raise InputError(f"wildcards go in circles: {' > '.join([*above, name])}")
        self.looks += 1
        if self.looks > MAX_LOOKS:
            raise InputError(f"the prompt takes more than {MAX_LOOKS} lines of wildcards")
        lines = self.wildcards.lines(name)
        line = lines[self.pick(place, len(lines))]
        return self.fill(line, place, (*above, name))
