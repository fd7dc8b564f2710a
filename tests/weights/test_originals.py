"""The original implementations' own numbers, through the converters of their file layouts."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from torch import Tensor

from bluerider.config import AutoencoderConfig, PriorConfig
from bluerider.nets.autoencoder import Autoencoder
from bluerider.nets.prior import Prior
from bluerider.weights import originals

GOLDENS = Path(__file__).parents[1] / "data" / "goldens"
PREFIX = "weights."


def opened(name: str) -> tuple[dict[str, Tensor], dict[str, Any]]:
    with safe_open(GOLDENS / f"{name}.safetensors", framework="pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        return tensors, json.loads((file.metadata() or {}).get("meta", "{}"))


def weights(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {k.removeprefix(PREFIX): v for k, v in tensors.items() if k.startswith(PREFIX)}


def worst(ours: Tensor, theirs: Tensor) -> float:
    return float((ours - theirs).abs().max())


def test_prior_forward() -> None:
    case, meta = opened("c1_prior_forward")
    shape = meta["config"]["model"]["hparams"]
    config = PriorConfig(
        embed_dim=case["in.x"].shape[1],
        text_dim=case["in.text_enc"].shape[2],
        tokens=shape["text_ctx"],
        layers=shape["xf_layers"],
        heads=shape["xf_heads"],
        head_dim=shape["xf_width"] // shape["xf_heads"],
    )
    net = Prior(config)
    state = originals.prior(config).read(weights(case))
    state |= {"mean": case["in.clip_mean"][None], "std": case["in.clip_std"][None]}
    net.load_state_dict(state)
    with torch.inference_mode():
        inputs = (case[f"in.{name}"] for name in ("x", "timesteps", "text_enc", "text_emb", "mask"))
        assert worst(net(*inputs), case["out.pred"]) <= 4.6e-5


@pytest.fixture(scope="module")
def movq_case() -> dict[str, Tensor]:
    return opened("d1_movq")[0]


@pytest.fixture(scope="module")
def movq() -> Autoencoder:
    meta = opened("d1_movq")[1]["config"]
    shape = meta["ddconfig"]
    config = AutoencoderConfig(
        channels=tuple(shape["ch"] * factor for factor in shape["ch_mult"]),
        depth=shape["num_res_blocks"],
        codes=meta["n_embed"],
    )
    net = Autoencoder(config)
    net.load_state_dict(originals.movq(config).read(weights(opened("w_movq")[0])))
    return net.eval()


def test_movq_encodes(movq: Autoencoder, movq_case: dict[str, Tensor]) -> None:
    with torch.inference_mode():
        assert worst(movq.encode(movq_case["in.image"]), movq_case["out.encode"]) <= 4.7e-5


def test_movq_decodes(movq: Autoencoder, movq_case: dict[str, Tensor]) -> None:
    with torch.inference_mode():
        picture = movq.decode(movq_case["out.encode"])
    assert worst(picture, movq_case["out.decode_of_encode"]) <= 4.7e-5


def test_movq_quantises(movq: Autoencoder, movq_case: dict[str, Tensor]) -> None:
    with torch.inference_mode():
        found = movq.quantize(movq_case["out.encode"])
    assert torch.equal(found.codes.flatten(), movq_case["out.indices"].flatten())
    assert worst(found.latent, movq_case["out.zq"]) <= 4.7e-5
