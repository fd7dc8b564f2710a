"""What of a part trains: low-rank corrections, its attention, or all of it."""

import re
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.checkpoint import checkpoint

from bluerider.nets.attention import CrossAttention, JointAttention
from bluerider.nets.clip import Layer
from bluerider.nets.layers import ResBlock
from bluerider.nets.lora import LowRank, inject, layers
from bluerider.training.tuning.plan import PartPlan

ATTENTION = re.compile(r"(^|.*\.)attn\w*\.")  # of every network of ours
MLP = re.compile(r"(^|.*\.)mlp\.")
STATISTICS = ("mean", "std")  # of the prior: facts, not weights
SHORT = 256  # tokens; of 400 the fused kernel takes half as long in any number format
BLOCKS = (ResBlock, JointAttention, CrossAttention, Layer)


def wanted(name: str, layers: str) -> bool:
    """Whether a layer of this name is among those that LoRA corrects."""
    if layers == "all":
        return True
    return bool(ATTENTION.match(name) or (layers == "transformer" and MLP.match(name)))


def choose(
    net: nn.Module, plan: PartPlan, generator: torch.Generator, new: Sequence[str] = ()
) -> dict[str, LowRank]:
    """Set what trains of a network; returns the corrections where there are any. The layers `new`
    train in full in any case.
    """
    net.requires_grad_(False)
    kept = frozen(net, [] if plan.freeze == "none" else plan.freeze.split(","))
    made: dict[str, LowRank] = {}
    if plan.train == "lora":
        names = [n for n in layers(net) if wanted(n, plan.layers) and n not in new]
        names = [name for name in names if f"{name}.weight" not in kept]
        made = inject(net, names, plan.rank, plan.alpha, generator)
    for name, parameter in net.named_parameters():
        if name.rpartition(".")[0] in new or (name not in kept and is_full(name, plan.train)):
            parameter.data = parameter.data.float()
            parameter.requires_grad_(True)
    return made


def is_full(name: str, train: str) -> bool:
    """Whether a parameter itself trains under a mode."""
    if train == "full":
        return name not in STATISTICS
    return train == "attention" and bool(ATTENTION.match(name))


RESIDUAL = re.compile(r"(^|.*\.)(norm1|conv1|time|norm2|conv2)\.(weight|bias)")
PIXELS = re.compile(
    r".*\.attn\.\d+\.((blocks\.\d+\.attn1\.)?(q|k|v|out)|blocks\.\d+\.attn2\.(q|out))"
    r"\.(weight|bias)"
)
FROZEN = {"resblocks": RESIDUAL, "attention": PIXELS}


def frozen(net: nn.Module, kinds: Sequence[str]) -> set[str]:
    """The parameters of a decoder's residual blocks or attention that Kandinsky 2.1's trainer
    freezes: skips and the projections of the context go on learning. Likewise in Stable Diffusion.
    """
    blocks = [n for n, module in net.named_modules() if isinstance(module, ResBlock)]
    found = set()
    for name, _ in net.named_parameters():
        block = any(name.startswith(f"{one}.") for one in blocks)
        for kind in kinds:
            if FROZEN[kind].fullmatch(name) and (block or kind == "attention"):
                found.add(name)
    return found


def recompute(net: nn.Module) -> None:
    """Keep only the inputs of a network's blocks and compute the rest again on the way back."""
    for module in net.modules():
        if isinstance(module, BLOCKS):
            module.forward = recomputed(module)  # type: ignore[method-assign]


def plain(device: torch.device, precision: str, tokens: int) -> bool:
    """Whether attention is to be computed step by step, its weights kept: on a CPU in half
    precision, where of short sequences the fused kernel takes up to twice as long.
    """
    return device.type == "cpu" and precision != "float32" and tokens <= SHORT


def kernels(is_plain: bool) -> AbstractContextManager[None]:
    """The attention kernels to train with. What is computed again has to run with the same."""
    return sdpa_kernel(SDPBackend.MATH) if is_plain else nullcontext()


def recomputed(module: nn.Module):  # type: ignore[no-untyped-def]
    """A block's forward under gradient checkpointing."""
    once = module.forward

    def forward(*args, **options):  # type: ignore[no-untyped-def]
        if not torch.is_grad_enabled():
            return once(*args, **options)
        is_plain = not torch.backends.cuda.flash_sdp_enabled()  # of every device
        return checkpoint(
            once,
            *args,
            use_reentrant=False,
            preserve_rng_state=False,
            context_fn=lambda: (nullcontext(), kernels(is_plain)),
            **options,
        )

    return forward
