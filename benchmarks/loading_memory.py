"""Peak memory while the full-size Kandinsky 2.2 U-Net is read, against the size of its weights.

`python benchmarks/loading_memory.py [FOLDER]` writes random weights in float16 and in bfloat16 to a
new folder there (about 2.5 GB each, one after the other, deleted at the end) and reads them as the
pipeline does, into bfloat16 and channels-last, in a process of its own.
"""

import json
import resource
import sys
import tempfile
from pathlib import Path

import torch
from turns import take
from unet_step import SIDE, filled

from bluerider.catalog import CONDITIONER_22, UNET_22
from bluerider.nets.conditioner import ImageConditioner
from bluerider.nets.unet import UNet
from bluerider.weights.net import folder_source, read_net
from bluerider.weights.save import save_net

WANTED = 1.15
STORED = {"float16": torch.float16, "bfloat16": torch.bfloat16}


def write(folder: Path, stored: str) -> None:
    """Random weights as a diffusers folder."""
    parts = filled(lambda: UNet(UNET_22)), filled(lambda: ImageConditioner(CONDITIONER_22))
    save_net(parts, "unet", folder, sample_size=SIDE, dtype=STORED[stored])


def read(folder: Path) -> None:
    """Read them and touch every number once; print the peak and the size."""
    unit = 1 if sys.platform == "darwin" else 2**10
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    source = folder_source(folder, "unet")
    unet, conditioner = read_net(source, dtype=torch.bfloat16, channels_last=True)
    unet = unet.to(memory_format=torch.channels_last)
    tensors = [*unet.parameters(), *conditioner.parameters()]
    for tensor in tensors:
        tensor.amax()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit - before
    print(json.dumps({"peak": peak, "weights": sum(t.nbytes for t in tensors)}))


def main() -> None:
    """Each type of file in turn."""
    if sys.argv[1:2] in (["write"], ["read"]):
        write(Path(sys.argv[3]), sys.argv[2]) if sys.argv[1] == "write" else read(Path(sys.argv[2]))
        return
    for stored in STORED:
        with tempfile.TemporaryDirectory(dir=sys.argv[1] if sys.argv[1:] else None) as place:
            take([sys.executable, __file__, "write", stored, place])
            told = json.loads(take([sys.executable, __file__, "read", place]).said)
        ratio = told["peak"] / told["weights"]
        print(
            f"{stored} -> bfloat16: peak {told['peak'] / 1e9:.2f} GB, weights "
            f"{told['weights'] / 1e9:.2f} GB: {ratio:.2f} times (wanted {WANTED})",
            flush=True,
        )


if __name__ == "__main__":
    main()
