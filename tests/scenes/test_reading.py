"""What a training reads, as texts."""

from bluerider.scenes.reading import SAID, scene_read, texts_read
from bluerider.scenes.scene import is_held_out, scene_of
from bluerider.scenes.wording import render

NAMES = {"en": {"🍎": "apple", "🐈": "cat", "🦉": "owl"}, "sw": {"🍎": "tofaa"}}


def test_names_come_as_they_are_written() -> None:
    texts = set(texts_read(NAMES))
    assert {"apple", "Apple", "an apple", "the cat", "cats", "tofaa", "Tofaa"} <= texts


def test_the_texts_are_the_same_every_time() -> None:
    assert texts_read(NAMES) == texts_read(NAMES)


def test_held_out_scenes_are_not_read() -> None:
    read = {scene_read(NAMES["en"], "en", ("🍎", "🐈", "🦉"), "🍎", turn) for turn in range(400)}
    alone = [scene_of(("🍎",), said) for said in SAID if said in ("red", "left", "two", "small")]
    held = [scene_of(("🍎",), s) for s in ("white", "black", "grey", "orange", "pink", "outline")]
    spared = [s for s in (*alone, *held) if is_held_out(s)]
    told = {render(s, NAMES["en"], "en", v) for s in spared for v in range(12)}
    assert len(read) > 20
    assert not read & told
