"""The protocol of DreamBooth's paper, with tiny random encoders and a painter that copies."""

import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from bluerider.catalog import MURNAU
from bluerider.cli.main import main
from bluerider.errors import InputError
from bluerider.evaluate.dreambench import (
    Encoders,
    among,
    bench_questions,
    painted_row,
    read_bench,
    real_row,
)
from bluerider.request import Result
from bluerider.weights.load import open_model

TEXT = """Classes

subject_name,class
mug,cup
rex,dog

Prompts

Object Prompts

prompt_list = [
'a {0} {1} in the jungle'.format(unique_token, class_token),
'a red {0} {1}'.format(unique_token, class_token),
]

Live Subject Prompts

prompt_list = [
'a {0} {1} wearing a hat'.format(unique_token, class_token),
]
"""


@pytest.fixture
def bench(tmp_path: Path) -> Path:
    folder = tmp_path / "dataset"
    for name, colours in (("mug", ("red", "maroon", "orange")), ("rex", ("blue", "navy"))):
        (folder / name).mkdir(parents=True)
        for number, colour in enumerate(colours):
            Image.new("RGB", (40, 40), colour).save(folder / name / f"{number}.jpg", quality=95)
    (folder / "prompts_and_classes.txt").write_text(TEXT)
    return folder


def see(pictures) -> np.ndarray:
    """Mean colours as unit vectors."""
    found = np.stack([np.asarray(p.convert("RGB"), float).mean((0, 1)) + 1 for p in pictures])
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def read(texts) -> np.ndarray:
    """Red for what is a cup, blue for a dog."""
    found = np.array([[1.0, 0, 0] if "cup" in text else [0, 0, 1.0] for text in texts])
    return found


ENCODERS = Encoders(dino=see, clip=see, words=read)


def test_subjects_have_their_classes_photographs_and_prompts(bench: Path) -> None:
    mug, rex = read_bench(bench)
    assert (mug.class_word, len(mug.photographs), len(mug.templates)) == ("cup", 3, 2)
    assert rex.prompt(0) == "a [V] dog wearing a hat"
    assert mug.prompt(1, "") == "a red cup"


def test_only_the_tuned_model_is_asked_with_the_mark_and_for_the_class(bench: Path) -> None:
    mug = read_bench(bench)[0]
    tuned = bench_questions(mug, tuned=True, prompts=25, pictures=4)
    plain = bench_questions(mug, tuned=False, prompts=1, pictures=2)
    assert (len(tuned), len(plain)) == (3 * 4, 2)
    assert {q.prompt for q in tuned if q.number is None} == {"a cup"}
    assert all("[V]" in q.prompt for q in tuned if q.number is not None)
    assert not any("[V]" in q.prompt for q in plain)
    assert len({q.key for q in (*tuned, *plain)}) == 14


def test_similarity_among_pictures_leaves_each_itself_out() -> None:
    vectors = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    assert among(vectors) == pytest.approx(1 / 3)
    assert among(vectors[:1]) == 1.0


def answers_of(subjects, colours) -> dict:
    return {
        question: Image.new("RGB", (16, 16), colours[subject.name])
        for subject in subjects
        for tuned in (False, True)
        for question in bench_questions(subject, tuned=tuned, prompts=2, pictures=2)
    }


def test_copies_come_near_the_photographs(bench: Path) -> None:
    subjects = read_bench(bench)
    right = answers_of(subjects, {"mug": "red", "rex": "blue"})
    wrong = answers_of(subjects, {"mug": "blue", "rex": "red"})
    near, far = (painted_row(subjects, a, ENCODERS, tuned=True) for a in (right, wrong))
    assert near.dino.value > 0.9 > 0.2 > far.dino.value
    assert near.clip_t.value > 0.99 and far.clip_t.value < 0.1
    assert near.pres.value == pytest.approx(near.dino.value)
    assert near.div.value == pytest.approx(0.0, abs=1e-9)
    real = real_row(subjects, ENCODERS)
    assert 0.9 < real.dino.value < 1.0 and real.clip_t is None


def test_an_untuned_row_has_no_class_of_its_own(bench: Path) -> None:
    subjects = read_bench(bench)
    answers = answers_of(subjects, {"mug": "red", "rex": "blue"})
    assert painted_row(subjects, answers, ENCODERS, tuned=False).pres is None


@pytest.mark.parametrize("text", [None, "nothing", TEXT.replace(".format(", "")])
def test_a_folder_of_no_set_is_refused(bench: Path, text: str | None) -> None:
    path = bench / "prompts_and_classes.txt"
    path.unlink() if text is None else path.write_text(text)
    with pytest.raises(InputError, match="prompts_and_classes.txt"):
        read_bench(bench)


