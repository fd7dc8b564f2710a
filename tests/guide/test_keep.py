"""Records of one's own, and addresses that are asked whether they answer."""

import io
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from bluerider.cli.main import main
from bluerider.errors import OfflineError
from bluerider.guide import links
from bluerider.guide.index import Guide
from tests.guide.conftest import Folder, term

ANSWERS = ["Glow", "A soft halo.", "image", "Halos are soft.", "https://e.org/x", "p. 1", "Prose."]


def add(kind: str, answers: list[str], monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in answers)))
    return main(["guide", "add", kind])


def test_a_record_of_ones_own_is_found(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert add("term", ANSWERS, monkeypatch) == 0
    capsys.readouterr()
    assert main(["guide", "show", "term/glow", "--json"]) == 0
    row = json.loads(capsys.readouterr().out)
    assert (row["summary"]["en"], row["claims"][0]["status"]) == ("A soft halo.", "checked")


def test_without_a_locator_a_claim_is_recalled(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert add("term", [*ANSWERS[:5], "", ANSWERS[6]], monkeypatch) == 0
    capsys.readouterr()
    assert main(["guide", "claim", "term/glow#first", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["status"] == "recalled"


def test_fields_of_a_type_are_asked_for(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    answers = [*ANSWERS[:3], "limit", "Fewer rights.", *ANSWERS[3:]]
    assert add("mitigation", answers, monkeypatch) == 0
    assert "prevent, detect, limit, recover" in capsys.readouterr().err


def test_a_modifier_is_asked_what_it_changes(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = ["Glimmer x", "Light.", "image", "lighting", *ANSWERS[3:6], "brightness", "up", "P."]
    assert add("prompt-modifier", answers, monkeypatch) == 0


@pytest.mark.parametrize(
    ("kind", "answers", "said"),
    [
        ("term", ["Glow", "", *ANSWERS[2:]], "summary.en"),
        ("term", [*ANSWERS[:2], "picture", *ANSWERS[3:]], "domain.0"),
        ("term", [*ANSWERS[:4], "somewhere", *ANSWERS[5:]], "claims.0.source"),
        ("term", ANSWERS[:3], "answers end before claim"),
        ("term", ["光", *ANSWERS[1:]], "Latin letters"),
        ("measurement", [], "unknown type"),
        ("animal", [], "unknown type"),
    ],
)
def test_a_wrong_answer_is_told_and_nothing_written(
    kind: str,
    answers: list[str],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    assert add(kind, answers, monkeypatch) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "home" / "guide" / "records").exists()


class Handler(BaseHTTPRequestHandler):
    def answer(self) -> None:
        codes = {"/ok": 200, "/gone": 404, "/shy": 403, "/no-head": 405}
        code = 200 if self.path == "/no-head" and self.command == "GET" else codes[self.path]
        self.send_response(code)
        self.end_headers()

    do_GET = do_HEAD = answer

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def place() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def pointing(records: Folder, tmp_path: Path, *urls: str) -> Guide:
    texts = {
        f"term__t{n}": term(f"t{n}").replace("https://example.org/words", url)
        for n, url in enumerate(urls)
    }
    return Guide([records(**texts)], tmp_path / "cache")


def test_addresses_are_asked(records: Folder, tmp_path: Path, place: str) -> None:
    names = ("ok", "gone", "shy", "no-head")
    guide = pointing(records, tmp_path, *(f"{place}/{name}" for name in names))
    found = links.check(guide, tmp_path / "links.json", "2026-01-01", lambda *_: None)
    states = {link.url.rsplit("/", 1)[1]: link.state for link in found}
    assert states == {"ok": "ok", "gone": "dead", "shy": "shy", "no-head": "ok"}


def test_what_was_seen_is_remembered_without_network(
    records: Folder, tmp_path: Path, place: str
) -> None:
    guide = pointing(records, tmp_path, f"{place}/gone")
    memory = tmp_path / "links.json"
    assert [link.state for link in links.remembered(guide, memory)] == ["unknown"]
    links.check(guide, memory, "2026-01-01", lambda *_: None)
    seen = links.remembered(guide, memory)
    assert [(link.state, link.seen, link.used_by) for link in seen] == [
        ("dead", "2026-01-01", ["term/t0"])
    ]


def test_a_damaged_memory_is_empty(records: Folder, tmp_path: Path) -> None:
    (tmp_path / "links.json").write_text('{"a": 3', "utf-8")
    guide = pointing(records, tmp_path, "https://e.org/x")
    assert links.remembered(guide, tmp_path / "links.json")[0].state == "unknown"


def test_no_network_is_one_sentence(records: Folder, tmp_path: Path) -> None:
    guide = pointing(records, tmp_path, "http://127.0.0.1:9/x")
    with pytest.raises(OfflineError, match="not one of 1 addresses can be reached"):
        links.check(guide, tmp_path / "links.json", "2026-01-01", lambda *_: None)
