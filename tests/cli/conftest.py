import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from bluerider.cli.main import main
from tests.cli.fake_pipeline import FakePipeline, install

FAKE = Path(__file__).with_name("fake_pipeline.py")


class Ran(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Ran]


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[FakePipeline]]:
    """A fresh pipeline class in the place of the real one."""

    class Fresh(FakePipeline):
        loads = []
        painted = []
        batches = []
        fails_at = {}

    monkeypatch.setitem(sys.modules, "bluerider.pipeline", None)  # restored afterwards
    install(Fresh)
    yield Fresh


@pytest.fixture
def run(here: Path, fake: type[FakePipeline], capsys: pytest.CaptureFixture[str]) -> Run:
    """`bluerider ARGUMENTS` in this process."""

    def command(*arguments: str) -> Ran:
        capsys.readouterr()
        code = main(list(arguments))
        return Ran(code, *capsys.readouterr())

    return command


@pytest.fixture
def start(here: Path) -> Callable[..., subprocess.Popen[str]]:
    """The same in a process of its own, each fake step taking `pause` seconds."""

    def process(*arguments: str, pause: float = 0.0, **options: Any) -> subprocess.Popen[str]:
        # A shell that runs the tests in the background makes its children ignore Ctrl-C.
        options.setdefault("preexec_fn", lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
        return subprocess.Popen(
            [sys.executable, str(FAKE), str(pause), *arguments],
            stdout=options.pop("stdout", subprocess.PIPE),
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
            cwd=here,
            env={**os.environ, **options.pop("env", {})},
            **options,
        )

    return process
