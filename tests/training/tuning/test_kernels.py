"""Which kernels a step runs with."""

import pytest
import torch
from torch import nn

from bluerider.training.tuning.chosen import SHORT, kernels, plain
from bluerider.training.tuning.plan import Plan, gathered
from bluerider.training.tuning.tuner import make_optimizer

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize(
    ("device", "precision", "tokens", "is_plain"),
    [
        (CPU, "bfloat16", SHORT, True),
        (CPU, "bfloat16", SHORT + 1, False),
        (CPU, "float32", 1, False),
        (GPU, "bfloat16", 1, False),
    ],
)
def test_attention_is_plain_of_short_sequences_in_half_precision_on_a_cpu(
    device: torch.device, precision: str, tokens: int, is_plain: bool
) -> None:
    assert plain(device, precision, tokens) is is_plain


@pytest.mark.parametrize("is_plain", [True, False])
def test_both_kernels_give_the_same_gradients(is_plain: bool) -> None:
    parts = torch.randn(3, 2, 4, 40, 16, generator=torch.Generator().manual_seed(0))
    q, k, v = (part.double().requires_grad_() for part in parts)
    with kernels(is_plain):
        nn.functional.scaled_dot_product_attention(q, k, v).square().sum().backward()
    found = q.grad
    q.grad = None
    (torch.softmax(q @ k.mT / 4, -1) @ v).square().sum().backward()
    assert found is not None and q.grad is not None
    torch.testing.assert_close(found, q.grad, rtol=1e-9, atol=1e-12)


def plan(*changes: str) -> Plan:
    return gathered(
        family="kandinsky-2.2", model="murnau", preset="balanced", config=None, changes=changes
    )


@pytest.mark.parametrize(("precision", "fused"), [("float32", True), ("float16", None)])
def test_the_optimiser_takes_one_pass_but_where_gradients_are_scaled(
    precision: str, fused: bool | None
) -> None:
    groups = [{"params": [nn.Parameter(torch.ones(2))]}]
    optimizer = make_optimizer(plan(f"precision={precision}"), groups)
    assert optimizer.defaults["fused"] is fused
