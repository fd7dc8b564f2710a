"""`bluerider finetune`: what is missing is told before anything heavy is imported."""

import pytest

from tests.cli.conftest import Run


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("pictures", "--part", "prior"), "--out is missing"),
        (("steps=3", "--part", "prior", "--out", "run"), "no data"),
        (("a", "b", "--part", "prior", "--out", "run"), "2 places; one folder or table"),
        (("a", "--part", "prior", "--output", "run"), "unknown option --output"),
    ],
)
def test_mistakes_are_told(run: Run, arguments: tuple[str, ...], said: str) -> None:
    ran = run("finetune", *arguments)
    assert ran.code == 2 and said in ran.err and ran.err.count("\n") == 1
