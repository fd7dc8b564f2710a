"""Published config files read to the catalog's shapes, and written back."""

import json
from pathlib import Path
from typing import Any

import pytest

from bluerider import catalog
from bluerider.config import ScheduleConfig
from bluerider.weights import writers
from bluerider.weights.configs import read_config
from bluerider.weights.schedules import read_schedule, write_schedule

SHAPES = catalog.SHAPES_22
UNET = {
    "_class_name": "UNet2DConditionModel",
    "act_fn": "silu",
    "addition_embed_type": "image",
    "addition_embed_type_num_heads": 64,
    "attention_head_dim": 64,
    "block_out_channels": [384, 768, 1152, 1536],
    "class_embed_type": None,
    "cross_attention_dim": 768,
    "down_block_types": ["ResnetDownsampleBlock2D"] + ["SimpleCrossAttnDownBlock2D"] * 3,
    "encoder_hid_dim": 1280,
    "encoder_hid_dim_type": "image_proj",
    "flip_sin_to_cos": True,
    "freq_shift": 0,
    "in_channels": 4,
    "layers_per_block": 3,
    "mid_block_type": "UNetMidBlock2DSimpleCrossAttn",
    "norm_eps": 1e-05,
    "norm_num_groups": 32,
    "out_channels": 8,
    "resnet_time_scale_shift": "scale_shift",
    "sample_size": 64,
    "up_block_types": ["SimpleCrossAttnUpBlock2D"] * 3 + ["ResnetUpsampleBlock2D"],
}
PRIOR = {
    "_class_name": "PriorTransformer",
    "additional_embeddings": 4,
    "attention_head_dim": 64,
    "dropout": 0.0,
    "embedding_dim": 1280,
    "num_attention_heads": 32,
    "num_embeddings": 77,
    "num_layers": 20,
}
MOVQ = {
    "_class_name": "VQModel",
    "act_fn": "silu",
    "block_out_channels": [128, 256, 256, 512],
    "down_block_types": ["DownEncoderBlock2D"] * 3 + ["AttnDownEncoderBlock2D"],
    "in_channels": 3,
    "latent_channels": 4,
    "layers_per_block": 2,
    "norm_num_groups": 32,
    "norm_type": "spatial",
    "num_vq_embeddings": 16384,
    "out_channels": 3,
    "sample_size": 32,
    "scaling_factor": 0.18215,
    "up_block_types": ["AttnUpDecoderBlock2D"] + ["UpDecoderBlock2D"] * 3,
    "vq_embed_dim": 4,
}
IMAGE = {
    "architectures": ["CLIPVisionModelWithProjection"],
    "dropout": 0.0,
    "hidden_act": "gelu",
    "hidden_size": 1664,
    "image_size": 224,
    "intermediate_size": 8192,
    "layer_norm_eps": 1e-05,
    "model_type": "clip_vision_model",
    "num_attention_heads": 16,
    "num_channels": 3,
    "num_hidden_layers": 48,
    "patch_size": 14,
    "projection_dim": 1280,
    "torch_dtype": "float16",
}
TEXT = {
    "architectures": ["CLIPTextModelWithProjection"],
    "bos_token_id": 0,
    "eos_token_id": 2,
    "hidden_act": "gelu",
    "hidden_size": 1280,
    "intermediate_size": 5120,
    "max_position_embeddings": 77,
    "model_type": "clip_text_model",
    "num_attention_heads": 20,
    "num_hidden_layers": 32,
    "pad_token_id": 1,
    "projection_dim": 1280,
    "vocab_size": 49408,
}


def read(folder: Path, kind: str, config: dict[str, Any]) -> Any:
    (folder / "config.json").write_text(json.dumps(config))
    return read_config(folder, kind)


@pytest.mark.parametrize(
    ("changes", "shapes"),
    [
        ({}, catalog.SHAPES_22),
        ({"in_channels": 9}, catalog.SHAPES_22_INPAINT),
        ({"in_channels": 8, "addition_embed_type": "image_hint"}, catalog.SHAPES_22_DEPTH),
    ],
)
def test_the_published_unets(
    tmp_path: Path, changes: dict[str, Any], shapes: catalog.Shapes
) -> None:
    assert read(tmp_path, "unet", UNET | changes) == (shapes.unet, shapes.conditioner)
    written = writers.unet_config(shapes.unet, shapes.conditioner, 64)
    assert read(tmp_path, "unet", written) == (shapes.unet, shapes.conditioner)


