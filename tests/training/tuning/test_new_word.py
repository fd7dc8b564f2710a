"""`identifier=new`: the subject's word is a token that no vocabulary has, learned with the rest."""

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from bluerider.errors import InputError
from bluerider.pipeline import Pipeline
from bluerider.training.tuning.identifier import pieces
from bluerider.weights.load import ModelFiles, open_model
from tests.training.tuning.conftest import Train
from tests.training.tuning.test_resume import losses, same, state

NEW = ("identifier=new", "identifier_rate=1e-2", "decoder.train=lora")
READERS = {
    "kandinsky-2.0": {"mclip", "t5"},
    "kandinsky-2.1": {"text", "mclip"},
    "kandinsky-2.2": {"text"},
    "sd-1.5": {"text"},
}


@pytest.fixture(scope="module")
def made() -> dict[str, Path]:
    return {}


@pytest.fixture
def learn(train: Train, tiny: Any, tmp_path_factory: Any, made: dict[str, Path]) -> Any:
    """The LoRA of a family's tiny model with a new word, made once."""

    def run(name: str) -> Path:
        if name not in made:
            out = tmp_path_factory.mktemp("new") / "run"
            prior = [] if name in ("kandinsky-2.1", "kandinsky-2.2") else ["prior.train=off"]
            made[name] = train(out, *NEW, "steps=2", *prior, model=str(tiny(name)))
        return made[name]

    return run


def adapted(tiny: Any, name: str, *loras: Path) -> ModelFiles:
    return open_model(tiny(name)).adapted(loras)


def digest(folder: Path) -> str:
    state = hashlib.sha256()
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        state.update(path.read_bytes())
    return state.hexdigest()


@pytest.mark.parametrize("name", READERS)
def test_every_text_encoder_gets_a_row_and_reads_the_word_as_one_token(
    learn: Any, tiny: Any, name: str
) -> None:
    before = digest(tiny(name))
    files = adapted(tiny, name, learn(name))
    (word,) = files.words
    assert set(word.rows) == READERS[name]
    for part in files.parts:
        if not part.endswith("tokenizer"):
            continue
        ids = files.tokenizer(part).rows([f"a {word.text} disc"])[0]
        reader = {"tokenizer": "text", "mclip_tokenizer": "mclip", "t5_tokenizer": "t5"}[part]
        first = files.config(reader).vocab
        assert ids.count(first) == 1 and max(ids) == first
        row = files.load(reader, dtype=torch.float32).embed(torch.tensor([first]))[0]
        assert torch.equal(row, word.rows[reader].float())
    assert digest(tiny(name)) == before


def test_the_row_starts_from_the_class_and_moves(learn: Any, tiny: Any) -> None:
    files = adapted(tiny, "kandinsky-2.2", learn("kandinsky-2.2"))
    base = open_model(tiny("kandinsky-2.2"))
    ids = pieces(base.tokenizer(), "disc")
    start = base.load("text", dtype=torch.float32).embed.weight[ids].mean(dim=0)
    moved = (files.words[0].rows["text"].float() - start).abs()
    assert 1e-3 < float(moved.max()) <= 2.1e-2  # two steps of Adam at 1e-2


def test_words_without_it_are_read_to_the_bit_as_before(learn: Any, tiny: Any) -> None:
    files, base = adapted(tiny, "sd-1.5", learn("sd-1.5")), open_model(tiny("sd-1.5"))
    ids = base.tokenizer()(["a disc", "something else"]).ids
    assert torch.equal(files.tokenizer()(["a disc", "something else"]).ids, ids)
    ours, theirs = (f.load("text", dtype=torch.float32).embed(ids) for f in (files, base))
    assert torch.equal(ours, theirs)


