"""What a person can get wrong: one line, the right exit code, no traceback, nothing written."""

import errno
import json
import os
from pathlib import Path

import pytest
from PIL import Image, PngImagePlugin

from bluerider import images
from bluerider.request import MAX_TEXT
from tests.cli.conftest import Run
from tests.cli.fake_pipeline import FakePipeline

HUGE = str(2**63)
BAD = {
    "no words": [],
    "empty prompt": [""],
    "blank prompt": [" \t\n "],
    "long prompt": ["x" * (MAX_TEXT + 1)],
    "undecodable prompt": ["red \udcff apple"],
    "words apart": ["red", "apple"],
    "unknown sampler": ["x", "--sampler", "ddmi"],
    "unknown spacing": ["x", "--spacing", "log"],
    "unknown model": ["x", "--model", "murnua"],
    "empty model": ["x", "--model", ""],
    "unknown device": ["x", "--device", "gpu"],
    "unknown dtype": ["x", "--dtype", "fp16"],
    "size off the grid": ["x", "--size", "100x100"],
    "size zero": ["x", "--size", "0x64"],
    "size negative": ["x", "--size", "-64x64"],
    "size absurd": ["x", "--size", "999999x64"],
    "size endless": ["x", "--size", "9" * 10_000 + "x64"],
    "size one number": ["x", "--size", "64"],
    "size words": ["x", "--size", "big"],
    "size full-width": ["x", "--size", "６４x64"],
    "size scientific": ["x", "--size", "1e3x64"],
    "steps zero": ["x", "--steps", "0"],
    "steps many": ["x", "--steps", "1001"],
    "steps fraction": ["x", "--steps", "2.5"],
    "steps full-width": ["x", "--steps", "１２"],
    "steps word": ["x", "--steps", "ten"],
    "prior steps": ["x", "--prior-steps", "0"],
    "n zero": ["x", "-n", "0"],
    "n many": ["x", "-n", "1001"],
    "n underscore": ["x", "-n", "1_0"],
    "guidance negative": ["x", "--guidance", "-1"],
    "guidance large": ["x", "--guidance", "100.5"],
    "guidance nan": ["x", "--guidance", "nan"],
    "guidance inf": ["x", "--guidance", "inf"],
    "guidance overflow": ["x", "--guidance", "1e999"],
    "guidance word": ["x", "--guidance", "much"],
    "prior guidance": ["x", "--prior-guidance", "101"],
    "eta": ["x", "--eta", "1.5"],
    "eta elsewhere": ["x", "--eta", "0.5", "--sampler", "heun"],
    "interval order": ["x", "--guidance-interval", "0.9,0.1"],
    "interval range": ["x", "--guidance-interval", "0,2"],
    "interval one": ["x", "--guidance-interval", "0.5"],
    "interval word": ["x", "--guidance-interval", "a,b"],
    "seed negative": ["x", "--seed", "-1"],
    "seed large": ["x", "--seed", HUGE],
    "seed with n": ["x", "--seed", str(2**63 - 1), "-n", "2"],
    "seed endless": ["x", "--seed", "9" * 5000],
    "unknown flag": ["x", "--sed", "1"],
    "missing value": ["x", "--steps"],
    "flag with a value too many": ["x", "--json=yes"],
    "parent missing": ["x", "-o", "nowhere/a.png"],
    "grandparent missing": ["x", "-o", "no/where/folder"],
    "parent is a file": ["x", "-o", "file/a.png"],
    "folder is a file": ["x", "-o", "file"],
    "file is a folder": ["x", "-o", "folder.png"],
    "empty output": ["x", "-o", ""],
    "name too long": ["x", "-o", "x" * 300],
    "one file for two": ["x", "-n", "2", "-o", "a.png"],
    "unwritable": ["x", "-o", "/proc/a.png"],
    "like missing": ["--like", "nothing.png"],
    "like foreign": ["--like", "foreign.png"],
    "like no picture": ["--like", "file"],
    "like a folder": ["--like", "folder.png"],
    "prompts missing": ["--prompts", "nothing.txt"],
    "prompts folder": ["--prompts", "folder.png"],
    "prompts empty": ["--prompts", "empty.txt"],
    "prompts binary": ["--prompts", "foreign.png"],
    "prompts and words": ["x", "--prompts", "file"],
    "prompts to one file": ["--prompts", "two.txt", "-o", "a.png"],
    "prompts bad json": ["--prompts", "bad.jsonl"],
    "prompts no object": ["--prompts", "list.jsonl"],
    "prompts deep": ["--prompts", "deep.jsonl"],
    "prompts unknown key": ["--prompts", "key.jsonl"],
    "prompts wrong type": ["--prompts", "type.jsonl"],
    "prompts two models": ["--prompts", "models.jsonl"],
    "prompts no prompt": ["--prompts", "none.jsonl"],
}


@pytest.fixture
def files(here: Path) -> None:
    (here / "file").write_text("words")
    (here / "two.txt").write_text("one\ntwo\n")
    (here / "empty.txt").write_text("\n \n")
    (here / "folder.png").mkdir()
    Image.new("RGB", (8, 8)).save(here / "foreign.png")
    (here / "bad.jsonl").write_text('{"prompt": "x"}\n{"prompt": ')
    (here / "list.jsonl").write_text('["x"]')
    (here / "deep.jsonl").write_text("[" * 100_000)
    (here / "key.jsonl").write_text('{"prompt": "x", "stesp": 3}')
    (here / "type.jsonl").write_text('{"prompt": "x", "steps": true}')
    (here / "models.jsonl").write_text('{"prompt": "x"}\n{"prompt": "x", "model": "kandinsky-2.2"}')
    (here / "none.jsonl").write_text('{"seed": 1}')


