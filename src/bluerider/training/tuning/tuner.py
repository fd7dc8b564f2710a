"""The training step and the optimiser, as Lightning runs them."""

from collections.abc import Callable, Mapping, Sequence
from importlib.util import find_spec
from typing import Any

import lightning as L
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader

from bluerider.errors import BlueriderError, InputError
from bluerider.training.tuning.chosen import kernels, plain
from bluerider.training.tuning.draws import Draws, Micro
from bluerider.training.tuning.lessons import Lesson, halved
from bluerider.training.tuning.plan import Plan

OURS = "bluerider"  # the key of what we add to a checkpoint


class Tuner(L.LightningModule):
    """Lessons that train together; each adds its halves' losses to one sum.

    `parts` names the networks whose parameters form a group with a rate of its own, `halves` what
    the samples of a micro-batch are called, `words` the rows of
    tokens that are learned. A checkpoint holds what trains, never what is frozen.
    """

    def __init__(
        self,
        lessons: Mapping[str, Lesson],
        parts: Mapping[str, nn.Module],
        plan: Plan,
        draws: Callable[["Tuner"], Draws],
        facts: Mapping[str, Any],
        halves: Sequence[str],
        words: Sequence[nn.Parameter] = (),
    ) -> None:
        super().__init__()
        self.strict_loading = False
        self.lessons = nn.ModuleDict(lessons)
        self.plan, self.draws, self.facts, self.halves = plan, draws, dict(facts), halves
        spelled = {p for p in words if p.requires_grad}
        self.groups = {
            part: [p for p in net.parameters() if p.requires_grad and p not in spelled]
            for part, net in parts.items()
        }
        self.groups = {part: weights for part, weights in self.groups.items() if weights}
        if spelled:
            self.groups["identifier"] = list(words)
        self.slow = [p.detach().clone() for p in self.trainable] if plan.average else []
        self.seen: list[dict[str, Tensor]] = []  # of the micro-batches since the last step
        self.norm = torch.zeros(())

    @property
    def trainable(self) -> list[nn.Parameter]:
        """Every parameter that trains, by group."""
        return [p for group in self.groups.values() for p in group]

    def train_dataloader(self) -> DataLoader[Micro]:
        """Micro-batches from where training stands."""
        workers = self.plan.workers
        return DataLoader(
            self.draws(self), batch_size=None, num_workers=workers, persistent_workers=workers > 0
        )

    @property
    def micro(self) -> int:
        """Micro-batches behind us; checkpoints stand between steps alone."""
        return int(self.global_step) * self.plan.accumulate

    def training_step(self, batch: Micro, index: int) -> Tensor:
        told: dict[str, Tensor] = {}
        total = torch.zeros((), device=self.device)
        for name, draw in batch.items():
            tokens = draw.noise.shape[2:].numel()  # 1 of the prior's, whose sequence is short
            with kernels(plain(self.device, self.plan.precision, tokens)):
                losses = self.lessons[name](draw)
            loss, means = halved(losses, self.plan.batch_of(name), self.plan.class_weight)
            total = total + loss
            told |= {f"{name}/{h}": m for h, m in zip(self.halves, means, strict=False)}
        self.seen.append({"loss": total.detach(), **told})
        return total

    def told(self) -> dict[str, float]:
        """Means over the micro-batches of the last step and over processes. Raises BlueriderError
        when the loss is no number.
        """
        seen, self.seen = self.seen, []
        reduce = self.trainer.strategy.reduce
        means = {k: torch.stack([one[k] for one in seen]).float().mean() for k in seen[0]}
        found = {k: float(reduce(v, reduce_op="mean")) for k, v in means.items()}
        if found["loss"] != found["loss"] or abs(found["loss"]) == float("inf"):
            raise BlueriderError(f"step {self.global_step}: the loss is {found['loss']}")
        return found | {"gradient": float(self.norm)}

    def configure_optimizers(self) -> dict[str, Any]:
        """AdamW with a group for every part, under a warm-up and the schedule."""
        plan = self.plan
        groups = [
            {
                "params": weights,
                "lr": plan.rate_of(part),
                "name": part,
                "weight_decay": 0.0 if part == "identifier" else plan.decay,
            }
            for part, weights in self.groups.items()
        ]
        optimizer = make_optimizer(plan, groups)
        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: pace(plan, step))
        return {
            "optimizer": optimizer,
            "lr_scheduler": {"scheduler": schedule, "interval": "step"},
        }

    def configure_gradient_clipping(self, *args: Any, **options: Any) -> None:
        """Clip the norm over all parts, and keep it for the log."""
        limit = self.plan.clip or float("inf")
        self.norm = nn.utils.clip_grad_norm_(self.trainable, limit).detach()

    def optimizer_step(self, *args: Any, **options: Any) -> None:
        """A step, and the moving average after it: before anything could save a checkpoint."""
        updates = int(self.global_step) + 1  # this one is counted when it is over
        super().optimizer_step(*args, **options)
        for slow, fast in zip(self.slow, self.trainable, strict=False):
            follow(slow, fast, self.plan.average, updates)

    def settle(self) -> None:
        """Put the moving average in the place of the weights."""
        with torch.no_grad():
            for slow, fast in zip(self.slow, self.trainable, strict=False):
                fast.copy_(slow)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        names = {n for n, p in self.named_parameters() if p.requires_grad}
        checkpoint["state_dict"] = {
            n: v.detach() for n, v in checkpoint["state_dict"].items() if n in names
        }
        checkpoint[OURS] = {"facts": self.facts, "average": list(self.slow), "micro": self.micro}

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        for slow, kept in zip(self.slow, checkpoint[OURS]["average"], strict=True):
            slow.copy_(kept)


