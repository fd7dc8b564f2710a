"""A subject is learned from pictures on disk into one file that paints; mistakes are told."""

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors import safe_open

from bluerider.errors import InputError
from bluerider.pipeline import Pipeline
from bluerider.training.tuning import classes
from tests.training.tuning.conftest import Train


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {"out": tmp_path_factory.mktemp("done") / "run"}


@pytest.fixture
def run(train: Train, done: dict[str, Path]) -> Path:
    """A finished run with samples, made once."""
    if not done["out"].exists():
        train(done["out"], "samples=1", "sample_every=2", "keep=1")
    return done["out"]


def test_the_result_is_the_only_safetensors(run: Path) -> None:
    assert list(run.rglob("*.safetensors")) == [run / "lora.safetensors"]


def test_the_result_says_what_it_is(run: Path, tiny: Any) -> None:
    with safe_open(run / "lora.safetensors", "pt") as file:
        about = json.loads(file.metadata()["bluerider"])
        parts = {name.split(".")[0] for name in file.keys()}  # noqa: SIM118
    assert (about["subject"], about["class"]) == ("a [V] disc", "a disc")
    assert set(about["base"]["fingerprint"]) == {"prior", "unet"} and parts == {"prior", "unet"}
    assert about["step"] == 4


def test_the_result_paints_what_the_run_painted(run: Path, tiny: Any) -> None:
    pipe = Pipeline.load(
        str(tiny("kandinsky-2.2")),
        lora=[run / "lora.safetensors"],
        device="cpu",
        dtype="float32",
    )
    result = pipe.generate("a [V] disc", seed=0)
    data = json.loads((run / "data.json").read_text())
    assert result.request.prompt == data[0]["caption"]
    from bluerider.images import open_picture

    painted = open_picture(run / "samples" / "000004-subject-0.png").image
    ours, theirs = (np.asarray(image, np.float32) for image in (result.images[0], painted))
    assert np.abs(ours - theirs).mean() <= 2.0  # of 255; the file holds half precision


def test_samples_are_named_step_kind_seed(run: Path) -> None:
    names = {path.name for path in (run / "samples").iterdir()}
    kinds = ("subject", "class", "unrelated")
    assert names == {f"{step:06d}-{kind}-0.png" for step in (2, 4) for kind in kinds}


def test_metrics_have_a_line_a_step(run: Path) -> None:
    with (run / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["step"] for row in rows] == ["1", "2", "3", "4"]
    for row in rows:
        names = [f"{p}/{h}" for p in ("prior", "decoder") for h in ("subject", "class")]
        halves = [float(row[name]) for name in names]
        assert float(row["loss"]) == pytest.approx(sum(halves), rel=1e-5)


def test_settings_are_kept(run: Path) -> None:
    import yaml

    kept = yaml.safe_load((run / "config.yaml").read_text())
    assert (kept["steps"], kept["prior"]["rate"], kept["keep"]) == (4, 0.01, 1)


def test_a_folder_in_use_is_refused(train: Train, run: Path) -> None:
    with pytest.raises(InputError, match="--resume goes on"):
        train(run)


def test_what_is_frozen_has_no_gradient_and_what_trains_moves(train: Train, tmp_path: Path) -> None:
    train(tmp_path / "run", "steps=1", "average=0")
    (path,) = (tmp_path / "run" / "checkpoints").glob("*.ckpt")
    state = torch.load(path, weights_only=True)["state_dict"]
    ups = [tensor for name, tensor in state.items() if name.endswith(".up")]
    assert sum(bool(up.abs().max() > 0) for up in ups) >= 0.9 * len(ups)


def test_the_average_follows_from_the_first_update(train: Train, tmp_path: Path) -> None:
    train(tmp_path / "run", "steps=1", "average=0.99")
    data = torch.load(tmp_path / "run" / "checkpoints" / "000001.ckpt", weights_only=True)
    slow = max(float(t.abs().max()) for t in data["bluerider"]["average"] if not t.numel() % 2)
    assert slow > 0
    ups = [n for n in data["state_dict"] if n.endswith(".up")]
    order = list(data["state_dict"])
    for name in ups:
        average = data["bluerider"]["average"][order.index(name)]
        assert torch.allclose(average, data["state_dict"][name] * 9 / 11, atol=1e-9)


@pytest.mark.parametrize("part", ["prior", "decoder"])
def test_checkpointing_changes_no_gradient(train: Train, tmp_path: Path, part: str) -> None:
    other = {"prior": "decoder", "decoder": "prior"}[part]
    flags = ("steps=2", f"{other}.train=off")
    for name in ("true", "false"):
        train(tmp_path / name, *flags, f"checkpointing={name}")
    ours, theirs = (
        torch.load(tmp_path / n / "checkpoints" / "000002.ckpt", weights_only=True)["state_dict"]
        for n in ("true", "false")
    )
    assert all(torch.allclose(ours[n], theirs[n], atol=1e-6) for n in theirs)


def test_without_class_weight_the_class_does_not_matter(train: Train, tmp_path: Path) -> None:
    train(tmp_path / "run", "steps=1", "class_weight=0")
    head, row = (tmp_path / "run" / "metrics.csv").read_text().splitlines()
    table = dict(zip(head.split(","), row.split(","), strict=True))
    assert table["prior/class"] == table["decoder/class"] == ""


