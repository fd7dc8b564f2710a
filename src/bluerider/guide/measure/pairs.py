"""A page of picture pairs: each word that a model knows, without it and with it."""

from collections.abc import Sequence

from PIL import Image, ImageDraw

from bluerider.guide.measure.bench import Bench, paint
from bluerider.guide.measure.study import Finding, Plan
from bluerider.guide.measure.words import subjects

SIDE = 128  # px of a picture
LINE = 14  # px of the words above a pair
ACROSS = 4  # pairs
GAP = 6  # px between pairs


def draw(findings: Sequence[Finding], plan: Plan, bench: Bench) -> Image.Image:
    """The page: subjects in turn, the first seed, words in the order given."""
    from bluerider.images import sheet

    known = [each for each in findings if each.word.arm == "word" and each.known]
    shown = known or [each for each in findings if each.word.arm == "word"]
    cells, labels = [], []
    for place, each in enumerate(shown):
        table = subjects(each.word.language)
        name = plan.subjects[place % len(plan.subjects)]
        name = table.get(name, name)
        cells += [(name, 0), (each.word.prompt(name), 0)]
        labels.append(each.word.prompt(name))
    images = list(paint(bench.pipe, bench.settings, cells, bench.batch))
    made = [pair(images[2 * i], images[2 * i + 1], label) for i, label in enumerate(labels)]
    return sheet(made, across=ACROSS, gap=GAP)


def pair(without: Image.Image, with_it: Image.Image, label: str) -> Image.Image:
    """Two pictures side by side under the prompt of the second."""
    made = Image.new("RGB", (2 * SIDE, SIDE + LINE), "white")
    made.paste(without.convert("RGB").resize((SIDE, SIDE)), (0, LINE))
    made.paste(with_it.convert("RGB").resize((SIDE, SIDE)), (SIDE, LINE))
    ImageDraw.Draw(made).text((2, 1), label.encode("latin-1", "replace").decode("latin-1"), "black")
    return made
