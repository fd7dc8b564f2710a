"""What a run tells while it trains: metrics.csv always, TensorBoard, Weights & Biases, progress."""

import csv
import io
import resource
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback

from bluerider.errors import BlueriderError
from bluerider.files import write_whole
from bluerider.training.tuning.plan import Plan
from bluerider.training.tuning.tuner import Tuner

Advance = Callable[[float, str], None]  # part done, and what is being done


class Ledger(Callback):
    """One line of metrics.csv a step, and the same numbers wherever else they are wanted."""

    def __init__(
        self,
        folder: Path,
        plan: Plan,
        advance: Advance,
        trackers: "Trackers",
        halves: Sequence[str],
    ) -> None:
        self.path, self.plan, self.advance = folder / "metrics.csv", plan, advance
        self.trackers = trackers
        self.columns = columns(plan, halves)
        self.begun, self.first, self.behind = 0.0, 0, -1

    def on_train_start(self, trainer: L.Trainer, tuner: L.LightningModule) -> None:
        self.begun, self.first = time.monotonic(), trainer.global_step
        self.behind = trainer.global_step
        if trainer.is_global_zero:
            self.cut(trainer.global_step)

    def cut(self, step: int) -> None:
        """Start the file, or drop the lines after `step`, which are about to be written again."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(self.columns)
        writer.writerows(row for row in read_rows(self.path) if int(row[0]) <= step)
        write_whole(self.path, out.getvalue().encode())

    def on_train_batch_end(self, trainer: L.Trainer, tuner: Tuner, *args: Any) -> None:
        step = trainer.global_step
        if step == self.behind:
            return
        self.behind = step
        told: dict[str, Any] = {"step": step, **tuner.told()}
        seconds = time.monotonic() - self.begun
        groups = trainer.optimizers[0].param_groups
        told |= {f"rate/{group['name']}": group["lr"] for group in groups}
        told |= {
            "seconds": round(seconds, 3),
            "samples_per_second": round(self.samples * (step - self.first) / seconds, 3),
            "memory_mb": peak_memory(tuner.device),
        }
        if trainer.is_global_zero:
            with self.path.open("a", newline="") as file:
                csv.writer(file, lineterminator="\n").writerow(
                    [told.get(name, "") for name in self.columns]
                )
            self.trackers.scalars(told, step)
        left = seconds / (step - self.first) * (trainer.max_steps - step)
        word = f"step {step}/{trainer.max_steps}, loss {told['loss']:.3f}, {clock(left)} left"
        self.advance(step / trainer.max_steps, word)

    @property
    def samples(self) -> int:
        """Samples of subject and class a step, over all parts and processes."""
        each = sum(self.plan.batch_of(part) for part in self.plan.trained if part != "text_encoder")
        halves = 2 if self.plan.class_weight else 1
        return each * halves * self.plan.accumulate * self.plan.devices


def columns(plan: Plan, names: Sequence[str]) -> list[str]:
    """The columns of metrics.csv."""
    lessons = [part for part in plan.trained if part != "text_encoder"]
    halves = [f"{part}/{half}" for part in lessons for half in names]
    groups = [part for part in plan.trained if plan.part(part).train != "word"]
    groups += ["identifier"] if plan.spells else []
    rates = [f"rate/{group}" for group in groups]
    tail = ["gradient", "samples_per_second", "memory_mb"]
    return ["step", "seconds", "loss", *halves, *rates, *tail]


def read_rows(path: Path) -> list[list[str]]:
    """The whole lines of a metrics.csv after its head."""
    if not path.is_file():
        return []
    lines = path.read_text().splitlines(keepends=True)
    whole = [line for line in lines[1:] if line.endswith("\n")]
    return [row for row in csv.reader(whole) if row and row[0].isdigit()]


def clock(seconds: float) -> str:
    """Seconds for a person."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"


def peak_memory(device: torch.device) -> int:
    """The most memory taken so far, in MB: of the GPU, or of the process."""
    if device.type == "cuda":
        return int(torch.cuda.max_memory_allocated(device) // 10**6)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return int(peak // 10**6 if sys.platform == "darwin" else peak * 1024 // 10**6)


class Trackers:
    """TensorBoard and Weights & Biases, as far as they are wanted."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        self.board: Any = None
        self.wandb: Any = None
        if plan.tensorboard:
            from torch.utils.tensorboard import SummaryWriter

            self.board = SummaryWriter(str(folder / "tensorboard"))
        if plan.wandb:
            self.wandb = start_wandb(folder, plan)

    def scalars(self, told: dict[str, Any], step: int) -> None:
        """Numbers of a step."""
        numbers = {k: v for k, v in told.items() if k != "step"}
        if self.board:
            for name, value in numbers.items():
                self.board.add_scalar(name, value, step)
        if self.wandb:
            self.wandb.log(numbers, step=step)

    def picture(self, name: str, image: Any, step: int) -> None:
        """A picture (PIL)."""
        import numpy as np

        if self.board:
            self.board.add_image(name, np.asarray(image), step, dataformats="HWC")
        if self.wandb:
            import wandb

            self.wandb.log({name: wandb.Image(image)}, step=step)

    def close(self) -> None:
        """Write what is left."""
        if self.board:
            self.board.close()
        if self.wandb:
            self.wandb.finish()


def start_wandb(folder: Path, plan: Plan) -> Any:
    """A Weights & Biases run; WANDB_MODE=offline keeps it on this machine."""
    import wandb

    try:
        return wandb.init(project="bluerider", dir=str(folder), config=asdict(plan))
    except Exception as error:  # wandb raises what its parts raise
        raise BlueriderError(f"wandb did not start: {str(error)[:80]}") from None
