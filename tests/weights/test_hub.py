"""Downloads for real: a process of its own, huggingface_hub, and a hub on loopback that fails on
request.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bluerider.errors import InputError, WeightsError
from bluerider.weights.hub import chosen, fetch, is_repo
from bluerider.weights.load import open_model
from bluerider.weights.store import Announced, home, manifest_path
from bluerider.weights.verify import verify
from tests.weights.conftest import HubServer

COMMIT = "0123456789abcdef0123456789abcdef01234567"
DECODER = "kandinsky-community/kandinsky-2-2-decoder"
UNET = "unet/diffusion_pytorch_model.safetensors"


def start(server: Any, *arguments: str) -> subprocess.Popen[str]:
    settings = {
        "HF_ENDPOINT": server.address,
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1",
        "NO_PROXY": "127.0.0.1",
    }
    return subprocess.Popen(
        [sys.executable, "-m", "bluerider", "models", *arguments],
        env=os.environ | settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(server: Any, *arguments: str) -> SimpleNamespace:
    process = start(server, *arguments)
    out, err = process.communicate(timeout=120)
    return SimpleNamespace(code=process.returncode, out=out, err=err)


def complaint(result: SimpleNamespace) -> str:
    """The one line a failure ends with, after what the hub's library logged of its retries."""
    line = result.err.strip().splitlines()[-1]
    assert line.startswith("bluerider: ")
    assert "Traceback" not in result.err
    return line


def test_fetch_announces_downloads_and_checks(server: Any) -> None:
    result = run(server, "fetch", "kandinsky-2.2")
    assert result.code == 0, result.err
    assert f"fetching {DECODER} at {COMMIT[:12]}" in result.err
    assert "licence apache-2.0" in result.err
    files = open_model("kandinsky-2.2", offline=True)
    assert files.parts["unet"].parent.name == COMMIT
    assert files.load("prior").config.embed_dim == 24
    verdict = verify("kandinsky-2.2")
    assert verdict.complaints == ()
    assert verdict.hashed == verdict.files > 10
    manifest = json.loads(manifest_path(DECODER, None).read_text())
    assert (manifest["commit"], manifest["revision"]) == (COMMIT, "main")
    server.asked.clear()
    assert run(server, "fetch", "kandinsky-2.2").code == 0
    assert server.asked == []
    changed = files.parts["unet"] / "diffusion_pytorch_model.safetensors"
    data = bytearray(changed.read_bytes())
    data[-1] ^= 1
    changed.resolve().write_bytes(bytes(data))
    result = run(server, "verify", "kandinsky-2.2")
    assert result.code == 1
    assert f"{UNET}: hash " in complaint(result)


def test_an_interrupted_download_goes_on_where_it_was(server: Any) -> None:
    server.faults[UNET] = "cut"
    result = run(server, "fetch", "kandinsky-2.2")
    assert result.code == 1
    assert "run the same command again" in complaint(result)
    assert not manifest_path(DECODER, None).exists()
    whole = set(server.asked) - {f"{DECODER}/{UNET}"}
    server.is_down = False
    server.faults.clear()
    server.asked.clear()
    assert run(server, "fetch", "kandinsky-2.2").code == 0
    assert f"{DECODER}/{UNET}" in server.asked
    assert not whole & set(server.asked)
    assert verify("kandinsky-2.2").complaints == ()


def test_a_killed_download_leaves_nothing_that_passes_for_whole(server: Any) -> None:
    server.faults[UNET] = "stall"
    process = start(server, "fetch", "kandinsky-2.2")
    assert server.stalled.wait(60)
    process.kill()
    process.communicate()
    server.released.set()
    server.faults.clear()
    assert "never fetched" in complaint(run(server, "verify", "kandinsky-2.2"))
    assert run(server, "fetch", "kandinsky-2.2").code == 0
    assert verify("kandinsky-2.2").complaints == ()


def test_a_wrong_hash_is_thrown_away(server: Any) -> None:
    server.faults[UNET] = "wrong"
    result = run(server, "fetch", "kandinsky-2.2")
    assert result.code == 1
    assert f"{UNET}: hash" in complaint(result)
    assert not list(Path(os.environ["HF_HOME"]).rglob(Path(UNET).name))
    server.faults.clear()
    assert run(server, "fetch", "kandinsky-2.2").code == 0


@pytest.mark.parametrize(
    ("fault", "told"), [("missing", "a file is missing on the hub"), ("refused", "the hub refused")]
)
def test_a_file_that_cannot_be_had(server: Any, fault: str, told: str) -> None:
    server.faults["movq/config.json"] = fault
    result = run(server, "fetch", "kandinsky-2.2")
    assert result.code == 1
    assert told in complaint(result)


