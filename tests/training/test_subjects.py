"""Subjects, their framing and their order."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bluerider.errors import InputError
from bluerider.training.framing import Framing
from bluerider.training.gathering import gather
from bluerider.training.order import Order
from bluerider.training.subjects import SubjectSet, pair
from tests.training.pictures import save

COLOURS = ("red", "lime", "blue", "white", "black")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for index, colour in enumerate(COLOURS):
        save(tmp_path / f"{index}.png", colour, (48, 32))
    return tmp_path


def learned(*places: Path, **fields) -> SubjectSet:
    phrases = [f"a [V] thing {i}" for i in range(len(places))]
    subjects = pair([gather(place) for place in places], phrases, ["a thing"] * len(places))
    return SubjectSet(subjects=subjects, **{"framing": Framing(size=16), "seed": 3, **fields})


def test_a_pass_shows_every_picture_as_often_as_it_repeats() -> None:
    order = Order([1, 2, 3], seed=0)
    for turn in range(3):
        assert Counter(order.one_pass(turn).tolist()) == {0: 1, 1: 2, 2: 3}


def test_passes_differ_and_come_back() -> None:
    order = Order([1] * 20, seed=5)
    assert order.one_pass(0).tolist() != order.one_pass(1).tolist()
    again = Order([1] * 20, seed=5)
    assert [order[i] for i in (0, 33, 7)] == [again[i] for i in (0, 33, 7)]
    assert Order([1] * 20, seed=6).one_pass(0).tolist() != order.one_pass(0).tolist()


@settings(max_examples=30, deadline=None)
@given(
    kinds=st.lists(st.integers(0, 2), min_size=1, max_size=12),
    group=st.integers(1, 4),
    seed=st.integers(0, 9),
)
def test_a_group_is_of_one_bucket_and_no_picture_is_left_out(kinds, group, seed) -> None:
    order = Order([1] * len(kinds), seed=seed, group=group, buckets=kinds)
    shown = [order[i] for i in range(len(order))]
    assert set(shown) == set(range(len(kinds)))
    for start in range(0, len(shown), group):
        assert len({kinds[i] for i in shown[start : start + group]}) == 1


def test_a_sample_is_a_function_of_its_number(folder: Path) -> None:
    framing = Framing(size=16, crop="random", flip=True)
    one, other = learned(folder, framing=framing), learned(folder, framing=framing)
    late = [other.sample(i) for i in range(9, 5, -1)][::-1]
    for a, b in zip([one.sample(i) for i in range(6, 10)], late, strict=True):
        assert (a.image.tobytes(), a.caption, a.shot) == (b.image.tobytes(), b.caption, b.shot)


def test_draws_come_from_the_generator_handed_in(tmp_path: Path) -> None:
    image = Image.fromarray(
        np.arange(64 * 32 * 3, dtype=np.uint32).astype(np.uint8).reshape(32, 64, 3)
    )
    image.save(tmp_path / "a.png")
    found = learned(tmp_path, framing=Framing(size=16, crop="random"))
    first = found.sample(0, np.random.default_rng(1)).image.tobytes()
    assert found.sample(0, np.random.default_rng(1)).image.tobytes() == first
    assert found.sample(0, np.random.default_rng(2)).image.tobytes() != first


def test_captions_are_own_or_the_subjects(folder: Path) -> None:
    (folder / "2.txt").write_text("a blue [V] thing", "utf-8")
    found = learned(folder)
    said = {s.shot.name: s.caption for s in (found.sample(i) for i in range(5))}
    assert said["2.png"] == "a blue [V] thing"
    assert set(said.values()) == {"a blue [V] thing", "a [V] thing 0"}


def test_several_subjects_are_learned_together(tmp_path: Path) -> None:
    save(tmp_path / "a" / "1.png", "red")
    save(tmp_path / "b" / "1.png", "blue")
    found = learned(tmp_path / "a", tmp_path / "b")
    samples = [found.sample(i) for i in range(2)]
    assert {(s.subject, s.caption) for s in samples} == {(0, "a [V] thing 0"), (1, "a [V] thing 1")}


def test_a_centre_crop_keeps_the_middle_and_never_mirrors() -> None:
    pixels = np.zeros((20, 60, 3), np.uint8)
    pixels[:, 20:40], pixels[:, 40:] = 90, 180
    framing = Framing(size=16)
    for seed in range(4):
        found = np.asarray(framing.frame(Image.fromarray(pixels), np.random.default_rng(seed)))
        assert found.shape == (16, 16, 3) and (abs(found[:, 2:-2].astype(int) - 90) < 8).all()


def test_half_of_the_pictures_are_mirrored_where_asked() -> None:
    pixels = np.zeros((16, 16, 3), np.uint8)
    pixels[:, 8:] = 255
    framing = Framing(size=16, flip=True)
    rng = np.random.default_rng(0)
    left = [np.asarray(framing.frame(Image.fromarray(pixels), rng))[0, 0, 0] for _ in range(100)]
    assert 35 < sum(value > 128 for value in left) < 65


@pytest.mark.parametrize(
    ("sides", "shape"),
    [((100, 100), (512, 512)), ((300, 200), (624, 416)), ((200, 300), (416, 624))],
)
def test_a_bucket_has_about_the_pictures_proportions(sides, shape) -> None:
    framing = Framing(size=512, crop="bucket")
    wide, high = framing.shape(*sides)
    assert abs(wide / high - sides[0] / sides[1]) < 0.12
    assert wide % 8 == high % 8 == 0 and wide * high <= 512**2
    assert (wide > high) == (shape[0] > shape[1])


def test_buckets_reach_a_ratio_of_two() -> None:
    ratios = [wide / high for wide, high in Framing(size=512, crop="bucket").buckets]
    assert 1.7 < max(ratios) <= 2 and min(ratios) == pytest.approx(1 / max(ratios))


def test_the_digest_sees_names_bytes_captions_and_framing(folder: Path) -> None:
    first = learned(folder).digest
    assert learned(folder).digest == first
    assert learned(folder, framing=Framing(size=16, flip=True)).digest != first
    (folder / "0.txt").write_text("other", "utf-8")
    assert learned(folder).digest != first
    (folder / "0.txt").unlink()
    (folder / "0.png").rename(folder / "9.png")
    assert learned(folder).digest != first
    (folder / "9.png").rename(folder / "0.png")
    assert learned(folder).digest == first
    save(folder / "0.png", "orange", (48, 32))
    assert learned(folder).digest != first


def test_few_and_small_pictures_are_warned_of(tmp_path: Path) -> None:
    save(tmp_path / "a.png", size=(48, 12))
    told = learned(tmp_path).warnings
    assert any("one picture" in line for line in told)
    assert any("a.png is 48x12, smaller than 16x16" in line for line in told)


def test_a_caption_without_the_mark_is_warned_of(folder: Path) -> None:
    for index in (1, 3):
        (folder / f"{index}.txt").write_text("a thing", "utf-8")
    assert any("1.png and 1 more has no [V]" in line for line in learned(folder).warnings)


def test_good_pictures_are_not_warned_of(folder: Path) -> None:
    assert learned(folder).warnings == []


def test_every_subject_needs_its_words(folder: Path) -> None:
    with pytest.raises(InputError, match="1 folders of pictures, 2 --subject"):
        pair([gather(folder)], ["a [V] dog", "a [V] cat"], ["a dog"])
    with pytest.raises(InputError, match="no subject"):
        SubjectSet(subjects=(), framing=Framing(size=16), seed=0)


@pytest.mark.parametrize(("fields", "said"), [({"crop": "best"}, "bucket"), ({"size": 20}, "8 px")])
def test_a_framing_that_cannot_be_is_refused(fields: dict, said: str) -> None:
    with pytest.raises(InputError, match=said):
        Framing(**{"size": 16, **fields})


def test_the_table_shows_what_was_understood(folder: Path, capsys, monkeypatch) -> None:
    from bluerider.cli.understood import show_subjects

    monkeypatch.setenv("COLUMNS", "100")
    (folder / "x.pdf").write_bytes(b"")
    found = learned(folder)
    show_subjects(found, [found.subjects[number].caption(shot) for number, shot in found.shots])
    out, err = capsys.readouterr()
    assert out.splitlines()[1].split() == ["0.png", "48x32", "16x16", "1", "a", "[V]", "thing", "0"]
    assert "warning: skipped: x.pdf" in err
