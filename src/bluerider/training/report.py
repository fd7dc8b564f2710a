"""`report.html` of a finished DreamBooth run: one file that needs no other and no network."""

import base64
import csv
import io
import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

from PIL import Image
from safetensors import safe_open

from bluerider.charts import Point, line_chart
from bluerider.errors import InputError
from bluerider.files import write_whole
from bluerider.prompts.identifiers import PLACE

REPORT = "report.html"
SAMPLE = re.compile(r"(\d{6})-([a-z]+)-(\d+)\.(?:png|jpg|webp)")
KINDS = {  # of sample pictures, in the order shown: what each is looked at for
    "subject": "The subject: it should come to look like your pictures.",
    "data": "Captions of your pictures: it should come to paint them as your pictures are.",
    "class": "The class alone: it should stay as various as it was. If it turns into your subject, "
    "train for fewer steps or with more class pictures.",
    "unrelated": "Something else: it should not change.",
}
MOST_STEPS = 12  # rows of sample pictures
SIDE = 160  # px of a sample picture in the page
STYLE = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1180px; margin: 2rem auto;
padding: 0 1rem; }
h1 { font-size: 1.6rem; } h2 { font-size: 1.2rem; margin-top: 2rem; }
pre, code { font-family: ui-monospace, monospace; font-size: 13px; }
pre { padding: .8rem; border: 1px solid #8886; border-radius: 6px; overflow-x: auto; }
table { border-collapse: collapse; } td, th { padding: .2rem .7rem .2rem 0; text-align: left;
vertical-align: top; } td.step { white-space: nowrap; }
.charts { display: flex; flex-wrap: wrap; gap: 1rem; } svg { max-width: 100%; height: auto; }
img { border-radius: 4px; margin: 2px; } .scroll { overflow-x: auto; }
"""


class SamplePicture(NamedTuple):
    """A picture painted on the way."""

    step: int
    kind: str
    seed: int
    path: Path


def write_report(folder: Path) -> Path:
    """Write `folder/report.html` from what a run left there; returns its path.

    Parts that a run did not leave are left out. Raises InputError for a folder of no run.
    """
    if not (folder / "metrics.csv").is_file():
        raise InputError(f"{folder}: no metrics.csv there; the folder of a run is accepted")
    about = read_about(folder)
    title = f"{about.get('subject') or about.get('data') or folder.name}"
    body = "\n".join(
        [
            f"<h1>{escape(str(title))}</h1>",
            *use(folder, about),
            *pictures(folder),
            *curves(folder),
            *data(folder),
            *settings(folder),
        ]
    )
    page = (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(str(title))}</title><style>{STYLE}</style></head>\n<body>{body}</body></html>\n"
    )
    write_whole(folder / REPORT, page.encode())
    return folder / REPORT


def read_about(folder: Path) -> dict[str, Any]:
    """What a result says of itself; empty where there is none that can be read."""
    path, model = folder / "lora.safetensors", folder / "model" / "about.json"
    if not path.is_file():
        return json.loads(model.read_text("utf-8")) if model.is_file() else {}
    with safe_open(path, "pt") as file:
        found = json.loads((file.metadata() or {}).get("bluerider", "{}"))
    return found if isinstance(found, dict) else {}


def use(folder: Path, about: Mapping[str, Any]) -> Iterator[str]:
    """How to paint with what was learned."""
    whole = (folder / "model").is_dir()
    path = f"{folder.name}/model" if whole else f"{folder.name}/lora.safetensors"
    if not whole and not (folder / "lora.safetensors").is_file():
        return
    words = painted_words(about)
    yield "<h2>How to use it</h2>"
    own = places(about)
    if own:
        for place, word in own.items():
            words = words.replace(place, word) if whole else words
        told = ", ".join(
            f"{place} stands for the word <code>{escape(word)}</code>"
            for place, word in own.items()
        )
        yield f"<p>{told}; learned in {about.get('step')} steps.</p>"
    base = str(dict(about.get("base") or {}).get("name") or "murnau")
    edits = about.get("task") == "inpaint"
    model, lora = (path, "") if whole else (base, path)
    yield f"<pre>{escape(shell(words, model, lora, edits=edits))}</pre>"
    yield f"<pre>{escape(python(words, model, lora, edits=edits))}</pre>"
    if lora:
        yield (
            f"<p><code>--lora {escape(lora)}:0.7</code> makes it weaker, which helps where what "
            "was learned appears but the words are not followed.</p>"
        )


def painted_words(about: Mapping[str, Any]) -> str:
    """Words that ask for what was learned: a caption, or the subjects somewhere new."""
    if "prompt" in about:
        return str(about["prompt"])
    subject = about.get("subject", "a [V]")
    if isinstance(subject, list):
        numbered = (PLACE.sub(f"[V{n}]", str(one)) for n, one in enumerate(subject, start=1))
        subject = " and ".join(numbered)
    return f"{subject} on a blue background"


def places(about: Mapping[str, Any]) -> dict[str, str]:
    """What stands in a prompt for a subject -> its word: [V] alone, [V1] and [V2] of several."""
    said = about.get("identifier")
    if isinstance(said, list):
        return {f"[V{n}]": str(word) for n, word in enumerate(said, start=1)}
    return {} if said is None else {"[V]": str(said)}


def shell(words: str, model: str, lora: str, *, edits: bool) -> str:
    """The command that paints; `edits` for a decoder that only repaints."""
    said = f'inpaint photo.png "{words}" --mask mask.png' if edits else f'generate "{words}"'
    flags = f" --lora {lora}" if lora else ""
    return f"bluerider {said}{flags}" + ("" if model == "murnau" else f" --model {model}")


def python(words: str, model: str, lora: str, *, edits: bool) -> str:
    """The same in Python."""
    loras = f', lora=["{lora}"]' if lora else ""
    more = ', task="inpaint", picture="photo.png", mask="mask.png"' if edits else ""
    return (
        "from bluerider import Pipeline\n\n"
        f'pipe = Pipeline.load("{model}"{loras})\n'
        f'pipe.generate("{words}"{more}).save("out.png")'
    )


def find_samples(folder: Path) -> list[SamplePicture]:
    """The sample pictures by step, kind and seed."""
    found = []
    for path in sorted((folder / "samples").glob("*")):
        named = SAMPLE.fullmatch(path.name)
        if named:
            found.append(SamplePicture(int(named[1]), named[2], int(named[3]), path))
    return found


def pictures(folder: Path) -> Iterator[str]:
    """Sample pictures: a row a step, a column a kind."""
    samples = find_samples(folder)
    if not samples:
        return
    kinds = [k for k in KINDS if any(one.kind == k for one in samples)]
    yield "<h2>Pictures on the way</h2><ul>"
    yield from (f"<li>{escape(KINDS[kind])}</li>" for kind in kinds)
    yield '</ul><div class="scroll"><table><tr><th>step</th>'
    yield "".join(f"<th>{kind}</th>" for kind in kinds) + "</tr>"
    for step in thinned(sorted({one.step for one in samples})):
        cells = (
            "".join(image(one) for one in samples if (one.step, one.kind) == (step, kind))
            for kind in kinds
        )
        row = "".join(f"<td>{cell}</td>" for cell in cells)
        yield f'<tr><td class="step">{step}</td>{row}</tr>'
    yield "</table></div>"


def thinned(steps: Sequence[int]) -> list[int]:
    """At most a dozen of the steps, the first and the last among them."""
    if len(steps) <= MOST_STEPS:
        return list(steps)
    last = len(steps) - 1
    return [steps[round(i * last / (MOST_STEPS - 1))] for i in range(MOST_STEPS)]


def image(sample: SamplePicture) -> str:
    """A picture inside the page."""
    with Image.open(sample.path) as picture:
        small = picture.convert("RGB")
    small.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
    encoded = io.BytesIO()
    small.save(encoded, "WEBP", quality=85)
    text = base64.b64encode(encoded.getvalue()).decode()
    told = f"{sample.kind}, step {sample.step}, seed {sample.seed}"
    return (
        f'<img src="data:image/webp;base64,{text}" alt="{told}" title="{told}" '
        f'width="{small.width}" height="{small.height}">'
    )


def read_metrics(folder: Path) -> dict[str, list[tuple[float, float]]]:
    """Column -> (step, value), rows without a value left out."""
    found: dict[str, list[tuple[float, float]]] = {}
    with (folder / "metrics.csv").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            step = number(row.get("step"))
            for name, text in row.items():
                value = number(text)
                if name and step is not None and value is not None:
                    found.setdefault(name, []).append((step, value))
    return found


def number(text: object) -> float | None:
    """A finite number from a cell, or None."""
    try:
        value = float(str(text))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def smooth(rows: Sequence[tuple[float, float]], parts: int = 60) -> list[Point]:
    """Means over at most 60 stretches of a noisy curve, each at its last step."""
    size = max(1, -(-len(rows) // parts))
    groups = [rows[i : i + size] for i in range(0, len(rows), size)]
    return [Point(x=g[-1][0], y=sum(v for _, v in g) / len(g)) for g in groups]


def curves(folder: Path) -> Iterator[str]:
    """Losses by half, learning rates, gradient, pace and memory."""
    rows = read_metrics(folder)
    halves = [n for n in rows if n.endswith(("/subject", "/class", "/data"))]
    charts: list[tuple[str, dict[str, str]]] = [
        (f"Loss of the {part}", {n: n.split("/")[1] for n in halves if n.startswith(f"{part}/")})
        for part in dict.fromkeys(n.split("/")[0] for n in halves)
    ]
    charts += [
        ("Loss, all together", {"loss": "loss"}),
        ("Learning rate", {n: n.split("/")[1] for n in rows if n.startswith("rate/")}),
        ("Gradient norm before clipping", {"gradient": "norm"}),
        ("Samples per second", {"samples_per_second": "samples"}),
        ("Memory, MB", {"memory_mb": "peak"}),
    ]
    yield '<h2>Curves</h2><p>Means over stretches of steps.</p><div class="charts">'
    for title, names in charts:
        series = {label: smooth(rows[name]) for name, label in names.items() if name in rows}
        if series:
            yield line_chart(title, series, x_label="step")
    yield "</div>"


def data(folder: Path) -> Iterator[str]:
    """The pictures it was taught from."""
    path = folder / "data.json"
    if not path.is_file():
        return
    yield "<h2>Taught from</h2><table><tr><th>picture</th><th>caption</th><th>SHA-256</th></tr>"
    for row in json.loads(path.read_text("utf-8")):
        name, caption, sha = (escape(str(row.get(k, ""))) for k in ("name", "caption", "sha256"))
        yield f"<tr><td>{name}</td><td>{caption}</td><td><code>{sha[:12]}</code></td></tr>"
    yield "</table>"


def settings(folder: Path) -> Iterator[str]:
    """The run's settings as they were merged."""
    path = folder / "config.yaml"
    if path.is_file():
        yield f"<h2>Settings</h2><pre>{escape(path.read_text('utf-8'))}</pre>"
