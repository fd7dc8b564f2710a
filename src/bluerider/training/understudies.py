"""What Lightning and torch's optimisers ask of two large packages that training never uses.

They look up a few names of torch's compiler (torch._dynamo, which brings sympy) and of
torchmetrics, and for these names import both whole: a third of the memory that training has taken
when it begins. The names are answered here; whoever looks up any other gets the packages as ever.
"""

import logging
import sys
from collections.abc import Callable
from importlib import import_module
from typing import Any

from bluerider.deferred import Deferred, Finder, Known

COMPILER, METRICS = "torch._dynamo", "torchmetrics"


def defer() -> None:
    """Let both wait from now on, where they are not imported yet."""
    known = {
        COMPILER: Known(answers=COMPILING),
        METRICS: Known(answers=MEASURING, loose=True),
    }
    sys.meta_path.insert(0, Finder({n: k for n, k in known.items() if n not in sys.modules}))


class Compiled(type):
    """Nothing is compiled while the compiler waits."""

    def __instancecheck__(cls, one: object) -> bool:
        there: Any = sys.modules[COMPILER]
        return not isinstance(there, Deferred) and isinstance(one, there.OptimizedModule)


class OptimizedModule(metaclass=Compiled):
    """The compiler's class, for those who ask whether something is one."""


def disable(
    function: Callable[..., Any] | None = None, *args: Any, **options: Any
) -> Callable[..., Any]:
    """A function that is not to be compiled, itself; without one, what decorates one."""
    return function or disable


def graph_break(*args: Any, **options: Any) -> None:
    """Where a compiled graph would end."""


def metric(module: str, name: str) -> Callable[[], object]:
    """A class of torchmetrics, from the module it stands in."""

    def found() -> object:
        import_module("torchmetrics.utilities")  # which the others import in a circle
        return getattr(import_module(module), name)

    return found


COMPILING: dict[str, Callable[[], object]] = {
    "OptimizedModule": lambda: OptimizedModule,
    "disable": lambda: disable,
    "graph_break": lambda: graph_break,
}
MEASURING: dict[str, Callable[[], object]] = {
    "Metric": metric("torchmetrics.metric", "Metric"),
    "MetricCollection": metric("torchmetrics.collections", "MetricCollection"),
    "_logger": lambda: logging.getLogger(METRICS),
}
