"""A sheet of every task on murnau: `python benchmarks/editing_sheet.py docs/tasks.png`."""

import sys
from pathlib import Path

from PIL import Image, ImageDraw

from bluerider import Pipeline
from bluerider.images import sheet

SEED = 7


def pictures(pipe: Pipeline) -> dict[str, Image.Image]:
    """What the tasks make of a picture, under the words that made it."""
    apple = pipe.generate("red apple", seed=SEED).images[0]
    left = pipe.generate("cat on the left", seed=SEED).images[0]
    mask = Image.new("L", left.size)
    ImageDraw.Draw(mask).rectangle((66, 0, *left.size), fill=255)
    soft = {"picture": left, "mask": mask, "feather": 8, "seed": SEED}
    cat = pipe.generate("cat", seed=SEED).images[0]
    mix = {"task": "mix", "normalise": True, "seed": SEED}
    sides = dict.fromkeys(("left", "right", "up", "down"), 32)
    grown = {"task": "outpaint", "picture": apple, **sides, "feather": 8, "seed": SEED}

    def paint(words: str, **fields: object) -> Image.Image:
        return pipe.generate(words, **fields).images[0]

    def over(words: str, strength: float) -> Image.Image:
        fields = {"picture": apple, "strength": strength, "seed": SEED}
        return paint(words, task="img2img", **fields)

    varied = pipe.generate("", task="vary", picture=apple, n=2, seed=SEED).images
    return {
        "red apple": apple,
        "img2img green apple 0.4": over("green apple", 0.4),
        "0.6": over("green apple", 0.6),
        "0.8": over("green apple", 0.8),
        "cat on the left": left,
        "mask, --feather 8": mask,
        "inpaint dog on the right": paint("dog on the right", task="inpaint", **soft),
        "outpaint small red apple": paint("small red apple", **grown),
        "vary": varied[0],
        "vary, the next": varied[1],
        "cat": cat,
        "mix cat 0.3": paint("", add=[(apple, 0.7), (cat, 0.3)], **mix),
        "0.5": paint("", add=[apple, cat], **mix),
        "0.7": paint("", add=[(apple, 0.3), (cat, 0.7)], **mix),
        "slerp 0.5": paint("", add=[apple, cat], task="mix", slerp=True, seed=SEED),
        "mix with words": paint("", add=[apple, "blue circle"], **mix),
    }


def main() -> None:
    """Write the sheet to the path given."""
    found = pictures(Pipeline.load("murnau", device="cpu"))
    page = sheet(list(found.values()), captions=list(found), across=4)
    small = page.quantize(256, dither=Image.Dither.NONE)
    small.save(Path(sys.argv[1]), optimize=True)


if __name__ == "__main__":
    main()
