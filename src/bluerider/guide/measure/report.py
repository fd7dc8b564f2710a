"""Findings as records of the guide, and as a page of picture pairs."""

import datetime
import hashlib
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bluerider.files import write_whole
from bluerider.guide.frontmatter import dump
from bluerider.guide.measure.study import Finding, Plan
from bluerider.guide.measure.words import SLOT
from bluerider.guide.terms import fold, words

DIGITS = 4  # significant


def records(
    findings: Sequence[Finding],
    plan: Plan,
    model: str,
    weights: str,
    settings: dict[str, Any],
    today: datetime.date,
) -> dict[str, str]:
    """A measurement record a word, by id; of the placebos nothing but their number."""
    made = {}
    for each in findings:
        if each.word.arm == "word":
            data = record(each, plan, model, weights, settings, today)
            made[data["id"]] = dump(data, prose(each, plan))
    return made


def record(
    finding: Finding,
    plan: Plan,
    model: str,
    weights: str,
    settings: dict[str, Any],
    today: datetime.date,
) -> dict[str, Any]:
    """The fields of a word's measurement."""
    word = finding.word
    data: dict[str, Any] = {
        "id": f"measurement/{slug(model)}-{name_of(finding)}",
        "title": {"en": f"{word.text} on {model}"},
        "summary": {"en": summary(finding, model)},
        "domain": ["image"],
        "reviewed": today.isoformat(),
        "date": today.isoformat(),
        "model": model,
        "weights": weights,
        "word": word.template.replace(SLOT, "...") if word.expected else word.text,
        "language": word.language,
        "arm": word.arm,
        "subjects": len(plan.subjects),
        "seeds": plan.seeds,
        "settings": {**settings, "placebos": len(plan.placebos)},
        "known": finding.known,
        "metrics": [metric(finding, name) for name in finding.effects],
    }
    if word.record:
        data["links"] = [{"rel": "measures", "to": word.record}]
    return data


def name_of(finding: Finding) -> str:
    """The part of the id that tells the word: phrases a model was trained on are marked."""
    word = finding.word
    base = word.record.split("/")[1] if word.record else slug(word.text)
    seen = "-phrase" if word.expected else ""
    return base + seen + ("" if word.language == "en" else f"-{word.language.lower()}")


def slug(text: str) -> str:
    """Text as part of an id."""
    kept = "-".join(part for part in words(fold(text)) if part.isascii())
    return re.sub("[^a-z0-9-]", "", kept) or hashlib.sha256(text.encode()).hexdigest()[:8]


def metric(finding: Finding, name: str) -> dict[str, Any]:
    """One effect, rounded."""
    found = finding.effects[name]
    return {
        "name": name,
        "effect": rounded(found.mean),
        "low": rounded(found.low),
        "high": rounded(found.high),
        "d": rounded(found.d),
        "q": rounded(finding.q[name]),
        "detected": finding.detected(name),
    }


def rounded(value: float) -> float:
    """A number with DIGITS significant digits."""
    return float(f"{value:.{DIGITS}g}")


def summary(finding: Finding, model: str) -> str:
    """What came of it, in a sentence."""
    if not finding.known:
        return f"{model} does not know this word: nothing stands out from words that mean nothing."
    found = [name for name in finding.effects if finding.detected(name)]
    found.sort(key=lambda name: -abs(finding.effects[name].d))
    moved = [
        f"{name} {'up' if finding.effects[name].mean > 0 else 'down'}"
        for name in found
        if not name.startswith("embedding")
    ]
    said = ", ".join(moved[:6]) or "its embeddings move steadily, its pictures not measurably"
    return f"On {model}: {said}."


def prose(finding: Finding, plan: Plan) -> str:
    """How it was measured."""
    painted = "" if finding.painted else " Its embeddings did not stand out, so it was not painted."
    return (
        f"Pictures with and without the word, from the same seeds, {len(plan.subjects)} subjects by"
        f" {plan.seeds} seeds; q is against {len(plan.placebos)} words that mean nothing, corrected"
        f" by Benjamini and Hochberg.{painted}"
    )


def save(made: dict[str, str], folder: Path) -> list[Path]:
    """Write records into a folder of records."""
    paths = []
    for name, text in made.items():
        path = folder / f"{name}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text.encode("utf-8"))
        paths.append(path)
    return paths
