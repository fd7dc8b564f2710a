"""The index is built on first use, rebuilt when records move, and survives damage and company."""

import multiprocessing
from pathlib import Path

import pytest

from bluerider.errors import InputError
from bluerider.guide import build
from bluerider.guide.index import Guide
from bluerider.guide.search import search
from tests.guide.conftest import Folder, term


@pytest.fixture
def place(records: Folder) -> Path:
    return records(
        term__glow=term("glow", "links: [{rel: related, to: term/haze}]\n"), term__haze=term("haze")
    )


def open_and_ask(places: list[Path], cache: Path) -> list[str]:
    guide = Guide(places, cache)
    found = [hit.id for hit in search(guide, "glow").hits]
    guide.close()
    return found


def test_an_index_is_made_once(place: Path, tmp_path: Path) -> None:
    first = Guide([place], tmp_path / "cache")
    made = first.path.stat().st_mtime_ns
    assert Guide([place], tmp_path / "cache").path.stat().st_mtime_ns == made


def test_a_changed_record_is_seen(place: Path, tmp_path: Path) -> None:
    Guide([place], tmp_path / "cache").close()
    path = place / "term" / "glow.md"
    path.write_text(path.read_text("utf-8").replace("A word.", "A shimmering."), "utf-8")
    hits = search(Guide([place], tmp_path / "cache"), "shimmering").hits
    assert [hit.id for hit in hits][0] == "term/glow"


def test_a_changed_record_with_a_mistake_is_told(place: Path, tmp_path: Path) -> None:
    path = place / "term" / "glow.md"
    path.write_text(path.read_text("utf-8").replace("domain: [image]", "x: 1"), "utf-8")
    with pytest.raises(InputError, match=r"glow\.md:\d+: .*shows all"):
        Guide([place], tmp_path / "cache")


@pytest.mark.parametrize("damage", ["emptied", "cut", "noise", "scribbled"])
def test_a_damaged_index_is_rebuilt(place: Path, tmp_path: Path, damage: str) -> None:
    guide = Guide([place], tmp_path / "cache")
    guide.close()
    data = guide.path.read_bytes()
    half = len(data) // 2
    made = {
        "emptied": b"",
        "cut": data[:half],
        "noise": b"\xff" * len(data),
        "scribbled": data[:4096] + b"\xff" * (len(data) - 4096),
    }
    guide.path.write_bytes(made[damage])
    assert open_and_ask([place], tmp_path / "cache")[0] == "term/glow"


def test_two_processes_may_build_at_once(place: Path, tmp_path: Path) -> None:
    work = ([place], tmp_path / "cache")
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        found = pool.starmap(open_and_ask, [work, work])
    assert [each[0] for each in found] == ["term/glow", "term/glow"]
    assert [path.suffix for path in (tmp_path / "cache").iterdir()] == [".sqlite"]


def test_a_cache_that_cannot_be_written_is_done_without(
    place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(build, "build", full)
    assert open_and_ask([place], tmp_path / "cache")[0] == "term/glow"


def test_links_have_inverses(records: Folder, tmp_path: Path) -> None:
    link = "links: [{rel: uses, to: term/b, note: why}]\n"
    guide = Guide([records(term__a=term("a", link), term__b=term("b"))], tmp_path / "cache")
    assert guide.edges("term/b") == [("used-by", "term/a", "why")]


def test_a_record_is_found_by_id_and_name(place: Path, tmp_path: Path) -> None:
    guide = Guide([place], tmp_path / "cache")
    assert guide.record("term/glow")["id"] == guide.record("Glow")["id"] == "term/glow"


def test_an_unknown_id_names_the_nearest(place: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="did you mean 'term/glow'"):
        Guide([place], tmp_path / "cache").record("term/glwo")


def test_a_claim_is_found_by_its_id(place: Path, tmp_path: Path) -> None:
    claim, record = Guide([place], tmp_path / "cache").claim("term/glow#one")
    assert (claim["status"], record["id"]) == ("checked", "term/glow")


def test_an_unknown_claim_names_those_there_are(place: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="accepted: term/glow#one"):
        Guide([place], tmp_path / "cache").claim("term/glow#two")
