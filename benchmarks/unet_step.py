"""One step of a full-size U-Net with random weights, guidance on, against diffusers as loaded.

`python benchmarks/unet_step.py [--model kandinsky-2.2|kandinsky-2.1|sd-1.5] [--size PIXELS]
[--dtype bfloat16|float32] [--rounds N]`. Ours runs as the pipeline runs it: channels-last, the
context's keys and values made once, weights packed for the CPU's kernels, in float32 where it has
no bfloat16 instructions. The peer runs without settings of its own. Guidance looks at one latent
with words and without: each side is given it once, and the peer doubles it, as its pipelines do.
Both stand in memory, each in a process of its own, and step by turns.
"""

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

from turns import report

from bluerider.catalog import SHAPES_21, SHAPES_22, SHAPES_SD

ROUNDS = 5
SIDES = ("bluerider", "diffusers")
BLOCK = 2**20 - 3  # numbers drawn; odd, so that no two rows of a weight are alike
SIDE = 64  # latent cells: 512 px
WORDS = 77  # tokens
SHAPES = {"kandinsky-2.2": SHAPES_22, "kandinsky-2.1": SHAPES_21, "sd-1.5": SHAPES_SD}


def filled(build: Callable[[], Any], dtype: Any = None) -> Any:
    """A network made on the meta device, then filled with small noise, the same block over and
    over: never twice in memory; in bfloat16 where no type is asked.
    """
    import torch

    with torch.device("meta"):
        net = build()
    net = net.to(dtype or torch.bfloat16).to_empty(device="cpu").requires_grad_(False).eval()
    noise = torch.empty(BLOCK, dtype=dtype or torch.bfloat16).normal_(std=0.02)
    for tensor in net.state_dict().values():
        for part in tensor.view(-1).split(BLOCK):
            part.copy_(noise[: len(part)])
    return net


def inputs(conditioner: Any, dtype: Any) -> dict[str, Any]:
    """What each family tells its U-Net, by the peer's names: 2.2 an image embedding, 2.1 words and
    their pooled vector too, Stable Diffusion words alone.
    """
    import torch

    widths = {
        "image": {"image_embeds": (2, conditioner.image_dim)},
        "text_image": {
            "image_embeds": (2, conditioner.image_dim),
            "states": (2, WORDS, conditioner.text_dim),
            "text_embeds": (2, conditioner.pooled_dim),
        },
        "none": {"states": (2, WORDS, conditioner.context_dim)},
    }
    shapes = widths[conditioner.kind]
    return {name: torch.randn(shape, dtype=dtype) for name, shape in shapes.items()}


def ours(shapes: Any, dtype: Any, told: dict[str, Any]) -> Callable[[Any, Any], Any]:
    """Our step: latent, time -> prediction."""
    import torch

    from bluerider.devices import computed_in, packs
    from bluerider.nets.conditioner import make_conditioner
    from bluerider.nets.packed import pack
    from bluerider.nets.stored import widen
    from bluerider.nets.unet import UNet

    compute = computed_in(dtype, torch.device("cpu"))
    unet = filled(lambda: UNet(shapes.unet), dtype).to(memory_format=torch.channels_last)
    conditioner = filled(lambda: make_conditioner(shapes.conditioner), dtype)
    if compute != dtype:
        widen(unet)
        widen(conditioner)
    if packs(compute, torch.device("cpu")):
        pack(unet)
    context, pooled = conditioner(*(each.to(compute) for each in told.values()))
    keys = unet.keys(context)

    def step(x: Any, t: Any) -> Any:
        return unet(x.to(compute, memory_format=torch.channels_last), t, keys, pooled)

    return step


def theirs(shapes: Any, dtype: Any, told: dict[str, Any]) -> Callable[[Any, Any], Any]:
    """The peer's step, from the config our writer makes for the same shape."""
    import torch
    from diffusers import UNet2DConditionModel

    from bluerider.weights.writers import unet_config

    config = unet_config(shapes.unet, shapes.conditioner, SIDE)
    unet = filled(lambda: UNet2DConditionModel.from_config(config), dtype)
    states = told.pop("states", None)

    def step(x: Any, t: Any) -> Any:
        x, t = torch.cat([x, x]), torch.cat([t, t])
        return unet(x, t, encoder_hidden_states=states, added_cond_kwargs=told or None).sample

    return step


def run(side: str, model: str, size: int, name: str) -> None:
    """One side: for every line it reads a step, and the seconds it took by the clock and of the
    processor.
    """
    import torch

    shapes, dtype = SHAPES[model], getattr(torch, name)
    told = inputs(shapes.conditioner, dtype)
    x, t = torch.randn(1, 4, size // 8, size // 8, dtype=dtype), torch.full((1,), 500.0)
    with torch.inference_mode():
        step = (ours if side == "bluerider" else theirs)(shapes, dtype, told)
        print("ready", flush=True)
        for _ in sys.stdin:
            begun = time.perf_counter(), time.process_time()
            step(x, t)
            print(time.perf_counter() - begun[0], time.process_time() - begun[1], flush=True)


def ask(process: "subprocess.Popen[str]") -> tuple[float, float]:
    """One step of a side."""
    assert process.stdin and process.stdout
    process.stdin.write("step\n")
    process.stdin.flush()
    clock, worked = process.stdout.readline().split()
    return float(clock), float(worked)


def main() -> None:
    """A step of each side by turns, after one that is not counted; print the ratios."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--model", choices=SHAPES, default="kandinsky-2.2")
    reader.add_argument("--size", type=int, default=8 * SIDE, help="pixels, a multiple of 64")
    reader.add_argument("--dtype", choices=("bfloat16", "float32"), default="bfloat16")
    reader.add_argument("--rounds", type=int, default=ROUNDS)
    reader.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    given = reader.parse_args()
    asked = ["--model", given.model, "--size", str(given.size), "--dtype", given.dtype]
    if given.side:
        run(given.side, given.model, given.size, given.dtype)
        return
    command = [sys.executable, __file__, *asked, "--side"]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    sides = {side: subprocess.Popen([*command, side], **pipes) for side in SIDES}
    for process in sides.values():
        process.stdout.readline()
    turns = []
    for i in range(given.rounds + 1):
        turns.append({side: ask(process) for side, process in sides.items()})
        print("a round" if i else "a round that is not counted", turns[-1], flush=True)
    for process in sides.values():
        process.communicate()
    for i, clock in enumerate(("clock", "processor")):
        seconds = {side: [turn[side][i] for turn in turns[1:]] for side in SIDES}
        report(f"u-net step of {' '.join(asked[1::2])}, {clock}", seconds, "s")


if __name__ == "__main__":
    main()
