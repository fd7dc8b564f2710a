"""A user's pictures found on disk."""

import json
from pathlib import Path

import pytest
from PIL import Image

from bluerider.errors import InputError
from bluerider.training.gathering import gather
from tests.training.pictures import save


def captions(place: Path) -> dict[str, str | None]:
    return {shot.name: shot.caption for shot in gather(place).shots}


def test_pictures_come_in_order_of_their_names(tmp_path: Path) -> None:
    for name in ("b.jpg", "a.PNG", "c.webp"):
        save(tmp_path / name)
    found = gather(tmp_path)
    assert [shot.name for shot in found.shots] == ["a.PNG", "b.jpg", "c.webp"]
    assert {(shot.width, shot.height) for shot in found.shots} == {(40, 30)}


def test_hidden_and_other_files_are_skipped_with_a_note(tmp_path: Path) -> None:
    save(tmp_path / "a.png")
    save(tmp_path / ".hidden.png")
    for name in ("Thumbs.db", "notes.pdf"):
        (tmp_path / name).write_bytes(b"x")
    (tmp_path / "inner").mkdir()
    (tmp_path / ".ipynb_checkpoints").mkdir()
    found = gather(tmp_path)
    assert [shot.name for shot in found.shots] == ["a.png"]
    told = " ".join(found.notes)
    assert all(name in told for name in (".hidden.png", "Thumbs.db", "notes.pdf", "inner"))


def test_a_damaged_picture_is_skipped_and_named(tmp_path: Path) -> None:
    save(tmp_path / "a.png")
    whole = save(tmp_path / "b.jpg", size=(400, 300)).read_bytes()
    (tmp_path / "b.jpg").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "c.png").write_bytes(b"no picture")
    found = gather(tmp_path)
    assert [shot.name for shot in found.shots] == ["a.png"]
    assert sum("b.jpg" in note or "c.png" in note for note in found.notes) == 2


def test_a_turned_photograph_has_its_upright_size(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    save(tmp_path / "a.jpg", exif=exif)
    (shot,) = gather(tmp_path).shots
    assert (shot.width, shot.height) == (30, 40)


def test_captions_lie_beside_pictures(tmp_path: Path) -> None:
    for name, colour in (("a.png", "red"), ("b.png", "lime"), ("c.png", "blue")):
        save(tmp_path / name, colour)
    (tmp_path / "a.txt").write_text("a [V] toy\n on a table\n", "utf-8")
    (tmp_path / "b.caption").write_text("\ufeffигрушка", "utf-8")
    found = {"a.png": "a [V] toy on a table", "b.png": "игрушка", "c.png": None}
    assert captions(tmp_path) == found
    assert gather(tmp_path).notes == ()


def test_captions_of_a_json_table(tmp_path: Path) -> None:
    save(tmp_path / "a.png")
    save(tmp_path / "deep" / "b.png", "blue")
    rows = [{"file_name": "a.png", "text": "one"}, {"file_name": "deep/b.png", "prompt": "two"}]
    text = "\n".join(json.dumps(row) for row in rows)
    (tmp_path / "metadata.jsonl").write_text(text, "utf-8")
    assert captions(tmp_path) == {"a.png": "one", "deep/b.png": "two"}


def test_captions_of_a_csv_table(tmp_path: Path) -> None:
    save(tmp_path / "pictures" / "a.png")
    table = tmp_path / "set.csv"
    table.write_text('paths,caption\npictures/a.png,"red, all over"\n', "utf-8")
    assert captions(table) == {"pictures/a.png": "red, all over"}


def test_a_row_without_its_picture_is_noted(tmp_path: Path) -> None:
    save(tmp_path / "in" / "a.png")
    save(tmp_path / "outside.png")
    rows = "file_name,text\ngone.png,x\n../outside.png,y\n"
    (tmp_path / "in" / "metadata.csv").write_text(rows, "utf-8")
    found = gather(tmp_path / "in")
    assert [shot.name for shot in found.shots] == ["a.png"]
    assert ["gone.png" in found.notes[0], "outside.png" in found.notes[1]] == [True, True]


def test_folders_named_as_kohyas_give_words_and_repeats(tmp_path: Path) -> None:
    save(tmp_path / "10_sks_dog" / "a.png")
    save(tmp_path / "2_a cat" / "b.png", "blue")
    (tmp_path / "2_a cat" / "b.txt").write_text("its own", "utf-8")
    found = [(shot.name, shot.caption, shot.repeats) for shot in gather(tmp_path).shots]
    assert found == [("10_sks_dog/a.png", "sks dog", 10), ("2_a cat/b.png", "its own", 2)]


def test_a_picture_that_is_there_twice_is_noted(tmp_path: Path) -> None:
    save(tmp_path / "a.png")
    save(tmp_path / "b.png")
    assert gather(tmp_path).notes == ("b.png is the same file as a.png",)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("metadata.jsonl", b"{", "line 1: no JSON object"),
        ("metadata.jsonl", b'\n["a"]', "line 2: no JSON object"),
        ("metadata.csv", b"x,y\n1,2\n", "line 2: names no picture"),
        ("metadata.csv", b"file_name,text\n\xff,b\n", "no UTF-8"),
        ("a.txt", b"\xff\xfe", "a.txt: no UTF-8"),
    ],
)
def test_damaged_captions_are_named(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    save(tmp_path / "a.png")
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=said):
        gather(tmp_path)


def test_a_place_without_pictures_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.gif").write_bytes(b"GIF89a")
    with pytest.raises(InputError, match=r"no pictures there \(skipped: a.gif"):
        gather(tmp_path)
    with pytest.raises(InputError, match="no such folder"):
        gather(tmp_path / "nowhere")
    with pytest.raises(InputError, match="a picture; a folder"):
        gather(save(tmp_path / "one.png"))
    with pytest.raises(InputError, match=r"\.csv or \.jsonl"):
        gather(tmp_path / "a.gif")
