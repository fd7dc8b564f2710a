"""The autoencoder whole and in strips (`--memory low`): peak memory of encoding and decoding a
picture, and how far each is from the same in float64.

`python benchmarks/decode_memory.py [SIDE ...] [--picture FILE] [--net murnau|movq]`; every figure
is of a process of its own, in float32. `movq` is the full-size MoVQ of Kandinsky 2.1 and 2.2 with
random weights. Pictures are compared as they are shown, from 0 to 255.
"""

import argparse
import json
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from turns import take

from bluerider import Pipeline, catalog
from bluerider.images import fit, to_array
from bluerider.nets.autoencoder import Autoencoder
from bluerider.nets.strips import Strips
from bluerider.pipeline.scratch import Scratch

SIDES = (512, 768, 1024, 1536)  # pixels
PICTURE = Path(__file__).parents[1] / "docs" / "tasks.png"
NETS = ("murnau", "movq")
WAYS = ("whole", "strips")
TRUTH = "float64"  # the whole in twice the precision, to compare with


def network(name: str) -> Autoencoder:
    """The autoencoder to measure; random weights are those of a fixed seed."""
    if name == "murnau":
        return Pipeline.load("murnau", device="cpu", dtype="float32").autoencoder
    torch.manual_seed(0)
    return Autoencoder(catalog.SHAPES_22.autoencoder).eval().requires_grad_(False)


def peak() -> float:
    """The peak of this process so far, in MB."""
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def work(name: str, step: str, way: str, folder: Path) -> None:
    """Encode or decode one way, keep what came out, tell the peak before and after."""
    net = network(name)
    given = torch.from_numpy(
        np.load(folder / ("picture.npy" if step == "encode" else "latent.npy"))
    )
    if way == TRUTH:
        net, given = net.double(), given.double()
    before, begun = peak(), time.perf_counter()
    with torch.inference_mode(), Scratch() as scratch:
        if way != "strips":
            made = net.encode(given) if step == "encode" else net.decode(given)
        else:
            strips = Strips(scratch.keep)
            made = strips.encode(net, given) if step == "encode" else strips.decode(net, given)
    told = {"before": before, "peak": peak(), "seconds": time.perf_counter() - begun}
    np.save(folder / f"{step}-{way}.npy", made.numpy())
    print(json.dumps(told))


def compare(side: int, picture: Path, name: str, folder: Path) -> None:
    """Both ways of both steps at one size, a line each."""
    with Image.open(picture) as image:
        array = to_array(fit(image.convert("RGB"), side, side))
    np.save(folder / "picture.npy", np.ascontiguousarray(array.transpose(2, 0, 1)[None]))
    for step in ("encode", "decode"):
        told: dict[str, Any] = {}
        for way in (*WAYS, TRUTH):
            turn = take([sys.executable, __file__, "--work", name, step, way, str(folder)])
            told[way] = json.loads(turn.said)
        truth = made(folder, step, TRUTH)
        for way in WAYS:
            found, off = told[way], np.abs(made(folder, step, way) - truth)
            grown = found["peak"] - found["before"]
            unit = "of 255" if step == "decode" else "(latent)"
            print(
                f"{step} {side:5} {way:6}  peak {found['peak']:5.0f} MB, {grown:5.0f} of them its "
                f"own  {found['seconds']:6.1f} s  off by up to {off.max():.2g} {unit}, "
                f"on average {off.mean():.2g}",
                flush=True,
            )
        np.save(folder / "latent.npy", np.load(folder / f"{step}-whole.npy"))


def made(folder: Path, step: str, way: str) -> np.ndarray:
    """What came out of a way; pictures as levels, not yet rounded."""
    found = np.load(folder / f"{step}-{way}.npy").astype(np.float64)
    return (found.clip(-1.0, 1.0) + 1.0) * 127.5 if step == "decode" else found


def main() -> None:
    """Every size in turn."""
    if sys.argv[1:2] == ["--work"]:
        name, step, way, folder = sys.argv[2:]
        work(name, step, way, Path(folder))
        return
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("sides", type=int, nargs="*", default=list(SIDES))
    reader.add_argument("--picture", type=Path, default=PICTURE)
    reader.add_argument("--net", choices=NETS, default=NETS[0])
    given = reader.parse_args()
    for side in given.sides:
        with tempfile.TemporaryDirectory() as folder:
            compare(side, given.picture, given.net, Path(folder))


if __name__ == "__main__":
    main()
