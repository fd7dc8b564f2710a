"""Weights in half formats, sums in float32."""

import torch
from torch import nn

from bluerider.nets.stored import widen


def test_a_widened_network_computes_as_its_float32_copy_does() -> None:
    torch.manual_seed(0)
    layers = [nn.Conv2d(4, 32, 3), nn.GroupNorm(8, 32), nn.Flatten(), nn.Linear(32 * 36, 5)]
    net = nn.Sequential(*layers).requires_grad_(False).to(torch.bfloat16)
    table = nn.Embedding(7, 4).requires_grad_(False).to(torch.bfloat16)
    x, ids = torch.randn(2, 4, 8, 8), torch.arange(7)
    wanted = nn.Sequential(
        nn.Conv2d(4, 32, 3), nn.GroupNorm(8, 32), nn.Flatten(), nn.Linear(1152, 5)
    )
    wanted.load_state_dict({name: tensor.float() for name, tensor in net.state_dict().items()})
    rows = table.weight.float()
    widen(net)
    widen(table)
    assert torch.equal(net(x), wanted(x))
    assert torch.equal(table(ids), rows)


def test_only_large_weights_stay_as_they_are_stored() -> None:
    net = nn.Sequential(nn.Linear(8, 8), nn.LayerNorm(8)).requires_grad_(False).to(torch.bfloat16)
    widen(net)
    kinds = {name: tensor.dtype for name, tensor in net.state_dict().items()}
    assert kinds.pop("0.weight") == torch.bfloat16
    assert set(kinds.values()) == {torch.float32}
