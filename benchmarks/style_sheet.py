"""A style learned from 48 captioned pictures, on words that are not among them:
`python benchmarks/style_sheet.py docs/style.png`.

It runs the commands that a user would and prints them. `--data` names a folder of an emoji set,
whose drawings are larger than the package's; KEY=VALUE are settings of `bluerider finetune`.
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from subject_sheet import bluerider

from bluerider import Pipeline
from bluerider.evaluate.drawings import Drawings, load_drawings
from bluerider.evaluate.truth import cut_out
from bluerider.evaluate.words import open_places
from bluerider.images import sheet, write
from bluerider.training.emoji import load_emoji

SEED, PICTURES, SIDE = 7, 48, 128
ASKED = ("cat", "rocket", "guitar", "octopus")  # not taught
INK, LIGHT, PAPER = ((20, 40, 110), (225, 150, 60), (245, 225, 190))  # of the style


def printed(drawing: NDArray[np.uint8]) -> Image.Image:
    """A drawing (S, S, 4) in two inks on tinted paper."""
    colours, alpha = drawing[..., :3] / 255, drawing[..., 3:] / 255
    grey = (colours @ np.array([0.299, 0.587, 0.114]))[..., None]
    inked = np.array(INK) * (1 - grey) + np.array(LIGHT) * grey
    page = inked * alpha + np.array(PAPER) * (1 - alpha)
    return Image.fromarray(page.round().astype(np.uint8))


def taught(drawings: Drawings, data: Path | None, folder: Path) -> Path:
    """The folder of pictures in the style, and a caption beside each."""
    emoji = load_emoji(data) if data else None
    names = drawings.names["en"]
    named = [place for place in open_places(drawings) if drawings.emoji[place] in names]
    free = [place for place in named if names[drawings.emoji[place]] not in ASKED]
    folder.mkdir(parents=True, exist_ok=True)
    for number, place in enumerate(free[:PICTURES]):
        sign = drawings.emoji[place]
        drawing = cut_out(drawings.pictures[place])
        if emoji:
            drawing = emoji.picture(emoji.emoji.index(sign), SIDE)
        write(printed(drawing), folder / f"{number:02d}.png")
        (folder / f"{number:02d}.txt").write_text(names[sign], "utf-8")
    return folder


def main() -> None:
    """Write the sheet to the path given: four pictures a row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sheet", type=Path)
    parser.add_argument("settings", nargs="*", help="KEY=VALUE of bluerider finetune")
    parser.add_argument("--data", type=Path, help="a folder of an emoji set")
    parser.add_argument("--work", type=Path, default=Path("outputs/style"))
    given = parser.parse_intermixed_args()
    pictures = taught(load_drawings(), given.data, given.work / "pictures")
    run = given.work / "run"
    asked = ["--part", "decoder", "--out", str(run), *given.settings]
    bluerider("finetune", str(pictures), *asked)
    shown = sorted(pictures.glob("*.png"))[:4]
    found = [(Image.open(one), one.with_suffix(".txt").read_text("utf-8")) for one in shown]
    pipe = Pipeline.load("murnau", device="cpu")
    for scale in (0.0, 0.6, 1.0):
        pipe.adapt([f"{run / 'lora.safetensors'}:{scale}"] if scale else [])
        told = f", LoRA:{scale:g}" if scale else ", untaught"
        found += [(pipe.generate(word, seed=SEED).images[0], word + told) for word in ASKED]
    images, captions = zip(*found, strict=True)
    page = sheet(list(images), captions=list(captions), across=4)
    page.quantize(256, dither=Image.Dither.NONE).save(given.sheet, optimize=True)


if __name__ == "__main__":
    main()
