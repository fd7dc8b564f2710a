"""One step of the full-size Kandinsky 2.2 U-Net: random weights, bfloat16, 512 px, guidance on.

Ours runs as the pipeline runs it: channels-last, the context's keys and values made once, in
float32 where the CPU has no bfloat16 instructions. The peer
runs as loaded, without settings of its own.
"""

import os
import sys
import time
from collections.abc import Callable
from typing import Any

from turns import alternate, report

ROUNDS = 3
STEPS = 4  # counted, after one that is not
SIDE = int(os.environ.get("SIDE", "64"))  # latent cells; 64 is 512 px
EMBEDDING = 1280


def filled(build: Callable[[], Any]) -> Any:
    """A network made on the meta device, then filled with small noise: never twice in memory."""
    import torch

    with torch.device("meta"):
        net = build()
    net = net.to(torch.bfloat16).to_empty(device="cpu").requires_grad_(False).eval()
    for tensor in net.state_dict().values():
        tensor.normal_(std=0.02)
    return net


def ours() -> Callable[[Any, Any, Any], Any]:
    """Our step: latent, time, embedding -> prediction."""
    import torch

    from bluerider.catalog import CONDITIONER_22, UNET_22
    from bluerider.devices import computed_in
    from bluerider.nets.conditioner import ImageConditioner
    from bluerider.nets.stored import widen
    from bluerider.nets.unet import UNet

    compute = computed_in(torch.bfloat16, torch.device("cpu"))
    unet = filled(lambda: UNet(UNET_22)).to(memory_format=torch.channels_last)
    conditioner = filled(lambda: ImageConditioner(CONDITIONER_22))
    if compute == torch.float32:
        widen(unet)
        widen(conditioner)
    kept: list[Any] = []

    def step(x: Any, t: Any, embedding: Any) -> Any:
        if not kept:
            context, pooled = conditioner(embedding.to(compute))
            kept.extend([unet.keys(context), pooled])
        return unet(x.to(compute, memory_format=torch.channels_last), t, *kept)

    return step


def theirs() -> Callable[[Any, Any, Any], Any]:
    """The peer's step, from the config our writer makes for the same shape."""
    from diffusers import UNet2DConditionModel

    from bluerider.catalog import CONDITIONER_22, UNET_22
    from bluerider.weights.writers import unet_config

    config = unet_config(UNET_22, CONDITIONER_22, SIDE)
    unet = filled(lambda: UNet2DConditionModel.from_config(config))

    def step(x: Any, t: Any, embedding: Any) -> Any:
        added = {"image_embeds": embedding}
        return unet(x, t, encoder_hidden_states=None, added_cond_kwargs=added).sample

    return step


def run(side: str) -> None:
    """Print the median seconds of a step of one side."""
    import torch

    step = ours() if side == "bluerider" else theirs()
    x = torch.randn(2, 4, SIDE, SIDE, dtype=torch.bfloat16)
    t, embedding = torch.full((2,), 500.0), torch.randn(2, EMBEDDING, dtype=torch.bfloat16)
    times = []
    with torch.inference_mode():
        for _ in range(STEPS + 1):
            begun = time.perf_counter()
            step(x, t, embedding)
            times.append(time.perf_counter() - begun)
    print(sorted(times[1:])[STEPS // 2])


def main() -> None:
    """Run both sides by turns and print the ratio."""
    turns = alternate(
        {name: [sys.executable, __file__, name] for name in ("bluerider", "diffusers")}, ROUNDS
    )
    report(
        "u-net step", {name: [float(t.said) for t in found] for name, found in turns.items()}, "s"
    )


if __name__ == "__main__":
    run(sys.argv[1]) if sys.argv[1:] else main()