def test_no_network_at_all(server: Any) -> None:
    server.is_down = True
    result = run(server, "fetch", "kandinsky-2.2")
    assert result.code == 1
    assert "the connection to the hub failed" in complaint(result)


def test_an_unknown_repository(server: Any) -> None:
    result = run(server, "fetch", "someone/nothing")
    assert result.code == 1
    assert "no such model on the hub" in complaint(result)


def test_a_manifest_without_its_files_is_not_believed(server: Any) -> None:
    assert run(server, "fetch", "kandinsky-2.2").code == 0
    files = open_model("kandinsky-2.2", offline=True)
    (files.parts["unet"] / "config.json").unlink()
    assert run(server, "fetch", "kandinsky-2.2").code == 0
    assert (files.parts["unet"] / "config.json").is_file()


def test_a_damaged_manifest_is_told() -> None:
    path = manifest_path(DECODER, None)
    path.parent.mkdir(parents=True)
    path.write_text('{"repo": 1}')
    with pytest.raises(WeightsError, match="damaged; fetch the model again"):
        open_model("kandinsky-2.2")
    assert path.is_relative_to(home())


@pytest.mark.parametrize("name", ["a", "a/b/c", "../a", "a/..", "a b/c", "a/b\n", "é/b", "a/b?c"])
def test_what_is_no_repository(name: str) -> None:
    assert not is_repo(name)
    with pytest.raises(InputError, match="the form is owner/name"):
        fetch(name)


def listed(*names: str) -> list[SimpleNamespace]:
    lfs = SimpleNamespace(size=9, sha256="ab")
    return [
        SimpleNamespace(
            rfilename=name,
            size=5,
            blob_id="cd",
            lfs=lfs if name.endswith((".safetensors", ".bin")) else None,
        )
        for name in names
    ]


def names(files: list[Announced]) -> list[str]:
    return [file.path for file in files]


def test_only_parts_plain_text_and_one_set_of_safetensors_are_chosen() -> None:
    files = listed(
        "model_index.json",
        "README.md",
        "evil.py",
        "unet/config.json",
        "unet/modeling.py",
        "unet/diffusion_pytorch_model.bin",
        "unet/diffusion_pytorch_model.safetensors",
        "unet/diffusion_pytorch_model.fp16.safetensors",
        "tokenizer/merges.txt",
        "safety_checker/model.safetensors",
        "unet/deep/er/model.safetensors",
    )
    text = ["model_index.json", "README.md"]
    plain = "unet/diffusion_pytorch_model.safetensors"
    half = "unet/diffusion_pytorch_model.fp16.safetensors"
    merges, config = "tokenizer/merges.txt", "unet/config.json"
    assert names(chosen(files, None, "a/b")) == [*text, merges, config, plain]
    assert names(chosen(files, "fp16", "a/b")) == [*text, merges, config, half]


def test_every_shard_of_an_index_is_chosen() -> None:
    shards = [f"prior/diffusion_pytorch_model-0000{i}-of-00002.safetensors" for i in (1, 2)]
    index = "prior/diffusion_pytorch_model.safetensors.index.json"
    files = listed("model_index.json", "prior/config.json", index, *shards)
    assert names(chosen(files, None, "a/b"))[2:] == [index, *shards]


def test_a_part_published_as_a_pickle_only_is_refused() -> None:
    files = listed("model_index.json", "unet/config.json", "unet/diffusion_pytorch_model.bin")
    with pytest.raises(WeightsError, match="as a pickle only"):
        chosen(files, None, "a/b")


def test_a_repository_that_is_no_pipeline_is_refused() -> None:
    with pytest.raises(WeightsError, match=r"no model_index\.json"):
        chosen(listed("config.json", "model.safetensors"), None, "a/b")


def test_a_first_release_is_fetched_by_the_names_of_its_files(tiny: Any) -> None:
    hub = HubServer({"ai-forever/Kandinsky_2.0": tiny("kandinsky-2.0")})
    try:
        result = run(hub, "fetch", "kandinsky-2.0")
        assert result.code == 0, result.err
        asked = {name.split("/", 2)[-1] for name in hub.asked}
        assert "Kandinsky-2-0.pt" in asked
        assert "bluerider.json" not in asked
        other = run(hub, "fetch", "kandinsky-2.0-inpaint")
        assert "no longer has Kandinsky-2-0-inpainting.pt" in complaint(other)
    finally:
        hub.close()
    files = open_model("kandinsky-2.0", offline=True)
    assert files.load("t5").config.width == 32
    assert verify("kandinsky-2.0").complaints == ()
