"""Contact sheets of what a model was taught and what it painted afterwards."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from PIL import Image

from bluerider.evaluate.personal import Answers, Taught, teaching_pictures
from bluerider.evaluate.sheets import write_pages
from bluerider.evaluate.truth import Truth
from bluerider.images import sheet

ACROSS = 9
ALONE = 5  # pictures of the subject alone that are shown
SEED = 0  # of every other picture shown


def save_subject_sheets(
    taught: Sequence[Taught], ways: Sequence[str], answers: Answers, truth: Truth, folder: Path
) -> list[Path]:
    """Write `sheets/<way>-1.png`: two rows a subject, with what was asked; returns their paths."""
    paths = []
    for way in ways:
        cells, captions = [], []
        for subject in taught:
            for caption, image in shown(subject, way, answers, truth):
                captions.append(caption)
                cells.append(image)
        page = sheet(cells, captions=captions, across=ACROSS)
        paths += write_pages(iter([page]), folder, way)
    return paths


def shown(
    subject: Taught, way: str, answers: Answers, truth: Truth
) -> Iterator[tuple[str, Image.Image]]:
    """Four pictures taught, five painted alone; then the nine scenes."""
    for image in teaching_pictures(subject, truth.cut(subject.target)):
        yield "taught", image
    mine = [q for q in answers if q.variant == way and q.subject == subject and q.scene]
    alone = [q for q in mine if q.part == "alone"][:ALONE]
    rest = [q for q in mine if q.part != "alone" and q.seed == SEED]
    for question in (*alone, *rest):
        yield question.prompt, Image.fromarray(answers[question])
