"""Templates, wildcards, negatives of a stage and sweeps, on a pipeline without networks."""

from pathlib import Path

import pytest
from PIL import Image

from bluerider.images import read_request
from bluerider.prompts.alternatives import choose
from tests.cli.conftest import Run
from tests.cli.fake_pipeline import FakePipeline, colour


@pytest.fixture
def cards(here: Path) -> Path:
    folder = here / "cards"
    folder.mkdir()
    (folder / "colour.txt").write_text("red\ngreen\nblue\n")
    return folder


def painted(fake: type[FakePipeline]) -> list[str]:
    return [request.prompt for request in fake.painted]


def test_each_picture_has_the_words_its_seed_chooses(
    run: Run, fake: type[FakePipeline], cards: Path
) -> None:
    template = "a __colour__ {apple|pear}"
    given = ("generate", template, "--wildcards", "cards")
    assert run(*given, "--seed", "5", "-n", "8", "-o", "all").code == 0
    first = painted(fake)
    assert len(set(first)) > 2
    assert sorted(p.name for p in Path("all").iterdir()) == sorted(f"{s}.png" for s in range(5, 13))
    run(*given, "--seed", "9", "-o", "alone.png")
    assert painted(fake)[8:] == [first[4]]
    stored = read_request("alone.png")
    assert (stored["prompt"], stored["template"]) == (first[4], template)


def test_a_picture_of_a_template_is_repeated_with_its_words(
    run: Run, fake: type[FakePipeline]
) -> None:
    run("generate", "a {red|green} apple", "--seed", "5", "-o", "a.png")
    run("generate", "--like", "a.png", "-o", "b.png")
    assert painted(fake)[0] == painted(fake)[1]
    assert read_request("b.png")["template"] == "a {red|green} apple"
    run("generate", "pear", "--like", "a.png", "-o", "c.png")
    assert (read_request("c.png")["prompt"], read_request("c.png")["template"]) == ("pear", "")


def test_words_stored_with_braces_stand_as_they_are(run: Run, fake: type[FakePipeline]) -> None:
    from bluerider.images import write
    from bluerider.request import Request

    request = Request(prompt="a {b|c}", seed=1).to_json()
    write(Image.new("RGB", (64, 64)), Path("a.png"), request=request)
    run("generate", "--like", "a.png", "-o", "b.png")
    assert painted(fake) == ["a {b|c}"]


def test_templates_stand_in_files_of_prompts_and_in_negatives(
    run: Run, fake: type[FakePipeline]
) -> None:
    Path("p.txt").write_text("a {b|c}\nplain\n")
    flags = ("--negative", "{d|e}", "--seed", "3", "-n", "2")
    ran = run("generate", "--prompts", "p.txt", *flags, "-o", "all", "--json")
    assert [len(each["images"]) for each in ran.data] == [1, 1, 1, 1]
    assert sorted(p.name for p in Path("all").iterdir()) == [
        "1-3.png",
        "1-4.png",
        "2-3.png",
        "2-4.png",
    ]
    assert painted(fake) == [choose("a {b|c}", 3), choose("a {b|c}", 4), "plain", "plain"]
    assert fake.painted[1].negative == choose("{d|e}", 4, role="negative")


def test_weights_and_backslashes_reach_the_pipeline(run: Run, fake: type[FakePipeline]) -> None:
    run("generate", r"(red:1.3) \{a\|b\} {c++|c++}", "--seed", "1")
    assert painted(fake) == [r"(red:1.3) \{a\|b\} c++"]


def test_negatives_of_a_stage_are_fields(run: Run, fake: type[FakePipeline]) -> None:
    run("generate", "x", "--negative", "a", "--negative-prior", "b", "-o", "a.png", "--seed", "1")
    (request,) = fake.painted
    assert request.negative_prior == "b" and request.negative_decoder == "a"
    run("generate", "--like", "a.png", "--negative", "c")
    request = fake.painted[-1]
    assert request.negative_prior == "b" and request.negative_decoder == "c"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["a __colour__"], "--wildcards DIR"),
        (["a __colour__", "--wildcards", "nowhere"], "no such folder"),
        (["a __color__", "--wildcards", "cards"], "did you mean 'colour'"),
        (["x", "--sweep", "guidanc=1,2"], "did you mean 'guidance'"),
        (["x", "--sweep", "model=a,b"], "field to sweep"),
        (["x", "--sweep", "guidance"], "no values"),
        (["x", "--sweep", "guidance=1,,2"], "guidance: got ''"),
        (["x", "--sweep", "guidance=1,200"], "0 to 100"),
        (["x", "--sweep", "steps=1.5"], "whole number"),
        (["x", "--sweep", "sampler=ddim,heum"], "did you mean 'heun'"),
        (["x", "--sweep", "size=64x65,64x64"], "multiples of 64"),
        (["x", "--sweep", "steps=1", "--sweep", "steps=2"], "twice"),
        (["x", *["--sweep", "steps=1"] * 3], "one across and one down"),
        (["x", "--sweep", "steps=1,2", "-n", "2"], "--sweep seed=1,2,3"),
        (["x", "--sweep", "steps=1,2", "--prompts", "p.txt"], "one of the two"),
        (["x", "--sweep", "prompt"], "one text only"),
        (["{a|b}" * 12, "--sweep", "prompt"], "more than 1000"),
        (["x", "--sweep", "seed=" + ",".join(["1"] * 999), "--sweep", "eta=0,1"], "cells"),
        (["x", "--sweep", "steps=1,2", "-o", "a.png"], "one file for 2 pictures"),
    ],
)
def test_what_cannot_be_is_said_before_painting(
    run: Run, fake: type[FakePipeline], cards: Path, arguments: list[str], message: str
) -> None:
    ran = run("generate", *arguments)
    assert ran.code == 2 and message in ran.err and len(ran.err.splitlines()) == 1
    assert not fake.painted


