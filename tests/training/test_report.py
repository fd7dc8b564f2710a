"""The page of a finished run."""

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from bluerider.errors import InputError
from bluerider.training.report import find_samples, smooth, thinned, write_report
from tests.training.pictures import save

METRICS = """step,seconds,loss,prior/subject,prior/class,decoder/subject,rate/prior,gradient
1,0.5,1.0,0.6,0.4,,0.001,2
2,1.0,0.8,0.5,0.3,0.2,0.001,1.5
3,1.5,nan,0.4,0.3,0.1,0.001,1.2
"""


class Page(HTMLParser):
    """Tags, sources and text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.append(tag)
        self.links += [v for k, v in attrs if k in ("src", "href") and v]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "robot"
    folder.mkdir()
    (folder / "metrics.csv").write_text(METRICS)
    (folder / "config.yaml").write_text("steps: 3\nidentifier: <auto>\n")
    row = {"name": "a.png", "sha256": "f" * 64, "caption": "a zwx <robot>", "subject": "a [V]"}
    (folder / "data.json").write_text(json.dumps([row]))
    for step in (0, 3):
        for kind in ("subject", "class", "unrelated"):
            save(folder / "samples" / f"{step:06d}-{kind}-0.png", size=(200, 200))
    about = {
        "subject": "a [V] robot",
        "class": "a robot",
        "identifier": "zwx",
        "base": {"name": "kandinsky-2.2"},
        "step": 3,
    }
    weights = {"x": torch.zeros(1)}
    save_file(weights, folder / "lora.safetensors", {"bluerider": json.dumps(about)})
    return folder


def page_of(folder: Path) -> Page:
    return Page(write_report(folder).read_text("utf-8"))


def test_the_page_needs_nothing_beside_it(run: Path) -> None:
    page = page_of(run)
    assert len(page.links) == 6 and all(link.startswith("data:image/") for link in page.links)
    assert not {"script", "link", "iframe"} & set(page.tags)


def test_the_page_says_how_to_use_the_result(run: Path) -> None:
    text = page_of(run).text
    command = (
        'bluerider generate "a [V] robot on a blue background" '
        "--lora robot/lora.safetensors --model kandinsky-2.2"
    )
    assert command in text and "zwx" in text


def test_the_page_has_curves_pictures_data_and_settings(run: Path) -> None:
    page = page_of(run)
    assert page.tags.count("svg") == 5  # prior, decoder, loss, rate, gradient
    for told in ("Loss of the prior", "Loss of the decoder", "a zwx <robot>", "steps: 3", "<auto>"):
        assert told in page.text


def test_an_unfinished_run_has_a_page_of_what_there_is(run: Path) -> None:
    for name in ("lora.safetensors", "data.json", "config.yaml"):
        (run / name).unlink()
    for path in (run / "samples").iterdir():
        path.unlink()
    page = page_of(run)
    assert "How to use it" not in page.text and "Loss of the prior" in page.text


def test_a_folder_of_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no metrics.csv"):
        write_report(tmp_path)
    assert not list(tmp_path.iterdir())


def test_other_files_are_no_samples(run: Path) -> None:
    (run / "samples" / "notes.txt").write_text("x")
    assert [s.step for s in find_samples(run)] == [0, 0, 0, 3, 3, 3]


def test_a_long_run_shows_its_first_and_last_step() -> None:
    shown = thinned(range(0, 5000, 100))
    assert (len(shown), shown[0], shown[-1]) == (12, 0, 4900)


def test_a_smooth_curve_keeps_the_mean() -> None:
    rows = [(float(i), float(i % 2)) for i in range(1, 241)]
    points = smooth(rows)
    assert len(points) == 60 and {point.y for point in points} == {0.5}
    assert points[-1].x == 240
