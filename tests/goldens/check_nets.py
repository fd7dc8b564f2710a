"""Networks: the original weights through our converters, the original answers out of our maths."""

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from bluerider.nets.autoencoder import Autoencoder
from bluerider.nets.conditioner import AttentionPooling, make_conditioner
from bluerider.nets.prior import Prior
from bluerider.nets.t5 import T5Encoder
from bluerider.nets.unet import UNet
from bluerider.nets.xlmr import MultilingualCLIP
from bluerider.weights import infer, layouts, originals
from bluerider.weights.configs import read_mclip, read_t5
from bluerider.weights.fields import Fields
from tests.goldens.case import Case, check, close


def shapes(tensors: dict[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


def decoder(weights: dict[str, Tensor], **changes: Any) -> tuple[UNet, nn.Module]:
    """A U-Net and its conditioner from weights under their original names."""
    config = replace(infer.unet(shapes(weights)), **changes)
    heads = infer.conditioner(shapes(weights), config)
    pair = nn.ModuleDict({"unet": UNet(config), "conditioner": make_conditioner(heads)})
    pair.load_state_dict(originals.unet(config, heads).read(weights))
    pair.requires_grad_(False).eval()
    return pair["unet"], pair["conditioner"]


def kandinsky(case: Case) -> tuple[UNet, nn.Module]:
    """The tiny U-Net of a case of Kandinsky 2.0 or 2.1, whose heads are 16 wide."""
    weights = dict(case.weights)
    if any(name.startswith("proj_n.q_linear") for name in weights):
        weights = {k: v for k, v in weights.items() if k not in ("proj_n.weight", "proj_n.bias")}
    return decoder(weights, head_dim=16)


def told(case: Case, conditioner: nn.Module) -> Any:
    """The condition of a case of either family."""
    if "in.full_emb1" in case:
        names = ("full_emb1", "pooled_emb1", "full_emb2")
        return conditioner(*(case[f"in.{name}"] for name in names))
    pooled = case["in.pooled_emb"] if "in.pooled_emb" in case else None
    return conditioner(case["in.image_emb"], case["in.full_emb"], pooled)


@check("a1", "b1", "b3")
def plain_unet(case: Case) -> None:
    unet, conditioner = kandinsky(case)
    condition = told(case, conditioner)
    if "out.xf_out" in case:
        close(condition.context.transpose(1, 2), case["out.xf_out"])
        close(condition.pooled, case["out.xf_proj"])
    answer = unet(case["in.x"], case["in.timesteps"], *condition)
    close(answer, case["out.model_output"])


@check("a2", "b2")
def inpainting_unet(case: Case) -> None:
    unet, conditioner = kandinsky(case)
    condition = told(case, conditioner)
    picture, mask = case["in.inpaint_image"], case["in.inpaint_mask"]
    blank = torch.zeros_like(picture), torch.zeros_like(mask)
    variants = {"model_output": (picture, mask), "model_output_no_inpaint_args": blank}
    if "in.soft_mask" in case:
        variants["model_output_soft_mask"] = (picture, case["in.soft_mask"])
    for name, (seen, kept) in variants.items():
        x = torch.cat([case["in.x"], seen * kept, kept], dim=1)
        close(unet(x, case["in.timesteps"], *condition), case[f"out.{name}"])


@check("a3")
def attention_pooling(case: Case) -> None:
    config = case.meta["config"]
    net = AttentionPooling(config["in_dim"], config["out_dim"])
    rules = originals.Keymap(tuple(originals.POOLING))
    net.load_state_dict(rules.read(case.weights))
    close(net(case["in.x"]), case["out.pooled"])


def prior_of(case: Case, weights: dict[str, Tensor]) -> Prior:
    """The tiny prior of a case, whose heads are 16 wide."""
    config = infer.prior(shapes(weights))
    heads = case_heads(case)
    config = replace(config, heads=heads, head_dim=config.heads * config.head_dim // heads)
    net = Prior(config)
    statistics = {"0": case["in.clip_mean"], "1": case["in.clip_std"]}
    net.load_state_dict(originals.prior(config).read(weights | statistics))
    return net.requires_grad_(False).eval()


def case_heads(case: Case) -> int:
    config = case.meta["config"]
    hparams = config.get("prior", config)["model"]["hparams"]
    return int(hparams["xf_heads"])


@check("c1", "c2")
def prior_forward(case: Case) -> None:
    net = prior_of(case, case.weights)
    names = ("x", "timesteps", "text_enc", "text_emb", "mask")
    close(net(*(case[f"in.{name}"] for name in names)), case["out.pred"])


def autoencoder(case: Case, weights: dict[str, Tensor], scale: float = 1.0) -> Autoencoder:
    config = infer.autoencoder(shapes(weights), scale)
    net = Autoencoder(config)
    net.load_state_dict(originals.autoencoder(config).read(weights))
    return net.requires_grad_(False).eval()


@check("d1")
def movq(case: Case) -> None:
    (named,) = case.meta.get("weights_files", ["w_movq.safetensors"])
    net = autoencoder(case, case.only(named))
    latent = net.encode(case["in.image"])
    close(latent, case["out.encode"])
    close(net.decode(latent), case["out.decode_of_encode"])
    close(net.decode(case["out.zq"]), case["out.decode_of_zq"])
    quantised = net.quantize(case["out.encode"])
    assert torch.equal(quantised.codes.flatten(), case["out.indices"])
    close(quantised.latent, case["out.zq"])
    # The original weighs the two terms the other way round ("legacy"): our commitment is its 1.
    near = (quantised.latent - case["out.encode"]).square().mean()
    close(1.25 * near, case["out.vq_loss"], rtol=1e-5)


@check("d2")
def quantiser_gradients(case: Case) -> None:
    from bluerider.config import AutoencoderConfig

    config = AutoencoderConfig(channels=(32,), depth=1, codes=64, attends=False)
    net = Autoencoder(config)
    with torch.no_grad():
        net.codebook.weight.copy_(case.weights["embedding.weight"])
    z = case["in.z"].clone().requires_grad_()
    found = net.quantize(z, commitment=1.0, codebook=0.25)
    (0.5 * found.latent.sum() + found.loss).backward()
    close(found.latent.detach(), case["out.zq"])
    close(found.loss.detach(), case["out.loss"], rtol=1e-5)
    assert z.grad is not None and net.codebook.weight.grad is not None
    close(z.grad, case["out.grad_z"], rtol=1e-3)
    close(net.codebook.weight.grad, case["out.grad_embedding"], rtol=1e-3)


@check("d3")
def kl(case: Case) -> None:
    net = autoencoder(case, case.weights)
    mean, log_variance = net.moments(case["in.image"])
    assert log_variance is not None
    close(torch.cat([mean, log_variance], dim=1), case["out.moments"])
    close(net.encode(case["in.image"]), case["out.mode"])
    sample = net.encode(case["in.image"], case["in.noise"])
    close(sample, case["out.sample"])
    close(net.decode(case["out.sample"]), case["out.decode"])
    close(net.divergence(mean, log_variance), case["out.kl"], rtol=1e-5)
    mean, log_variance = net.posterior(case["in.moments_big"])
    assert log_variance is not None
    close(log_variance, case["out.big_logvar_clamped"])
    close(net.divergence(mean, log_variance), case["out.big_kl"])


@check("h1")
def latent_diffusion_unet(case: Case) -> None:
    unet, _ = decoder(case.weights, heads=case.meta["config"]["num_heads"])
    answer = unet(case["in.x"], case["in.timesteps"], case["in.context"])
    close(answer, case["out.eps"])


@check("h2")
def first_stage(case: Case) -> None:
    net = autoencoder(case, case.weights, case.meta.get("scale_factor", 0.18215))
    mean, log_variance = net.moments(case["in.image"])
    assert log_variance is not None
    close(torch.cat([mean, log_variance], dim=1), case["out.moments"])
    latent = net.encode(case["in.image"], case["in.noise"])
    close(latent, case["out.z_scaled"])
    close(net.decode(case["out.z_scaled"]), case["out.decode_first_stage"])


@check("g1")
def multilingual_clip(case: Case) -> None:
    given = case.meta["config"]
    table = given["xlm_roberta"] | {
        "model_type": "M-CLIP",
        "numDims": given["out_features"],
        "transformerDimensions": given["in_features"],
    }
    net = MultilingualCLIP(read_mclip(Fields(table, case.path)))
    net.load_state_dict(layouts.MCLIP.read(case.weights))
    found = net.eval()(case["in.input_ids"], case["in.attention_mask"])
    close(found.states.detach(), case["out.full_emb"])
    close(found.pooled.detach(), case["out.pooled_emb"])


@check("g2")
def mt5(case: Case) -> None:
    table = case.meta["config"] | {"model_type": "mt5"}
    net = T5Encoder(read_t5(Fields(table, case.path)))
    net.load_state_dict(layouts.T5.read(case.weights))
    found = net.eval()(case["in.input_ids"], case["in.attention_mask"])
    close(found.detach(), case["out.full_emb"])
