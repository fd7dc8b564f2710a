"""Training imports neither torch's compiler nor all of torchmetrics, and leaves both whole."""

import subprocess
import sys

import pytest

LEAN = """
import sys, torch
import bluerider.training.dreambooth
from bluerider.deferred import Deferred
weight = torch.nn.Parameter(torch.ones(3))
optimizer = torch.optim.AdamW([weight])
weight.grad = torch.ones(3)
optimizer.step()
optimizer.zero_grad()
assert all(isinstance(sys.modules[name], Deferred) for name in ("torch._dynamo", "torchmetrics"))
assert "sympy" not in sys.modules
"""
COMPILED = """
from lightning.fabric.wrappers import OptimizedModule
layer = torch.nn.Linear(1, 1)
assert not isinstance(layer, OptimizedModule)
found = torch.compile(layer, backend="eager")
assert found(torch.ones(1, 1)).shape == (1, 1)
assert isinstance(found, OptimizedModule) and not isinstance(layer, OptimizedModule)
optimizer.step()
"""
MEASURED = """
import torchmetrics
from lightning.pytorch.core.module import Metric
mean = torchmetrics.MeanMetric()
assert mean(torch.ones(3)) == 1 and isinstance(mean, Metric)
"""


@pytest.mark.parametrize("more", ["", COMPILED, MEASURED], ids=["lean", "compiled", "measured"])
def test_what_waits_is_loaded_when_it_is_asked_for(more: str) -> None:
    code = [sys.executable, "-W", "error", "-c", LEAN + more]
    done = subprocess.run(code, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
