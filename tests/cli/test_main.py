"""The table of commands: help without heavy imports, exit codes, signals, pipes, completion."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from bluerider import __version__
from bluerider.cli.main import COMMANDS, load, main
from tests.cli.conftest import Run

HEAVY = ("torch", "transformers", "lightning", "pydantic", "numpy", "PIL", "diffusers")
Start = Callable[..., subprocess.Popen[str]]
HELP = """
import sys
from bluerider.cli.main import main
code = main(sys.argv[1:])
loaded = [name for name in {heavy} if name in sys.modules]
sys.exit(f"imported {{loaded}}" if loaded or code else 0)
"""


def helps() -> list[list[str]]:
    """Every --help there is: the table's, each command's, each subcommand's."""
    every = [["--help"]]
    for name in COMMANDS:
        every.append([name, "--help"])
        every += [[name, sub, "--help"] for sub in getattr(load(name), "commands", {})]
    return every


@pytest.mark.parametrize("arguments", helps(), ids=" ".join)
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    code = HELP.format(heavy=HEAVY)
    ran = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, encoding="utf-8"
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.lower().lstrip().startswith("usage: bluerider")
    assert ran.stderr == ""


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = (
        "import sys, bluerider; dir(bluerider); bluerider.Request; bluerider.InputError;"
        f"sys.exit(any(name in sys.modules for name in {HEAVY}))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_the_table_lists_every_command(run: Run) -> None:
    out = run("--help").out
    assert all(f"  {name} " in out and command.help in out for name, command in COMMANDS.items())
    assert {"generate", "show", "models", "evaluate", "data", "train"} <= set(COMMANDS)


def test_no_arguments_show_the_table(run: Run) -> None:
    assert run() == run("--help")


def test_version(run: Run) -> None:
    assert run("--version").out == f"bluerider {__version__}\n"


@pytest.mark.parametrize("name", ["generate", "show", "completion"])
def test_help_gives_examples(run: Run, name: str) -> None:
    assert f"bluerider {name} " in run(name, "--help").out.partition("Examples")[2]


@pytest.mark.parametrize("words", [["evaluate", "scenes"], ["guide", "measure"], ["train"]])
def test_help_fills_its_lines(run: Run, words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    prose = run(*words, "--help").out.partition("╭─")[0].split("\n")
    inner = [(one.strip(), below.strip()) for one, below in pairwise(prose)]
    assert all(len(one) + len(below.split()[0]) > 76 for one, below in inner if one and below)


def test_help_lists_what_subcommands_do_in_full_lines(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    out = run("evaluate", "--help").out
    assert "each field on its own unless --full combines them." in out


def test_every_public_name_is_found() -> None:
    import bluerider

    light = [name for name in bluerider.__all__ if name != "Pipeline"]
    assert all(getattr(bluerider, name) is not None for name in light)
    with pytest.raises(AttributeError, match="Pipelin"):
        bluerider.Pipelin  # noqa: B018


def test_python_dash_m(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bluerider", "generate", "x", "--steps", "0"]
    ran = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert ran.returncode == 2
    assert ran.stderr == "bluerider: steps: got 0; 1 to 1000 are accepted\n"
    assert list(tmp_path.iterdir()) == []


def wait_for_line(process: subprocess.Popen[str]) -> str:
    assert process.stderr is not None
    return process.stderr.readline()


def test_ctrl_c_stops_within_a_step_and_leaves_no_half_file(start: Start, here: Path) -> None:
    process = start("generate", "x", "--seed", "1", "-o", "out", pause=30.0)
    assert wait_for_line(process).startswith("seed 1 ")
    process.send_signal(signal.SIGINT)
    begun = time.monotonic()
    out, err = process.communicate(timeout=60)
    assert time.monotonic() - begun < 30  # one step alone takes that long
    assert process.returncode == 130
    assert (out, err) == ("", "bluerider: interrupted\n")
    assert list(here.iterdir()) == []


def test_a_reader_that_leaves_early_is_no_error(start: Start, here: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    process = start("generate", "x", "--seed", "1", "--json", stdout=write)
    os.close(write)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "Error" not in err and "Exception" not in err
    assert (here / "outputs/1.png").is_file()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_stdout_is_one_line(start: Start) -> None:
    with open("/dev/full", "w") as full:
        process = start("generate", "x", "--seed", "1", "--json", stdout=full)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 1
    assert err.splitlines()[-1] == "bluerider: the system: No space left on device"


def test_a_closed_stdout_is_no_error(start: Start, here: Path) -> None:
    process = start("generate", "x", "--seed", "1", preexec_fn=lambda: os.close(1))
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "Error" not in err
    assert (here / "outputs/1.png").is_file()


@pytest.mark.parametrize("locale", ["C", "en_US.ISO-8859-1"])
def test_words_of_any_language_in_a_narrow_terminal(start: Start, locale: str) -> None:
    environment = {"LC_ALL": locale, "PYTHONIOENCODING": "latin-1"}
    process = start("generate", "яблоко", "--seed", "1", "-o", "яблоко.png", env=environment)
    _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are a thing of Unix")
@pytest.mark.parametrize("colour", [True, False])
def test_a_terminal_gets_a_bar_with_the_time_left(here: Path, colour: bool) -> None:
    import pty

    ours, theirs = pty.openpty()
    fake = Path(__file__).with_name("fake_pipeline.py")
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100"}
    environment |= {} if colour else {"NO_COLOR": "1"}
    process = subprocess.Popen(
        [sys.executable, str(fake), "0.2", "generate", "x", "-n", "2", "--seed", "1"],
        stdout=subprocess.PIPE,
        stderr=theirs,
        cwd=here,
        env=environment,
    )
    os.close(theirs)
    seen = read_all(ours)
    assert process.wait(timeout=60) == 0
    assert process.stdout is not None
    with process.stdout as stdout:
        assert stdout.read() == b"outputs/1.png\noutputs/2.png\n"
    assert "picture 1-2 of 2, decoder 4/4" in seen
    assert "left" in seen and "0:00:0" in seen
    assert ("\x1b[3" in seen) is colour


def read_all(terminal: int) -> str:
    data = b""
    while True:
        try:
            chunk = os.read(terminal, 4096)
        except OSError:  # Linux's way to say that the other end is closed
            chunk = b""
        if not chunk:
            os.close(terminal)
            return data.decode()
        data += chunk


@pytest.mark.parametrize(
    ("line", "cursor", "expected"),
    [
        ("bluerider ge", 1, {"generate"}),
        ("bluerider generate --sampler dp", 3, {"dpmpp_2m", "dpmpp_2m_sde"}),
        ("bluerider generate --model murn", 3, {"murnau"}),
        ("bluerider generate --guidance-", 2, {"--guidance-interval"}),
        ("bluerider models fet", 2, {"fetch"}),
        ("bluerider dreambooth sweep --unr", 3, {"--unrelated"}),
        ("bluerider dreambooth --dry", 2, {"--dry-run"}),
    ],
)
def test_the_shell_is_answered(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    line: str,
    cursor: int,
    expected: set[str],
) -> None:
    monkeypatch.setenv("_BLUERIDER_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", line)
    monkeypatch.setenv("COMP_CWORD", str(cursor))
    assert main([]) == 0
    assert set(capsys.readouterr().out.split()) == expected


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_completion_prints_a_script(run: Run, shell: str) -> None:
    ran = run("completion", shell)
    assert ran.code == 0
    assert "_BLUERIDER_COMPLETE" in ran.out


def test_completion_installs_itself(run: Run, here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(here))
    assert run("completion", "bash", "--install").code == 0
    assert ".bash_completions/bluerider.sh" in (here / ".bashrc").read_text()
