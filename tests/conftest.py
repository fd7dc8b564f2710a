"""What tests of several packages share: tiny models, one a session."""

from collections.abc import Callable
from pathlib import Path

import pytest

Tiny = Callable[[str], Path]


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    """The folder of the tiny model of a catalog name; tests only read it."""
    from tests.tiny import build

    built: dict[str, Path] = {}

    def folder(name: str) -> Path:
        if name not in built:
            built[name] = build(name, tmp_path_factory.mktemp("tiny") / name)
        return built[name]

    return folder