def test_several_subjects_of_one_file_are_asked_for_by_number(
    train: Train, pictures: Path, tmp_path: Path, tiny: Any
) -> None:
    two = {"subject": ["a [V] disc", "a [V] ball"], "class_": ["a disc", "a ball"]}
    given = {"pictures": [pictures, pictures], **two}
    result = train(tmp_path / "run", "steps=1", "identifier=zqx,wfk", "class_weight=0", **given)
    pipe = Pipeline.load(str(tiny("kandinsky-2.2")), lora=[result], device="cpu")
    painted = pipe.generate("a [V1] disc and a [V2] ball", seed=1, steps=1)
    assert painted.request.prompt == "a zqx disc and a wfk ball"
    with pytest.raises(InputError, match=r"\[V\] with 2 subjects in --lora; \[V1\] to \[V2\]"):
        pipe.resolve("a [V] disc")
    page = (tmp_path / "run" / "report.html").read_text()
    assert "a [V1] disc and a [V2] ball on a blue background" in page
    assert "[V2] stands for the word <code>wfk</code>" in page


def test_class_pictures_are_painted_once_and_topped_up(
    train: Train, tmp_path: Path, monkeypatch: Any
) -> None:
    painted: list[int] = []
    plain = classes.encode
    monkeypatch.setattr(classes, "encode", lambda *a: painted.append(1) or plain(*a))
    folder = tmp_path / "class"
    flags = ("steps=1", "prior.train=off")
    train(tmp_path / "a", *flags, class_pictures=folder)
    assert len(painted) == 2
    first = (folder / "00000.png").read_bytes()
    train(tmp_path / "b", *flags, "class_pictures=3", class_pictures=folder)
    assert len(painted) == 3 and (folder / "00000.png").read_bytes() == first
    (folder / "00001.png").write_bytes(b"damaged")
    train(tmp_path / "c", *flags, "class_pictures=3", class_pictures=folder)
    assert len(painted) == 4
    manifest = json.loads((folder / "manifest.json").read_text())
    assert (manifest["count"], manifest["prompts"], manifest["seed"]) == (3, ["a disc"], 0)


def test_class_pictures_of_other_words_are_refused(train: Train, tmp_path: Path) -> None:
    flags = ("steps=1", "prior.train=off")
    train(tmp_path / "a", *flags, class_pictures=tmp_path / "class")
    with pytest.raises(InputError, match="other prompts"):
        train(tmp_path / "b", *flags, class_pictures=tmp_path / "class", class_="a ball")


def test_full_training_writes_a_model(train: Train, tmp_path: Path) -> None:
    result = train(tmp_path / "run", "steps=1", "prior.train=full", "decoder.train=attention")
    assert result == tmp_path / "run" / "model"
    images = Pipeline.load(result, device="cpu").generate("a disc", seed=1, steps=1).images
    assert len(images) == 1


def test_the_text_encoder_learns_along(train: Train, tmp_path: Path) -> None:
    train(tmp_path / "run", "steps=1", "text_encoder.train=lora", "decoder.train=off")
    with safe_open(tmp_path / "run" / "lora.safetensors", "pt") as file:
        parts = {name.split(".")[0] for name in file.keys()}  # noqa: SIM118
    assert parts == {"prior", "text_encoder"}


@pytest.mark.parametrize(
    ("changes", "options", "said"),
    [
        (("stepz=3",), {}, "unknown setting stepz, did you mean 'steps'"),
        (("prior.rnk=3",), {}, "unknown setting prior.rnk"),
        (("steps=many",), {}, "steps: got 'many'; a whole number"),
        (("decoder.train=some",), {}, "accepted: off, word, lora, attention, full"),
        (("steps",), {}, "KEY=VALUE"),
        (("prior.train=off", "decoder.train=off"), {}, "nothing trains"),
        (("identifier=two words",), {}, "one word is accepted"),
        (("optimizer=adamw8bit",), {}, "bitsandbytes is not installed"),
        ((), {"subject": "a disc"}, r"\[V\] has to stand"),
        ((), {"class_": []}, "--class is missing"),
        ((), {"class_": "a [V] disc"}, "plain words"),
        ((), {"preset": "balance"}, "did you mean 'balanced'"),
    ],
)
def test_mistakes_are_told(
    train: Train, tmp_path: Path, changes: tuple[str, ...], options: Any, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        train(tmp_path / "run", *changes, **options)


def test_no_pictures_is_a_mistake(train: Train, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError):
        train(tmp_path / "run", pictures=tmp_path / "empty")


def test_a_common_word_as_identifier_is_warned_of(train: Train, tmp_path: Path) -> None:
    said: list[str] = []
    train(tmp_path / "run", "steps=1", "identifier=abcd", say=said.append)
    assert any("identifier 'abcd'" in line for line in said), said


@pytest.mark.parametrize(("condition", "rows"), [("true", 4), ("prior", 4), ("mix", 8)])
def test_the_decoder_is_told_true_or_imagined_embeddings(
    train: Train, tmp_path: Path, monkeypatch: Any, condition: str, rows: int
) -> None:
    from bluerider.training.tuning import teach

    seen: list[Any] = []
    plain = teach.Teacher.decoder
    monkeypatch.setattr(teach.Teacher, "decoder", lambda s, r: seen.append(r) or plain(s, r))
    flags = ("steps=1", "class_weight=0", f"decoder_condition={condition}")
    train(tmp_path / "run", *flags)
    embedding = seen[0].all("embedding")
    assert len(embedding) == rows
    given = {"true": embedding, "prior": embedding[:0], "mix": embedding[::2]}[condition]
    train(tmp_path / "plain", "steps=1", "class_weight=0", "decoder_condition=true")
    true = seen[1].all("embedding")
    assert torch.equal(given, true[: len(given)])
    if condition != "true":
        other = embedding if condition == "prior" else embedding[1::2]
        assert not torch.equal(other, true)
