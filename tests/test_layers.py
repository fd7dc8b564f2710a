"""The arrows between modules point down only, and nothing heavy is imported before it is needed."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import pytest

import bluerider

ROOT = Path(bluerider.__file__).parent
# A layer is a row of houses; a house imports from rows above it in this table and from itself.
LAYERS = (
    ("errors",),
    ("config", "files", "checks", "deferred"),
    ("catalog", "editing"),
    ("request",),
    ("nets", "diffusion", "tokenizers", "images", "prompts", "charts"),
    ("weights", "devices", "scenes"),
    ("pipeline",),
    ("cli", "training", "evaluate", "guide", "server"),
)
HEIGHT = {house: height for height, row in enumerate(LAYERS) for house in row}
DOORS = ("__init__", "__main__")
# Inside a command, the shell starts what it is a shell of.
SHELL = ("cli", "server")
INSIDE = ("training", "evaluate", "guide", "server")
WORDS = ("bluerider.guide.vocabulary",)  # names alone, which help texts show
# A result saves itself; what writes pictures is imported when it does.
LAZY = {("bluerider.request", "bluerider.images")}
LIGHT = (
    "errors",
    "files",
    "checks",
    "deferred",
    "config",
    "catalog",
    "editing",
    "request",
    "guide",
    "server",
    "cli",
)
HEAVY = ("torch", "numpy", "PIL", "pydantic", "transformers", "lightning", "diffusers", "pyarrow")
# What is heavy by its nature inside a light house; its neighbours import it when they need it.
DECLARED = {
    ("bluerider.guide.schema", "pydantic"),
    ("bluerider.guide.schema", "pydantic_core"),
    ("bluerider.guide.measure.bench", "numpy"),
    ("bluerider.guide.measure.bench", "torch"),
    ("bluerider.guide.measure.effects", "numpy"),
    ("bluerider.guide.measure.pairs", "PIL"),
    ("bluerider.guide.measure.statistics", "numpy"),
    ("bluerider.guide.measure.study", "numpy"),
}
LADEN = ("bluerider.guide.measure.pairs", "bluerider.guide.measure.report")  # import those
# What the oracles in the dev extra are for: tests and benchmarks.
ORACLES = ("transformers", "diffusers", "peft", "accelerate", "torchvision")


# DINO of the published protocol and a depth model of the user's, for those who have transformers.
OPTIONAL = (
    ("bluerider.evaluate.dino", "transformers"),
    ("bluerider.pipeline.depth", "transformers"),
)


class Arrow(NamedTuple):
    """Module `source` imports `target`, on loading (`eager`) or later, inside a function."""

    source: str
    target: str
    eager: bool


def is_typing_only(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test).endswith("TYPE_CHECKING")


def targets(node: ast.AST, source: str) -> list[str]:
    """The dotted names an import statement asks for; submodules of ours by their full name."""
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom):
        return []
    assert node.level == 0, f"{source}: imports are absolute here"
    module = node.module or ""
    if module == "bluerider":
        return [f"bluerider.{alias.name}" for alias in node.names]
    return [module]


def walk(node: ast.AST, source: str, eager: bool) -> Iterator[Arrow]:
    for child in ast.iter_child_nodes(node):
        if is_typing_only(child):
            assert isinstance(child, ast.If)
            for other in child.orelse:
                yield from walk(other, source, eager)
            continue
        yield from (Arrow(source, target, eager) for target in targets(child, source))
        inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        yield from walk(child, source, eager and not inside)


def arrows(text: str, source: str) -> list[Arrow]:
    return list(walk(ast.parse(text), source, eager=True))


def house(dotted: str) -> str:
    """The part of the package a dotted name lies in: bluerider.nets.unet -> nets."""
    return dotted.split(".")[1] if "." in dotted else "__init__"


def trouble(arrow: Arrow) -> str | None:
    """What is wrong with an arrow, or None."""
    here, top = house(arrow.source), arrow.target.split(".")[0]
    if top in ORACLES and (arrow.eager or arrow[:2] not in OPTIONAL):
        return "oracles belong to the tests"
    if top in HEAVY and arrow.eager and here in (*LIGHT, *DOORS):
        return None if (arrow.source, top) in DECLARED else "heavy at module level"
    if top != "bluerider" or here in DOORS:
        return None
    there = house(arrow.target)
    if there in (here, *DOORS, "__version__"):
        return None
    if there not in HEIGHT:
        return "leads to an unknown module"
    if here in SHELL and there in INSIDE:
        return "belongs inside a command" if arrow.eager and arrow.target not in WORDS else None
    if not arrow.eager and arrow[:2] in LAZY:
        return None
    if HEIGHT[there] > HEIGHT[here]:
        return "points up"
    if HEIGHT[there] == HEIGHT[here]:
        return "points sideways"
    return (
        "heavy at module level" if arrow.eager and here in LIGHT and heavy(arrow.target) else None
    )


def heavy(dotted: str) -> bool:
    """Whether importing a module of ours loads something heavy."""
    declared = dotted in LADEN or any(dotted == source for source, _ in DECLARED)
    return declared or house(dotted) not in LIGHT


def sources() -> dict[str, Path]:
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = ("bluerider", *path.relative_to(ROOT).with_suffix("").parts)
        found[".".join(parts)] = path
    return found


@pytest.mark.parametrize("name", sources())
def test_arrows_point_down(name: str) -> None:
    text = sources()[name].read_text(encoding="utf-8")
    wrong = [(arrow, trouble(arrow)) for arrow in arrows(text, name) if trouble(arrow)]
    assert not wrong


def test_every_module_has_a_layer() -> None:
    assert {house(name) for name in sources()} <= {*HEIGHT, *DOORS}


@pytest.mark.parametrize(
    ("source", "text", "expected"),
    [
        ("bluerider.nets.unet", "from bluerider.pipeline import Pipeline", "points up"),
        ("bluerider.nets.unet", "from bluerider.diffusion import loss", "points sideways"),
        ("bluerider.images", "def f():\n from bluerider import prompts", "points sideways"),
        ("bluerider.request", "import torch", "heavy at module level"),
        ("bluerider.request", "from bluerider.images import fit", "points up"),
        ("bluerider.request", "def f():\n from bluerider.images import fit", None),
        ("bluerider.cli.main", "if True:\n import numpy as np", "heavy at module level"),
        ("bluerider.cli.main", "from bluerider.pipeline import Pipeline", "heavy at module level"),
        ("bluerider.cli.main", "from bluerider.training import run", "belongs inside a command"),
        ("bluerider.__init__", "import torch", "heavy at module level"),
        ("bluerider.nets.clip", "def f():\n import transformers", "oracles belong to the tests"),
        ("bluerider.nets.clip", "from bluerider import helpers", "leads to an unknown module"),
        ("bluerider.cli.main", "def f():\n import torch", None),
        ("bluerider.cli.main", "def f():\n from bluerider.training import run", None),
        ("bluerider.request", "if TYPE_CHECKING:\n import torch", None),
        ("bluerider.nets.unet", "import torch\nfrom bluerider.config import UNetConfig", None),
    ],
)
def test_a_wrong_arrow_is_seen(source: str, text: str, expected: str | None) -> None:
    found = {trouble(arrow) for arrow in arrows(text, source)}
    assert found - {None} == {expected} - {None}


def test_the_table_of_layers_rises() -> None:
    assert all(HEIGHT[low[0]] < HEIGHT[high[0]] for low, high in pairwise(LAYERS))


def test_light_modules_load_nothing_heavy() -> None:
    names = [name.removesuffix(".__init__") for name in sources()]
    light = [name for name in names if not heavy(name)]
    code = "import importlib, sys\nfor name in sys.argv[1:]: importlib.import_module(name)\n"
    code += f"import bluerider; print(sorted(set({HEAVY!r}) & set(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", code, *light], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
