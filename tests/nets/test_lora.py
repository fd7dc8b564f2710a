"""Low-rank corrections: peft's numbers, nothing at first, the merged weight's output."""

import copy

import pytest
import torch
from torch import Tensor, nn

from bluerider.nets.lora import Factors, inject, layers, merge

NAMES = ["linear", "inner.conv", "inner.point"]


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.ModuleDict(
            {
                "conv": nn.Conv2d(3, 6, 3, padding=1, stride=2),
                "point": nn.Conv2d(6, 5, 1),
                "wide": nn.Conv2d(5, 5, 5, padding=2),
            }
        )
        self.linear = nn.Linear(5, 7)

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.inner.values():
            x = layer(x)
        return self.linear(x.flatten(2).transpose(1, 2))


@pytest.fixture
def net() -> Net:
    torch.manual_seed(0)
    return Net().eval()


@pytest.fixture
def x() -> Tensor:
    return torch.randn(2, 3, 8, 6, generator=torch.Generator().manual_seed(1))


def shaken(made: dict[str, nn.Module]) -> None:
    for layer in made.values():
        nn.init.normal_(layer.up, std=0.3)


def test_linear_layers_and_small_convolutions_can_be_corrected(net: Net) -> None:
    assert sorted(layers(net)) == sorted(NAMES)


def test_a_new_correction_changes_nothing(net: Net, x: Tensor) -> None:
    before = net(x)
    inject(net, NAMES, rank=2, alpha=4.0)
    assert torch.equal(net(x), before)


def test_only_the_factors_are_new_parameters(net: Net) -> None:
    count = sum(p.numel() for p in net.parameters())
    inject(net, NAMES, rank=2, alpha=2.0)
    linear, conv, point = 2 * (5 + 7), 2 * (27 + 6), 2 * (6 + 5)
    assert sum(p.numel() for p in net.parameters()) == count + linear + conv + point


def test_peft_computes_the_same(net: Net, x: Tensor) -> None:
    peft = pytest.importorskip("peft")
    config = peft.LoraConfig(r=2, lora_alpha=6, target_modules=["conv", "point", "linear"])
    peer = peft.inject_adapter_in_model(config, copy.deepcopy(net))
    made = inject(net, NAMES, rank=2, alpha=6.0)
    shaken(made)
    for name, layer in made.items():
        theirs = peer.get_submodule(name)
        theirs.lora_A["default"].weight.data = layer.down.data.clone()
        theirs.lora_B["default"].weight.data = layer.up.data.clone()
    with torch.no_grad():
        assert (net(x) - peer(x)).abs().max() <= 1e-6


def test_the_merged_weight_gives_the_corrected_output(net: Net, x: Tensor) -> None:
    plain = copy.deepcopy(net)
    made = inject(net, NAMES, rank=2, alpha=3.0)
    shaken(made)
    for name, layer in made.items():
        merge(plain, name, layer.factors, 1.0)
    assert (net(x) - plain(x)).abs().max() <= 1e-5


def test_scale_multiplies_the_correction() -> None:
    layer = nn.Sequential(nn.Linear(3, 4).double())
    before = layer[0].weight.detach().clone()
    merge(layer, "0", Factors(torch.ones(1, 3), torch.ones(4, 1), 2.0), 0.5)
    assert torch.equal(layer[0].weight, before.float().add(1.0).double())


def test_a_rank_is_cut_to_the_smaller_side_and_its_scale_kept(net: Net) -> None:
    made = inject(net, ["linear"], rank=64, alpha=32.0)
    assert (made["linear"].factors.rank, made["linear"].scale) == (5, 0.5)


def test_a_generator_decides_the_factors(net: Net) -> None:
    def down(seed: int) -> Tensor:
        generator = torch.Generator().manual_seed(seed)
        return inject(copy.deepcopy(net), ["linear"], 2, 2.0, generator)["linear"].down

    assert torch.equal(down(3), down(3)) and not torch.equal(down(3), down(4))
