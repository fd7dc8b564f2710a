"""A drawing that no training has seen, taught to murnau from four pictures, then painted alone and
where they do not show it: `python benchmarks/subject_sheet.py docs/dreambooth.png`.

It runs the commands that a user would and prints them. `--data` names a folder of an emoji set,
whose drawings are larger than the package's; KEY=VALUE are settings of `bluerider dreambooth`.
"""

import argparse
import shlex
import subprocess
import sys
from pathlib import Path

from PIL import Image

from bluerider import Pipeline
from bluerider.evaluate.drawings import load_drawings
from bluerider.evaluate.personal import CLASS, choose_subjects, teaching_pictures
from bluerider.evaluate.truth import cut_out
from bluerider.images import chart, write
from bluerider.training.emoji import load_emoji

SEED = 7


def taught(name: str, data: Path | None, folder: Path) -> Path:
    """The folder of a subject's four pictures, as `bluerider evaluate subjects` makes them."""
    drawings = load_drawings()
    (subject,) = choose_subjects(drawings, [name])
    if data is None:
        drawing = cut_out(drawings.pictures[subject.target])
    else:
        emoji = load_emoji(data)
        drawing = emoji.picture(emoji.emoji.index(subject.emoji), 256)
    folder.mkdir(parents=True, exist_ok=True)
    for number, picture in enumerate(teaching_pictures(subject, drawing), start=1):
        write(picture, folder / f"{number}.png")
    return folder


def bluerider(*words: str) -> None:
    """Run a command, and say which."""
    print("bluerider", shlex.join(words), flush=True)
    if code := subprocess.run([sys.executable, "-m", "bluerider", *words], check=False).returncode:
        sys.exit(code)  # the command has told why


def main() -> None:
    """Write the sheet to the path given: four pictures a row."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sheet", type=Path)
    parser.add_argument("settings", nargs="*", help="KEY=VALUE of bluerider dreambooth")
    parser.add_argument("--subject", default="teapot", help="a name of a held-out drawing")
    parser.add_argument("--data", type=Path, help="a folder of an emoji set")
    parser.add_argument("--work", type=Path, default=Path("outputs/subject"))
    given = parser.parse_intermixed_args()
    name, run = given.subject, given.work / "run"
    pictures = taught(name, given.data, given.work / "pictures")
    asked = ["--subject", f"a [V] {name}", "--class", CLASS, "--out", str(run)]
    bluerider("dreambooth", str(pictures), *given.settings, *asked)
    lora = run / "lora.safetensors"
    words = [f"a [V] {name}", f"a [V] {name} on a blue background"]
    bluerider(
        "generate", words[1], "--lora", str(lora), *("--seed", str(SEED)),
        *("-o", str(given.work / "blue.png")),
    )  # fmt: skip
    rows = {"given": [Image.open(path) for path in sorted(pictures.glob("*.png"))]}
    pipe = Pipeline.load("murnau", lora=[str(lora)], device="cpu")
    rows |= {asked: pipe.generate(asked, n=4, seed=SEED).images for asked in words}
    pipe.adapt([])
    plain = f"a {name} on a blue background"
    rows[f"{plain}, untaught"] = pipe.generate(plain, n=4, seed=SEED).images
    found = [one for row in rows.values() for one in row]
    page = chart(found, across=["1", "2", "3", "4"], down=list(rows))
    page.quantize(256, dither=Image.Dither.NONE).save(given.sheet, optimize=True)


if __name__ == "__main__":
    main()
