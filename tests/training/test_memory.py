"""Memory of a training, told before it starts."""

import pytest
import torch
from torch import nn

from bluerider.training.memory import Part, estimate, saved_bytes, shown


def test_full_training_takes_sixteen_bytes_a_parameter() -> None:
    found = estimate([Part(name="unet", parameters=1000, trained=1000)])
    assert found.total == 16 * 1000


def test_frozen_parts_take_their_own_width() -> None:
    parts = [Part(name="unet", parameters=1000, trained=10, width=2)]
    found = estimate(parts, optimiser="adamw8bit", averaged=True, activations=7)
    assert found.rows["frozen weights"] == 990 * 2
    assert found.total == 990 * 2 + 10 * (4 + 4 + 2 + 4) + 7


def test_a_network_is_counted() -> None:
    net = nn.Sequential(nn.Linear(3, 5).half(), nn.Linear(5, 2))
    net[0].requires_grad_(False)
    assert Part.of("net", net) == Part(name="net", parameters=32, trained=12, width=2)


def test_a_chain_of_layers_keeps_what_its_backward_reads() -> None:
    net = nn.Sequential(nn.Linear(8, 16, bias=False), nn.Tanh(), nn.Linear(16, 4, bias=False))
    with torch.device("meta"):
        x = torch.zeros(10, 8)
    net = net.to("meta")
    # the input of each layer, and tanh's own output, which is the second's input
    assert saved_bytes(lambda: net(x), list(net.parameters())) == 4 * 10 * (8 + 16)


def test_the_meta_device_counts_what_the_real_one_keeps() -> None:
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.GroupNorm(2, 8), nn.SiLU(), nn.Conv2d(8, 3, 3))
    real = saved_bytes(lambda: net(torch.zeros(2, 3, 16, 16)), list(net.parameters()))
    meta = net.to("meta")
    x = torch.zeros(2, 3, 16, 16, device="meta")
    assert saved_bytes(lambda: meta(x), list(meta.parameters())) == real > 0


@pytest.mark.parametrize(
    ("size", "text"), [(3_200_000_000, "3.2 GB"), (450_000_000, "450 MB"), (12, "12 bytes")]
)
def test_bytes_for_a_person(size: int, text: str) -> None:
    assert shown(size) == text


def test_the_estimate_is_shown(capsys) -> None:
    from bluerider.cli.understood import show_memory

    show_memory(estimate([Part(name="unet", parameters=10**6, trained=10**6)]))
    out = capsys.readouterr().out
    assert "gradients" in out and out.splitlines()[-1].split() == ["together", "16", "MB"]
