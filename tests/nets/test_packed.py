"""Weights in the order of the CPU's kernels."""

import copy

import pytest
import torch
from torch import nn

from bluerider.devices import computed_in, packs
from bluerider.nets.attention import GatedMLP
from bluerider.nets.layers import plus
from bluerider.nets.packed import PackedConv2d, PackedGatedMLP, PackedLinear, pack

CPU = torch.device("cpu")
TYPES = [
    dtype
    for dtype in (torch.float32, torch.bfloat16)
    if packs(dtype, CPU) and computed_in(dtype, CPU) == dtype
]


def conv(dtype: torch.dtype) -> nn.Module:
    torch.manual_seed(0)
    layer = nn.Conv2d(32, 48, 3, padding=1).requires_grad_(False)
    return layer.to(dtype=dtype, memory_format=torch.channels_last)


@pytest.mark.parametrize("dtype", TYPES, ids=str)
def test_a_packed_convolution_computes_the_same_for_one_shape_after_another(
    dtype: torch.dtype,
) -> None:
    wanted, packed = conv(dtype), conv(dtype)
    pack(packed)
    for shape in ((2, 32, 8, 8), (1, 32, 8, 8), (2, 32, 24, 16), (2, 32, 8, 8)):
        x = torch.randn(shape).to(dtype=dtype, memory_format=torch.channels_last)
        found = packed(x)
        assert found.is_contiguous(memory_format=torch.channels_last)
        torch.testing.assert_close(found, wanted(x), rtol=torch.finfo(dtype).eps, atol=1e-5)


@pytest.mark.skipif(torch.bfloat16 not in TYPES, reason="needs a CPU with bfloat16 instructions")
@pytest.mark.parametrize("bias", [True, False])
def test_a_packed_linear_layer_computes_the_same(bias: bool) -> None:
    wanted = nn.Linear(32, 48, bias=bias).requires_grad_(False).to(torch.bfloat16)
    packed = nn.Linear(32, 48, bias=bias).requires_grad_(False).to(torch.bfloat16)
    packed.load_state_dict(wanted.state_dict())
    pack(packed)
    assert isinstance(packed, PackedLinear)
    for shape in ((2, 32), (2, 77, 32), (1, 77, 32)):
        x = torch.randn(shape).to(torch.bfloat16)
        torch.testing.assert_close(packed(x), wanted(x), rtol=2**-7, atol=1e-3)


@pytest.mark.skipif(torch.bfloat16 not in TYPES, reason="needs a CPU with bfloat16 instructions")
def test_a_packed_gated_mlp_is_as_near_to_the_exact_as_the_plain_one() -> None:
    torch.manual_seed(0)
    plain = GatedMLP(32).requires_grad_(False).to(torch.bfloat16)
    exact, packed = copy.deepcopy(plain).double(), copy.deepcopy(plain)
    pack(packed)
    assert isinstance(packed, PackedGatedMLP)
    for shape in ((2, 64, 32), (1, 64, 32), (2, 9, 32)):
        x = torch.randn(shape).to(torch.bfloat16)
        wanted = exact(x.double())
        off = [(net(x) - wanted).abs().mean() for net in (packed, plain)]
        assert off[0] <= off[1] < 0.01


@pytest.mark.skipif(torch.bfloat16 not in TYPES, reason="needs a CPU with bfloat16 instructions")
def test_a_packed_linear_layer_adds_to_what_a_map_of_pixels_holds() -> None:
    torch.manual_seed(0)
    layer = nn.Linear(32, 48).requires_grad_(False).to(torch.bfloat16)
    y, exact = torch.randn(2, 20, 32).to(torch.bfloat16), copy.deepcopy(layer).double()
    pack(nn.Sequential(layer))
    for layout in (torch.channels_last, torch.contiguous_format):
        x = torch.randn(2, 48, 5, 4).to(torch.bfloat16).to(memory_format=layout)
        x = x.flatten(2).transpose(1, 2)
        wanted = plus(x.double(), exact, y.double())
        torch.testing.assert_close(plus(x, layer, y).double(), wanted, rtol=2**-8, atol=1e-2)


def test_a_gated_mlp_in_float32_stays_as_it_is() -> None:
    mlp = GatedMLP(8).requires_grad_(False)
    pack(mlp)
    assert type(mlp) is GatedMLP


@pytest.mark.skipif(not TYPES, reason="needs oneDNN's kernels")
def test_a_packed_weight_can_be_read_back_to_the_bit() -> None:
    layer, wanted = conv(torch.float32), conv(torch.float32)
    pack(layer)
    layer(torch.randn(1, 32, 8, 8))
    assert isinstance(layer, PackedConv2d) and layer.weight.is_mkldnn
    assert torch.equal(layer.weight.to_dense(), wanted.weight)


def test_linear_layers_in_float32_stay_as_they_are() -> None:
    net = nn.Sequential(nn.Linear(4, 4))
    pack(net)
    assert type(net[0]) is nn.Linear
