"""A tiny model of Kandinsky 2.2's architecture, its folder, and a loopback hub that serves it."""

import hashlib
import json
import shutil
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from bluerider import catalog
from bluerider.config import (
    AutoencoderConfig,
    ConditionerConfig,
    PriorConfig,
    TextConfig,
    UNetConfig,
    VisionConfig,
)
from bluerider.nets.autoencoder import Autoencoder
from bluerider.nets.clip import TextTower, VisionTower
from bluerider.nets.conditioner import ImageConditioner
from bluerider.nets.prior import Prior
from bluerider.nets.unet import UNet
from bluerider.weights.save import save_model

WIDTH, TOKENS = 24, 12


@pytest.fixture(autouse=True)
def _own_home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BLUERIDER_HOME", str(tmp_path_factory.mktemp("home")))
    monkeypatch.setenv("HF_HOME", str(tmp_path_factory.mktemp("hub")))


@pytest.fixture(scope="session")
def tokenizer_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    words = ["<pad>", "<unk>", "<x>", "<s>", "</s>", *(chr(97 + i) for i in range(26))]
    tokenizer = Tokenizer(
        models.WordLevel({word: i for i, word in enumerate(words)}, unk_token="<unk>")
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.add_special_tokens(["<pad>", "<s>", "</s>"])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 3), ("</s>", 4)]
    )
    path = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    tokenizer.save(str(path))
    return path


@pytest.fixture(scope="session")
def tiny_parts(tokenizer_file: Path) -> dict[str, Any]:
    torch.manual_seed(7)
    unet = UNetConfig(
        in_channels=4,
        out_channels=8,
        channels=(32, 64, 64),
        depth=1,
        attends=(False, True, True),
        context_dim=16,
        head_dim=16,
    )
    conditioner = ConditionerConfig(
        kind="image", context_dim=16, time_dim=128, image_dim=WIDTH, tokens=32
    )
    text = TextConfig(
        vocab=40,
        width=WIDTH,
        layers=2,
        heads=2,
        mlp=48,
        tokens=TOKENS,
        embed_dim=WIDTH,
        activation="gelu",
        bos=3,
        eos=4,
        pad=0,
    )
    vision = VisionConfig(
        size=28,
        patch=7,
        width=16,
        layers=2,
        heads=2,
        mlp=32,
        embed_dim=WIDTH,
        activation="gelu",
        mean=(0.5, 0.4, 0.3),
    )
    prior = PriorConfig(
        embed_dim=WIDTH, text_dim=WIDTH, tokens=TOKENS, layers=2, heads=2, head_dim=8
    )
    return {
        "tokenizer": tokenizer_file,
        "text": TextTower(text),
        "image": VisionTower(vision),
        "prior": Prior(prior),
        "unet": (UNet(unet), ImageConditioner(conditioner)),
        "autoencoder": Autoencoder(AutoencoderConfig(channels=(32, 32, 64, 64), depth=1, codes=32)),
        "schedule": catalog.SCHEDULE_22,
        "prior_schedule": catalog.PRIOR_SCHEDULE,
    }


Saver = Callable[..., Path]


@pytest.fixture(scope="session")
def save_tiny(tiny_parts: dict[str, Any]) -> Saver:
    """Save the tiny model to a folder; parts given by name replace its own."""

    def save(folder: Path, *, dtype: torch.dtype | None = None, **parts: Any) -> Path:
        return save_model(
            {**tiny_parts, **parts},
            folder,
            name="tiny",
            defaults=catalog.MURNAU.defaults,
            licence="apache-2.0",
            dtype=dtype,
        )

    return save


