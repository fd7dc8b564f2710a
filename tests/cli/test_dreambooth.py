"""`bluerider dreambooth`: what is missing is told before anything heavy is imported."""

import pytest

from tests.cli.conftest import Run

WHOLE = {"--subject": "a [V] robot", "--class": "a robot", "--out": "run"}


@pytest.mark.parametrize("missing", WHOLE)
def test_a_missing_flag_is_named(run: Run, missing: str) -> None:
    flags = [word for name, value in WHOLE.items() if name != missing for word in (name, value)]
    ran = run("dreambooth", "photos", *flags)
    assert ran.code == 2 and missing in ran.err


def test_settings_without_pictures_are_a_mistake(run: Run) -> None:
    flags = [word for pair in WHOLE.items() for word in pair]
    ran = run("dreambooth", "steps=3", *flags)
    assert ran.code == 2 and "no folder of pictures" in ran.err
