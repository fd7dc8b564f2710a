"""`bluerider generate` on a pipeline without networks: files, flags, JSON, --like, --prompts."""

import hashlib
import json
import sys
from pathlib import Path

import pytest
from PIL import Image

from bluerider.cli.models import announce
from bluerider.images import read_request
from bluerider.request import Request
from tests.cli.conftest import Run
from tests.cli.fake_pipeline import FakePipeline, colour


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_words_become_a_picture_in_outputs_named_by_its_seed(run: Run, here: Path) -> None:
    ran = run("generate", "red apple", "--seed", "7")
    assert (ran.code, ran.out) == (0, "outputs/7.png\n")
    assert names(here / "outputs") == ["7.png"]
    with Image.open(here / "outputs/7.png") as image:
        assert image.getpixel((0, 0)) == colour("red apple", 7)


def test_the_seed_is_drawn_and_printed(run: Run, here: Path) -> None:
    ran = run("generate", "red apple")
    (name,) = names(here / "outputs")
    assert f"seed {name.removesuffix('.png')} " in ran.err
    assert run("generate", "red apple").err != ran.err


@pytest.mark.parametrize(
    ("name", "kind"), [("a.png", "PNG"), ("a.JPG", "JPEG"), ("a.webp", "WEBP")]
)
def test_a_picture_name_is_one_file(run: Run, here: Path, name: str, kind: str) -> None:
    assert run("generate", "x", "-o", name, "--seed", "3").code == 0
    assert names(here) == [name]
    with Image.open(here / name) as image:
        assert image.format == kind
    assert read_request(here / name)["seed"] == 3


def test_n_pictures_of_consecutive_seeds_fill_a_folder(run: Run, here: Path) -> None:
    ran = run("generate", "x", "-n", "19", "--seed", "5", "-o", "many")
    assert ran.code == 0
    assert names(here / "many") == sorted(f"{seed}.png" for seed in range(5, 24))
    assert ran.out.splitlines() == [f"many/{seed}.png" for seed in range(5, 24)]


def test_every_picture_keeps_the_request_that_paints_it_alone(run: Run, here: Path) -> None:
    run("generate", "x", "-n", "10", "--seed", "5", "--eta", "0.5", "-o", "many")
    stored = read_request(here / "many/14.png")
    assert stored["seed"] == 14
    assert stored["n"] == 1
    assert stored["steps"] == 4
    assert list(stored) == list(Request(prompt="x").to_json())


def test_flags_become_fields(run: Run, fake: type[FakePipeline]) -> None:
    flags = {
        "--negative": ("negative", "blue", "blue"),
        "--steps": ("steps", "9", 9),
        "--guidance": ("guidance", "3.5", 3.5),
        "--prior-steps": ("prior_steps", "8", 8),
        "--prior-guidance": ("prior_guidance", "1", 1.0),
        "--sampler": ("sampler", "heun", "heun"),
        "--spacing": ("spacing", "karras", "karras"),
        "--guidance-interval": ("guidance_interval", "0.1,0.9", (0.1, 0.9)),
    }
    given = [word for flag, (_, text, _) in flags.items() for word in (flag, text)]
    assert run("generate", "x", "--size", "128x64", "--seed", "0", *given).code == 0
    (request,) = fake.painted
    assert (request.width, request.height) == (128, 64)
    assert {field: getattr(request, field) for field, _, _ in flags.values()} == {
        field: value for field, _, value in flags.values()
    }


def test_model_and_machine_reach_the_loader(run: Run, fake: type[FakePipeline]) -> None:
    (Path("mine")).mkdir()
    flags = ("--model", "mine", "--device", "cpu", "--dtype", "float32")
    flags += ("--prior", "p", "--clip", "c")
    assert run("generate", "x", *flags, "--offline").code == 0
    asked = {"model": "mine", "device": "cpu", "dtype": "float32", "prior": "p", "offline": True}
    asked |= {"clip": "c", "lora": (), "memory": "normal"}
    (load,) = fake.loads
    assert load == {**asked, "announce": announce}


def test_no_path_of_the_machine_is_stored(run: Run, here: Path) -> None:
    folder = here / "somewhere" / "mine"
    folder.mkdir(parents=True)
    places = ("--prior", str(folder), "--clip", str(folder))
    run("generate", "x", "--model", str(folder), "-o", "a.png", *places)
    stored = read_request(here / "a.png")
    assert [stored[name] for name in ("model", "prior", "clip")] == ["mine"] * 3
    assert str(here) not in (here / "a.png").read_bytes().decode("latin-1")


