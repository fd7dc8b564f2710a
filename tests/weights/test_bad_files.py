"""Damaged, foreign and hostile files: one line naming the file, nothing allocated, nothing run."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from bluerider.errors import WeightsError
from bluerider.weights.load import load_net
from bluerider.weights.schedules import read_schedule

UNET = "decoder/unet"
WEIGHTS = "diffusion_pytorch_model.safetensors"


def refused(folder: Path, kind: str = "unet") -> str:
    with pytest.raises(WeightsError) as caught:
        load_net(folder, kind)
    message = str(caught.value)
    assert "\n" not in message
    assert str(folder) in message
    return message


def rewrite(path: Path, **changes: Any) -> None:
    """Change tensors of a file; None takes one away."""
    tensors = load_file(path) | changes
    kept = {name: tensor.clone() for name, tensor in tensors.items() if tensor is not None}
    save_file(kept, path, metadata={"format": "pt"})


def reconfigure(folder: Path, **changes: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_truncated_weights(model_copy: Path) -> None:
    path = model_copy / UNET / WEIGHTS
    path.write_bytes(path.read_bytes()[:-1000])
    assert f"{WEIGHTS}: truncated" in refused(model_copy / UNET)


def test_all_that_does_not_fit_is_told_at_once(model_copy: Path) -> None:
    bias = torch.zeros(7)
    rewrite(
        model_copy / UNET / WEIGHTS,
        **{
            "conv_in.bias": bias,
            "conv_out.weight": None,
            "conv_out.bias": None,
            "left.weight": bias,
        },
    )
    message = refused(model_copy / UNET)
    assert "2 missing (conv_out.bias, conv_out.weight)" in message
    assert "1 unexpected (left.weight)" in message
    assert "1 mis-shaped (conv_in.bias [7] instead of [32])" in message


def test_long_groups_are_cut(model_copy: Path) -> None:
    path = model_copy / UNET / WEIGHTS
    save_file({"x": torch.zeros(1)}, path)
    message = refused(model_copy / UNET)
    assert "1 unexpected (x)" in message
    assert len(message) < 500


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_weights_that_are_not_numbers(model_copy: Path, value: float, dtype: torch.dtype) -> None:
    path = model_copy / UNET / WEIGHTS
    bad = load_file(path)["conv_in.weight"].to(dtype)
    bad[3, 1, 0, 2] = value
    rewrite(path, **{"conv_in.weight": bad})
    assert f"{WEIGHTS}: tensor conv_in.weight holds NaN or infinity" in refused(model_copy / UNET)


def test_integers_are_no_weights(model_copy: Path) -> None:
    whole = torch.zeros(32, dtype=torch.int32)
    rewrite(model_copy / UNET / WEIGHTS, **{"conv_in.bias": whole})
    assert "tensor conv_in.bias holds torch.int32" in refused(model_copy / UNET)


def test_position_counters_of_older_files_are_passed_over(model_copy: Path) -> None:
    folder = model_copy / "prior/text_encoder"
    ids = torch.arange(12)[None]
    rewrite(folder / "model.safetensors", **{"text_model.embeddings.position_ids": ids})
    assert load_net(folder, "text").config.tokens == 12


def test_a_pickle_of_tensors_is_read_where_nothing_else_is(model_copy: Path) -> None:
    weights = load_file(model_copy / UNET / WEIGHTS)
    (model_copy / UNET / WEIGHTS).unlink()
    torch.save(weights, model_copy / UNET / "diffusion_pytorch_model.bin")
    unet, _ = load_net(model_copy / UNET, "unet")
    assert torch.equal(unet.conv_in.weight, weights["conv_in.weight"])


def test_half_of_the_tensors_is_told_with_examples(model_copy: Path) -> None:
    weights = load_file(model_copy / UNET / WEIGHTS)
    half = {name if i % 2 else f"x.{name}": t for i, (name, t) in enumerate(weights.items())}
    save_file(half, model_copy / UNET / WEIGHTS)
    complaint = refused(model_copy / UNET)
    count = (len(weights) + 1) // 2
    assert f"{count} missing (" in complaint
    assert f"{count} unexpected (x." in complaint
    assert "incomplete or another network's" in complaint
    assert "\n" not in complaint


def test_a_pickle_under_a_safetensors_name_is_refused(model_copy: Path) -> None:
    torch.save({"x": torch.zeros(1)}, model_copy / UNET / WEIGHTS)
    assert "pickle" in refused(model_copy / UNET)


def test_a_folder_without_weights(model_copy: Path) -> None:
    (model_copy / UNET / WEIGHTS).unlink()
    assert "no weights here" in refused(model_copy / UNET)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe\x00", "not JSON"),
        (b"[]", "holds a list"),
        (b"null", "holds a NoneType"),
        (b"[" * 200_000, "not JSON"),
        (b"<html>", "not JSON"),
    ],
)
def test_a_config_that_is_not_a_json_object(
    model_copy: Path, content: bytes, complaint: str
) -> None:
    (model_copy / UNET / "config.json").write_bytes(content)
    assert f"config.json: {complaint}" in refused(model_copy / UNET)


def test_no_config_at_all(model_copy: Path) -> None:
    (model_copy / UNET / "config.json").unlink()
    assert "config.json: missing" in refused(model_copy / UNET)


@pytest.mark.parametrize(
    "changes",
    [
        {"_class_name": "UNet3DConditionModel"},
        {"_class_name": None},
        {"block_out_channels": [32, -64, 64]},
        {"block_out_channels": [32, 10**9, 64]},
        {"block_out_channels": [True, 64, 64]},
        {"block_out_channels": [33, 64, 64]},
        {"block_out_channels": []},
        {"block_out_channels": "32"},
        {"layers_per_block": 10**9},
        {"layers_per_block": 1.0},
        {"layers_per_block": 0},
        {"layers_per_block": "1"},
        {"in_channels": 10**9},
        {"attention_head_dim": 0},
        {"cross_attention_dim": None},
        {"down_block_types": ["os.system"] * 3},
        {"up_block_types": []},
        {"encoder_hid_dim_type": "text_proj"},
        {"mid_block_type": "UNetMidBlock2DCrossAttn"},
        {"act_fn": "gelu"},
        {"class_embed_type": "timestep"},
        {"auto_map": {"AutoModel": "evil.Model"}},
        {"trust_remote_code": True},
    ],
)
def test_a_config_of_another_or_an_absurd_network(
    model_copy: Path, changes: dict[str, Any]
) -> None:
    reconfigure(model_copy / UNET, **changes)
    assert f"{next(iter(changes))} is" in refused(model_copy / UNET)


@pytest.mark.parametrize(
    ("folder", "kind", "changes"),
    [
        ("prior/prior", "prior", {"num_layers": 10**9}),
        ("prior/prior", "prior", {"added_emb_type": None}),
        ("prior/prior", "prior", {"embedding_dim": -1}),
        ("decoder/movq", "autoencoder", {"norm_type": "group"}),
        ("decoder/movq", "autoencoder", {"num_vq_embeddings": 2**60}),
        ("decoder/movq", "autoencoder", {"vq_embed_dim": 8}),
        ("prior/text_encoder", "text", {"model_type": "llama"}),
        ("prior/text_encoder", "text", {"architectures": ["LlamaModel"]}),
        ("prior/text_encoder", "text", {"vocab_size": 10**12}),
        ("prior/text_encoder", "text", {"num_attention_heads": 7}),
        ("prior/text_encoder", "text", {"hidden_act": "__import__"}),
        ("prior/text_encoder", "text", {"layer_norm_eps": "nan"}),
        ("prior/image_encoder", "image", {"patch_size": 0}),
        ("prior/image_encoder", "image", {"image_size": 10**9}),
        ("prior/image_encoder", "image", {"num_channels": 4}),
    ],
)
def test_configs_of_the_other_networks(
    model_copy: Path, folder: str, kind: str, changes: dict[str, Any]
) -> None:
    reconfigure(model_copy / folder, **changes)
    assert f"{next(iter(changes))} is" in refused(model_copy / folder, kind)


def test_a_config_larger_than_its_weights_allocates_nothing(model_copy: Path) -> None:
    reconfigure(model_copy / UNET, block_out_channels=[65536, 65536, 65536])
    assert "mis-shaped" in refused(model_copy / UNET)


def test_a_network_of_another_kind_is_refused(model_copy: Path) -> None:
    with pytest.raises(WeightsError, match="'PriorTransformer'; accepted: UNet2DConditionModel"):
        load_net(model_copy / "prior/prior", "unet")


@pytest.mark.parametrize(
    ("table", "complaint"),
    [
        ({"weight_map": {"x": "../../etc/passwd"}}, "not a safetensors file beside"),
        ({"weight_map": {"x": "a.bin"}}, "not a safetensors file beside"),
        ({"weight_map": {"x": "a.safetensors"}}, "which is missing"),
        ({"weight_map": {"x": 3}}, "must name a file"),
        ({}, "must name a file"),
    ],
)
def test_an_index_that_points_elsewhere(
    model_copy: Path, table: dict[str, Any], complaint: str
) -> None:
    (model_copy / UNET / WEIGHTS).unlink()
    index = model_copy / UNET / "diffusion_pytorch_model.safetensors.index.json"
    index.write_text(json.dumps(table))
    assert complaint in refused(model_copy / UNET)


@pytest.mark.parametrize(
    "changes",
    [
        {"_class_name": "EvilScheduler"},
        {"beta_start": "nan"},
        {"beta_end": math.inf},
        {"beta_schedule": "sigmoid"},
        {"num_train_timesteps": 10**9},
        {"trained_betas": [0.1]},
        {"rescale_betas_zero_snr": True},
        {"clip_sample": 1},
        {"steps_offset": -1},
        {"timestep_spacing": None},
    ],
)
def test_a_scheduler_config_out_of_range(model_copy: Path, changes: dict[str, Any]) -> None:
    path = model_copy / "decoder/scheduler/scheduler_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
    with pytest.raises(WeightsError, match=f"{next(iter(changes))} is"):
        read_schedule(path.parent)
