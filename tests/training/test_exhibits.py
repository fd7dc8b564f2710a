"""What the decoder is shown while it learns."""

from pathlib import Path

import torch
from safetensors.torch import load_file

from bluerider.training.answers import VERSIONS
from bluerider.training.appearance import TRAITS
from bluerider.training.exhibits import exhibits, motifs_of, once
from bluerider.training.motifs import Motifs
from bluerider.training.stages import PREPARE
from bluerider.training.workshop import Workshop


def blends_of(shop: Workshop) -> dict[str, torch.Tensor]:
    """Which drawings are laid over each other, and how much of the second."""
    exhibits(shop, 3, 2)
    [file] = (shop.out / "decoder").glob("exhibits-3-2-*.safetensors")
    return load_file(file)


def test_the_decoder_is_shown_drawings_scenes_and_blends(trained: Workshop) -> None:
    latents, embeddings, answers = exhibits(trained, 3, 2)
    drawings = len(trained.emoji.seen)
    assert len(latents) == len(embeddings) == len(answers) == drawings + 3 + 2
    assert embeddings[drawings : drawings + 3, -TRAITS:].any(dim=1).all()
    assert not embeddings[-2:, -TRAITS:].any()


def test_the_decoder_is_told_what_the_prior_answers(trained: Workshop) -> None:
    stream = PREPARE["decoder"](trained)[1]
    assert stream.answers.shape == (len(trained.emoji.seen) + 3 + 2, VERSIONS, 32)
    assert torch.equal(exhibits(trained, 3, 2).answers, stream.answers)


def test_a_blend_is_told_between_its_two_drawings(trained: Workshop) -> None:
    answers = exhibits(trained, 3, 2).answers
    rows, share = (blends_of(trained)[name] for name in ("rows", "share"))
    one, other = (answers[rows[:, i]].float() for i in (0, 1))
    between = torch.lerp(one, other, share[:, None, None])
    assert torch.equal(answers[-2:], between.to(answers.dtype))


def test_another_seed_shows_other_scenes(trained: Workshop) -> None:
    motifs = Motifs(["a", "b", "c", "d"])
    first, again, other = (motifs_of(motifs, 6, seed)[0] for seed in (0, 0, 1))
    assert [m.seed for m in first] == [m.seed for m in again]
    assert [m.seed for m in first] != [m.seed for m in other]


def test_what_takes_long_is_made_once(tmp_path: Path) -> None:
    made = []

    def make() -> dict[str, torch.Tensor]:
        made.append(1)
        return {"x": torch.arange(3)}

    file = tmp_path / "decoder" / "x.safetensors"
    assert torch.equal(once(file, make)["x"], once(file, make)["x"])
    assert len(made) == 1
