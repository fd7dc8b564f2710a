"""The guide as a static site: one page, its data and its search in files beside it."""

import json
from importlib import resources
from typing import Any

from bluerider.guide.index import Guide
from bluerider.guide.vocabulary import TYPES

STATIC = ("index.html", "style.css", "app.js")
CLAIM = ("key", "text", "value", "unit", "as_of", "status", "source", "locator", "opened")

LAID_OUT = (  # shown elsewhere than in the table of fields
    "id", "type", "title", "aliases", "keywords", "summary", "body", "claims", "links", "text",
)  # fmt: skip


def site_files(guide: Guide) -> dict[str, str]:
    """Every file of the site by name. It works from disk: nothing is fetched, no server asked."""
    home = resources.files("bluerider.guide").joinpath("data/site")
    files = {name: home.joinpath(name).read_text("utf-8") for name in STATIC}
    return {**files, "data.js": f"window.GUIDE = {data(guide)};\n"}


def data(guide: Guide) -> str:
    """All records as JSON that is also JavaScript."""
    rows = [record(row, guide) for row in guide.records()]
    text = json.dumps({"types": list(TYPES), "records": rows}, ensure_ascii=False)
    return text.replace("\u2028", "\\u2028").replace("\u2029", "\\u2029").replace("</", "<\\/")


def record(row: dict[str, Any], guide: Guide) -> dict[str, Any]:
    """What the page shows of a record."""
    names = [
        text
        for table in (row["aliases"], row.get("text", {}))
        for t in table.values()
        for text in t
    ]
    fields = {
        name: value
        for name, value in row.items()
        if value not in (None, [], {}) and name not in LAID_OUT
    }
    if "effects" in fields:
        fields["effects"] = [
            f"{effect['aspect']} {effect['toward'] or effect['direction']}"
            for effect in row["effects"]
        ]
    return {
        "id": row["id"],
        "type": row["type"],
        "title": row["title"]["en"],
        "titles": list(dict.fromkeys(row["title"].values())),
        "names": list({name.casefold(): name for name in reversed(names)}.values())[::-1],
        "keywords": [text for texts in row["keywords"].values() for text in texts],
        "summary": row["summary"]["en"],
        "body": row["body"],
        "fields": fields,
        "claims": [{n: claim[n] for n in CLAIM if claim[n] is not None} for claim in row["claims"]],
        "links": [[rel, to] for rel, to, _ in guide.edges(row["id"])],
    }
