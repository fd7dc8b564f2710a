"""A quicker start: what torch's import makes that painting never uses is made when it is asked for.

Torch imports its exporter and the shape functions of its compiler, more than a third of the time
its import takes. A name of them that is looked up later loads them as ever.
"""

import gc
import importlib.util
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType

# Shape functions written in Python: of torch.compile, torch.export, and operations on the meta
# device that have none in C++. Networks here are built of operations that have.
LATER = ("torch._meta_registrations", "torch.distributed._meta_registrations", "torch.export")
NEEDED = "torch._prims.rng_prims"  # which the first would import; torch.Generator waits for it


class Deferred(ModuleType):
    """A module whose code runs when an attribute is first looked up."""

    def __getattr__(self, name: str) -> object:
        if name.startswith("__") or self.__spec__ is None:  # what the import system itself asks
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        loader = self.__spec__.loader
        assert isinstance(loader, Deferring)
        self.__class__ = ModuleType  # type: ignore[assignment]
        loader.real.exec_module(self)
        return getattr(self, name)


class Deferring(Loader):
    """Makes a `Deferred` of what the loader it wraps would run at once."""

    def __init__(self, real: Loader) -> None:
        self.real = real

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """An empty module that knows its spec."""
        return Deferred(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Nothing yet."""


class Finder(MetaPathFinder):
    """Finds the modules of LATER, as deferred ones."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The usual spec with the loader wrapped; None, so that the next finder is asked, for any
        other name.
        """
        spec = PathFinder.find_spec(name, path, target) if name in LATER else None
        if spec is None or spec.loader is None:
            return None
        spec.loader = Deferring(spec.loader)
        return spec


@contextmanager
def quick_imports() -> Iterator[None]:
    """Import torch inside without what painting does not use, and without looking for garbage
    among modules, which stay.

    Does nothing where torch is imported already.
    """
    if "torch" in sys.modules or importlib.util.find_spec("torch") is None:
        yield
        return
    finder = Finder()
    sys.meta_path.insert(0, finder)
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
        with suppress(ImportError):  # a torch without it has no need of it
            importlib.import_module(NEEDED)
    finally:
        sys.meta_path.remove(finder)
        gc.freeze()
        if collecting:
            gc.enable()
