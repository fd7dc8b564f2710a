"""Modules that wait: what is answered without their code, and when it runs."""

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

from bluerider.deferred import Deferred, Finder, Known

Waiting = Callable[..., ModuleType]
NAME = "waiting_package"


@pytest.fixture
def waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Waiting]:
    """Imports a package of two modules as a deferred one."""
    folder = tmp_path / NAME
    folder.mkdir()
    (folder / "__init__.py").write_text(f"from {NAME}.inner import runs\nlarge = 'made'\n")
    (folder / "inner.py").write_text("runs = []\nruns.append(1)\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    before = list(sys.meta_path)

    def make(**known: object) -> ModuleType:
        sys.meta_path.insert(0, Finder({NAME: Known(**known)}))  # type: ignore[arg-type]
        return importlib.import_module(NAME)

    yield make
    sys.meta_path[:] = before
    for name in [one for one in sys.modules if one.split(".")[0] == NAME]:
        del sys.modules[name]


def test_an_answer_does_not_run_the_code(waiting: Waiting) -> None:
    module = waiting(answers={"small": lambda: 7})
    assert module.small == 7
    assert isinstance(module, Deferred)


def test_any_other_name_does(waiting: Waiting) -> None:
    module = waiting(answers={"small": lambda: 7})
    assert module.large == "made"
    assert type(module) is ModuleType and not hasattr(module, "small")


def test_a_name_that_it_lacks_is_lacking(waiting: Waiting) -> None:
    with pytest.raises(AttributeError, match="nothing"):
        _ = waiting().nothing


def test_a_submodule_runs_the_code_above_it_and_itself_once(waiting: Waiting) -> None:
    module = waiting()
    inner = importlib.import_module(f"{NAME}.inner")
    assert type(module) is ModuleType
    assert inner is module.inner and inner.runs == [1]
    assert inner.__spec__ is not None and inner.__spec__.origin == inner.__file__


def test_a_loose_submodule_does_without(waiting: Waiting) -> None:
    module = waiting(loose=True)
    assert importlib.import_module(f"{NAME}.inner").runs == [1]
    assert isinstance(module, Deferred)
