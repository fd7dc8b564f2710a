"""`train=word`, `captions=auto`, `decoder_condition=live`: how murnau learns a subject."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors import safe_open
from torch import nn

from bluerider.errors import InputError
from bluerider.scenes.scene import BACKGROUNDS
from bluerider.training.dreambooth import Lessons, Run
from bluerider.training.tuning import teach
from bluerider.training.tuning.describing import SAID, describe, worded
from bluerider.training.tuning.encoding import imagined
from bluerider.training.tuning.plan import gathered
from bluerider.training.tuning.told import Live
from bluerider.weights.load import open_model
from tests.training.tuning.conftest import Train
from tests.training.tuning.test_resume import losses, same, state

WORD = ("identifier=new", "identifier_rate=1e-2", "prior.train=word")
OWN = ("size=128", "schedule=constant", "class_pictures=2", "decoder.batch=1")  # of murnau
QUIET = lambda done: None  # noqa: E731
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def murnau(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {"out": tmp_path_factory.mktemp("murnau") / "run"}


@pytest.fixture
def on_blue(pictures: Path, tmp_path: Path) -> Path:
    """The pictures, the third of them on one of the colours that murnau has words for."""
    folder = Path(shutil.copytree(pictures, tmp_path / "set"))
    pixels = np.array(Image.open(folder / "2.png"))
    pixels[(pixels == pixels[0, 0]).all(axis=2)] = BACKGROUNDS["light_blue"]
    Image.fromarray(pixels).save(folder / "2.png")
    return folder


@pytest.fixture
def learned(train: Train, murnau: dict[str, Path]) -> Path:
    """A short run of murnau's own settings, made once."""
    if not murnau["out"].exists():
        train(murnau["out"], *OWN, model="murnau")
    return murnau["out"]


def test_only_the_word_and_the_decoder_are_in_the_file(train: Train, tmp_path: Path) -> None:
    path = train(tmp_path / "run", *WORD, "steps=2")
    with safe_open(path, "pt") as file:
        parts = {name.split(".")[0] for name in file.keys()}  # noqa: SIM118
    assert "prior" not in parts and "unet" in parts


def test_without_its_word_the_prior_answers_to_the_bit_as_before(learned: Path) -> None:
    plain = open_model("murnau")
    adapted = plain.adapted([learned / "lora.safetensors"])
    before, after = (imagined(f, CPU, ["red apple"], 1, 1.0, QUIET) for f in (plain, adapted))
    assert adapted.words and torch.equal(before, after)


def test_a_run_with_the_decoder_told_live_resumes_in_the_same_bits(
    train: Train, learned: Path, tmp_path: Path
) -> None:
    cut = tmp_path / "cut"
    train(cut, *OWN, "steps=2", model="murnau")
    train(cut, *OWN, model="murnau", resume=True)
    for key in ("state_dict", "optimizer_states"):
        assert same(state(cut)[key], state(learned)[key]), key
    assert losses(cut) == losses(learned)


def test_pictures_are_described_and_captions_of_ones_own_stand(
    train: Train, on_blue: Path, tmp_path: Path
) -> None:
    (on_blue / "1.txt").write_text("a [V] disc of mine")
    train(tmp_path / "run", *OWN, "steps=1", model="murnau", pictures=on_blue)
    said = [one["caption"] for one in json.loads((tmp_path / "run" / "data.json").read_text())]
    word = said[0].split()[1]
    assert said[0].startswith(f"a {word} disc") and "background" not in said[0]  # on white
    assert said[1] == f"a {word} disc of mine"
    assert said[2].endswith("on a light blue background")


@pytest.mark.parametrize("said", SAID)
def test_what_the_prior_imagines_of_a_scene_is_described_as_that_scene(
    said: dict[str, str],
) -> None:
    files = open_model("murnau")
    words = ["red apple", "owl", "key"]
    seen = imagined(files, CPU, [worded("cat", said)], 1, 1.0, QUIET)
    assert describe(files, CPU, seen, words, QUIET) == [said]


@pytest.mark.parametrize("thing", ["dog", "guitar", "snail"])
def test_scenes_of_a_thing_far_from_all_words_are_described_as_those_scenes(thing: str) -> None:
    files = open_model("murnau")
    seen = imagined(files, CPU, [worded(thing, said) for said in SAID], 1, 1.0, QUIET)
    assert describe(files, CPU, seen, ["red apple", "owl", "key"], QUIET) == list(SAID)


def test_the_decoder_is_told_the_answer_now_and_the_class_its_own() -> None:
    table = torch.arange(8.0).view(4, 2)
    spoken = nn.Module()
    spoken.forward = lambda row, drop: (row.float(),)  # type: ignore[method-assign, assignment]
    live = Live(
        spoken,
        lambda values: 100 + values[0][:, None].expand(-1, 2),
        table,
        torch.full((1, 2), -1.0),
        count=2,
    )
    drop = torch.tensor([[False, False], [True, False], [False, False], [False, True]])
    (told,) = live(torch.tensor([0, 1, 2, 3]), drop)
    assert told.tolist() == [[100, 100], [101, 101], [4, 5], [-1, -1]]
    assert not told.requires_grad


