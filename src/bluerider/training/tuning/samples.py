"""Pictures painted on the way, from the weights as they are: the subject, its class, something
unrelated.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback

from bluerider.images import encode
from bluerider.pipeline import Pipeline
from bluerider.request import Request
from bluerider.training.tuning.ledger import Trackers
from bluerider.training.tuning.tuner import Tuner
from bluerider.weights.load import ModelFiles
from bluerider.weights.store import write_whole


def painter(files: ModelFiles, live: Mapping[str, Any], device: torch.device) -> Pipeline:
    """A pipeline whose networks of these names are those given, at work elsewhere."""
    pipe = Pipeline(files, device=device.type, dtype="float32")
    pipe.parts.lend(live)
    return pipe


class Samples(Callback):
    """Paints `prompts` (kind -> words, one a seed, over and over) at fixed seeds every `every`
    steps and at the end; none of training's draws are touched. `given` are more fields of the
    requests.
    """

    def __init__(
        self,
        files: ModelFiles,
        live: Mapping[str, Any],
        prompts: Mapping[str, Sequence[str]],
        folder: Path,
        *,
        every: int,
        count: int,
        trackers: Trackers,
        given: Mapping[str, Any],
    ) -> None:
        self.given = given
        self.files, self.live, self.prompts, self.folder = files, live, prompts, folder
        self.every, self.count, self.trackers = every, count, trackers
        self.behind = -1

    def on_train_start(self, trainer: L.Trainer, tuner: L.LightningModule) -> None:
        self.behind = trainer.global_step

    def on_train_batch_end(self, trainer: L.Trainer, tuner: Tuner, *args: Any) -> None:
        step = trainer.global_step
        if step == self.behind or not self.every or not self.count:
            return
        self.behind = step
        due = step % self.every == 0 or step == trainer.max_steps
        if due and trainer.is_global_zero:
            self.paint(step, tuner)

    def paint(self, step: int, tuner: Tuner) -> None:
        """Write and track the pictures of a step."""
        with resting(tuner):
            pipe = painter(self.files, self.live, tuner.device)
            requests = [
                Request(
                    prompt=words[seed % len(words)], model=self.files.name, seed=seed, **self.given
                )
                for words in self.prompts.values()
                for seed in range(self.count)
            ]
            results = list(pipe.generate_many(requests))
        kinds = [kind for kind in self.prompts for _ in range(self.count)]
        for kind, result in zip(kinds, results, strict=True):
            name = f"{step:06d}-{kind}-{result.seeds[0]}.png"
            data = encode(result.images[0], ".png", result.request.to_json())
            write_whole(self.folder / name, data)
            self.trackers.picture(f"{kind}/{result.seeds[0]}", result.images[0], step)


@contextmanager
def resting(tuner: Tuner) -> Iterator[None]:
    """Averaged weights in place, no network in training mode; all as it was afterwards."""
    modes = {module: module.training for module in tuner.modules()}
    fast = [p.detach().clone() for p in tuner.trainable] if tuner.slow else []
    tuner.eval()
    tuner.settle()
    try:
        yield
    finally:
        with torch.no_grad():
            for parameter, kept in zip(tuner.trainable, fast, strict=False):
                parameter.copy_(kept)
        for module, mode in modes.items():
            module.training = mode
