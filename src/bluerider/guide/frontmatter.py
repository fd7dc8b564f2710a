"""A record's file: YAML between two lines of ---, then prose; every value knows its line."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

FENCE = re.compile(r"---[ \t]*\n")
MAX_NODES = 100_000
MAX_DEPTH = 20
BOOLS = {"true": True, "false": False}
NUMBER = re.compile(r"[+-]?(\d+|\d+\.\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """A reader that leaves it to `scalar` what a plain word is: tags are not looked at."""

    def resolve(self, kind: Any, value: Any, implicit: Any) -> str:
        return "tag:yaml.org,2002:str"


class FrontMatterError(ValueError):
    """A file that cannot be read as a record, with the line."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(text)
        self.line = line
        self.text = text


@dataclass(frozen=True)
class Document:
    """What a file says: its fields, its prose, and the parsed tree that knows the lines."""

    data: dict[str, Any]
    body: str
    root: Any

    def line(self, path: Sequence[str | int]) -> int:
        """The line of the value at a path, or of what encloses it; the first of the file is 1."""
        node, line = self.root, 1
        for step in path:
            found = child(node, step)
            if found is None:
                break
            node, line = found[0], found[1].start_mark.line + 2
        return int(line)


def child(node: Any, step: str | int) -> tuple[Any, Any] | None:
    """The node one step down, and the node whose line names it; None where there is none."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == str(step):
                return value, key
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step], node.value[step]
    return None


def parse(text: str) -> Document:
    """Read a record's file. Raises FrontMatterError."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    start = FENCE.match(text)
    if not start:
        raise FrontMatterError(1, "the first line has to be ---")
    end = re.compile(r"^---[ \t]*$", re.MULTILINE).search(text, start.end())
    if not end:
        raise FrontMatterError(1, "the front matter has no closing ---")
    root = compose(text[start.end() : end.start()])
    if not isinstance(root, yaml.MappingNode):
        raise FrontMatterError(2, "the front matter has to be fields, `name: value`")
    return Document(Builder().build(root, 0), text[end.end() :].strip(), root)


def compose(text: str) -> Any:
    """The tree of YAML nodes. Raises FrontMatterError."""
    try:
        return yaml.compose(text, Loader=Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or "not readable as YAML"
        raise FrontMatterError((mark.line if mark else 0) + 2, f"YAML: {problem}") from None
    except RecursionError:
        raise FrontMatterError(2, "YAML: nested too deep") from None


class Builder:
    """Nodes -> plain values: no tags, no anchors, no doubled keys; dates and `no` stay text."""

    def __init__(self) -> None:
        self.seen: set[int] = set()

    def build(self, node: Any, depth: int) -> Any:
        """The value of a node. Raises FrontMatterError."""
        if id(node) in self.seen:
            raise self.wrong(node, "anchors are not accepted")
        self.seen.add(id(node))
        if depth > MAX_DEPTH or len(self.seen) > MAX_NODES:
            raise self.wrong(node, "too deep or too long")
        if isinstance(node, yaml.ScalarNode):
            return node.value if node.style else scalar(node.value)
        if isinstance(node, yaml.SequenceNode):
            return [self.build(each, depth + 1) for each in node.value]
        return self.mapping(node, depth)

    def mapping(self, node: Any, depth: int) -> dict[str, Any]:
        """A mapping's fields. Raises FrontMatterError for a doubled or strange key."""
        made: dict[str, Any] = {}
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise self.wrong(key, "a field's name has to be a word")
            if key.value in made:
                raise self.wrong(key, f"field {key.value!r} is there twice")
            made[key.value] = self.build(value, depth + 1)
        return made

    @staticmethod
    def wrong(node: Any, text: str) -> FrontMatterError:
        return FrontMatterError(node.start_mark.line + 2, text)


def scalar(text: str) -> Any:
    """A plain scalar as YAML 1.2's core has it: null, true, false, numbers; all else is text."""
    if text in BOOLS:
        return BOOLS[text]
    if text in ("", "~", "null"):
        return None
    if NUMBER.fullmatch(text):
        return int(text) if re.fullmatch(r"[+-]?\d{1,18}", text) else float(text)
    return text


def dump(data: Mapping[str, Any], body: str) -> str:
    """A record's file from its fields and prose; `parse` reads back the same."""
    written = yaml.dump(
        dict(data), Dumper=Plain, allow_unicode=True, sort_keys=False, width=100, indent=2
    )
    return f"---\n{written}---\n\n{body.strip()}\n"


class Plain(yaml.SafeDumper):
    """Text that a reader would take for something else stays in quotes."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def represent_text(dumper: Any, text: str) -> Any:
    """A string, quoted where the plain form would be read as something else."""
    style = None if scalar(text) is text else "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


Plain.add_representer(str, represent_text)