@pytest.mark.parametrize("name", READERS)
def test_a_picture_is_painted_and_the_base_comes_back(learn: Any, tiny: Any, name: str) -> None:
    pipe = Pipeline.load(str(tiny(name)), device="cpu", dtype="float32")
    plain = pipe.generate("a disc", seed=1, steps=1).images[0]
    pipe.adapt([learn(name)])
    result = pipe.generate("a [V] disc", seed=1, steps=1)
    assert pipe.files.words[0].text in result.request.prompt
    assert result.images[0].tobytes() != plain.tobytes()
    pipe.adapt([])
    assert pipe.generate("a disc", seed=1, steps=1).images[0].tobytes() == plain.tobytes()


def test_a_run_taken_up_again_ends_in_the_same_bits(train: Train, tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    train(whole, *NEW)
    train(cut, *NEW, "steps=2")
    train(cut, *NEW, resume=True)
    assert any(name.endswith("embed.rows") for name in state(whole)["state_dict"])
    for key in ("state_dict", "optimizer_states", "bluerider"):
        assert same(state(cut)[key], state(whole)[key]), key
    assert losses(cut) == losses(whole)
    assert same(*(load_file(run / "lora.safetensors") for run in (cut, whole)))


def test_a_file_for_another_model_is_refused(learn: Any, tiny: Any, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    words = {n: t for n, t in load_file(learn("sd-1.5")).items() if n.startswith("lora_words")}
    other = load_file(learn("kandinsky-2.2"))
    kept = {n: t for n, t in other.items() if not n.startswith("lora_words")}
    save_file({**kept, **words}, tmp_path / "mixed.safetensors")
    with pytest.raises(InputError, match="made for another model .* has rows for text 64"):
        adapted(tiny, "kandinsky-2.2", tmp_path / "mixed.safetensors")


def test_two_files_have_each_their_word(
    train: Train, learn: Any, tiny: Any, tmp_path: Path
) -> None:
    first = learn("kandinsky-2.2")
    second = train(tmp_path / "run", *NEW, "steps=1", subject="a [V] ball", class_="a ball")
    pipe = Pipeline.load(str(tiny("kandinsky-2.2")), lora=[first, second], device="cpu")
    one, two = (word.text for word in pipe.files.words)
    prompt = pipe.resolve("a [V1] disc and a [V2] ball").prompt
    assert one != two and prompt == f"a {one} disc and a {two} ball"
    ids = pipe.tokenizer.rows([prompt])[0]
    vocab = pipe.files.config("text").vocab
    assert [i for i in ids if i >= vocab][0] == vocab
    assert len(pipe.files.adapted([first, first]).words) == 1


def test_one_word_of_two_meanings_is_refused(learn: Any, tiny: Any, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    first = learn("kandinsky-2.2")
    changed = {n: t + 1 if n.startswith("lora_words") else t for n, t in load_file(first).items()}
    save_file(changed, tmp_path / "other.safetensors")
    with pytest.raises(InputError, match="different things"):
        adapted(tiny, "kandinsky-2.2", first, tmp_path / "other.safetensors")


def test_a_new_word_goes_into_a_lora_only(train: Train, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="goes into a LoRA's file"):
        train(tmp_path / "run", *NEW, "decoder.train=full")


def test_it_goes_along_into_other_names(learn: Any, tiny: Any, tmp_path: Path) -> None:
    from bluerider.weights.restyle import restyle

    files = open_model(tiny("sd-1.5"))
    source, kohya, back = learn("sd-1.5"), tmp_path / "k.safetensors", tmp_path / "b.safetensors"
    restyle(source, kohya, "kohya", files)
    restyle(kohya, back, "peft", files)
    assert same(load_file(source), load_file(back))


def test_the_log_has_its_rate(train: Train, tmp_path: Path) -> None:
    train(tmp_path / "run", *NEW, "steps=1")
    head, row = (tmp_path / "run" / "metrics.csv").read_text().splitlines()
    told = dict(zip(head.split(","), row.split(","), strict=True))
    assert float(told["rate/identifier"]) == 1e-2
    data = json.loads((tmp_path / "run" / "data.json").read_text())
    assert data[0]["caption"].startswith("a v")
