"""The quicker start leaves torch whole."""

import subprocess
import sys

SCRIPT = """
import sys
from bluerider.cli.swift import LATER, quick_imports
from bluerider.deferred import Deferred
with quick_imports():
    import torch
waiting = [name for name in LATER if isinstance(sys.modules.get(name), Deferred)]
assert "torch._meta_registrations" in waiting, waiting
torch.Generator().manual_seed(1)
assert callable(torch.export.export)
assert not isinstance(torch.export, Deferred)
assert callable(torch._meta_registrations.register_meta)
with torch.device("meta"):
    assert torch.nn.functional.gelu(torch.ones(2)).shape == (2,)
try:
    torch.export.nothing_of_that_name
except AttributeError:
    print("whole")
"""


def test_what_was_left_out_of_torch_is_loaded_when_it_is_looked_up() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True)
    assert (done.stdout, done.returncode) == ("whole\n", 0), done.stderr


def test_a_torch_that_is_there_already_is_left_alone() -> None:
    import torch

    from bluerider.cli.swift import quick_imports
    from bluerider.deferred import Deferred

    before = list(sys.meta_path)
    with quick_imports():
        assert sys.meta_path == before
    assert not isinstance(torch.export, Deferred)
