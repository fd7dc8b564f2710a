"""Whether the files of a model are what was announced, and whether every weight in them can be
used.
"""

import os
from pathlib import Path

from bluerider import catalog
from bluerider.errors import InputError, WeightsError
from bluerider.weights.families import places
from bluerider.weights.fields import read_json
from bluerider.weights.hub import is_repo
from bluerider.weights.net import Source, load_net, read_net
from bluerider.weights.places import EMBEDDED
from bluerider.weights.released import find_release
from bluerider.weights.store import Verdict, check, find_manifest, recorded


def roots(target: str | Path, variant: str | None = None) -> list[Path]:
    """The folders a name, a hub id or a path stands for; nothing is fetched."""
    repos = [str(target)] if is_repo(str(target)) and not os.path.exists(target) else []
    if isinstance(target, str) and target in catalog.MODELS:
        hub = catalog.find(target).hub
        if hub is None:
            return [EMBEDDED / target]
        repos = [repo for repo in (hub.decoder, hub.prior) if repo]
        variant = variant or hub.tag
    if repos:
        manifests = {repo: find_manifest(repo, variant) for repo in repos}
        absent = [repo for repo, manifest in manifests.items() if manifest is None]
        if absent:
            raise InputError(
                f"{target}: never fetched ({', '.join(absent)}); "
                f"run: bluerider models fetch {target}"
            )
        return [Path(manifest.root) for manifest in manifests.values() if manifest]
    if not target or not os.path.isdir(target):
        names = ", ".join(catalog.MODELS)
        raise InputError(f"no folder or model {str(target)[:80]!r}; known models: {names}")
    return [Path(target)]


def verify(target: str | Path, variant: str | None = None) -> Verdict:
    """Recompute the recorded hash of every file, then read every network; raises only for what is
    no model at all.
    """
    verdicts = [verify_folder(root) for root in roots(target, variant)]
    return Verdict(
        files=sum(verdict.files for verdict in verdicts),
        bytes=sum(verdict.bytes for verdict in verdicts),
        hashed=sum(verdict.hashed for verdict in verdicts),
        complaints=tuple(text for verdict in verdicts for text in verdict.complaints),
    )


def verify_folder(root: Path) -> Verdict:
    """The verdict on one folder."""
    files = recorded(root)
    verdict = check(root, files) if files else None
    if verdict and verdict.complaints:
        return verdict
    sources = networks(root)
    if not sources:
        raise WeightsError(f"{root}: no network here; the folder of a model is needed")
    complaints = [text for source in sources if (text := trouble(source))]
    return Verdict(
        files=verdict.files if verdict else len(sources),
        bytes=verdict.bytes if verdict else 0,
        hashed=verdict.hashed if verdict else 0,
        complaints=tuple(complaints),
    )


def networks(root: Path) -> list[tuple[Path, str] | Source]:
    """The networks under a model folder, a decoder, a prior or a release: folders with their kinds,
    or where they stand in files.
    """
    found: dict[Path, str] = {}
    for base in (root, root / "prior", root / "decoder"):
        for folder, kind in places(base):
            if (folder / "config.json").is_file():
                found[folder] = kind
    if (root / "model_index.json").is_file() or (root / "decoder").is_dir() or found:
        return [(folder, spoken(folder, kind)) for folder, kind in found.items()]
    release = find_release(root)
    return list(release.sources.values()) if release else []


def spoken(folder: Path, kind: str) -> str:
    """Which text encoder stands in a folder; other kinds are what their folder is called."""
    if kind not in ("text", "mclip"):
        return kind
    return "mclip" if read_json(folder / "config.json").get("model_type") == "M-CLIP" else "text"


def trouble(net: tuple[Path, str] | Source) -> str | None:
    """What keeps a network from being loaded."""
    try:
        if isinstance(net, Source):
            read_net(net)
        else:
            load_net(*net)
    except WeightsError as error:
        return str(error)
    return None
