import json
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bluerider.catalog import MODELS
from bluerider.cli.models import amount, app
from bluerider.errors import InputError, WeightsError

FIELDS = ["id", "family", "tasks", "layouts", "licence", "parameters", "bytes", "source"]


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLUERIDER_HOME", str(tmp_path / "home"))


def printed(*arguments: str) -> str:
    result = CliRunner().invoke(app, list(arguments), catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def test_list_as_json_has_every_model_and_exactly_the_fields() -> None:
    rows = json.loads(printed("list", "--json"))
    assert [row["id"] for row in rows] == list(MODELS)
    assert all(list(row) == FIELDS for row in rows)
    counts = {row["id"]: row["parameters"] for row in rows}
    assert counts["kandinsky-2.2"] == 4_886_682_807
    assert {row["bytes"] for row in rows if row["id"] != "murnau"} == {None}


def test_list_for_people_names_every_model_whole() -> None:
    text = printed("list")
    assert all(name in text for name in MODELS)


def test_show_tells_networks_source_and_defaults() -> None:
    text = printed("show", "kandinsky-2.2")
    assert "parameters: 4,886,682,807" in text
    assert "prior: kandinsky-community/kandinsky-2-2-prior" in text
    assert "  steps: 25" in text


def test_show_as_json() -> None:
    facts = json.loads(printed("show", "kandinsky-2.2-depth", "--json"))
    assert facts["networks"]["unet"]["in_channels"] == 8
    assert facts["folders"] == []


def test_show_of_an_unknown_model_names_the_known_ones() -> None:
    with pytest.raises(InputError, match="known models: murnau"):
        printed("show", "kandinsky-9")


def test_fetch_of_what_cannot_be_a_model() -> None:
    with pytest.raises(InputError, match="no model or folder 'nope'"):
        printed("fetch", "nope")


def test_verify_of_what_is_not_there() -> None:
    with pytest.raises(InputError, match="no folder or model 'nope'"):
        printed("verify", "nope")
    with pytest.raises(InputError, match="run: bluerider models fetch kandinsky-2.2"):
        printed("verify", "kandinsky-2.2")


def test_verify_of_a_folder_without_networks(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="no network here"):
        printed("verify", str(tmp_path))


@pytest.mark.parametrize(
    ("number", "text"),
    [(None, "unknown"), (7, "7"), (1500, "1.50 k"), (67_832_495, "67.83 M"), (5 * 10**9, "5.00 G")],
)
def test_large_numbers_are_shortened(number: int | None, text: str) -> None:
    assert amount(number) == text


def test_listing_needs_neither_torch_nor_the_hub() -> None:
    code = (
        "import sys; from bluerider.cli.models import app;"
        "app(['list', '--json'], standalone_mode=False);"
        "heavy = {'torch', 'numpy', 'huggingface_hub', 'transformers'} & set(sys.modules);"
        "print(sorted(heavy), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr.strip() == "[]"
