"""The emoji set: read from clones, written, read back, in either format."""

import importlib.util
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bluerider.errors import BlueriderError, InputError
from bluerider.training import emoji as module
from bluerider.training.artwork import HELD_OUT, prepare
from bluerider.training.emoji import EmojiSet, load_emoji, save_emoji

SHARED = Path(__file__).parents[3] / "shared" / "data" / "emoji"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def made(png: Path, cldr: Path) -> EmojiSet:
    return prepare(png, cldr)


def test_only_named_drawings_without_tones_and_flags_are_taken(made: EmojiSet) -> None:
    assert made.emoji == ["#⃣", "🍋", "🍎", "🪀", "❤"]  # as the files are named


def test_a_language_that_names_too_few_is_left_out(made: EmojiSet) -> None:
    assert sorted(made.names) == ["en", "ru"]


def test_a_language_may_miss_a_tenth(png: Path, cldr: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr("bluerider.training.artwork.SHARE", 0.2)
    assert prepare(png, cldr).names["en-AU"] == {"🍎": "apple"}


def test_names_come_from_base_and_derived_files(made: EmojiSet) -> None:
    assert made.names["ru"]["#⃣"] == "клавиша: #"
    assert made.names["ru"]["🍋"] == "лимон"


def test_keywords_do_not_repeat_the_name(made: EmojiSet) -> None:
    assert made.keywords["en"]["🍋"] == ["thing"]


def test_held_out_drawings_are_listed_and_unseen(made: EmojiSet) -> None:
    assert made.holdout == ("🪀",)
    assert [made.emoji[i] for i in made.seen] == ["#⃣", "🍋", "🍎", "❤"]


def test_the_held_out_are_24() -> None:
    assert len(set(HELD_OUT)) == 24


def test_a_picture_keeps_its_transparency(made: EmojiSet) -> None:
    picture = made.picture(made.emoji.index("🍎"), 64)
    assert picture.shape == (64, 64, 4)
    assert picture[0, 0, 3] == 0
    assert np.abs(picture[32, 32].astype(int) - (255, 0, 0, 255)).max() < 12


def test_a_drawing_that_is_not_square_is_centred(png: Path, cldr: Path) -> None:
    Image.new("RGBA", (512, 256), "red").save(png / "png/512/emoji_u1f34e.png")
    made = prepare(png, cldr)
    alpha = made.picture(made.emoji.index("🍎"), 64)[..., 3]
    assert alpha[:14].max() <= 2  # the ripple of Lanczos
    assert alpha[20:44].min() == 255


def test_progress_rises_to_the_end(png: Path, cldr: Path) -> None:
    seen: list[float] = []
    prepare(png, cldr, lambda done, word: seen.append(done))
    assert seen == sorted(seen)
    assert 0.8 < seen[-1] < 1.0


@pytest.mark.parametrize("parquet", [True, False])
def test_what_is_saved_is_read_back(made: EmojiSet, tmp_path: Path, parquet: bool) -> None:
    if parquet:
        pytest.importorskip("pyarrow")
    paths = save_emoji(made, tmp_path / "set", parquet=parquet)
    back = load_emoji(tmp_path / "set")
    assert {path.name for path in (tmp_path / "set").iterdir()} == {path.name for path in paths}
    for name in ("emoji", "files", "names", "keywords", "holdout"):
        assert getattr(back, name) == getattr(made, name)


def test_the_other_format_does_not_stay_behind(made: EmojiSet, tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    save_emoji(made, tmp_path / "set", parquet=False)
    save_emoji(made, tmp_path / "set", parquet=True)
    names = {path.name for path in (tmp_path / "set").iterdir()}
    assert names == {"images-256.parquet", "names.parquet", "holdout.json"}


def test_the_plain_files_are_the_same_bytes_every_time(made: EmojiSet, tmp_path: Path) -> None:
    first, second = (
        [path.read_bytes() for path in save_emoji(made, tmp_path / name, parquet=False)]
        for name in "ab"
    )
    assert first == second


def test_a_full_disk_leaves_the_old_set(
    made: EmojiSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "set"
    save_emoji(made, folder, parquet=False)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}

    def full(handle: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(BlueriderError, match="No space left"):
        save_emoji(made, folder, parquet=False)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_parquet_without_pyarrow_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    for name in (*module.PARQUET, module.HOLDOUT):
        (tmp_path / name).write_bytes(b"")
    with pytest.raises(BlueriderError, match="pip install"):
        load_emoji(tmp_path)


def test_an_empty_folder_names_the_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no images-256\.parquet in .*bluerider data emoji"):
        load_emoji(tmp_path)


@pytest.mark.parametrize("name", ["images-256.zip", "names.json.gz", "holdout.json"])
def test_a_damaged_file_is_one_line(made: EmojiSet, tmp_path: Path, name: str) -> None:
    save_emoji(made, tmp_path / "set", parquet=False)
    path = tmp_path / "set" / name
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(BlueriderError, match="damaged"):
        load_emoji(tmp_path / "set")


def test_a_folder_without_drawings_is_refused(tmp_path: Path, cldr: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"emoji_u\*\.png"):
        prepare(tmp_path / "empty", cldr)


def test_the_folder_of_drawings_itself_is_accepted(png: Path, cldr: Path) -> None:
    assert len(prepare(png / "png" / "512", cldr).emoji) == 5


def test_the_folder_of_packages_itself_is_accepted(png: Path, cldr: Path) -> None:
    assert len(prepare(png, cldr / "cldr-json").emoji) == 5


def test_names_without_their_derived_part_are_refused(png: Path, cldr: Path) -> None:
    shutil.rmtree(cldr / "cldr-json/cldr-annotations-derived-full")
    with pytest.raises(InputError, match="cldr-annotations-derived-full"):
        prepare(png, cldr)


@pytest.mark.parametrize(
    "text", ["{", "[]", "{}", '{"a": {"annotations": {"x": {"tts": "x"}}}}', '{"a": 1}']
)
def test_names_that_are_no_annotations_are_refused(png: Path, cldr: Path, text: str) -> None:
    path = cldr / "cldr-json/cldr-annotations-full/annotations/ru/annotations.json"
    path.write_text(text)
    with pytest.raises(InputError, match="annotations"):
        prepare(png, cldr)


def test_a_drawing_that_is_no_picture_is_named(png: Path, cldr: Path) -> None:
    (png / "png/512/emoji_u1f34e.png").write_bytes(b"version https://git-lfs.github.com/spec/v1")
    with pytest.raises(InputError, match="emoji_u1f34e"):
        prepare(png, cldr)


def test_the_command_writes_the_set(png: Path, cldr: Path, tmp_path: Path, bluerider: Run) -> None:
    target = tmp_path / "set"
    code, out, err = bluerider(
        "data", "emoji", "--png", png, "--cldr", cldr, "--out", target, "--format", "plain"
    )
    assert code == 0
    assert out.split() == [
        str(target / n) for n in ("images-256.zip", "names.json.gz", "holdout.json")
    ]
    assert "5 drawings, 2 languages, 1 drawings held out" in err
    assert json.loads((target / "holdout.json").read_text("utf-8")) == {"🪀": "yo-yo"}


def test_auto_is_plain_without_pyarrow(
    png: Path, cldr: Path, tmp_path: Path, bluerider: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    bluerider("data", "emoji", "--png", png, "--cldr", cldr, "--out", tmp_path / "set")
    assert (tmp_path / "set" / "images-256.zip").is_file()


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        ({"--png": "nowhere"}, 2, "--png nowhere"),
        ({"--cldr": "nowhere"}, 2, "--cldr nowhere"),
        ({"--out": "no/parent"}, 2, "does not exist"),
        ({"--format": "csv"}, 2, "parquet, plain"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(
    png: Path,
    cldr: Path,
    tmp_path: Path,
    bluerider: Run,
    monkeypatch: pytest.MonkeyPatch,
    change: dict[str, str],
    code: int,
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    given = {"--png": str(png), "--cldr": str(cldr), "--out": "set", **change}
    before = sorted(tmp_path.iterdir())
    got, out, err = bluerider("data", "emoji", *(x for pair in given.items() for x in pair))
    assert (got, out) == (code, "")
    assert said in err
    assert err.startswith("bluerider: ")
    assert err.count("\n") == 1
    assert sorted(tmp_path.iterdir()) == before


def test_the_drawings_are_made_from_the_set(made: EmojiSet, tmp_path: Path, bluerider: Run) -> None:
    from bluerider.evaluate.drawings import load_drawings

    save_emoji(made, tmp_path / "set", parquet=False)
    code, out, _ = bluerider(
        "data", "drawings", "--data", tmp_path / "set", "--out", tmp_path / "d"
    )
    drawings = load_drawings(tmp_path / "d")
    assert code == 0
    assert {Path(line).parent for line in out.splitlines()} == {tmp_path / "d"}
    assert drawings.emoji == tuple(made.emoji)
    assert drawings.names == made.names
    assert drawings.holdout == {"🪀"}


def test_drawings_of_no_set_are_refused(tmp_path: Path, bluerider: Run) -> None:
    code, _, err = bluerider("data", "drawings", "--data", tmp_path, "--out", tmp_path / "d")
    assert code == 2
    assert "bluerider data emoji" in err
    assert not (tmp_path / "d").exists()


@pytest.mark.skipif(not SHARED.is_dir(), reason="the ready-made set is not here")
@pytest.mark.skipif(importlib.util.find_spec("pyarrow") is None, reason="pyarrow is not here")
def test_the_ready_made_set_is_read() -> None:
    emoji = load_emoji(SHARED)
    assert (len(emoji.emoji), len(emoji.names), len(emoji.seen)) == (1650, 99, 1626)
    assert emoji.holdout == HELD_OUT
    assert emoji.names["ru"]["🍎"] == "красное яблоко"
    assert emoji.picture(0, 32).shape == (32, 32, 4)
