"""The autoencoder's decoder whole and in strips (`--memory low`): peak memory, largest difference.

`python benchmarks/decode_memory.py [SIDE]` decodes one painted picture, repeated to SIDE pixels.
"""

import json
import resource
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
from turns import take

from bluerider import Pipeline
from bluerider.images import to_array
from bluerider.nets.strips import decode_in_strips

SIDE = 1024  # pixels
STRIPS = {"whole": False, "strips": True}


def decode(name: str, side: int, folder: Path) -> None:
    """Decode the picture's latent and tell the growth of the peak in MB."""
    autoencoder = Pipeline.load("murnau", device="cpu", dtype="float32").autoencoder
    picture = torch.from_numpy(np.load(folder / "picture.npy")).movedim(-1, 0)[None]
    with torch.inference_mode():
        latent = autoencoder.encode(picture)
        times = side // picture.shape[-1]
        latent = latent.repeat(1, 1, times, times)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        made = decode_in_strips(autoencoder, latent) if STRIPS[name] else autoencoder.decode(latent)
    grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    np.save(folder / f"{name}.npy", made.numpy())
    print(json.dumps({"peak_mb": grown / 1024}))


def main() -> None:
    """Both ways in processes of their own, then their difference."""
    side = int(sys.argv[1]) if len(sys.argv) > 1 else SIDE
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        painted = Pipeline.load("murnau", device="cpu").generate("red apple", seed=7).images[0]
        np.save(folder / "picture.npy", to_array(painted))
        for name in STRIPS:
            turn = take([sys.executable, __file__, str(side), name, place])
            print(f"{name:8} {json.loads(turn.said)['peak_mb']:8.0f} MB  {turn.seconds:6.1f} s")
        whole, strips = (np.load(folder / f"{name}.npy") for name in STRIPS)
    levels = np.abs(whole - strips).max() * 127.5
    print(f"largest difference {levels:.2g} grey levels of 255")


if __name__ == "__main__":
    if len(sys.argv) == 4:
        decode(sys.argv[2], int(sys.argv[1]), Path(sys.argv[3]))
    else:
        main()
