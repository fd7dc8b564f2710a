"""What we save, diffusers and transformers open whole, and agree with."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from bluerider import catalog
from bluerider.errors import InputError, WeightsError
from bluerider.weights.load import load_net, open_model
from bluerider.weights.net import folder_source
from bluerider.weights.save import save_model, save_net
from bluerider.weights.zero import SHIPPED, fingerprint

diffusers = pytest.importorskip("diffusers")
transformers = pytest.importorskip("transformers")
pytestmark = pytest.mark.filterwarnings(
    "ignore:.*requires torchvision.*", "ignore:`torch_dtype` is deprecated.*"
)

CLOSE = 1e-4
PEERS = {
    "decoder/unet": "UNet2DConditionModel",
    "decoder/movq": "VQModel",
    "prior/prior": "PriorTransformer",
    "prior/text_encoder": "CLIPTextModelWithProjection",
    "prior/image_encoder": "CLIPVisionModelWithProjection",
}


def opened(folder: Path, name: str) -> tuple[Any, dict[str, Any]]:
    library = transformers if name.startswith("CLIP") else diffusers
    return getattr(library, name).from_pretrained(folder, output_loading_info=True)


@pytest.mark.parametrize(("folder", "name"), PEERS.items())
def test_peers_open_every_network_with_nothing_missing_or_left(
    tiny_model: Path, folder: str, name: str
) -> None:
    info = opened(tiny_model / folder, name)[1]
    assert {key for key, complaints in info.items() if complaints} == set()


def test_peers_agree_on_the_unet(tiny_model: Path, tiny_parts: dict[str, Any]) -> None:
    peer = opened(tiny_model / "decoder/unet", "UNet2DConditionModel")[0]
    net, conditioner = tiny_parts["unet"]
    x, embedding, t = torch.randn(1, 4, 8, 8), torch.randn(1, 24), torch.tensor([300])
    with torch.inference_mode():
        condition = conditioner(embedding)
        ours = net(x, t, condition.context, condition.pooled)
        told = {"image_embeds": embedding}
        theirs = peer(x, t, encoder_hidden_states=None, added_cond_kwargs=told).sample
    assert (ours - theirs).abs().max() <= CLOSE


def test_peers_agree_on_the_autoencoder(tiny_model: Path, tiny_parts: dict[str, Any]) -> None:
    peer = opened(tiny_model / "decoder/movq", "VQModel")[0]
    picture = torch.randn(1, 3, 32, 32)
    with torch.inference_mode():
        latent = tiny_parts["autoencoder"].encode(picture)
        assert (latent - peer.encode(picture).latents).abs().max() <= CLOSE
        theirs = peer.decode(latent, force_not_quantize=True).sample
        assert (tiny_parts["autoencoder"].decode(latent) - theirs).abs().max() <= CLOSE


def test_peers_agree_on_words(tiny_model: Path, tiny_parts: dict[str, Any]) -> None:
    peer = opened(tiny_model / "prior/text_encoder", "CLIPTextModelWithProjection")[0]
    ids = torch.tensor([[3, 9, 8, 4, 0, 0]])
    with torch.inference_mode():
        ours = tiny_parts["text"](ids)
        assert (ours.embedding - peer(ids).text_embeds).abs().max() <= CLOSE


def test_the_pipelines_of_diffusers_paint_with_it(tiny_model: Path) -> None:
    prior = diffusers.KandinskyV22PriorPipeline.from_pretrained(tiny_model / "prior")
    decoder = diffusers.KandinskyV22Pipeline.from_pretrained(tiny_model / "decoder")
    prior.set_progress_bar_config(disable=True)
    decoder.set_progress_bar_config(disable=True)
    told = prior("abc", num_inference_steps=2)
    pictures = decoder(
        image_embeds=told.image_embeds,
        negative_image_embeds=told.negative_image_embeds,
        height=64,
        width=64,
        num_inference_steps=2,
    ).images
    assert pictures[0].size == (64, 64)


def test_schedulers_keep_what_they_were_given(tiny_model: Path) -> None:
    prior = diffusers.UnCLIPScheduler.from_pretrained(tiny_model / "prior/scheduler")
    decoder = diffusers.DDPMScheduler.from_pretrained(tiny_model / "decoder/scheduler")
    assert (prior.config.clip_sample_range, prior.config.prediction_type) == (10.0, "sample")
    assert (decoder.config.clip_sample, decoder.config.steps_offset) == (True, 1)
    assert decoder.config.beta_end == 0.012


def test_the_tokenizer_opens_as_it_was_trained(tiny_model: Path) -> None:
    folder = tiny_model / "prior/tokenizer"
    tokenizer = transformers.PreTrainedTokenizerFast.from_pretrained(folder)
    ids = tokenizer("cab", padding="max_length", truncation=True).input_ids
    assert ids == [3, 7, 5, 6, 4, 0, 0, 0, 0, 0, 0, 0]


def test_the_image_processor_has_the_towers_mean_and_size(tiny_model: Path) -> None:
    path = tiny_model / "prior/image_processor/preprocessor_config.json"
    config = json.loads(path.read_text())
    assert config["image_mean"] == [0.5, 0.4, 0.3]
    assert config["crop_size"] == {"height": 28, "width": 28}


def test_the_embedding_of_the_zero_picture_is_shipped(
    tiny_model: Path, tiny_parts: dict[str, Any]
) -> None:
    shipped = load_file(tiny_model / "prior" / SHIPPED)
    key = fingerprint(folder_source(tiny_model / "prior/image_encoder", "image"))
    with torch.inference_mode():
        computed = tiny_parts["image"](torch.zeros(1, 3, 28, 28))
    assert (shipped[key] - computed).abs().max() <= 1e-6


@pytest.mark.parametrize(
    ("unet", "hint", "pipeline"),
    [
        (4, False, "KandinskyV22Pipeline"),
        (9, False, "KandinskyV22InpaintPipeline"),
        (8, True, "KandinskyV22ControlnetPipeline"),
    ],
)
def test_the_decoder_names_the_pipeline_it_is_for(
    save_tiny: Any, tiny_parts: dict[str, Any], tmp_path: Path, unet: int, hint: bool, pipeline: str
) -> None:
    from dataclasses import replace

    from bluerider.nets.conditioner import ImageConditioner
    from bluerider.nets.unet import UNet

    net, conditioner = tiny_parts["unet"]
    pair = (
        UNet(replace(net.config, in_channels=unet)),
        ImageConditioner(replace(conditioner.config, hint=hint)),
    )
    folder = save_tiny(tmp_path / "model", unet=pair)
    index = json.loads((folder / "decoder/model_index.json").read_text())
    assert index["_class_name"] == pipeline
    peer = getattr(diffusers, pipeline).from_pretrained(folder / "decoder")
    assert peer.unet.config.in_channels == unet
    assert open_model(folder).config("unet")[0].in_channels == unet


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_weights_are_stored_in_the_type_asked_for(
    save_tiny: Any, tmp_path: Path, dtype: torch.dtype
) -> None:
    folder = save_tiny(tmp_path / "model", dtype=dtype)
    stored = load_file(folder / "decoder/unet/diffusion_pytorch_model.safetensors")
    assert {tensor.dtype for tensor in stored.values()} == {dtype}


def test_saving_twice_gives_the_same_bytes(
    save_tiny: Any, tiny_model: Path, tmp_path: Path
) -> None:
    again = save_tiny(tmp_path / "again")
    first, second = (json.loads((f / "bluerider.json").read_text()) for f in (tiny_model, again))
    assert first["files"] == second["files"]


def test_an_older_model_is_replaced_and_its_card_stays(save_tiny: Any, model_copy: Path) -> None:
    (model_copy / "README.md").write_text("the card")
    (model_copy / "decoder/unet/stale.json").write_text("{}")
    save_tiny(model_copy)
    assert (model_copy / "README.md").read_text() == "the card"
    assert not (model_copy / "decoder/unet/stale.json").exists()
    assert [path.name for path in model_copy.parent.iterdir()] == [model_copy.name]


def test_a_folder_of_something_else_is_left_alone(save_tiny: Any, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(InputError, match="not a model"):
        save_tiny(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_missing_parent_or_part_is_told_before_anything_is_written(
    save_tiny: Any, tiny_parts: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="no such folder"):
        save_tiny(tmp_path / "none" / "model")
    fewer = {name: part for name, part in tiny_parts.items() if name != "prior"}
    with pytest.raises(InputError, match="missing: prior$"):
        save_model(fewer, tmp_path / "model", name="x", defaults=catalog.MURNAU.defaults)
    assert list(tmp_path.iterdir()) == []


def test_a_weight_that_overflows_is_not_saved_and_the_old_model_stays(
    save_tiny: Any, tiny_parts: dict[str, Any], model_copy: Path
) -> None:
    from copy import deepcopy

    before = (model_copy / "bluerider.json").read_bytes()
    net = deepcopy(tiny_parts["prior"])
    with torch.no_grad():
        net.proj_out.bias[0] = 1e6
    with pytest.raises(WeightsError, match=r"proj_to_clip_embeddings\.bias holds NaN or infinity"):
        save_tiny(model_copy, prior=net, dtype=torch.float16)
    assert (model_copy / "bluerider.json").read_bytes() == before
    assert [path.name for path in model_copy.parent.iterdir()] == [model_copy.name]


def test_an_end_of_text_id_of_two_is_refused(tiny_parts: dict[str, Any], tmp_path: Path) -> None:
    from dataclasses import replace

    from bluerider.nets.clip import TextTower

    tower = TextTower(replace(tiny_parts["text"].config, eos=2))
    with pytest.raises(InputError, match="choose another"):
        save_net(tower, "text", tmp_path)


def test_one_network_saved_alone_loads_again(tiny_parts: dict[str, Any], tmp_path: Path) -> None:
    save_net(tiny_parts["image"], "image", tmp_path / "tower")
    loaded = load_net(tmp_path / "tower", "image").state_dict()
    saved = tiny_parts["image"].state_dict()
    assert all(torch.equal(loaded[name], saved[name]) for name in saved)


def test_channels_last_weights_are_saved_as_published_ones(
    tiny_parts: dict[str, Any], tmp_path: Path
) -> None:
    from copy import deepcopy

    net = deepcopy(tiny_parts["autoencoder"]).to(memory_format=torch.channels_last)
    save_net(net, "autoencoder", tmp_path)
    loaded = load_net(tmp_path, "autoencoder").state_dict()
    saved = tiny_parts["autoencoder"].state_dict()
    assert all(torch.equal(loaded[name], saved[name]) for name in saved)