@pytest.fixture(scope="session")
def tiny_model(save_tiny: Saver, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny model's folder; tests only read it."""
    return save_tiny(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def model_copy(tiny_model: Path, tmp_path: Path) -> Path:
    """A copy of the tiny model's folder that a test may damage."""
    return Path(shutil.copytree(tiny_model, tmp_path / "model"))


COMMIT = "0123456789abcdef0123456789abcdef01234567"
LFS = ".safetensors"


def git_sha1(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()


class HubServer:
    """Repositories (name -> folder) under a loopback address; `faults` maps a file's path to what
    goes wrong.
    """

    def __init__(self, repos: dict[str, Path]) -> None:
        self.repos = repos
        self.faults: dict[str, str] = {}  # cut | wrong | missing | stall | refused
        self.asked: list[str] = []
        self.stalled = threading.Event()
        self.released = threading.Event()
        self.is_down = False
        handler = type("Handler", (Handler,), {"hub": self})
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.thread = threading.Thread(target=self.http.serve_forever, daemon=True)
        self.thread.start()

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.http.server_address[1]}"

    def close(self) -> None:
        self.released.set()
        self.http.shutdown()
        self.http.server_close()
        self.thread.join()

    def description(self, repo: str) -> dict[str, Any]:
        root = self.repos[repo]
        siblings = []
        for path in sorted(path for path in root.rglob("*") if path.is_file()):
            data = path.read_bytes()
            entry: dict[str, Any] = {
                "rfilename": path.relative_to(root).as_posix(),
                "size": len(data),
                "blobId": git_sha1(data),
            }
            if path.name.endswith(LFS):
                sha = hashlib.sha256(data).hexdigest()
                entry["lfs"] = {"sha256": sha, "size": len(data), "pointerSize": 134}
            siblings.append(entry)
        card = {"license": "apache-2.0"}
        return {
            "_id": "1", "id": repo, "modelId": repo, "sha": COMMIT, "private": False,
            "tags": [], "downloads": 0, "likes": 0, "siblings": siblings, "cardData": card,
        }  # fmt: skip


class Handler(BaseHTTPRequestHandler):
    hub: HubServer
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        self.answer(body=True)

    def answer(self, *, body: bool) -> None:
        self.close_connection = True
        if self.hub.is_down:
            return
        path = self.path.split("?")[0].strip("/")
        parts = path.split("/")
        if parts[:2] == ["api", "models"]:
            repo = "/".join(parts[2:4])
            if repo in self.hub.repos:
                self.reply(json.dumps(self.hub.description(repo)).encode(), {}, body)
            else:
                self.fail(404, "RepoNotFound")
            return
        repo, name = "/".join(parts[:2]), "/".join(parts[4:])
        if body:
            self.hub.asked.append(f"{repo}/{name}")
        self.file(repo, name, body)

    def file(self, repo: str, name: str, body: bool) -> None:
        fault = self.hub.faults.get(name)
        path = self.hub.repos[repo] / name
        if fault == "missing" or not path.is_file():
            self.fail(404, "EntryNotFound")
            return
        if fault == "refused":
            self.fail(403, "")
            return
        data = path.read_bytes()
        tag = hashlib.sha256(data).hexdigest() if name.endswith(LFS) else git_sha1(data)
        headers = {"ETag": f'"{tag}"', "X-Repo-Commit": COMMIT}
        if fault == "wrong":
            data = data[:-1] + bytes([data[-1] ^ 1])
        self.reply(data, headers, body, fault)

    def reply(
        self, data: bytes, headers: dict[str, str], body: bool, fault: str | None = None
    ) -> None:
        self.send_response(200)
        for key, value in {
            **headers,
            "Content-Length": str(len(data)),
            "Connection": "close",
        }.items():
            self.send_header(key, value)
        self.end_headers()
        if not body:
            return
        if fault == "cut":
            self.hub.is_down = True
            self.wfile.write(data[: len(data) // 2])
            return
        if fault == "stall":
            self.wfile.write(data[: len(data) // 2])
            self.wfile.flush()
            self.hub.stalled.set()
            self.hub.released.wait(60)
            return
        self.wfile.write(data)

    def fail(self, status: int, code: str) -> None:
        self.send_response(status)
        if code:
            self.send_header("X-Error-Code", code)
        self.send_header("Content-Length", "0")
        self.send_header("Connection", "close")
        self.end_headers()


@pytest.fixture
def server(tiny_model: Path) -> Iterator[HubServer]:
    """A hub that publishes the tiny model as Kandinsky 2.2."""
    owner = "kandinsky-community/kandinsky-2-2"
    hub = HubServer(
        {f"{owner}-decoder": tiny_model / "decoder", f"{owner}-prior": tiny_model / "prior"}
    )
    yield hub
    hub.close()
