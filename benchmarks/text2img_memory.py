"""Peak memory of one picture by a full-size Kandinsky 2.2, words to pixels: ours with
`--memory low`, diffusers as it loads the same folder.

`python benchmarks/text2img_memory.py [FOLDER]` writes random weights in bfloat16 to a new folder
there (about 10 GB, deleted at the end) and paints 512 x 512 pixels in few steps, each side in a
process of its own. Our first picture computes the embedding of the zero picture, which is then
kept; later ones read it. diffusers' side takes about 11 GB of memory.
"""

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from painting import FOLDER, commands
from turns import take
from unet_step import SIDE, filled

from bluerider.catalog import K22
from bluerider.nets.autoencoder import Autoencoder
from bluerider.nets.clip import TextTower, VisionTower
from bluerider.nets.conditioner import make_conditioner
from bluerider.nets.prior import Prior
from bluerider.nets.unet import UNet
from bluerider.weights.save import put_tokenizer, save_net, write_json, write_scheduler

DTYPE = "bfloat16"
DEFAULTS = replace(K22.defaults, steps=2, prior_steps=2, width=8 * SIDE, height=8 * SIDE)
SPECIALS = {"bos": 1, "eos": 3, "pad": 0}  # of murnau's tokenizer, which stands in for CLIP's
WANTED = 0.5
SMALL = ("prior/model_index.json", "decoder/model_index.json", "prior/image_processor")


def networks() -> dict[str, tuple[str, Callable[[], Any]]]:
    """Where each network stands, its kind and what makes it."""
    shapes = K22.shapes
    assert shapes is not None and shapes.prior and shapes.text and shapes.vision
    prior, text, vision = shapes.prior, replace(shapes.text, **SPECIALS), shapes.vision
    return {
        "prior/prior": ("prior", lambda: Prior(prior)),
        "prior/text_encoder": ("text", lambda: TextTower(text)),
        "prior/image_encoder": ("image", lambda: VisionTower(vision)),
        "decoder/movq": ("autoencoder", lambda: Autoencoder(shapes.autoencoder)),
        "decoder/unet": ("unet", lambda: UNet(shapes.unet)),
    }


def write(folder: Path) -> None:
    """The model, one network after the other; murnau's files where size does not matter."""
    shapes = K22.shapes
    assert shapes is not None and shapes.prior_schedule and shapes.text
    for place, (kind, build) in networks().items():
        net = filled(build)
        if kind == "unet":
            net = net, filled(lambda: make_conditioner(shapes.conditioner))
        save_net(net, kind, folder / place, dtype=torch.bfloat16, sample_size=SIDE)
    words = replace(shapes.text, **SPECIALS)
    vocabulary = FOLDER / "prior" / "tokenizer" / "tokenizer.json"
    put_tokenizer(vocabulary, folder / "prior" / "tokenizer", words)
    write_scheduler(shapes.prior_schedule, folder / "prior" / "scheduler")
    write_scheduler(shapes.schedule, folder / "decoder" / "scheduler")
    for name in SMALL:
        copy = shutil.copytree if (FOLDER / name).is_dir() else shutil.copyfile
        copy(FOLDER / name, folder / name)
    write_json(folder / "bluerider.json", {"name": "random", "defaults": asdict(DEFAULTS)})


def measure(home: Path, model: Path) -> dict[str, int]:
    """Peak bytes of our first picture, of a later one, and of diffusers'; all files in `home`."""
    sides = commands(home, model, DTYPE, ("--memory", "low"))
    env = {**os.environ, "BLUERIDER_HOME": str(home / "home")}
    ours, theirs = sides["bluerider"], sides["diffusers"]
    peaks = {}
    for name, command in {"first picture": ours, "bluerider": ours, "diffusers": theirs}.items():
        turn = take(command, env)
        peaks[name] = turn.peak
        print(f"{name:14} {turn.peak / 1e9:6.2f} GB {turn.worked:7.1f} s worked", flush=True)
    return peaks


def main() -> None:
    """Write the model, paint with both sides, tell the peaks and their ratio."""
    if sys.argv[1:2] == ["write"]:
        write(Path(sys.argv[2]))
        return
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if sys.argv[1:] else None) as place:
        home, model = Path(place), Path(place) / "model"
        take([sys.executable, __file__, "write", str(model)])
        weights = sum(path.stat().st_size for path in model.rglob("*.safetensors"))
        print(f"weights {weights / 1e9:.2f} GB in {DTYPE}", flush=True)
        peaks = measure(home, model)
    ratio = peaks["bluerider"] / peaks["diffusers"]
    print(f"we take {ratio:.2f} of it (wanted {WANTED})")
    print(json.dumps({**peaks, "ratio": ratio}))


if __name__ == "__main__":
    main()
