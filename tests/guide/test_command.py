"""`bluerider guide` on the command line."""

import pytest

from bluerider.cli.main import main
from tests.guide.conftest import Folder, term


def test_build_check_counts_what_there_is(
    records: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["guide", "build", "--check", str(records(term__a=term("a")))]) == 0
    assert capsys.readouterr().out.splitlines()[-1].split() == ["all", "1", "1", "1"]


def test_build_check_fails_with_the_file_and_the_line(
    records: Folder, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = records(term__a=term("a", "colour: red\n"))
    assert main(["guide", "build", "--check", str(folder)]) == 2
    out, err = capsys.readouterr()
    assert f"{folder / 'term' / 'a.md'}:7: unknown field colour" in out
    assert err.count("\n") == 1


def test_build_check_of_no_folder_is_a_clear_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["guide", "build", "--check", "nowhere"]) == 2
    assert "no such folder" in capsys.readouterr().err
