"""Networks of Kandinsky 2.1, 2.0 and Stable Diffusion as we save them, opened by diffusers and
transformers: the same numbers come out.
"""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from bluerider.weights.load import load_net, open_model
from bluerider.weights.save import save_net
from tests import tiny as builder

diffusers = pytest.importorskip("diffusers")
transformers = pytest.importorskip("transformers")
pytestmark = pytest.mark.filterwarnings("ignore:`torch_dtype` is deprecated.*")

CLOSE = 1e-4


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def peer(folder: Path, name: str) -> Any:
    home = diffusers if hasattr(diffusers, name) else transformers
    return getattr(home, name).from_pretrained(folder).eval()


@pytest.mark.parametrize("name", ["kandinsky-2.1", "kandinsky-2.1-inpaint"])
def test_unet_of_21(tiny: Any, name: str) -> None:
    folder = tiny(name) / "decoder"
    net, conditioner = open_model(tiny(name)).load("unet")
    theirs = peer(folder / "unet", "UNet2DConditionModel")
    x = drawn(2, net.config.in_channels, 8, 16)
    image, states, pooled = drawn(2, 24, seed=1), drawn(2, 7, 16, seed=2), drawn(2, 24, seed=3)
    t = torch.tensor([7, 940])
    with torch.inference_mode():
        ours = net(x, t, *conditioner(image, states, pooled))
        told = {"text_embeds": pooled, "image_embeds": image}
        expected = theirs(x, t, encoder_hidden_states=states, added_cond_kwargs=told).sample
    assert (ours - expected).abs().max() <= CLOSE


@pytest.mark.parametrize("name", ["sd-1.5", "sd-1.5-inpaint"])
def test_unet_of_stable_diffusion(tiny: Any, name: str) -> None:
    net, conditioner = open_model(tiny(name)).load("unet")
    theirs = peer(tiny(name) / "unet", "UNet2DConditionModel")
    x, states = drawn(2, net.config.in_channels, 8, 16), drawn(2, 12, 64, seed=1)
    t = torch.tensor([7, 940])
    with torch.inference_mode():
        ours = net(x, t, *conditioner(states))
        expected = theirs(x, t, encoder_hidden_states=states).sample
    assert (ours - expected).abs().max() <= CLOSE


def test_kl_autoencoder(tiny: Any) -> None:
    net = open_model(tiny("sd-1.5")).load("autoencoder")
    theirs = peer(tiny("sd-1.5") / "vae", "AutoencoderKL")
    picture, noise = drawn(2, 3, 32, 48), drawn(2, 4, 4, 6, seed=1)
    with torch.inference_mode():
        posterior = theirs.encode(picture).latent_dist
        scale = theirs.config.scaling_factor
        assert (net.encode(picture) - posterior.mode() * scale).abs().max() <= CLOSE
        sample = (posterior.mean + posterior.std * noise) * scale
        assert (net.encode(picture, noise) - sample).abs().max() <= CLOSE
        expected = theirs.decode(sample / scale).sample
        assert (net.decode(sample) - expected).abs().max() <= CLOSE


def test_prior_of_21(tiny: Any) -> None:
    net = open_model(tiny("kandinsky-2.1")).load("prior")
    theirs = peer(tiny("kandinsky-2.1") / "prior" / "prior", "PriorTransformer")
    x, text, pooled = drawn(2, 24), drawn(2, 12, 24, seed=1), drawn(2, 24, seed=2)
    mask = torch.arange(12)[None] < torch.tensor([[12], [5]])
    t = torch.tensor([3, 700])
    with torch.inference_mode():
        ours = net(x, t, text, pooled, mask)
        expected = theirs(
            x,
            timestep=t,
            proj_embedding=pooled,
            encoder_hidden_states=text,
            attention_mask=mask,
        ).predicted_image_embedding
    assert (ours - expected).abs().max() <= CLOSE


