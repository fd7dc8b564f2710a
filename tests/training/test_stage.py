"""What every training stage shares."""

from typing import Any

import pytest
import torch
from torch import nn
from torch.func import functional_call

from bluerider.training import stage
from bluerider.training.stage import Settings, Stage


def test_a_compiled_stage_answers_as_the_plain_one(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def compile_(function: Any) -> Any:
        assert function is functional_call
        calls.append(function)
        return function

    monkeypatch.setattr(torch, "compile", compile_)
    stage.compiled_call.cache_clear()
    net, x = nn.Linear(3, 2), torch.ones(1, 3)
    plain = Stage(net, Settings(steps=1, batch=1, rate=1.0, precision="float32"))
    fast = Stage(net, Settings(steps=1, batch=1, rate=1.0, precision="float32", compiled=1))
    assert torch.equal(fast(x), plain(x)) and len(calls) == 1
    stage.compiled_call.cache_clear()
