"""What the decoder paints when it is told exactly what to paint."""

from pathlib import Path

import numpy as np
import torch

from bluerider.training.exhibits import encoder_of
from bluerider.training.pictures import Sights
from bluerider.training.renditions import painter_of, renditions
from bluerider.training.stages import PREPARE, export, run_stage
from bluerider.training.workshop import Workshop
from tests.training.tiny import workshop


def test_renditions_lie_beside_the_pictures_they_were_to_become(trained: Workshop) -> None:
    seed = trained.recipe.settings("autoencoder").seed
    shown = renditions(trained, 5)
    assert shown.latents.shape == (5, 4, 16, 16) and shown.pictures.shape == (5, 3, 128, 128)
    seen = Sights(trained.emoji, 128, batch=16, scenes=0.5).draw(np.random.default_rng(seed))
    wanted = ((seen.picture[:5] + 1) * 127.5).round().to(torch.uint8)
    assert torch.equal(shown.pictures, wanted)


def test_renditions_are_kept_in_the_run_folder(trained: Workshop) -> None:
    first = renditions(trained, 3)
    [file] = (trained.out / "autoencoder").glob("renditions-3-*.safetensors")
    before = file.stat().st_mtime_ns
    assert torch.equal(renditions(trained, 3).latents, first.latents)
    assert file.stat().st_mtime_ns == before


def test_what_is_told_decides_what_is_painted(trained: Workshop) -> None:
    paint = painter_of(trained)
    codes = torch.cat([trained.appearance.codes[:1] * k for k in (1.0, 1.0, -1.0)])
    told = torch.cat([codes, torch.zeros(3, 32 - codes.shape[1])], dim=1)
    with torch.no_grad():
        one, other = (
            torch.cat([paint(each[None], torch.Generator().manual_seed(0)) for each in told])
            for _ in "12"
        )
    assert torch.equal(one, other) and torch.equal(one[0], one[1])
    assert not torch.equal(one[0], one[2])


def test_the_way_back_learns_from_renditions(trained: Workshop, tmp_path: Path) -> None:
    export(trained, tmp_path / "model", torch.float32)
    recipe = trained.recipe.changed("autoencoder", ["painted=4", "still=1", "average=0"])
    again = workshop(recipe, trained.emoji, tmp_path)
    again.init = tmp_path / "model"
    assert len(PREPARE["autoencoder"](again)[1].batch(0).painted) == 1
    run_stage(again, "autoencoder", lambda text: None)
    latent = encoder_of(trained)(torch.zeros(1, 3, 32, 32))
    ours, theirs = again.trained("autoencoder"), trained.trained("autoencoder")
    assert not torch.equal(ours.decode(latent), theirs.decode(latent))