@torch.no_grad()
def follow(slow: Tensor, fast: Tensor, decay: float, updates: int) -> None:
    """Move a moving average after update number `updates`, counted from 1; early on it follows
    faster, so that it never remembers the start.
    """
    slow.lerp_(fast.detach().to(slow.device), 1 - min(decay, (1 + updates) / (10 + updates)))


def pace(plan: Plan, step: int) -> float:
    """The learning rate after `step` steps as a part of its peak."""
    if step < plan.warmup:
        return (step + 1) / plan.warmup
    if plan.schedule == "constant":
        return 1.0
    done = min(1.0, (step - plan.warmup) / max(1, plan.steps - plan.warmup))
    if plan.schedule == "linear":
        return 1.0 - done
    return float(0.5 * (1.0 + torch.cos(torch.tensor(done * torch.pi, dtype=torch.float64))))


def make_optimizer(plan: Plan, groups: list[dict[str, Any]]) -> torch.optim.Optimizer:
    """AdamW, or its 8-bit form (bitsandbytes)."""
    if plan.optimizer == "adamw":
        # One pass over the weights; in float16 it would scale gradients back by itself, after the
        # clipping. On a GPU torch chooses.
        on_cpu = all(p.is_cpu for group in groups for p in group["params"])
        fused = True if on_cpu and plan.precision != "float16" else None
        return torch.optim.AdamW(groups, weight_decay=plan.decay, fused=fused)
    from bitsandbytes.optim import AdamW8bit

    found: torch.optim.Optimizer = AdamW8bit(groups, weight_decay=plan.decay)
    return found


def check_installed(plan: Plan) -> None:
    """Raise InputError, before anything is computed, where what a plan asks for is missing."""
    for wanted, package, setting in (
        (plan.optimizer == "adamw8bit", "bitsandbytes", "optimizer=adamw"),
        (plan.wandb, "wandb", "wandb=false"),
    ):
        if wanted and find_spec(package) is None:
            raise InputError(f"{package} is not installed; pip install {package}, or {setting}")