def test_class_pictures_of_ones_own_keep_their_embeddings(
    train: Train, pictures: Path, tmp_path: Path
) -> None:
    def class_rows(number: int, *changes: str, **options: Any) -> torch.Tensor:
        (folder := tmp_path / str(number)).mkdir()
        rows = seen_rows(train, folder, *OWN, *changes, model="murnau", **options)
        embedding = rows.all("embedding")
        return embedding[[row for (row,) in rows.halves[1]]]

    own = class_rows(0, class_pictures=pictures)
    seen = class_rows(1, "decoder_condition=true", class_pictures=pictures)
    assert torch.equal(own, seen)
    painted = class_rows(2)
    words = ["a disc", *gathered(family="kandinsky-2.2", model="murnau").kept][: len(painted)]
    assert torch.equal(painted, imagined(open_model("murnau"), CPU, words, 1, 1.0, QUIET))


def test_words_to_keep_are_listed_between_commas() -> None:
    plan = gathered(family="kandinsky-2.2", model="x", changes=["others=red apple, a cat,,key "])
    assert plan.kept == ["red apple", "a cat", "key"]


def test_what_is_kept_is_painted_beside_the_class(
    train: Train, tmp_path: Path, one_home: Path
) -> None:
    flags = ("steps=1", "class_pictures=4", "others=key, owl", "seed=5")
    train(tmp_path / "run", *flags)
    manifests = [json.loads(p.read_text()) for p in one_home.glob("classes/*/manifest.json")]
    assert ["a disc", "key", "owl"] in [one["prompts"] for one in manifests]


@pytest.mark.parametrize(
    ("name", "changes", "said"),
    [
        ("kandinsky-2.2", ("prior.train=word",), "identifier=new"),
        ("kandinsky-2.2", ("identifier=new", "decoder.train=word"), "reads no words"),
        ("kandinsky-2.2", ("decoder_condition=live",), "answers in one step"),
        ("sd-1.5", ("captions=auto", "prior.train=off"), "no prior and image encoder"),
    ],
)
def test_what_cannot_be_is_told(
    train: Train, tiny: Any, tmp_path: Path, name: str, changes: tuple[str, ...], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        train(tmp_path / "run", *changes, model=str(tiny(name)))


def test_a_subject_on_a_plain_colour_is_put_on_others(train: Train, tmp_path: Path) -> None:
    rows = seen_rows(train, tmp_path, "backdrops=6", "class_weight=0")
    assert [len(set(variants)) for variants in rows.halves[0]] == [7] * 4
    words = [caption for caption in rows.captions if caption != rows.captions[0]]
    assert len(words) == 4 * 6 and len({frame.open().tobytes() for frame in rows.frames}) == 28
    assert all(caption.startswith(rows.captions[0]) or "small" in caption for caption in words)


def test_a_picture_that_is_not_plain_stays_as_it_is(train: Train, tmp_path: Path) -> None:
    folder = tmp_path / "noise"
    folder.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (80, 80, 3), np.uint8)
    Image.fromarray(pixels).save(folder / "0.png")
    rows = seen_rows(train, tmp_path, "backdrops=2", "class_weight=0", pictures=folder)
    assert len(rows.frames) == 3 and len(set(rows.captions)) == 1
    assert len({frame.open().tobytes() for frame in rows.frames}) == 1


def test_only_dreambooth_takes_backdrops(study: Train, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="only dreambooth"):
        study(tmp_path / "run", "backdrops=2", part="decoder")


def seen_rows(train: Train, tmp_path: Path, *changes: str, **options: Any) -> Any:
    """The decoder's rows in a run of one step."""
    seen: list[Any] = []
    plain = teach.Teacher.decoder
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(teach.Teacher, "decoder", lambda s, r: seen.append(r) or plain(s, r))
        train(tmp_path / "run", "steps=1", *changes, **options)
    return seen[0]


def test_the_first_rows_of_a_picture_are_drawn_half_the_time() -> None:
    rows = teach.Rows()
    rows.add(list("abcdefgh"), 4)
    rows.favour(1)
    assert rows.halves == [[[0, 0, 0, 1, 2, 3], [4, 4, 4, 5, 6, 7]]]
    rows.add(list("ij"), 1)
    rows.favour(1)
    assert rows.halves[1] == [[8], [9]]


@pytest.mark.parametrize(("quick", "used"), [(True, "bfloat16"), (False, "float32")])
def test_the_open_precision_goes_by_the_processor(
    train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, quick: bool, used: str
) -> None:
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: quick)
    train(tmp_path / "run", "steps=1", "precision=auto")
    assert f"precision: {used}" in (tmp_path / "run" / "config.yaml").read_text()


def test_the_table_shows_the_descriptions_with_the_subjects_place(
    on_blue: Path, tmp_path: Path
) -> None:
    wanted = Lessons(
        pictures=[on_blue],
        subjects=["a [V] disc"],
        classes=["a disc"],
        out=tmp_path / "run",
        changes=["size=128"],
        device="cpu",
    )
    shown = Run(wanted, lambda line: None, lambda done, word: None).shown()
    assert shown[0] == "a [V] disc" and shown[2] == "a [V] disc on a light blue background"
