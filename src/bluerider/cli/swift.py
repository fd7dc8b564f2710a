"""A quicker start: what torch's import makes that painting never uses is made when it is asked for.

Torch imports its exporter and the shape functions of its compiler, more than a third of the time
its import takes. A name of them that is looked up later loads them as ever.
"""

import gc
import importlib.util
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from bluerider.deferred import Finder, Known

# Shape functions written in Python: of torch.compile, torch.export, and operations on the meta
# device that have none in C++. Networks here are built of operations that have.
LATER = ("torch._meta_registrations", "torch.distributed._meta_registrations", "torch.export")
NEEDED = "torch._prims.rng_prims"  # which the first would import; torch.Generator waits for it


@contextmanager
def quick_imports() -> Iterator[None]:
    """Import torch inside without what painting does not use, and without looking for garbage
    among modules, which stay.

    Does nothing where torch is imported already.
    """
    if "torch" in sys.modules or importlib.util.find_spec("torch") is None:
        yield
        return
    finder = Finder({name: Known() for name in LATER})
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
