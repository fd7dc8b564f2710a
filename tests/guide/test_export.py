"""What is exported can be read by others, and no folder of the user's is replaced."""

import csv
import json
import re
import sqlite3
from pathlib import Path

import pytest

from bluerider.cli.main import main
from bluerider.errors import InputError
from bluerider.guide.export import export, safe_cell
from bluerider.guide.index import Guide
from tests.guide.conftest import PLACE, Folder, term


@pytest.fixture(scope="module")
def guide(tmp_path_factory: pytest.TempPathFactory) -> Guide:
    return Guide([PLACE], tmp_path_factory.mktemp("cache"))


def test_jsonl_is_a_record_a_line(guide: Guide, tmp_path: Path) -> None:
    export(guide, "jsonl", tmp_path / "g.jsonl")
    lines = (tmp_path / "g.jsonl").read_text("utf-8").splitlines()
    assert [json.loads(line)["id"] for line in lines] == guide.ids()


def test_csv_is_a_claim_a_line(guide: Guide, tmp_path: Path) -> None:
    export(guide, "csv", tmp_path / "g.csv")
    with (tmp_path / "g.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == sum(len(row["claims"]) for row in guide.records())
    assert rows[0]["status"] == "checked"


def test_a_cell_is_never_a_formula() -> None:
    assert [safe_cell(cell) for cell in ("=1+1", "-x", "a", 3, None)] == [
        "'=1+1",
        "'-x",
        "a",
        3,
        None,
    ]


def test_sqlite_holds_records_claims_and_edges(guide: Guide, tmp_path: Path) -> None:
    export(guide, "sqlite", tmp_path / "g.sqlite")
    base = sqlite3.connect(tmp_path / "g.sqlite")
    counts = [
        base.execute(f"SELECT count(*) FROM {name}").fetchone()[0]
        for name in ("records", "claims", "edges")
    ]
    base.close()
    assert counts == [5, 8, 4]


def test_markdown_pages_link_to_pages(guide: Guide, tmp_path: Path) -> None:
    for path in export(guide, "md", tmp_path / "g"):
        for link in re.findall(r"\]\(([^)#:]+\.md)\)", path.read_text("utf-8")):
            assert (path.parent / link).exists()


def test_llms_txt_begins_as_its_form_says(guide: Guide, tmp_path: Path) -> None:
    export(guide, "llms-txt", tmp_path / "llms.txt")
    lines = (tmp_path / "llms.txt").read_text("utf-8").splitlines()
    assert lines[0].startswith("# ") and lines[2].startswith("> ") and lines[4].startswith("## ")


def test_the_site_needs_nothing_but_its_files(guide: Guide, tmp_path: Path) -> None:
    paths = export(guide, "site", tmp_path / "g")
    assert {path.name for path in paths} == {"index.html", "style.css", "app.js", "data.js"}
    page = (tmp_path / "g" / "index.html").read_text("utf-8")
    named = re.findall(r'(?:src|href)="([^"#]+)"', page)
    assert sorted(named) == ["app.js", "data.js", "style.css"]
    assert 'name="viewport"' in page


def test_the_sites_data_is_what_the_guide_holds(guide: Guide, tmp_path: Path) -> None:
    export(guide, "site", tmp_path / "g")
    text = (tmp_path / "g" / "data.js").read_text("utf-8")
    data = json.loads(text.removeprefix("window.GUIDE = ").rstrip().removesuffix(";"))
    assert [row["id"] for row in data["records"]] == guide.ids()


def test_a_record_cannot_end_the_script(records: Folder, tmp_path: Path) -> None:
    bad = term("a").replace("It is a word.", "'</script><script>alert(1)</script>'")
    guide = Guide([records(term__a=bad)], tmp_path / "cache")
    export(guide, "site", tmp_path / "g")
    assert "</script" not in (tmp_path / "g" / "data.js").read_text("utf-8")


def test_the_page_sets_text_and_no_markup(guide: Guide, tmp_path: Path) -> None:
    export(guide, "site", tmp_path / "g")
    code = (tmp_path / "g" / "app.js").read_text("utf-8")
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(", code)


def test_a_folder_of_the_users_is_not_replaced(guide: Guide, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear", "utf-8")
    with pytest.raises(InputError, match="is there already"):
        export(guide, "site", tmp_path / "mine")
    assert (tmp_path / "mine" / "letter.txt").exists()


def test_an_export_replaces_an_earlier_one(guide: Guide, tmp_path: Path) -> None:
    export(guide, "md", tmp_path / "g")
    (tmp_path / "g" / "old.md").write_text("old", "utf-8")
    export(guide, "md", tmp_path / "g")
    assert not (tmp_path / "g" / "old.md").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--format", "xml"], "unknown format 'xml'"),
        (["--format", "csv", "--out", "no/where.csv"], "does not exist"),
        (["--format", "csv", "--out", "."], "got a folder"),
    ],
)
def test_a_place_that_cannot_be_is_one_sentence(
    arguments: list[str],
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["guide", "export", *arguments]) == 2
    assert said in capsys.readouterr().err
