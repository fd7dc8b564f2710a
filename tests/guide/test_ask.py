"""Answers are claims with sources; a language model writes from those alone and is watched."""

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from bluerider.cli.main import main
from bluerider.errors import BlueriderError, InputError, OfflineError
from bluerider.guide import ask
from bluerider.guide.index import Guide
from tests.guide.conftest import PLACE

QUESTION = "can other groups read my text in a shared vector database?"


@pytest.fixture(scope="module")
def guide(tmp_path_factory: pytest.TempPathFactory) -> Guide:
    return Guide([PLACE], tmp_path_factory.mktemp("cache"))


class Service:
    """A chat service on the loopback interface, saying what it is told to."""

    def __init__(self) -> None:
        self.says: Callable[[], bytes] = lambda: completion("It can [1].")
        self.code = 200
        self.asked: list[dict[str, Any]] = []
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                heads = {name.lower(): value for name, value in self.headers.items()}
                service.asked.append({"path": self.path, "heads": heads, **json.loads(body)})
                self.send_response(service.code)
                self.end_headers()
                self.wfile.write(service.says())

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/v1"


def completion(text: str) -> bytes:
    return json.dumps({"choices": [{"message": {"content": text}}]}).encode()


@pytest.fixture
def service() -> Iterator[Service]:
    made = Service()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


def test_an_answer_quotes_the_claim_and_its_source(guide: Guide) -> None:
    reply = ask.ask(guide, QUESTION)
    assert reply.holds
    assert reply.quotes[0].claim["id"] == "risk/vector-and-embedding-weaknesses#multi-tenant"
    assert reply.quotes[0].address.startswith("https://github.com/OWASP/")


@pytest.mark.parametrize("question", ["who won the cup in 1998?", "when do whales sleep"])
def test_a_question_the_guide_cannot_answer_is_told(guide: Guide, question: str) -> None:
    assert not ask.ask(guide, question).holds


def test_a_model_gets_the_claims_and_nothing_else(guide: Guide, service: Service) -> None:
    reply = ask.write(ask.ask(guide, QUESTION), service.url, "small")
    assert (reply.written, reply.doubts) == ("It can [1].", ())
    sent = service.asked[0]
    assert (sent["path"], sent["model"]) == ("/v1/chat/completions", "small")
    given = json.loads(sent["messages"][1]["content"])
    assert given["question"] == QUESTION and len(given["claims"]) == len(reply.quotes)
    assert "authorization" not in sent["heads"]


def test_a_key_is_taken_from_the_environment(
    guide: Guide, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ask.KEY, "abc")
    ask.write(ask.ask(guide, QUESTION), service.url, "small")
    assert service.asked[0]["heads"]["authorization"] == "Bearer abc"


def test_a_model_that_finds_no_answer_is_believed(guide: Guide, service: Service) -> None:
    service.says = lambda: completion("NO ANSWER")
    reply = ask.write(ask.ask(guide, QUESTION), service.url, "small")
    assert (reply.holds, reply.written) == (False, None)


def test_nothing_is_sent_when_the_claims_hold_no_answer(guide: Guide, service: Service) -> None:
    ask.write(ask.ask(guide, "when do whales sleep"), service.url, "small")
    assert service.asked == []


@pytest.mark.parametrize(
    ("said", "doubt"),
    [
        ("It can [1]. The moon is cheese.", "no claim is named for: The moon is cheese."),
        ("It can [99].", "it cites [99], which it was not given"),
    ],
)
def test_what_rests_on_no_claim_is_doubted(
    guide: Guide, service: Service, said: str, doubt: str
) -> None:
    service.says = lambda: completion(said)
    assert ask.write(ask.ask(guide, QUESTION), service.url, "small").doubts == (doubt,)


@pytest.mark.parametrize("said", [b"", b"[]", b'{"choices": []}', b"\xff", b"<html>"])
def test_a_reply_that_is_none_is_one_sentence(guide: Guide, service: Service, said: bytes) -> None:
    service.says = lambda: said
    with pytest.raises(BlueriderError, match="no chat completion"):
        ask.write(ask.ask(guide, QUESTION), service.url, "small")


def test_an_error_of_the_service_is_told(guide: Guide, service: Service) -> None:
    service.code = 500
    with pytest.raises(BlueriderError, match="answered 500"):
        ask.write(ask.ask(guide, QUESTION), service.url, "small")


def test_a_service_that_is_not_there_is_told(guide: Guide) -> None:
    with pytest.raises(OfflineError, match="cannot be reached"):
        ask.write(ask.ask(guide, QUESTION), "http://127.0.0.1:9/v1", "small")


def test_what_is_no_address_is_refused(guide: Guide) -> None:
    with pytest.raises(InputError, match="an address is accepted"):
        ask.write(ask.ask(guide, QUESTION), "file:///etc/passwd", "small")


def test_the_command_prints_written_words_and_claims(
    service: Service, capsys: pytest.CaptureFixture[str]
) -> None:
    service.says = lambda: completion("Give rights [1].")
    assert main(["guide", "ask", "shared vector store", "--llm", service.url]) == 0
    out = capsys.readouterr().out
    assert out.startswith("Give rights [1].") and "https://" in out
