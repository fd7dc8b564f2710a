"""What every training stage shares: settings, half-precision forward, optimiser, moving average,
checkpoints.
"""

import math
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import WeightAveraging
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn.attention import SDPBackend, sdpa_kernel

from bluerider.nets.clip import TextTower


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How a stage is trained."""

    steps: int
    batch: int
    rate: float  # peak learning rate
    warmup: int = 200
    final: float = 0.02  # last learning rate, as a part of the peak
    decay: float = 0.01  # weight decay of matrices
    table: float = 1.0  # rate of tables of tokens, which are met seldom, in units of `rate`
    average: float = 0.998  # EMA of the weights that are exported
    clip: float = 1.0
    precision: str = "bfloat16"  # of activations; master weights stay float32
    seed: int = 0


def half(net: nn.Module, dtype: torch.dtype, *args: Tensor) -> Any:
    """Run `net` on its float32 weights cast to `dtype`; gradients come back in float32."""
    # On a CPU, the fused attention's backward is slow on short sequences: a third of a step.
    on_cpu = args[0].device.type == "cpu"
    with sdpa_kernel(SDPBackend.MATH) if on_cpu else nullcontext():
        if dtype == torch.float32:
            return net(*args)
        cast = {k: p.to(dtype) for k, p in net.named_parameters()}
        return functional_call(net, cast, args)


class Stage(L.LightningModule):
    """A network, and AdamW under a warm-up and a cosine."""

    def __init__(self, net: nn.Module, settings: Settings) -> None:
        super().__init__()
        self.net = net
        self.settings = settings
        self.dtype_ = getattr(torch, settings.precision)

    def configure_optimizers(self) -> dict[str, Any]:
        """AdamW; vectors (norms, biases) and tables of tokens do not decay."""
        s = self.settings
        towers = [m for m in self.net.modules() if isinstance(m, TextTower)]
        table = [m.embed.weight for m in towers if m.embed.weight.requires_grad]
        rest = {id(p) for p in table}
        weights = [p for p in self.net.parameters() if p.requires_grad and id(p) not in rest]
        groups = [
            {"params": [p for p in weights if p.ndim > 1], "weight_decay": s.decay},
            {"params": [p for p in weights if p.ndim <= 1], "weight_decay": 0.0},
        ]
        if table:
            groups.append({"params": table, "weight_decay": 0.0, "lr": s.rate * s.table})
        optimizer = torch.optim.AdamW(groups, lr=s.rate, betas=(0.9, 0.99), fused=True)

        def rate(step: int) -> float:
            if step < s.warmup:
                return (step + 1) / s.warmup
            done = min(1.0, (step - s.warmup) / max(1, s.steps - s.warmup))
            return s.final + (1 - s.final) * 0.5 * (1 + math.cos(math.pi * done))

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }


def averaging(decay: float) -> WeightAveraging:
    """An exponential moving average of the weights, which takes their place when training ends.

    Early on it follows faster (Tensorflow's rule), so that it never remembers the start.
    """

    def follow(slow: Tensor, fast: Tensor, count: Tensor | int) -> Tensor:
        n = int(count)
        return torch.lerp(slow, fast, 1 - min(decay, (1 + n) / (10 + n)))

    return WeightAveraging(avg_fn=follow)
