"""Every stage, a few steps on a handful of drawings, ends in a model folder that paints."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from bluerider.errors import InputError
from bluerider.evaluate.encoder import Encoder
from bluerider.pipeline import Pipeline
from bluerider.training import stages
from bluerider.training.emoji import EmojiSet
from bluerider.training.recipe import Recipe
from bluerider.training.run import train
from bluerider.training.stages import PREPARE, export, export_net
from bluerider.training.stream import Stream
from bluerider.training.workshop import Workshop
from tests.training.tiny import workshop


def test_stages_end_in_a_model_that_paints(trained: Workshop, tmp_path: Path) -> None:
    export(trained, tmp_path / "model", torch.float32)
    result = Pipeline.load(tmp_path / "model", device="cpu").generate("thing a", seed=1, steps=2)
    assert result.images[0].size == (result.request.width, result.request.height)


def test_an_export_keeps_what_was_read_and_tells_nothing_before_it_is_measured(
    trained: Workshop, tmp_path: Path
) -> None:
    export(trained, tmp_path / "model")
    pipe = Pipeline.load(tmp_path / "model", device="cpu")
    known = pipe.files.known()
    assert known is not None and known.threshold is None
    rows = pipe.tokenizer.rows(["thing a", "thing a on a red background"])
    assert known.familiarity(rows[0]) == 1.0
    assert pipe.warnings(pipe.resolve("xyzzy", seed=0)) == []


def test_a_tower_trained_apart_is_exported_alone(
    recipe: Recipe, emoji: EmojiSet, tmp_path: Path
) -> None:
    apart = workshop(recipe.changed("image", ["seed=1"]), emoji, tmp_path / "run")
    stages.run_stage(apart, "image", lambda text: None)
    export_net(apart, "image", tmp_path / "apart")
    encode = Encoder(tmp_path / "apart")
    ours = apart.trained("image").state_dict()
    for name, tensor in encode.tower.state_dict().items():
        torch.testing.assert_close(tensor, ours[name], rtol=0.01, atol=1e-6)  # kept in bfloat16


def test_a_finished_stage_is_not_run_again(trained: Workshop) -> None:
    said: list[str] = []
    stages.run_stage(trained, "recall", said.append)
    assert "is finished" in said[0]


def test_training_goes_on_from_exported_weights(trained: Workshop, tmp_path: Path) -> None:
    export(trained, tmp_path / "model", torch.float32)
    again = workshop(trained.recipe, trained.emoji, tmp_path / "run")
    again.init = tmp_path / "model"
    ours, theirs = again.fresh("unet").state_dict(), trained.trained("unet").state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


def test_recall_goes_on_from_exported_weights(trained: Workshop, tmp_path: Path) -> None:
    export(trained, tmp_path / "model", torch.float32)
    again = workshop(trained.recipe.changed("recall", ["rate=0"]), trained.emoji, tmp_path)
    again.init = tmp_path / "model"
    (tmp_path / "tokenizer").symlink_to(trained.out / "tokenizer")
    stages.run_stage(again, "recall", lambda text: None)
    for name in ("text", "prior"):
        ours = again.trained(name, "recall").state_dict()
        theirs = trained.trained(name).state_dict()
        for key, tensor in theirs.items():
            torch.testing.assert_close(ours[key], tensor)


def test_rehearsing_leaves_reading_as_it_is(trained: Workshop) -> None:
    before, after = (
        trained.trained("prior", stage).state_dict() for stage in ("recall", "rehearse")
    )
    as_stored = {key: value.bfloat16().float() for key, value in before.items()}
    moved = {key for key in before if not torch.equal(as_stored[key], after[key])}
    assert "proj_out.weight" in moved and "blocks.1.mlp.in_.weight" in moved
    assert not any(key.startswith(("blocks.0.", "proj_text", "positions")) for key in moved)


def test_what_was_read_is_kept(trained: Workshop) -> None:
    stage, stream = PREPARE["rehearse"](trained)
    recall, kept = stage.net, stream.kept
    reminders = PREPARE["recall"](trained)[1]
    assert len(kept.held) == 512  # two batches of 256 for 300 texts
    reminders.size, reminders.seed = 256, 1
    batch = reminders.batch(0)
    pad, text = trained.tokenizer.pad, trained.trained("text", "recall")
    with torch.no_grad():
        words = text(batch.ids[0])
        mask = batch.ids[0] != pad
        whole = recall(words.states, words.embedding, mask).answer
        rows = slice(0, len(whole))
        answer = recall.answer(kept.held[rows].float(), kept.found[rows].float())
    torch.testing.assert_close(answer, whole, atol=0.05, rtol=0.05)


def test_a_still_encoder_keeps_what_latents_mean(trained: Workshop, tmp_path: Path) -> None:
    export(trained, tmp_path / "model", torch.float32)
    changes = ["still=1", "average=0"]
    again = workshop(trained.recipe.changed("autoencoder", changes), trained.emoji, tmp_path)
    again.init = tmp_path / "model"
    stages.run_stage(again, "autoencoder", lambda text: None)
    ours, theirs = again.trained("autoencoder"), trained.trained("autoencoder")
    picture = torch.rand(1, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    latent = ours.encode(picture)
    assert torch.equal(latent, theirs.encode(picture))
    assert not torch.equal(ours.decode(latent), theirs.decode(latent))


def test_how_much_is_still_is_one_of_three(recipe: Recipe, emoji: EmojiSet, tmp_path: Path) -> None:
    shop = workshop(recipe.changed("autoencoder", ["still=3"]), emoji, tmp_path)
    with pytest.raises(InputError, match="still: got 3; choose from 0, 1, 2"):
        stages.run_stage(shop, "autoencoder", lambda text: None)


def test_recall_needs_two_layers_of_the_prior(trained: Workshop, tmp_path: Path) -> None:
    nets = trained.recipe.nets | {"prior": replace(trained.recipe.nets["prior"], layers=1)}
    again = workshop(replace(trained.recipe, nets=nets), trained.emoji, trained.out)
    with pytest.raises(InputError, match="prior: layers: got 1; stage recall needs 2 or more"):
        stages.run_stage(again, "recall", lambda text: None)


def test_a_stage_asks_for_the_one_before(recipe: Recipe, emoji: EmojiSet, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="stage words is not finished"):
        stages.run_stage(workshop(recipe, emoji, tmp_path), "recall", lambda text: None)


def test_recall_answers_about_what_embeddings_are_on_average(trained: Workshop) -> None:
    prior = trained.trained("prior", "recall")
    codes = trained.appearance.codes
    assert prior.mean[0, : codes.shape[1]].norm() < codes.norm(dim=1).mean()
    assert prior.mean.any() and prior.std.gt(0).all() and not prior.std.eq(1).all()


def test_a_batch_of_pictures_holds_blends_and_one_that_is_none(trained: Workshop) -> None:
    again = workshop(trained.recipe.changed("image", ["batch=3"]), trained.emoji, trained.out)
    with pytest.raises(InputError, match="batch: got 3; stage image needs 4 or more"):
        PREPARE["image"](again)


def test_held_out_drawings_are_seen_in_no_stage(emoji: EmojiSet) -> None:
    assert [emoji.emoji[i] for i in emoji.seen] == ["a", "b", "c", "d"]


@pytest.mark.parametrize("change", ["stepz=3", "steps", "steps=many", "precision=int8"])
def test_a_wrong_change_is_refused(recipe: Recipe, change: str) -> None:
    with pytest.raises(InputError):
        recipe.changed("recall", [change])


def test_the_shipped_recipe_fits_the_budget() -> None:
    from bluerider.training.workshop import KINDS

    recipe = Recipe.load()
    with torch.device("meta"):
        nets = [kind(recipe.nets[name]) for name, kind in KINDS.items()]
    assert sum(p.numel() for net in nets for p in net.parameters()) <= 32_000_000


def test_the_log_tells_the_loss(trained: Workshop) -> None:
    assert (trained.out / "recall" / "log").is_dir()


class Cut(Stream[Any]):
    """A stream that fails when a step is drawn, as a full disk or a power cut would."""

    def __init__(self, stream: Stream[Any], at: int) -> None:
        self.stream, self.at = stream, at

    def batch(self, step: int) -> Any:
        if step == self.at:
            raise RuntimeError("cut")
        return self.stream.batch(step)

    def draw(self, rng: np.random.Generator) -> Any:
        return self.stream.draw(rng)


@pytest.mark.parametrize(
    "stage", ["autoencoder", "image", "words", "recall", "rehearse", "decoder"]
)
def test_a_run_that_was_cut_ends_in_the_same_bits(
    trained: Workshop, tmp_path: Path, stage: str
) -> None:
    recipe = trained.recipe.changed(stage, ["steps=5", "warmup=2"])
    shop = workshop(recipe, trained.emoji, trained.out)

    def run(folder: Path, cut: int | None = None) -> None:
        torch.manual_seed(0)
        net, stream = PREPARE[stage](shop)
        feed = stream if cut is None else Cut(stream, cut)
        train(net, feed, folder, say=lambda text: None, accelerator="cpu", every=2)

    run(tmp_path / "whole")
    with pytest.raises(RuntimeError, match="cut"):
        run(tmp_path / "cut", cut=3)
    assert not (tmp_path / "cut" / "net.safetensors").exists()
    run(tmp_path / "cut")
    whole, again = (load_file(tmp_path / f / "net.safetensors") for f in ("whole", "cut"))
    assert all(torch.equal(whole[name], again[name]) for name in whole)


def test_a_run_that_was_moved_keeps_one_checkpoint(trained: Workshop, tmp_path: Path) -> None:
    recipe = trained.recipe.changed("image", ["steps=9"])
    net, stream = PREPARE["image"](workshop(recipe, trained.emoji, trained.out))

    def run(folder: Path, cut: int) -> None:
        with pytest.raises(RuntimeError, match="cut"):
            train(net, Cut(stream, cut), folder, say=lambda text: None, accelerator="cpu", every=2)

    run(tmp_path / "run", cut=3)
    (tmp_path / "run").rename(tmp_path / "moved")
    run(tmp_path / "moved", cut=5)
    assert [file.name for file in (tmp_path / "moved").glob("*.ckpt")] == ["last.ckpt"]
    kept = torch.load(tmp_path / "moved" / "last.ckpt", weights_only=False)
    assert kept["global_step"] == 4


def test_a_batch_without_words_leaves_recall_finite(
    trained: Workshop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bluerider.training.reminders.SILENT", 1)
    net, stream = PREPARE["recall"](trained)
    train(net, stream, tmp_path, say=lambda text: None, accelerator="cpu")
    assert all(t.isfinite().all() for t in load_file(tmp_path / "net.safetensors").values())