def everything(folder: Path) -> dict[str, bytes]:
    return {str(p): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


@pytest.mark.usefixtures("files")
@pytest.mark.parametrize("arguments", BAD.values(), ids=BAD)
def test_bad_input_is_one_line_and_writes_nothing(
    run: Run, here: Path, fake: type[FakePipeline], arguments: list[str]
) -> None:
    before = everything(here)
    ran = run("generate", *arguments)
    assert ran.code == 2
    assert ran.out == ""
    assert ran.err.startswith("bluerider: ")
    assert ran.err.count("\n") == 1
    assert len(ran.err) < 500
    assert "Traceback" not in ran.err
    assert everything(here) == before
    assert fake.loads == []


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["generat", "x"], "did you mean 'generate'?"),
        (["red apple"], "bluerider generate 'red apple'"),
        (["models", "fetc"], "did you mean 'fetch'?"),
        (["generate", "x", "--sampler", "ddmi"], "did you mean 'ddim'?"),
        (["generate", "x", "--model", "murnua"], "did you mean 'murnau'?"),
        (["generate", "x", "--stpes", "3"], "did you mean '--steps'?"),
        (["generate", "x", "--size", "100x100"], "the nearest: 64x64 and 128x128"),
        (["generate", "x", "-n", "2", "-o", "a.png"], "name a folder, such as a/"),
        (["show"], "see bluerider show --help"),
        (["--sed"], "unknown option '--sed'"),
        (["completion", "tcsh"], "accepted: bash, zsh, fish"),
    ],
)
def test_messages_say_what_to_do(run: Run, arguments: list[str], hint: str) -> None:
    ran = run(*arguments)
    assert ran.code == 2
    assert hint in ran.err
    assert ran.err.count("\n") == 1


def test_the_line_of_a_bad_prompt_is_named(run: Run) -> None:
    Path("words.jsonl").write_text('{"prompt": "x"}\n\n{"prompt": "x", "stesp": 3}\n')
    err = run("generate", "--prompts", "words.jsonl").err
    assert "words.jsonl, line 3: unknown key 'stesp' in a request, did you mean 'steps'?" in err


def test_a_size_off_the_grid_of_a_foreign_model_is_refused_before_painting(
    run: Run, fake: type[FakePipeline]
) -> None:
    Path("mine").mkdir()
    ran = run("generate", "x", "--model", "mine", "--size", "100x64")
    assert ran.code == 2
    assert fake.painted == []
    assert not Path("outputs").exists()


def test_a_damaged_request_is_data(run: Run, here: Path) -> None:
    for text in ("{", "[1]", '{"prompt": 3}', '{"prompt": "x", "boom": 1}', "[" * 100_000):
        info = PngImagePlugin.PngInfo()
        info.add_itxt(images.KEY, text)
        Image.new("RGB", (8, 8)).save(here / "bad.png", pnginfo=info)
        assert run("generate", "--like", "bad.png").code == 2


def test_an_endless_prompt_is_refused_for_a_jpeg_before_painting(
    run: Run, fake: type[FakePipeline]
) -> None:
    ran = run("generate", "я" * MAX_TEXT, "-o", "a.jpg")
    assert ran.code == 2
    assert "use .png" in ran.err
    assert fake.loads == []


def test_a_full_disk_leaves_the_old_file_whole(
    run: Run, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (here / "a.png").write_bytes(b"old")

    def full(number: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    ran = run("generate", "x", "-o", "a.png")
    assert ran.code == 1
    assert ran.err.splitlines()[-1] == (
        "bluerider: cannot write a.png: No space left on device; nothing was changed there"
    )
    assert everything(here) == {str(here / "a.png"): b"old"}


def test_a_bug_is_one_line_too(run: Run, fake: type[FakePipeline]) -> None:
    fake.fails_at[3] = RuntimeError("the\nmaths failed")
    ran = run("generate", "x", "--seed", "3")
    assert ran.code == 1
    assert (
        "bluerider: RuntimeError: the maths failed; BLUERIDER_TRACEBACK=1 shows where\n" in ran.err
    )


def test_a_bug_can_be_looked_into(
    run: Run, fake: type[FakePipeline], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BLUERIDER_TRACEBACK", "1")
    fake.fails_at[3] = RuntimeError("the maths failed")
    with pytest.raises(RuntimeError, match="the maths failed"):
        run("generate", "x", "--seed", "3")


def test_a_stored_path_is_not_followed(run: Run, here: Path) -> None:
    request = {"prompt": "x", "inputs": [{"name": "/etc/hostname", "sha256": "0"}]}
    images.write(Image.new("RGB", (8, 8)), here / "a.png", request=request)
    assert "made from hostname, which is not here" in run("generate", "--like", "a.png").err


def test_json_errors_leave_stdout_empty(run: Run) -> None:
    ran = run("generate", "x", "--json", "--steps", "0")
    assert ran.out == ""
    assert json.dumps("steps")[1:-1] in ran.err
