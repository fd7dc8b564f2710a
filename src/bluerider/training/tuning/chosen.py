"""What of a part trains: low-rank corrections, its attention, or all of it."""

import re

import torch
from torch import nn
from torch.utils.checkpoint import checkpoint

from bluerider.nets.attention import CrossAttention, JointAttention
from bluerider.nets.clip import Layer
from bluerider.nets.layers import ResBlock
from bluerider.nets.lora import LowRank, inject, layers
from bluerider.training.tuning.plan import PartPlan

ATTENTION = re.compile(r"(^|.*\.)attn\w*\.")  # of every network of ours
MLP = re.compile(r"(^|.*\.)mlp\.")
STATISTICS = ("mean", "std")  # of the prior: facts, not weights
BLOCKS = (ResBlock, JointAttention, CrossAttention, Layer)


def wanted(name: str, layers: str) -> bool:
    """Whether a layer of this name is among those that LoRA corrects."""
    if layers == "all":
        return True
    return bool(ATTENTION.match(name) or (layers == "transformer" and MLP.match(name)))


def choose(net: nn.Module, plan: PartPlan, generator: torch.Generator) -> dict[str, LowRank]:
    """Set what trains of a network; returns the corrections where there are any."""
    net.requires_grad_(False)
    if plan.train == "lora":
        names = [name for name in layers(net) if wanted(name, plan.layers)]
        return inject(net, names, plan.rank, plan.alpha, generator)
    for name, parameter in net.named_parameters():
        if name not in STATISTICS and (plan.train == "full" or ATTENTION.match(name)):
            parameter.data = parameter.data.float()
            parameter.requires_grad_(plan.train != "off")
    return {}


def recompute(net: nn.Module) -> None:
    """Keep only the inputs of a network's blocks and compute the rest again on the way back."""
    for module in net.modules():
        if isinstance(module, BLOCKS):
            module.forward = recomputed(module)  # type: ignore[method-assign]


def recomputed(module: nn.Module):  # type: ignore[no-untyped-def]
    """A block's forward under gradient checkpointing."""
    plain = module.forward

    def forward(*args, **options):  # type: ignore[no-untyped-def]
        if not torch.is_grad_enabled():
            return plain(*args, **options)
        return checkpoint(plain, *args, use_reentrant=False, preserve_rng_state=False, **options)

    return forward
