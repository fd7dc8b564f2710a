"""Words of a prompt are looked up, weighed against each other, and joined by others that fit."""

import json
from pathlib import Path

import pytest

from bluerider.cli.main import main
from bluerider.errors import InputError
from bluerider.guide import prompting, views
from bluerider.guide.index import Guide

HEAD = """---
id: prompt-modifier/{id}
title: {{en: {title}}}
summary: {{en: About {title}.}}
domain: [image]
reviewed: 2026-01-02
category: {category}
text: {{en: [{title}], ru: [{ru}], zh: [{zh}]}}
effects: [{{aspect: brightness, direction: {direction}, claim: one}}]
{more}claims:
  - {{key: one, text: It is so., source: 'https://example.org/x'}}
---

Prose.
"""
RECIPE = """---
id: prompt-recipe/ink
title: {en: Ink}
summary: {en: Ink.}
domain: [image]
reviewed: 2026-01-02
goal: G.
template: "{subject}, black ink"
negative: colour
claims:
  - {key: one, text: It is so., source: 'https://example.org/x'}
---

Prose.
"""
MEASURED = """---
id: measurement/toy-soft-light
title: {en: soft light on toy}
summary: {en: It.}
domain: [image]
reviewed: 2026-01-02
links: [{rel: measures, to: prompt-modifier/soft-light}]
model: toy
weights: abc
word: soft light
language: en
arm: word
subjects: 2
seeds: 2
settings: {}
known: false
metrics:
  - {name: brightness, effect: 0, low: -1, high: 1, d: 0, q: 1, detected: false}
  - {name: content-kept, effect: -0.2, low: -1, high: 1, d: 0, q: 1, detected: false}
---

Prose.
"""
WORLD = {
    "low-key": ("lighting", "low key", "низкий ключ", "低调", "down", ""),
    "high-key": ("lighting", "high key", "высокий ключ", "高调", "up", ""),
    "soft-light": ("lighting", "soft light", "мягкий свет", "柔光", "up", ""),
    "fog": ("mood", "fog", "туман", "雾", "toward, toward: pale", ""),
    "close-up": ("camera", "close-up", "крупный план", "特写", "none", ""),
}


@pytest.fixture(scope="module")
def guide(tmp_path_factory: pytest.TempPathFactory) -> Guide:
    place = tmp_path_factory.mktemp("records")
    files = {"prompt-recipe/ink.md": RECIPE, "measurement/toy-soft-light.md": MEASURED}
    for name, (category, title, ru, zh, direction, more) in WORLD.items():
        files[f"prompt-modifier/{name}.md"] = HEAD.format(
            id=name, category=category, title=title, ru=ru, zh=zh, direction=direction, more=more
        )
    for name, text in files.items():
        (place / name).parent.mkdir(exist_ok=True)
        (place / name).write_text(text, encoding="utf-8")
    return Guide([place], tmp_path_factory.mktemp("cache"))


def found(guide: Guide, prompt: str) -> list[str]:
    return [row["id"].split("/")[1] for _, row in prompting.modifiers_in(guide, prompt)]


@pytest.mark.parametrize(
    ("prompt", "expected"),
    [
        ("an owl, low key, fog", ["low-key", "fog"]),
        ("fog around a low-key owl", ["fog", "low-key"]),
        ("сова, туман, крупный план", ["fog", "close-up"]),
        ("猫头鹰，柔光，雾", ["soft-light", "fog"]),
        ("an owl", []),
        ("!!!", []),
    ],
)
def test_modifiers_are_found_in_order(guide: Guide, prompt: str, expected: list[str]) -> None:
    assert found(guide, prompt) == expected


def test_a_word_tells_what_it_is_said_to_change(guide: Guide) -> None:
    known = prompting.check(guide, "an owl, low key", "murnau").known
    assert known[0].said == ["brightness down (recalled)"]


