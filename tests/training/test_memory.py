"""Memory of a training, told before it starts."""

import pytest
import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention

from bluerider.training.memory import Fused, Part, Peak, estimate, saved_bytes, shown


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


def test_the_peak_counts_what_is_there_at_once() -> None:
    with Peak() as peak:
        x = torch.zeros(10, 10, device="meta")
        for _ in range(20):
            x = x + 1
    assert peak.most == 2 * 400 and peak.now == 400


def test_fused_attention_keeps_no_weights_between() -> None:
    q, k, v = (torch.zeros(2, 4, 256, 64, device="meta", requires_grad=True) for _ in range(3))
    each, rows = 4 * q.numel(), 4 * 2 * 4 * 256
    with Fused():
        kept = saved_bytes(lambda: scaled_dot_product_attention(q, k, v))
    assert 4 * each + rows <= kept <= 4 * each + 2 * rows
    assert saved_bytes(lambda: scaled_dot_product_attention(q, k, v)) > 2 * 4 * 256 * 256 * 4


def test_fused_attention_keeps_a_mask_as_numbers() -> None:
    q, k, v = (torch.zeros(2, 4, 32, 64, device="meta", requires_grad=True) for _ in range(3))
    mask = torch.ones(2, 1, 32, 32, dtype=torch.bool, device="meta")
    with Fused():
        bare = saved_bytes(lambda: scaled_dot_product_attention(q, k, v))
        told = saved_bytes(lambda: scaled_dot_product_attention(q, k, v, attn_mask=mask))
    assert told - bare == 4 * mask.numel()
