"""Every golden file that is there, one test a file; tests/goldens/check_*.py say what is held to
it.
"""

from importlib import import_module
from pathlib import Path

import pytest
import torch

from tests.goldens.case import CHECKS, ROOT, Case, cases, folders

for path in sorted(Path(__file__).parent.glob("check_*.py")):
    import_module(f"tests.goldens.{path.stem}")

FOUND = list(cases())
INDEX = (ROOT / "tests" / "goldens" / "index.txt").read_text().split()


@pytest.mark.parametrize("case", FOUND, ids=lambda case: case.name)
def test_golden(case: Case) -> None:
    assert case.kind in CHECKS, f"no check for cases named {case.kind}_...: add one to check_*.py"
    with torch.random.fork_rng():
        CHECKS[case.kind](case)


def test_which_cases_of_the_index_are_not_here() -> None:
    absent = [name for name in INDEX if name not in {case.name for case in FOUND}]
    if absent:
        places = ", ".join(map(str, folders()))
        pytest.skip(f"not in {places}, so not run: {', '.join(absent)}")