def test_opposite_words_conflict(guide: Guide) -> None:
    said = prompting.check(guide, "low key owl, soft light", "murnau").conflicts
    assert said == ["low key moves brightness down, soft light moves it up"]


def test_a_repeated_word_is_told(guide: Guide) -> None:
    assert prompting.check(guide, "fog, an owl in the fog", "murnau").repeats == [
        "fog is there 2 times"
    ]


def test_a_part_of_two_names_is_no_repeat(guide: Guide) -> None:
    assert prompting.check(guide, "low key, high key", "murnau").repeats == []


def test_a_word_that_a_model_does_not_know_is_told(guide: Guide) -> None:
    assert prompting.check(guide, "soft light", "toy").known[0].ignored
    assert not prompting.check(guide, "soft light", "murnau").known[0].ignored


def test_expansion_is_the_same_every_time_and_keeps_the_prompt(guide: Guide) -> None:
    one, two = (prompting.expand(guide, "an owl", 3, "murnau") for _ in range(2))
    assert one == two
    assert one.expanded.startswith("an owl, ") and len(one.added) == 3


def test_expansion_adds_nothing_that_conflicts_or_repeats_a_kind(guide: Guide) -> None:
    added = prompting.expand(guide, "an owl, low key", 5, "murnau").added
    assert [each.record["category"] for each in added] == ["mood", "camera"]


def test_expansion_speaks_the_prompts_language(guide: Guide) -> None:
    assert prompting.expand(guide, "сова", 1, "murnau").expanded in (
        "сова, низкий ключ", "сова, высокий ключ", "сова, мягкий свет"
    )  # fmt: skip


def test_expansion_leaves_out_what_the_model_does_not_know(guide: Guide) -> None:
    added = prompting.expand(guide, "soft light owl", 9, "toy").added
    assert "prompt-modifier/soft-light" not in [each.record["id"] for each in added]


def test_a_style_is_a_recipe(guide: Guide) -> None:
    said, without, recipe = prompting.styled(guide, "ink", "an owl", "frame")
    assert (said, without) == ("an owl, black ink", "frame, colour")
    assert recipe["id"] == "prompt-recipe/ink"


def test_an_unknown_style_names_the_nearest(guide: Guide) -> None:
    with pytest.raises(InputError, match="did you mean 'prompt-recipe/ink'"):
        prompting.styled(guide, "inc", "an owl", "")


def test_check_counts_tokens_of_the_model(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prompt", "check", "an owl, rim light", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert [each["id"] for each in said["known"]] == ["prompt-modifier/rim-light"]
    assert 0 < said["tokens"] < said["limit"]


def test_check_tells_what_is_cut(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prompt", "check", "owl " * 200, "--json"]) == 0
    assert any("cut:" in each for each in json.loads(capsys.readouterr().out)["warnings"])


def test_expand_prints_the_prompt_alone_on_stdout(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["prompt", "expand", "an owl", "-n", "1"]) == 0
    out, err = capsys.readouterr()
    assert out == "an owl, rim light\n" and err.startswith("added rim light: ")


@pytest.mark.parametrize("arguments", [["check", " "], ["expand", ""], ["expand", "a", "-n", "0"]])
def test_what_is_no_prompt_is_one_sentence(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["prompt", *arguments]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_words_that_spoil_the_subject_are_left_out(guide: Guide) -> None:
    def words(shift: float, model: str) -> list[str]:
        found = views.modifiers(guide, "brightness", "up", shift, model)
        return [each["record"]["id"] for each in found]

    assert words(0.2, "toy") == ["prompt-modifier/soft-light"]
    assert words(0.1, "toy") == [] and words(1.0, "murnau") == []


def test_modifiers_are_listed_by_what_they_do(guide: Guide) -> None:
    rows = views.listed(guide, "prompt-modifier", None, None, ("brightness", "down"))
    assert [row["id"] for row in rows] == ["prompt-modifier/low-key"]
