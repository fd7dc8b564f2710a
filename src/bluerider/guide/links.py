"""Addresses of the guide: collected, asked whether they answer, remembered."""

import json
import urllib.error
import urllib.request
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path

from bluerider.errors import OfflineError
from bluerider.files import write_whole
from bluerider.guide.index import Guide

TIMEOUT = 15  # seconds
AT_ONCE = 8
ALIVE = (200, 400)
SHY = (401, 403, 405, 406, 429)  # there, but not for us
AGENT = {"User-Agent": "bluerider-guide-links"}


@dataclass(frozen=True)
class Link:
    """An address, who points to it, and what was seen of it last."""

    url: str
    used_by: list[str]
    state: str = "unknown"  # ok, shy (it answers, not to us), dead, unknown
    detail: str = ""
    seen: str | None = None  # the day it was last asked


def addresses(guide: Guide) -> dict[str, list[str]]:
    """Every address, with the records that name it."""
    found: dict[str, list[str]] = defaultdict(list)
    for row in guide.records():
        named = [row["url"], row.get("archive"), *(claim["source"] for claim in row["claims"])]
        for url in dict.fromkeys(named):
            if url and url.startswith("http"):
                found[url].append(row["id"])
    return dict(found)


def remembered(guide: Guide, memory: Path) -> list[Link]:
    """All links with what was seen last, without any network."""
    known = recall(memory)
    found = addresses(guide)
    return [Link(url, used, **known.get(url, {})) for url, used in sorted(found.items())]


def check(guide: Guide, memory: Path, today: str, watch: Callable[[int, int], None]) -> list[Link]:
    """Ask every address and remember what came. Raises OfflineError when not one can be reached."""
    found = sorted(addresses(guide).items())
    made: list[Link] = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for (url, used), (state, detail) in zip(
            found, pool.map(visit, [url for url, _ in found]), strict=True
        ):
            made.append(Link(url, used, state, detail, today))
            watch(len(made), len(found))
    if made and all(link.state == "unknown" for link in made):
        raise OfflineError(
            f"not one of {len(made)} addresses can be reached ({made[0].detail}); "
            "--offline shows what was seen last"
        )
    known = recall(memory) | {
        link.url: {"state": link.state, "detail": link.detail, "seen": link.seen}
        for link in made
        if link.state != "unknown"
    }
    memory.parent.mkdir(parents=True, exist_ok=True)
    write_whole(memory, json.dumps(known, indent=1).encode())
    return made


def recall(memory: Path) -> dict[str, dict[str, str]]:
    """What was seen of addresses before; nothing where that cannot be read."""
    try:
        known = json.loads(memory.read_text(encoding="utf-8"))
        return {
            url: {name: str(seen[name]) for name in ("state", "detail", "seen")}
            for url, seen in known.items()
        }
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return {}


def visit(url: str) -> tuple[str, str]:
    """Whether an address answers: HEAD, then GET where HEAD is not liked."""
    last = ("unknown", "")
    for method in ("HEAD", "GET"):
        last = ask(url, method)
        if last[0] in ("ok", "unknown"):
            break
    return last


def ask(url: str, method: str) -> tuple[str, str]:
    """State and detail of one request."""
    try:
        request = urllib.request.Request(url, method=method, headers=AGENT)
        with urllib.request.urlopen(request, timeout=TIMEOUT) as answer:
            return ("ok" if ALIVE[0] <= answer.status < ALIVE[1] else "dead"), str(answer.status)
    except urllib.error.HTTPError as error:
        return ("shy" if error.code in SHY else "dead"), str(error.code)
    except (OSError, ValueError) as error:
        return "unknown", str(getattr(error, "reason", error))[:100]


def to_json(links: list[Link]) -> Iterator[dict[str, object]]:
    """What programs read."""
    return (asdict(link) for link in links)
