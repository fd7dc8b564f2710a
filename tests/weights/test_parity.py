"""Networks saved by diffusers and transformers, loaded by us: the same numbers come out."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from bluerider.weights.load import load_net

diffusers = pytest.importorskip("diffusers")
transformers = pytest.importorskip("transformers")

CLOSE = 1e-4


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def shaken(net: Any, seed: int = 1) -> Any:
    """Random weights everywhere, norms and zero-initialised layers included, so that nothing can be
    skipped.
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
    return net.eval()


def unet(**changes: Any) -> Any:
    base: dict[str, Any] = {
        "in_channels": 4,
        "out_channels": 8,
        "block_out_channels": (32, 64, 96),
        "layers_per_block": 2,
        "down_block_types": ("ResnetDownsampleBlock2D",) + ("SimpleCrossAttnDownBlock2D",) * 2,
        "up_block_types": ("SimpleCrossAttnUpBlock2D",) * 2 + ("ResnetUpsampleBlock2D",),
        "mid_block_type": "UNetMidBlock2DSimpleCrossAttn",
        "encoder_hid_dim": 24,
        "encoder_hid_dim_type": "image_proj",
        "addition_embed_type": "image",
        "addition_embed_type_num_heads": 64,
        "cross_attention_dim": 20,
        "attention_head_dim": 16,
        "resnet_time_scale_shift": "scale_shift",
    }
    return shaken(diffusers.UNet2DConditionModel(**base | changes))


@pytest.mark.parametrize(("channels", "depth"), [(4, 2), (9, 1)])
def test_unet_plain_and_inpainting(tmp_path: Path, channels: int, depth: int) -> None:
    peer = unet(in_channels=channels, layers_per_block=depth)
    peer.save_pretrained(tmp_path)
    net, conditioner = load_net(tmp_path, "unet")
    x, embedding = drawn(2, channels, 16, 24), drawn(2, 24, seed=1)
    t = torch.tensor([7, 940])
    with torch.inference_mode():
        condition = conditioner(embedding)
        ours = net(x, t, condition.context, condition.pooled)
        theirs = peer(
            x, t, encoder_hidden_states=None, added_cond_kwargs={"image_embeds": embedding}
        ).sample
    assert (ours - theirs).abs().max() <= CLOSE


def test_unet_with_a_depth_hint(tmp_path: Path) -> None:
    peer = unet(in_channels=8, addition_embed_type="image_hint")
    peer.save_pretrained(tmp_path)
    net, conditioner = load_net(tmp_path, "unet")
    x, embedding, hint = drawn(2, 4, 8, 8), drawn(2, 24, seed=1), drawn(2, 3, 64, 64, seed=2)
    t = torch.tensor([500, 3])
    with torch.inference_mode():
        condition = conditioner(embedding)
        told = torch.cat([x, conditioner.hint(hint)], dim=1)
        ours = net(told, t, condition.context, condition.pooled)
        theirs = peer(
            x,
            t,
            encoder_hidden_states=None,
            added_cond_kwargs={"image_embeds": embedding, "hint": hint},
        ).sample
    assert (ours - theirs).abs().max() <= CLOSE


@pytest.fixture
def prior(tmp_path: Path) -> tuple[Any, Any]:
    peer = shaken(
        diffusers.PriorTransformer(
            num_attention_heads=2,
            attention_head_dim=12,
            num_layers=3,
            embedding_dim=20,
            num_embeddings=11,
            additional_embeddings=4,
        )
    )
    peer.save_pretrained(tmp_path)
    return peer, load_net(tmp_path, "prior")


def test_prior_forward_with_padded_text(prior: tuple[Any, Any]) -> None:
    peer, net = prior
    x, text, pooled = drawn(3, 20), drawn(3, 11, 20, seed=1), drawn(3, 20, seed=2)
    mask = torch.arange(11)[None] < torch.tensor([[11], [4], [1]])
    t = torch.tensor([0, 400, 999])
    with torch.inference_mode():
        ours = net(x, t, text, pooled, mask)
        theirs = peer(
            x,
            timestep=t,
            proj_embedding=pooled,
            encoder_hidden_states=text,
            attention_mask=mask,
        ).predicted_image_embedding
    assert (ours - theirs).abs().max() <= CLOSE


