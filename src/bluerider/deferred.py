"""Modules whose code runs when it is needed, not when they are imported."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType


@dataclass(frozen=True)
class Known:
    """What is known of a module without its code.

    `answers` make the values of names that are given without it. `loose`: its submodules do
    without it too; those of others run it first.
    """

    answers: Mapping[str, Callable[[], object]] = field(default_factory=dict)
    loose: bool = False


class Deferred(ModuleType):
    """A module whose code runs when a name is looked up that there is no answer for."""

    def __getattr__(self, name: str) -> object:
        if name.startswith("__") or self.__spec__ is None:  # what the import system itself asks
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        loader = self.__spec__.loader
        assert isinstance(loader, Deferring)
        if name in loader.known.answers:
            return loader.known.answers[name]()
        run(self)
        return getattr(self, name)


def run(module: ModuleType) -> None:
    """Run the code of a module that waits for it."""
    if isinstance(module, Deferred) and module.__spec__ is not None:
        loader = module.__spec__.loader
        assert isinstance(loader, Deferring)
        module.__class__ = ModuleType  # type: ignore[assignment]
        loader.real.exec_module(module)


class Deferring(Loader):
    """Makes a `Deferred` of what the loader it wraps would run at once."""

    def __init__(self, real: Loader, known: Known) -> None:
        self.real, self.known = real, known

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """An empty module that knows its spec."""
        return Deferred(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing yet."""


class Ready(Loader):
    """Gives a module that is there already, as it is."""

    def __init__(self, module: ModuleType) -> None:
        self.module, self.spec = module, module.__spec__

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """The module."""
        return self.module

    def exec_module(self, module: ModuleType) -> None:
        """Nothing but what the import system has overwritten."""
        module.__spec__ = self.spec


class Finder(MetaPathFinder):
    """Finds these modules, as deferred ones."""

    def __init__(self, modules: Mapping[str, Known]) -> None:
        self.modules = modules

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The usual spec with the loader wrapped; None, so that the next finder is asked, for any
        other name.
        """
        if name not in self.modules:
            return self.inside(name)
        spec = PathFinder.find_spec(name, path, target)
        if spec is None or spec.loader is None:
            return None
        spec.loader = Deferring(spec.loader, self.modules[name])
        return spec

    def inside(self, name: str) -> ModuleSpec | None:
        """A submodule of a module that has to run first, and may import it when it does."""
        above = name.rpartition(".")[0]
        known = self.modules.get(above)
        if known is None or known.loose or not isinstance(sys.modules.get(above), Deferred):
            return None
        run(sys.modules[above])
        there = sys.modules.get(name)
        return ModuleSpec(name, Ready(there)) if there is not None else None