def test_the_published_prior(tmp_path: Path) -> None:
    assert SHAPES.prior is not None
    assert read(tmp_path, "prior", PRIOR) == SHAPES.prior
    assert read(tmp_path, "prior", writers.prior_config(SHAPES.prior)) == SHAPES.prior


def test_the_published_movq(tmp_path: Path) -> None:
    assert read(tmp_path, "autoencoder", MOVQ) == SHAPES.autoencoder
    written = writers.autoencoder_config(SHAPES.autoencoder, 32)
    assert read(tmp_path, "autoencoder", written) == SHAPES.autoencoder


@pytest.mark.parametrize("tower", [catalog.BIGG_VISION, catalog.L14_VISION])
def test_the_image_towers(tmp_path: Path, tower: Any) -> None:
    assert read(tmp_path, "image", IMAGE) == catalog.BIGG_VISION
    assert read(tmp_path, "image", writers.vision_config(tower)) == tower


@pytest.mark.parametrize("tower", [catalog.BIGG_TEXT, catalog.L14_TEXT])
def test_the_text_towers(tmp_path: Path, tower: Any) -> None:
    assert read(tmp_path, "text", TEXT).eos == catalog.BIGG_TEXT.eos == 49407
    assert read(tmp_path, "text", writers.text_config(tower)) == tower


def test_fields_left_out_have_transformers_defaults(tmp_path: Path) -> None:
    transformers = pytest.importorskip("transformers")
    for kind, config in (
        ("text", transformers.CLIPTextConfig()),
        ("image", transformers.CLIPVisionConfig()),
    ):
        bare = read(tmp_path, kind, {"model_type": config.model_type})
        assert bare == read(tmp_path, kind, config.to_dict())


@pytest.mark.parametrize(
    ("published", "schedule"),
    [
        (
            {
                "_class_name": "UnCLIPScheduler",
                "clip_sample": True,
                "clip_sample_range": 10.0,
                "num_train_timesteps": 1000,
                "prediction_type": "sample",
                "variance_type": "fixed_small_log",
            },
            catalog.PRIOR_SCHEDULE,
        ),
        (
            {
                "_class_name": "DDPMScheduler",
                "beta_end": 0.012,
                "beta_schedule": "linear",
                "beta_start": 0.00085,
                "clip_sample": True,
                "num_train_timesteps": 1000,
                "prediction_type": "epsilon",
                "steps_offset": 1,
                "thresholding": False,
            },
            catalog.SCHEDULE_22,
        ),
        (
            {
                "_class_name": "DDPMScheduler",
                "beta_end": 0.012,
                "beta_schedule": "linear",
                "beta_start": 0.00085,
                "clip_sample": False,
                "steps_offset": 1,
            },
            catalog.SHAPES_22_INPAINT.schedule,
        ),
    ],
)
def test_the_published_schedulers(
    tmp_path: Path, published: dict[str, Any], schedule: ScheduleConfig
) -> None:
    path = tmp_path / "scheduler_config.json"
    for config in (published, write_schedule(schedule)):
        path.write_text(json.dumps(config))
        assert read_schedule(tmp_path) == schedule


@pytest.mark.parametrize(
    "schedule",
    [
        ScheduleConfig(kind="linear", predict="v", clamp=3.5, variance="fixed_large"),
        ScheduleConfig(kind="scaled_linear", predict="eps", spacing="trailing", offset=0),
        ScheduleConfig(kind="linear", predict="eps", clamp=2.0, threshold=0.99),
        ScheduleConfig(kind="linear", predict="x0", variance="learned", length=500),
    ],
)
def test_any_schedule_comes_back(tmp_path: Path, schedule: ScheduleConfig) -> None:
    (tmp_path / "scheduler_config.json").write_text(json.dumps(write_schedule(schedule)))
    assert read_schedule(tmp_path) == schedule
