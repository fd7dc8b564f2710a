"""Lightning's loop round a tuner: precision, processes, checkpoints, the log."""

import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.plugins.io import TorchCheckpointIO
from lightning.pytorch.plugins.precision import MixedPrecision
from lightning.pytorch.strategies import DDPStrategy, FSDPStrategy

from bluerider.devices import give_back
from bluerider.errors import BlueriderError
from bluerider.training.tuning.keeper import Keeper, Stopped
from bluerider.training.tuning.plan import Plan
from bluerider.training.tuning.tuner import Tuner

PRECISION = {"float32": "32-true", "bfloat16": "bf16-mixed", "float16": "16-mixed"}


class Streamed(TorchCheckpointIO):
    """Checkpoints go straight to their file; Lightning puts the bytes together in memory first,
    which takes as much once more.
    """

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None
    ) -> None:
        torch.save(checkpoint, path)


def strategy(plan: Plan, device: torch.device) -> Any:
    """How processes share the work."""
    if plan.strategy == "fsdp":
        return FSDPStrategy(use_orig_params=True)
    if plan.devices == 1 and plan.strategy == "auto":
        return "auto"
    backend = "nccl" if device.type == "cuda" else "gloo"
    return DDPStrategy(process_group_backend=backend)


def fit(
    tuner: Tuner,
    plan: Plan,
    device: torch.device,
    *,
    keeper: Keeper,
    callbacks: Sequence[Callback],
    checkpoint: Path | None,
) -> bool:
    """Train to the last step; returns whether this process is the first. Raises Stopped when asked
    to stop, BlueriderError when the loss is no number.
    """
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    give_back()  # what encoding has taken
    half: list[Any] = []
    if device.type == "cpu" and plan.precision == "float16":  # Lightning would take bfloat16
        half = [MixedPrecision("16-mixed", "cpu")]
    trainer = L.Trainer(
        accelerator={"cuda": "gpu"}.get(device.type, device.type),
        devices=plan.devices,
        strategy=strategy(plan, device),
        precision=None if half else PRECISION[plan.precision],
        max_steps=plan.steps,
        accumulate_grad_batches=plan.accumulate,
        callbacks=[*callbacks, keeper],
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        use_distributed_sampler=False,
        plugins=[*half, *([] if plan.strategy == "fsdp" else [Streamed()])],
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*does not have many workers.*")
        warnings.filterwarnings("ignore", ".*LeafSpec.*", FutureWarning)
        warnings.filterwarnings("ignore", ".*in eval mode at the start.*")
        try:
            trainer.fit(tuner, ckpt_path=str(checkpoint) if checkpoint else None, weights_only=True)
        except BlueriderError as error:
            last = keeper.folder / f"{keeper.last:06d}.ckpt"
            good = f"the last good checkpoint is {last}" if keeper.last else "no checkpoint yet"
            raise BlueriderError(f"{error}; {good}; try a lower rate") from None
    if keeper.asked and trainer.global_step < plan.steps:
        raise Stopped(f"stopped at step {keeper.last} of {plan.steps}; go on with --resume")
    tuner.settle()
    let_go(tuner)
    return bool(trainer.is_global_zero)


def let_go(tuner: Tuner) -> None:
    """Gradients and the optimiser's state, before the result is written."""
    for parameter in tuner.trainable:
        parameter.grad = None
    for optimizer in tuner.trainer.optimizers:
        optimizer.state.clear()
    give_back()