def test_json_is_exactly_the_promised_shape(run: Run, here: Path) -> None:
    ran = run("generate", "яблоко", "--seed", "7", "-n", "2", "--json", "-o", "out")
    assert list(ran.data) == ["request", "images", "seconds", "warnings"]
    assert Request.from_json(ran.data["request"]).n == 2
    assert ran.data["request"]["prompt"] == "яблоко"
    assert ran.data["seconds"] == 0.25
    assert ran.data["images"] == [
        {
            "path": f"out/{seed}.png",
            "seed": seed,
            "width": 64,
            "height": 64,
            "sha256": hashlib.sha256((here / f"out/{seed}.png").read_bytes()).hexdigest(),
        }
        for seed in (7, 8)
    ]


def test_words_that_do_not_fit_are_named_on_stderr_and_in_the_json(run: Run) -> None:
    ran = run("generate", "one two three four five six seven", "-n", "12", "--json")
    assert ran.code == 0
    assert ran.err.count("bluerider: warning: prompt: the model reads 5 words; cut: six seven") == 1
    assert ran.data["warnings"] == ["prompt: the model reads 5 words; cut: six seven"]


def test_a_warning_cannot_steer_the_terminal(run: Run) -> None:
    ran = run("generate", "a b c d e \x1b[31m [bold]red")
    assert r"\x1b[31m [bold]red" in ran.err
    assert "\x1b" not in ran.err


def test_grid_lies_beside_the_folder(run: Run, here: Path) -> None:
    ran = run("generate", "x", "-n", "4", "--seed", "1", "--grid", "-o", "album")
    assert ran.code == 0
    assert names(here) == ["album", "album-grid.png"]
    assert names(here / "album") == ["1.png", "2.png", "3.png", "4.png"]
    assert "contact sheet: album-grid.png\n" in ran.err


def test_grid_lies_beside_a_single_file(run: Run, here: Path) -> None:
    run("generate", "x", "--grid", "-o", "a.jpg")
    assert names(here) == ["a-grid.jpg", "a.jpg"]


def test_two_runs_write_the_same_bytes(run: Run, here: Path) -> None:
    for name in ("a.png", "b.png"):
        run("generate", "x", "--seed", "1", "-o", name)
    assert (here / "a.png").read_bytes() == (here / "b.png").read_bytes()


def test_like_repeats_a_picture_byte_for_byte(run: Run, here: Path) -> None:
    run("generate", "x", "--seed", "40", "-n", "3", "--steps", "9", "--dtype", "bfloat16")
    ran = run("generate", "--like", "outputs/42.png", "-o", "again.png")
    assert ran.code == 0
    assert (here / "again.png").read_bytes() == (here / "outputs/42.png").read_bytes()


def test_like_brings_the_dtype_back(run: Run, fake: type[FakePipeline]) -> None:
    run("generate", "x", "--dtype", "bfloat16", "-o", "a.png")
    run("generate", "--like", "a.png", "-o", "b.png")
    assert [load["dtype"] for load in fake.loads] == ["bfloat16", "bfloat16"]


def test_flags_beside_like_change_what_they_name(run: Run, fake: type[FakePipeline]) -> None:
    run("generate", "x", "--seed", "1", "--steps", "9", "-o", "a.png")
    run("generate", "y", "--like", "a.png", "--guidance", "2", "-o", "b.png")
    request = fake.painted[-1]
    assert (request.prompt, request.seed, request.steps, request.guidance) == ("y", 1, 9, 2.0)


def with_input(place: Path, contents: bytes) -> None:
    """A picture said to be made from input.png."""
    from bluerider.images import write

    (place / "input.png").write_bytes(contents)
    digest = hashlib.sha256(contents).hexdigest()
    request = {"prompt": "x", "seed": 1, "inputs": [{"name": "input.png", "sha256": digest}]}
    write(Image.new("RGB", (8, 8)), place / "made.png", request=request)


def test_like_accepts_the_input_picture_it_was_made_from(run: Run, here: Path) -> None:
    with_input(here, b"as it was")
    assert run("generate", "--like", "made.png").code == 0


