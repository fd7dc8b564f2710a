"""Runs that are killed, or asked to stop, are taken up to the same bits; two processes agree."""

import multiprocessing
import os
import random
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from bluerider.training.tuning.keeper import Stopped, checkpoints
from tests.training.tuning.conftest import Train
from tests.training.tuning.test_resume import losses, same

FORK = multiprocessing.get_context("fork")  # the child has torch and Lightning already


def start(work: Callable[[], object], **environment: str) -> Any:
    """Run `work` in a process of its own; its exit code is that of the error it ends with."""

    def child() -> None:
        os.environ.update(environment)
        code = 0
        try:
            work()
        except Stopped as error:
            code = error.exit_code
        os._exit(code)

    process = FORK.Process(target=child)
    process.start()
    return process


def last(out: Path) -> Any:
    return torch.load(checkpoints(out / "checkpoints")[0], weights_only=True)


def assert_same_end(out: Path, whole: Path) -> None:
    assert losses(out) == losses(whole)
    for key in ("state_dict", "optimizer_states", "bluerider"):
        assert same(last(out)[key], last(whole)[key]), key


@pytest.mark.slow
def test_twenty_kills_at_random_moments_change_nothing(train: Train, tmp_path: Path) -> None:
    changes = ("steps=120", "keep=2", "workers=0", "prior.batch=1")
    train(tmp_path / "whole", *changes)
    chance, kills = random.Random(0), 0
    while kills < 20:
        process = start(lambda: train(tmp_path / "cut", *changes, resume=True))
        process.join(chance.uniform(0.3, 1.5))
        if process.exitcode is None:
            os.kill(process.pid, signal.SIGKILL)
        process.join()
        kills += 1
    train(tmp_path / "cut", *changes, resume=True)
    assert_same_end(tmp_path / "cut", tmp_path / "whole")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_run_asked_to_stop_leaves_a_checkpoint(
    train: Train, tmp_path: Path, number: signal.Signals
) -> None:
    changes = ("steps=40", "checkpoint_every=1000", "prior.batch=1")
    train(tmp_path / "whole", *changes)
    process = start(lambda: train(tmp_path / "cut", *changes))
    metrics = tmp_path / "cut" / "metrics.csv"
    while not metrics.is_file() or metrics.read_text().count("\n") < 4:
        time.sleep(0.01)
    os.kill(process.pid, number)
    process.join(60)
    assert process.exitcode == 130
    assert not (tmp_path / "cut" / "lora.safetensors").exists()
    train(tmp_path / "cut", *changes, resume=True)
    assert_same_end(tmp_path / "cut", tmp_path / "whole")


def together(work: Callable[[], object]) -> None:
    """Run `work` in two processes that know of each other."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2", "NODE_RANK": "0"}
    processes = [start(work, **shared, LOCAL_RANK=rank, RANK=rank) for rank in ("0", "1")]
    for process in processes:
        process.join(120)
        assert process.exitcode == 0


def test_two_processes_learn_what_one_learns_with_twice_the_batch(
    train: Train, tmp_path: Path
) -> None:
    train(tmp_path / "one", "batch=2", "prior.batch=4")
    together(lambda: train(tmp_path / "two", "devices=2"))
    ours, theirs = (last(tmp_path / run)["state_dict"] for run in ("two", "one"))
    assert max(float((ours[n] - theirs[n]).abs().max()) for n in theirs) <= 2e-3


def test_two_processes_are_taken_up_to_the_same_bits(train: Train, tmp_path: Path) -> None:
    together(lambda: train(tmp_path / "whole", "devices=2"))
    together(lambda: train(tmp_path / "cut", "devices=2", "steps=2"))
    together(lambda: train(tmp_path / "cut", "devices=2", resume=True))
    assert_same_end(tmp_path / "cut", tmp_path / "whole")
