"""Checkpoints: whole, between steps alone, on time and when asked to stop; and the way back."""

import signal
import threading
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from pathlib import Path
from types import FrameType
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback

from bluerider.errors import BlueriderError, InputError
from bluerider.files import beside
from bluerider.training.tuning.tuner import OURS

Say = Callable[[str], None]
SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stopped(BlueriderError):
    """Training was asked to stop and left a checkpoint."""

    exit_code = 130


class Keeper(Callback):
    """Writes `STEP.ckpt` every `every` steps, at the end, and on SIGINT or SIGTERM, which also ends
    training; keeps the newest `keep`.

    Where the disk fails, training goes on and the last whole checkpoint stays.
    """

    def __init__(self, folder: Path, *, every: int, keep: int, say: Say) -> None:
        self.folder, self.every, self.keep, self.say = folder, every, keep, say
        self.last = 0  # step of the newest checkpoint
        self.behind = -1  # steps done when we last looked
        self.asked = False
        self.before: dict[int, Any] = {}

    def on_train_start(self, trainer: L.Trainer, tuner: L.LightningModule) -> None:
        self.last = self.behind = trainer.global_step
        if threading.current_thread() is threading.main_thread():
            self.before = {one: signal.signal(one, self.ask) for one in SIGNALS}

    def ask(self, number: int, frame: FrameType | None) -> None:
        """Stop after this step; a second time, at once."""
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        self.say("stopping after this step")

    def on_train_batch_end(self, trainer: L.Trainer, *args: Any) -> None:
        step = trainer.global_step
        if step == self.behind:
            return
        self.behind = step
        trainer.should_stop = trainer.should_stop or self.asked
        if self.asked or step % self.every == 0 or step == trainer.max_steps:
            self.write(trainer, step)

    def write(self, trainer: L.Trainer, step: int) -> None:
        """Write a checkpoint and drop the oldest."""
        path = self.folder / f"{step:06d}.ckpt"
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with beside(path) if trainer.is_global_zero else nullcontext(path) as part:
                trainer.save_checkpoint(part)
        except (OSError, RuntimeError) as error:
            whole = f"the one of step {self.last} stays" if self.last else "none is there yet"
            said = str(error).splitlines()[0][:80]
            self.say(f"warning: checkpoint {step} not written ({said}); {whole}; training goes on")
            return
        self.last = step
        if trainer.is_global_zero:
            for old in checkpoints(self.folder)[self.keep :]:
                old.unlink(missing_ok=True)

    def teardown(self, trainer: L.Trainer, tuner: L.LightningModule, stage: str) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)
        self.before = {}


def checkpoints(folder: Path) -> list[Path]:
    """The checkpoints of a folder, newest first."""
    found = [path for path in folder.glob("*.ckpt") if path.stem.isdigit()]
    return sorted(found, key=lambda path: int(path.stem), reverse=True)


def newest(folder: Path, say: Say) -> tuple[Path, dict[str, Any]] | None:
    """The newest whole checkpoint and what it holds; a damaged one is told and passed over."""
    for path in checkpoints(folder):
        try:
            data = torch.load(path, map_location="cpu", weights_only=True)
            data[OURS]["facts"], data["state_dict"], data["global_step"]
            return path, data
        except Exception as error:  # whatever a cut or mangled file makes torch raise
            say(f"warning: {path.name} is damaged ({type(error).__name__}); trying the one before")
    return None


def check_facts(stored: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise InputError, telling the difference, unless a checkpoint is of this very training."""
    for name in sorted({*stored, *now}):
        if stored.get(name) != now.get(name):
            raise InputError(
                f"--resume: {name} was {brief(stored.get(name))}, now it is "
                f"{brief(now.get(name))}; give what it was, or choose another --out"
            )


def brief(value: Any) -> str:
    """A fact in a few letters."""
    text = str(value)
    return text if len(text) <= 24 else f"{text[:12]}…"


def steps_of(data: Mapping[str, Any]) -> int:
    """The optimiser steps behind a checkpoint."""
    return int(data["global_step"])
