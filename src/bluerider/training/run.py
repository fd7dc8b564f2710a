"""Run one stage from a recipe: data, network, Lightning's loop, checkpoints that resume, weights at
the end.
"""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from safetensors import safe_open
from safetensors.torch import save_file
from torch.utils.data import DataLoader

from bluerider.files import beside
from bluerider.training.stage import Stage, averaging
from bluerider.training.stream import Feed, Stream

Say = Callable[[str], None]


class Narrator(Callback):
    """Say how far the stage is, what it measures and how long it will take, every `every` steps."""

    def __init__(self, say: Say, every: int = 50) -> None:
        self.say, self.every, self.begun = say, every, (0.0, 0)

    def on_train_start(self, trainer: L.Trainer, stage: L.LightningModule) -> None:
        self.begun = (time.monotonic(), trainer.global_step)

    def on_train_batch_end(self, trainer: L.Trainer, *args: Any) -> None:
        step, total = trainer.global_step, trainer.max_steps
        if step % self.every and step != total:
            return
        pace = (time.monotonic() - self.begun[0]) / max(1, step - self.begun[1])
        shown = {k: f"{float(v):.4g}" for k, v in trainer.callback_metrics.items()}
        told = " ".join(f"{k} {v}" for k, v in shown.items())
        self.say(f"step {step}/{total}  {told}  {(total - step) * pace / 60:.1f} min left")


class Saver(ModelCheckpoint):
    """Keeps `last.ckpt`, of every `every` steps, and remembers nothing of its own: by where it was,
    a run folder that is moved would be gone on with in another file, which is never read.
    """

    def __init__(self, folder: Path, every: int) -> None:
        super().__init__(
            folder,
            save_last=True,
            every_n_train_steps=every,
            save_top_k=0,
            enable_version_counter=False,
        )

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        pass


def train(
    stage: Stage,
    stream: Stream[Any],
    folder: Path,
    *,
    say: Say,
    accelerator: str = "auto",
    every: int = 250,
) -> None:
    """Train `stage` in `folder`; a second call goes on from the checkpoint of every `every` steps.

    Leaves `folder/net.safetensors`, the moving average under the stage's own parameter names.
    """
    if finished(folder) >= stage.settings.steps:
        say(f"{folder} is finished; for more, raise steps, or choose another --out")
        return
    folder.mkdir(parents=True, exist_ok=True)
    logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
    saver = Saver(folder, every)
    trainer = L.Trainer(
        accelerator=accelerator,
        devices=1,
        max_steps=stage.settings.steps,
        gradient_clip_val=stage.settings.clip,
        callbacks=[averaging(stage.settings.average), saver, Narrator(say)],
        logger=CSVLogger(folder, name="", version="log"),
        enable_progress_bar=False,
        enable_model_summary=False,
        log_every_n_steps=50,
    )
    last = folder / "last.ckpt"
    loader = DataLoader(Feed(stream, lambda: stage.global_step), batch_size=None)
    trainer.fit(stage, loader, ckpt_path=str(last) if last.exists() else None)
    save(stage, folder)


def save(stage: Stage, folder: Path) -> None:
    """Write the weights, which are the averaged ones by now, whole."""
    state = {k: v.detach().contiguous() for k, v in stage.net.state_dict().items()}
    with beside(folder / "net.safetensors") as part:
        save_file(state, part, metadata={"steps": str(stage.settings.steps)})


def finished(folder: Path) -> int:
    """Steps after which a stage's weights were written; 0 where there are none."""
    path = folder / "net.safetensors"
    if not path.is_file():
        return 0
    with safe_open(path, "pt") as file:
        return int((file.metadata() or {}).get("steps", 0))
