"""More channels change nothing until they learn, and show what painting will show."""

from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from bluerider.images import Canvas
from bluerider.nets.unet import UNet
from bluerider.pipeline import Pipeline
from bluerider.pipeline.batch import Batch
from bluerider.pipeline.latents import encode, mask_cells
from bluerider.pipeline.tasks import nine
from bluerider.request import Request
from bluerider.training.tuning.chosen import choose, frozen
from bluerider.training.tuning.inpainting import WIDENED, Blanked, Known, widen
from bluerider.training.tuning.plan import PartPlan
from tests import tiny as models


@pytest.mark.parametrize("config", [models.JOINT, models.CROSS], ids=["joint", "cross"])
def test_a_widened_network_computes_what_it_did(config: Any) -> None:
    torch.manual_seed(0)
    unet = UNet(config).eval()
    x, more = torch.randn(2, 4, 8, 8), torch.randn(2, 5, 8, 8)
    told = (torch.tensor([3, 500]), torch.randn(2, 4, config.context_dim))
    with torch.no_grad():
        before = unet(x, *told)
        widen(unet, 9)
        after = unet(torch.cat([x, more], dim=1), *told)
    assert torch.equal(before, after) and unet.config.in_channels == 9
    assert not unet.conv_in.weight[:, 4:].any()


@pytest.mark.parametrize("name", ["kandinsky-2.2-inpaint", "sd-1.5-inpaint"])
def test_training_shows_what_painting_shows(tiny: Any, name: str) -> None:
    pipe = Pipeline.load(str(tiny(name)), device="cpu", dtype="float32")
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    picture, mask = Image.fromarray(pixels), np.zeros((64, 64), np.float32)
    mask[16:40, 8:48] = 1.0
    request = pipe.resolve(
        Request(
            prompt="a",
            model=pipe.name,
            task="inpaint",
            picture=picture,
            mask=Image.fromarray((mask * 255).astype(np.uint8)),
            seed=0,
        )
    )
    batch = Batch([request], [Canvas(picture=picture, mask=mask)])
    with torch.inference_mode():
        latent, cells = encode(pipe.parts, batch), mask_cells(pipe.parts, batch)
        theirs = nine(pipe.parts, batch, latent, cells)
        sd = name.startswith("sd")
        beside = Blanked(pipe.autoencoder, [lambda: picture]) if sd else Known()
        ours = beside(torch.tensor([0]), latent, cells)
    assert ours.shape[1] == 5 and torch.allclose(ours, theirs, atol=1e-5)


def net(config: Any, kind: str) -> torch.nn.ModuleDict:
    unet, conditioner = models.decoder(config, kind)
    return torch.nn.ModuleDict({"unet": unet, "conditioner": conditioner})


@pytest.mark.parametrize(("config", "kind"), [(models.JOINT, "image"), (models.CROSS, "none")])
def test_freezing_leaves_skips_and_the_context_to_learn(config: Any, kind: str) -> None:
    made = net(config, kind)
    kept = frozen(made, ["resblocks", "attention"])
    free = {n for n, _ in made.named_parameters()} - kept
    ends = ("context_k.weight", "attn2.k.weight")
    assert any(n.endswith(ends) for n in free) and any(".skip." in n for n in free)
    assert not any(n.endswith((".conv1.weight", ".attn1.q.weight", ".q.weight")) for n in free)


@pytest.mark.parametrize("train", ["lora", "full"])
def test_what_is_frozen_is_not_corrected_either(train: str) -> None:
    made = net(models.JOINT, "image")
    plan = PartPlan(train=train, layers="all", rank=2, freeze="resblocks,attention")
    choose(made, plan, torch.Generator(), [WIDENED])
    names = {n for n, p in made.named_parameters() if p.requires_grad}
    assert any("context_k" in n for n in names) and "unet.conv_in.weight" in names
    assert not any(".q." in n or "conv1" in n for n in names)
