"""What README and docs/ promise exists: commands, files, names, fields, models."""

import re
import shlex
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

import bluerider
from bluerider.catalog import MODELS
from bluerider.cli.main import COMMANDS, load
from bluerider.request import SAMPLERS, SPACINGS, Request

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
ARCHITECTURE = (ROOT / "docs" / "ARCHITECTURE.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")


def commands() -> list[str]:
    """Every `bluerider ...` of the README, in blocks and in running text, without comments."""
    blocks = re.findall(r"```sh\n(.*?)```", README, flags=re.DOTALL)
    lines = [line.split("  #")[0].strip() for block in blocks for line in block.splitlines()]
    inline = re.findall(r"`(bluerider [^`]+)`", README)
    return sorted({line for line in (*lines, *inline) if line.startswith("bluerider ")})


def section(title: str) -> str:
    """The text under a second-level heading."""
    return README.split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]


def parse(command: Any, name: str, arguments: list[str]) -> None:
    """Run the parser, down into groups, and nothing behind it; it raises for what it refuses."""
    with command.make_context(name, list(arguments)) as context:
        if hasattr(command, "resolve_command"):
            below, inner, rest = command.resolve_command(context, arguments)
            parse(inner, below, rest)


@pytest.mark.parametrize("line", commands())
def test_commands_in_the_readme_parse(line: str) -> None:
    _, name, *arguments = shlex.split(line)
    parse(load(name), name, arguments)


def test_a_command_that_is_not_there_is_noticed() -> None:
    with pytest.raises(Exception, match="(?i)no such option"):
        parse(load("generate"), "generate", ["x", "--colour", "red"])


def test_the_readme_shows_at_least_five_commands() -> None:
    assert len(commands()) >= 5


@pytest.mark.parametrize(
    "target", sorted(set(re.findall(r"^make (\w+)", README, flags=re.MULTILINE)))
)
def test_make_targets_exist(target: str) -> None:
    assert re.search(rf"^{target}:", MAKEFILE, flags=re.MULTILINE)


@pytest.mark.parametrize("link", sorted(set(re.findall(r"\]\(([^)#:]+)\)", README))))
def test_links_lead_somewhere(link: str) -> None:
    assert (ROOT / link).exists()


def test_the_table_of_models_is_the_catalog() -> None:
    rows = re.findall(r"^\| `([^`]+)` \| ([^|]+) \|", section("Models"), flags=re.MULTILINE)
    assert rows == [(model.name, ", ".join(model.tasks)) for model in MODELS.values()]


def test_the_tree_is_the_package() -> None:
    tree = section("The tree").split("src/bluerider/\n", 1)[1].split("\ntests/", 1)[0]
    named = {word for line in tree.splitlines() for word in line.split("   ")[0].split()}
    named = {word for word in named if re.fullmatch(r"\w+(\.py|/)", word)}
    package = Path(bluerider.__file__).parent
    folders = {f"{p.name}/" for p in package.iterdir() if p.is_dir() and p.name.isidentifier()}
    files = {p.name for p in package.glob("*.py") if not p.name.startswith("__")}
    assert named == (folders - {"__pycache__/"}) | files


def test_fields_in_the_table_of_names_are_fields_of_a_request() -> None:
    table = section("Coming from Kandinsky-2 or diffusers")
    firsts = re.findall(r"^\| (`[^|]+) \|", table, flags=re.MULTILINE)
    words = {word for cell in firsts for word in re.findall(r"`(\w+)`", cell)}
    assert words and words <= {field.name for field in fields(Request)}


def test_python_in_the_readme_imports_public_names() -> None:
    names = re.findall(r"from bluerider import ([\w, ]+)", README)
    assert names and {name.strip() for row in names for name in row.split(",")} <= set(
        bluerider.__all__
    )


def test_samplers_and_spacings_are_all_described() -> None:
    assert [name for name in (*SAMPLERS, *SPACINGS) if f"`{name}`" not in ARCHITECTURE] == []


def test_every_command_of_the_changelog_exists() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    row = next(line for line in text.splitlines() if "bluerider generate" in line)
    named = {word.removeprefix("bluerider ") for word in re.findall(r"`([^`]+)`", row)}
    assert {name for name in named if name.isidentifier()} <= set(COMMANDS)