def test_prior_statistics(prior: tuple[Any, Any]) -> None:
    peer, net = prior
    x = drawn(3, 20)
    with torch.inference_mode():
        assert torch.equal(net.restore(x), peer.post_process_latents(x))


@pytest.fixture
def movq(tmp_path: Path) -> tuple[Any, Any]:
    peer = shaken(
        diffusers.VQModel(
            block_out_channels=[32, 64, 64],
            down_block_types=["DownEncoderBlock2D"] * 2 + ["AttnDownEncoderBlock2D"],
            up_block_types=["AttnUpDecoderBlock2D"] + ["UpDecoderBlock2D"] * 2,
            layers_per_block=2,
            latent_channels=4,
            vq_embed_dim=4,
            num_vq_embeddings=24,
            norm_type="spatial",
            norm_num_groups=32,
        )
    )
    peer.save_pretrained(tmp_path)
    return peer, load_net(tmp_path, "autoencoder")


def test_movq_encode(movq: tuple[Any, Any]) -> None:
    peer, net = movq
    picture = drawn(2, 3, 32, 48)
    with torch.inference_mode():
        assert (net.encode(picture) - peer.encode(picture).latents).abs().max() <= CLOSE


def test_movq_decode(movq: tuple[Any, Any]) -> None:
    peer, net = movq
    latent = drawn(2, 4, 8, 12)
    with torch.inference_mode():
        theirs = peer.decode(latent, force_not_quantize=True).sample
        assert (net.decode(latent) - theirs).abs().max() <= CLOSE


@pytest.mark.parametrize("activation", ["quick_gelu", "gelu"])
@pytest.mark.parametrize("eos", [48, 2])
def test_text_tower(tmp_path: Path, activation: str, eos: int) -> None:
    config = transformers.CLIPTextConfig(
        vocab_size=50,
        hidden_size=24,
        intermediate_size=40,
        projection_dim=16,
        num_hidden_layers=3,
        num_attention_heads=2,
        max_position_embeddings=9,
        hidden_act=activation,
        bos_token_id=47,
        eos_token_id=eos,
        pad_token_id=0,
    )
    peer = shaken(transformers.CLIPTextModelWithProjection(config))
    peer.save_pretrained(tmp_path)
    net = load_net(tmp_path, "text")
    end = 49 if eos == 2 else eos  # with 2 in the config, transformers pools at the highest id
    ids = torch.tensor([[47, 5, 6, end, 0, 0, 0, 0, 0], [47, 9, 8, 7, 6, 5, 4, 3, end]])
    with torch.inference_mode():
        ours, theirs = net(ids), peer(ids)
    assert (ours.states - theirs.last_hidden_state).abs().max() <= CLOSE
    assert (ours.embedding - theirs.text_embeds).abs().max() <= CLOSE


@pytest.mark.parametrize("activation", ["quick_gelu", "gelu"])
def test_image_tower(tmp_path: Path, activation: str) -> None:
    config = transformers.CLIPVisionConfig(
        hidden_size=24,
        intermediate_size=40,
        projection_dim=16,
        num_hidden_layers=3,
        num_attention_heads=2,
        image_size=28,
        patch_size=7,
        hidden_act=activation,
    )
    peer = shaken(transformers.CLIPVisionModelWithProjection(config))
    peer.save_pretrained(tmp_path)
    net = load_net(tmp_path, "image")
    picture = drawn(2, 3, 28, 28)
    with torch.inference_mode():
        assert (net(picture) - peer(picture).image_embeds).abs().max() <= CLOSE


def test_shards_and_variants_load_like_one_file(tmp_path: Path) -> None:
    peer = unet()
    peer.save_pretrained(tmp_path / "whole")
    peer.save_pretrained(tmp_path / "shards", max_shard_size="200KB")
    peer.save_pretrained(tmp_path / "half", variant="fp16")
    assert len(list((tmp_path / "shards").glob("*.safetensors"))) > 1
    whole = load_net(tmp_path / "whole", "unet")[0].state_dict()
    for name in ("shards", "half"):
        other = load_net(tmp_path / name, "unet")[0].state_dict()
        assert all(torch.equal(other[key], whole[key]) for key in whole)
