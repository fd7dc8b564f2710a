"""Every example of docs/PROMPTS.md: commands run, weights and Python are as the page says."""

import re
import shlex
from pathlib import Path

import pytest

from bluerider.prompts.alternatives import choose
from bluerider.prompts.weights import parse
from tests.cli.conftest import Run

PAGE = (Path(__file__).parents[2] / "docs" / "PROMPTS.md").read_text(encoding="utf-8")
BLOCKS = "".join(re.findall(r"```sh\n(.*?)```", PAGE, flags=re.DOTALL))
ROWS = re.findall(r"^\| `([^`]+)` \| (.+) \|$", PAGE, flags=re.MULTILINE)


def test_the_page_has_examples() -> None:
    assert len(BLOCKS.splitlines()) >= 8 and len(ROWS) >= 10


@pytest.mark.parametrize("line", BLOCKS.splitlines())
def test_commands_run(run: Run, here: Path, line: str) -> None:
    (here / "cards").mkdir()
    (here / "cards" / "colour.txt").write_text("red\ngreen\n")
    program, *arguments = shlex.split(line)
    assert program == "bluerider"
    assert run(*arguments).code == 0


@pytest.mark.parametrize(("written", "meaning"), ROWS)
def test_weights_are_what_the_table_says(written: str, meaning: str) -> None:
    weight = parse(written).spans[0].weight
    assert f"{weight:g}" in re.findall(r"[0-9.]*[0-9]", meaning)


def test_python_gives_what_its_comment_says() -> None:
    (found,) = re.findall(r'^choose\("(.+)", seed=(\d+)\)  # \'(.+)\'$', PAGE, flags=re.MULTILINE)
    template, seed, result = found
    assert choose(template, int(seed)) == result


def test_a_setting_of_the_page_is_a_field() -> None:
    from bluerider.cli.sweeps import accepted

    row = PAGE.split("Any field with a number or a choice goes:")[1].split(". ")[0]
    named = {word.split("=")[0].replace("-", "_") for word in re.findall(r"`([a-z-]+)[=`]", row)}
    assert len(named) >= 10 and named <= set(accepted())
