"""bluerider paints pictures from words in any language."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bluerider.errors import BlueriderError as BlueriderError
    from bluerider.errors import InputError as InputError
    from bluerider.errors import OfflineError as OfflineError
    from bluerider.errors import WeightsError as WeightsError
    from bluerider.pipeline import Pipeline as Pipeline
    from bluerider.request import Progress as Progress
    from bluerider.request import Request as Request
    from bluerider.request import Result as Result

__version__ = "0.1.0"

HOMES = {
    "Pipeline": "pipeline",
    "Request": "request",
    "Progress": "request",
    "Result": "request",
    "BlueriderError": "errors",
    "InputError": "errors",
    "WeightsError": "errors",
    "OfflineError": "errors",
}
__all__ = [*HOMES, "__version__"]


def __getattr__(name: str) -> Any:
    """Public names are looked up on first use: importing the package imports nothing heavy."""
    if name not in HOMES:
        raise AttributeError(f"module 'bluerider' has no attribute {name!r}")
    return getattr(import_module(f"bluerider.{HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