def test_text_tower_of_stable_diffusion(tiny: Any) -> None:
    net = open_model(tiny("sd-1.5")).load("text")
    theirs = peer(tiny("sd-1.5") / "text_encoder", "CLIPTextModel")
    ids = torch.tensor([[3, 9, 8, 7, 4, 0, 0], [3, 5, 6, 11, 12, 13, 4]])
    with torch.inference_mode():
        assert (net(ids).states - theirs(ids).last_hidden_state).abs().max() <= CLOSE


def test_multilingual_clip(tiny: Any) -> None:
    from diffusers.pipelines.kandinsky.text_encoder import MultilingualCLIP

    net = open_model(tiny("kandinsky-2.1")).load("mclip")
    theirs = MultilingualCLIP.from_pretrained(tiny("kandinsky-2.1") / "decoder" / "text_encoder")
    ids = torch.tensor([[0, 9, 8, 7, 2, 1, 1], [0, 5, 6, 11, 12, 13, 2]])
    mask = (ids != 1).long()
    with torch.inference_mode():
        ours = net(ids, mask)
        pooled, states = theirs.eval()(ids, mask)
    assert (ours.states - states).abs().max() <= CLOSE
    assert (ours.pooled - pooled).abs().max() <= CLOSE


def test_mt5_encoder(tmp_path: Path) -> None:
    torch.manual_seed(3)
    saved = builder.T5Encoder(builder.MT5)
    save_net(saved, "t5", tmp_path)
    theirs = peer(tmp_path, "MT5EncoderModel")
    ids = torch.randint(3, 40, (2, 60), generator=torch.Generator().manual_seed(0))
    mask = torch.arange(60)[None] < torch.tensor([[60], [23]])
    with torch.inference_mode():
        ours = load_net(tmp_path, "t5")(ids, mask)
        expected = theirs(ids, attention_mask=mask.long()).last_hidden_state
    assert (ours - expected).abs().max() <= CLOSE


def test_transformers_own_text_tower_without_a_prefix_is_read(tmp_path: Path) -> None:
    config = transformers.CLIPTextConfig(
        vocab_size=40,
        hidden_size=24,
        intermediate_size=40,
        num_hidden_layers=1,
        num_attention_heads=2,
        max_position_embeddings=9,
        bos_token_id=3,
        eos_token_id=4,
        pad_token_id=0,
    )
    theirs = transformers.CLIPTextModel(config).eval()
    theirs.save_pretrained(tmp_path)
    ids = torch.tensor([[3, 9, 8, 7, 4, 0, 0]])
    with torch.inference_mode():
        ours = load_net(tmp_path, "text")(ids)
        assert (ours.states - theirs(ids).last_hidden_state).abs().max() <= CLOSE
    assert ours.embedding is None


def test_the_halves_of_a_whole_clip_are_read(tmp_path: Path) -> None:
    text = {
        "vocab_size": 40,
        "hidden_size": 24,
        "intermediate_size": 40,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "max_position_embeddings": 9,
        "bos_token_id": 3,
        "eos_token_id": 4,
        "pad_token_id": 0,
    }
    vision = {
        "hidden_size": 16,
        "intermediate_size": 20,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "image_size": 28,
        "patch_size": 7,
    }
    config = transformers.CLIPConfig(text_config=text, vision_config=vision, projection_dim=20)
    theirs = transformers.CLIPModel(config).eval()
    theirs.save_pretrained(tmp_path)
    ids, picture = torch.tensor([[3, 9, 8, 7, 4, 0, 0]]), drawn(1, 3, 28, 28)
    with torch.inference_mode():
        states = theirs.text_model(input_ids=ids).pooler_output
        expected = theirs.text_projection(states)
        assert (load_net(tmp_path, "text")(ids).embedding - expected).abs().max() <= CLOSE
        seen = theirs.visual_projection(theirs.vision_model(picture).pooler_output)
        assert (load_net(tmp_path, "image")(picture) - seen).abs().max() <= CLOSE