@pytest.mark.parametrize("change", ["other bytes", None])
def test_like_refuses_when_an_input_picture_differs_or_is_gone(
    run: Run, here: Path, change: str | None
) -> None:
    with_input(here, b"as it was")
    (here / "input.png").write_text(change) if change else (here / "input.png").unlink()
    ran = run("generate", "--like", "made.png")
    assert ran.code == 2
    assert "made.png was made from" in ran.err
    assert not (here / "outputs").exists()


def test_prompts_one_a_line(run: Run, here: Path, fake: type[FakePipeline]) -> None:
    Path("words.txt").write_text("\ufeffred apple\n\n  зелёная груша \n", encoding="utf-8")
    ran = run("generate", "--prompts", "words.txt", "--seed", "7", "-n", "2", "-o", "out")
    assert ran.code == 0
    assert names(here / "out") == ["1-7.png", "1-8.png", "3-7.png", "3-8.png"]
    assert [request.prompt for request in fake.painted] == ["red apple", "зелёная груша"]
    assert fake.batches == [2]


def test_prompts_json_is_a_list_one_a_line(run: Run) -> None:
    Path("words.txt").write_text("red\ngreen\n")
    data = run("generate", "--prompts", "words.txt", "--seed", "7", "--json").data
    assert [one["request"]["prompt"] for one in data] == ["red", "green"]
    assert [one["images"][0]["path"] for one in data] == ["outputs/1-7.png", "outputs/2-7.png"]


def test_prompts_of_one_line_still_print_a_list(run: Run) -> None:
    Path("words.txt").write_text("red\n")
    ran = run("generate", "--prompts", "words.txt", "--seed", "7", "--json")
    assert [one["images"][0]["path"] for one in ran.data] == ["outputs/1-7.png"]


def test_every_line_starts_at_one_drawn_seed(run: Run, fake: type[FakePipeline]) -> None:
    Path("words.txt").write_text("red\ngreen\nblue\n")
    assert run("generate", "--prompts", "words.txt").code == 0
    assert len({request.seed for request in fake.painted}) == 1


@pytest.mark.parametrize("name", ["words.jsonl", "words.txt"])
def test_prompts_as_jsonl_override_the_flags(run: Run, fake: type[FakePipeline], name: str) -> None:
    lines = [{"prompt": "red", "steps": 3}, {"prompt": "green", "seed": 1, "n": 2}]
    Path(name).write_text("\n".join(map(json.dumps, lines)))
    assert run("generate", "--prompts", name, "--seed", "7", "--steps", "5").code == 0
    assert [(r.prompt, r.seed, r.n, r.steps) for r in fake.painted] == [
        ("red", 7, 1, 3),
        ("green", 1, 2, 5),
    ]


def test_a_prompt_in_braces_is_a_prompt(run: Run, fake: type[FakePipeline]) -> None:
    Path("words.txt").write_text("{red|green} apple\n")
    assert run("generate", "--prompts", "words.txt").code == 0
    assert fake.painted[0].template == "{red|green} apple"


def test_prompts_from_stdin(
    run: Run, fake: type[FakePipeline], monkeypatch: pytest.MonkeyPatch, here: Path
) -> None:
    (here / "in").write_text("red\ngreen\n")
    with open(here / "in") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        assert run("generate", "--prompts", "-").code == 0
    assert [request.prompt for request in fake.painted] == ["red", "green"]


def test_stderr_without_a_terminal_has_no_bar_and_no_escapes(run: Run) -> None:
    ran = run("generate", "x", "--seed", "7")
    assert ran.err.splitlines() == [
        "seed 7 · murnau · 1 picture of 64x64 · ddim, 4 steps",
        "1 picture in 0.2 s",
    ]


@pytest.mark.parametrize("error", [KeyboardInterrupt(), MemoryError()])
def test_what_was_painted_before_a_stop_is_kept(
    run: Run, fake: type[FakePipeline], here: Path, error: BaseException
) -> None:
    fake.fails_at[12] = error
    ran = run("generate", "x", "-n", "20", "--seed", "0")
    assert ran.code == (130 if isinstance(error, KeyboardInterrupt) else 1)
    assert names(here / "outputs") == [f"{seed}.png" for seed in range(8)]
    assert "8 pictures written, the last: outputs/7.png" in ran.err