@pytest.fixture(scope="module")
def towers(tmp_path_factory) -> tuple[Path, Path]:
    """Folders of a tiny random DINO and a tiny random CLIP with murnau's tokenizer."""
    import shutil

    from transformers import CLIPConfig, CLIPModel, ViTConfig, ViTModel

    import bluerider

    place = tmp_path_factory.mktemp("towers")
    small = {"hidden_size": 16, "intermediate_size": 32}
    small |= {"num_hidden_layers": 1, "num_attention_heads": 2}
    ViTModel(
        ViTConfig(**small, image_size=32, patch_size=8), add_pooling_layer=False
    ).save_pretrained(place / "dino")
    vocab = open_model("murnau").config("text").vocab
    text = {**small, "vocab_size": vocab, "max_position_embeddings": 48, "projection_dim": 8}
    text |= {"bos_token_id": 1, "eos_token_id": 3, "pad_token_id": 0}
    vision = {**small, "image_size": 32, "patch_size": 8, "projection_dim": 8}
    CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=8)).save_pretrained(
        place / "clip"
    )
    source = Path(bluerider.__file__).parent / "embedded/murnau/prior/tokenizer"
    shutil.copytree(source, place / "clip", dirs_exist_ok=True)
    return place / "dino", place / "clip"


def test_dino_is_transformers_class_token(towers) -> None:
    import torch
    from transformers import ViTModel

    from bluerider.evaluate.dino import Dino

    dino = Dino(towers[0])
    picture = Image.effect_mandelbrot((80, 60), (-2, -1.5, 1, 1.5), 30)
    pixels = torch.from_numpy(dino.seen(picture))[None]
    net = ViTModel.from_pretrained(towers[0], add_pooling_layer=False).eval()
    with torch.no_grad():
        own = net(pixel_values=pixels).last_hidden_state[0, 0].double().numpy()
    np.testing.assert_allclose(dino([picture])[0], own / np.linalg.norm(own), atol=1e-6)


def test_the_command_teaches_paints_and_compares(bench, towers, tmp_path, monkeypatch, capsys):
    lessons, adapted, asked = [], [], []

    def generate_many(requests, *, batch):
        for request in requests:
            asked.append(request.prompt)
            image = Image.new("RGB", (64, 64), "red" if "cup" in request.prompt else "blue")
            yield Result(images=[image], seeds=[0], request=request, seconds=0.0)

    pipe = SimpleNamespace(
        files=SimpleNamespace(parts={}),
        defaults=MURNAU.defaults,
        generate_many=generate_many,
        adapt=adapted.append,
    )

    def dreambooth(pictures, *, subject, class_, out, **options):
        lessons.append((pictures.name, subject, class_))
        out.mkdir()
        (out / "lora.safetensors").write_bytes(b"x")
        return out / "lora.safetensors"

    for name, part in (
        ("bluerider.pipeline", {"Pipeline": SimpleNamespace(load=lambda *a, **o: pipe)}),
        ("bluerider.training.dreambooth", {"dreambooth": dreambooth}),
    ):
        module = ModuleType(name)
        vars(module).update(part)
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.chdir(tmp_path)
    dino, clip = map(str, towers)
    command = ["evaluate", "dreambench", str(bench), "--dino", dino, "--clip", clip, "--json"]
    assert main([*command, "--pictures", "1"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert lessons == [("mug", "a [V] cup", "a cup"), ("rex", "a [V] dog", "a dog")]
    assert len(asked) == 2 + 3 + 1 + 2 and adapted[1::2] == [[], []]
    assert found["tuned model"]["subjects"] == 2
    assert -1 <= found["tuned model"]["dino"]["value"] <= 1
    assert found["photographs"]["clip_t"] is None


@pytest.mark.parametrize(
    ("flags", "said"),
    [({"--dino": "no"}, "no config.json"), ({"--pictures": "0"}, "pictures"), ({}, "prompts_and")],
)
def test_bad_input_is_one_line(bench, tmp_path, monkeypatch, capsys, flags, said) -> None:
    monkeypatch.chdir(tmp_path)
    place = bench if flags else tmp_path
    given = {"--dino": "d", "--clip": "c", **flags}
    assert main(["evaluate", "dreambench", str(place), *sum(given.items(), ())]) == 2
    err = capsys.readouterr().err
    assert said in err and err.count("\n") == 1