def test_a_sweep_paints_every_cell_and_a_labelled_sheet(run: Run, fake: type[FakePipeline]) -> None:
    axes = ("--sweep", "guidance=2,4,6", "--sweep", "sampler=ddim,unipc")
    ran = run("generate", "red apple", "--seed", "7", *axes, "-o", "tried", "--json")
    assert ran.code == 0
    cells = [{"guidance": g, "sampler": s} for s in ("ddim", "unipc") for g in (2.0, 4.0, 6.0)]
    assert [each["cell"] for each in ran.data] == cells
    assert [{k: each["request"][k] for k in cells[0]} for each in ran.data] == cells
    assert [each["images"][0]["path"] for each in ran.data] == [
        f"tried/{i}-7.png" for i in range(1, 7)
    ]
    assert read_request("tried/5-7.png")["guidance"] == 4.0
    with Image.open("tried-grid.png") as sheet:
        assert sheet.width > 3 * 96 and sheet.height > 2 * 64
        found = {sheet.getpixel((x, y)) for x in range(sheet.width) for y in range(sheet.height)}
        assert {colour("red apple", 7), (0, 0, 0), (255, 255, 255)} <= found


def test_a_sweep_of_words_takes_all_alternatives(run: Run, fake: type[FakePipeline]) -> None:
    run("generate", "{red|green} {apple|car}", "--sweep", "prompt", "--seed", "1")
    expected = ["red apple", "red car", "green apple", "green car"]
    assert painted(fake) == expected
    assert fake.painted[0].template == "{red|green} {apple|car}"
    run("generate", "x", "--sweep", "prompt=a cat|a dog", "--sweep", "seed=1,2", "--seed", "1")
    assert painted(fake)[4:] == ["a cat", "a dog", "a cat", "a dog"]
    assert [request.seed for request in fake.painted[4:]] == [1, 1, 2, 2]


def test_a_sweep_of_sizes_and_intervals(run: Run, fake: type[FakePipeline]) -> None:
    axes = ("--sweep", "size=64x64,128x64", "--sweep", "guidance-interval=0,1;0.2,0.8")
    assert run("generate", "x", "--seed", "1", *axes).code == 0
    assert [(r.width, r.guidance_interval) for r in fake.painted] == [
        (64, (0.0, 1.0)),
        (128, (0.0, 1.0)),
        (64, (0.2, 0.8)),
        (128, (0.2, 0.8)),
    ]


def test_a_warning_names_its_cell(run: Run) -> None:
    ran = run("generate", "a b c d e f g", "--sweep", "steps=1,2", "--seed", "1")
    assert "warning: steps 1: prompt" in ran.err and "warning: steps 2: prompt" in ran.err


def test_words_of_a_mix_have_alternatives_of_their_own(
    run: Run, fake: type[FakePipeline], cards: Path
) -> None:
    parts = ("--add", "a {cat|dog|fox}:0.5", "--add", "__colour__", "--add", "{cat|dog|fox}")
    flags = ("-n", "20", "--seed", "1", "--wildcards", "cards")
    assert run("mix", *parts, *flags).code == 0
    added = [tuple(each.words for each in request.add) for request in fake.painted]
    assert {words[0] for words in added} == {"a cat", "a dog", "a fox"}
    assert any(words[0] != f"a {words[2]}" for words in added)
    assert not any("_" in words[1] for words in added)
    assert all(request.add[0].weight == 0.5 for request in fake.painted)
    assert run("mix", *parts, *flags).code == 0
    assert [tuple(each.words for each in request.add) for request in fake.painted[20:]] == added


def test_a_mix_is_repeated_with_the_words_it_was_painted_of(
    run: Run, fake: type[FakePipeline]
) -> None:
    run("mix", "--add", "{cat|dog}", "--add", "{red|green}", "--seed", "3", "-o", "a.png")
    run("generate", "--like", "a.png", "--seed", "4", "-o", "b.png")
    first, second = fake.painted
    assert first.add == second.add and "{" not in f"{first.add}"


def test_a_sweep_of_strengths(run: Run, fake: type[FakePipeline]) -> None:
    Image.new("RGB", (64, 64)).save("photo.png")
    sweep = ("--sweep", "strength=0.2,0.5,1", "--sweep", "seed=1,2")
    assert run("img2img", "photo.png", "cat", "--seed", "1", *sweep, "-o", "tried").code == 0
    assert [r.strength for r in fake.painted] == [0.2, 0.5, 1.0] * 2
    assert Path("tried-grid.png").is_file()


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("img2img photo.png cat --sweep strength=0.5,2", "strength: got 2"),
        ("generate cat --sweep strength=0.5,1", "strength: text2img does not read it"),
    ],
)
def test_a_strength_that_cannot_be_swept_is_refused(
    run: Run, fake: type[FakePipeline], line: str, told: str
) -> None:
    Image.new("RGB", (64, 64)).save("photo.png")
    ran = run(*line.split())
    assert ran.code == 2 and told in ran.err and not fake.painted
