"""Where a model's folders are: inside the package, on this machine, or on a hub."""

import os
from dataclasses import dataclass
from pathlib import Path

from bluerider import catalog
from bluerider.errors import InputError, WeightsError
from bluerider.weights.families import Folder, of_pipeline, pipelines
from bluerider.weights.fields import Fields, read_json
from bluerider.weights.hub import Announce, fetch, is_repo

EMBEDDED = Path(__file__).parents[1] / "embedded"


@dataclass(frozen=True, kw_only=True)
class Fetching:
    """How missing files may be got."""

    offline: bool = False
    variant: str | None = None
    announce: Announce | None = None

    def folder(
        self,
        repo: str,
        revision: str = "main",
        advice: str | None = None,
        files: tuple[str, ...] = (),
    ) -> Path:
        """A repository's folder on this machine; of `files` only these."""
        return fetch(
            repo,
            files=files,
            revision=revision,
            variant=self.variant,
            offline=self.offline,
            announce=self.announce,
            advice=advice,
        )


def release_place(given: str | Path, fetching: Fetching) -> tuple[Path | None, str | None]:
    """Where a release may stand, and its decoder file where the catalog says which."""
    model = catalog.MODELS.get(str(given)) if isinstance(given, str) else None
    if model is not None:
        if model.hub is None or not model.hub.files:
            return None, None
        folder = fetching.folder(
            model.hub.decoder, model.hub.revision, model.name, files=model.hub.files
        )
        return folder, Path(model.hub.files[0]).stem
    return (Path(given), None) if given and os.path.exists(given) else (None, None)


def clip_folder(given: str | Path | None, fetching: Fetching) -> Path | None:
    """CLIP's folder or file."""
    if given is None or os.path.exists(given):
        return None if given is None else Path(given)
    raise InputError(f"no CLIP {str(given)[:80]!r}; a folder or a file is accepted")


def family_of(decoder: Path) -> str:
    """The family of a decoder's folder, as its model_index.json says."""
    path = decoder / "model_index.json"
    named = Fields(read_json(path), path).choice("_class_name", pipelines())
    family = of_pipeline(named)
    assert family is not None
    return family


def decoder_folder(given: str | Path, fetching: Fetching) -> tuple[Path, Path | None]:
    """The decoder's folder and, where the same place holds one, the prior's."""
    if isinstance(given, str) and given in catalog.MODELS:
        model = catalog.find(given)
        if model.hub is None:
            return halves(EMBEDDED / given)
        decoder = fetching.folder(model.hub.decoder, model.hub.revision, given)
        prior = model.hub.prior and fetching.folder(model.hub.prior, model.hub.revision, given)
        return decoder, prior or None
    if given and os.path.isdir(given):
        return halves(Path(given))
    if isinstance(given, str) and is_repo(given):
        return fetching.folder(given), None
    raise InputError(
        f"no model or folder {str(given)[:80]!r}; known models: {', '.join(catalog.MODELS)}; "
        "or a folder, or a hub id owner/name"
    )


def halves(path: Path) -> tuple[Path, Path | None]:
    """A folder of ours (prior/ and decoder/), or a decoder's, whose prior may stand beside it."""
    if (path / "decoder").is_dir() or (path / "prior" / "model_index.json").is_file():
        return path / "decoder", path / "prior"
    if not (path / "model_index.json").is_file():
        raise WeightsError(
            f"{path}: no model here; prior/ and decoder/, a model_index.json, or the files of a "
            "release of Kandinsky 2.0 or 2.1 are needed"
        )
    beside = path.parent / "prior"
    return path, beside if (beside / "model_index.json").is_file() else None


def prior_folder(given: str | Path, fetching: Fetching) -> Path:
    """The folder of a prior that was asked for by folder, model folder or hub id."""
    if given and os.path.isdir(given):
        path = Path(given)
        return path if (path / "model_index.json").is_file() else path / "prior"
    if isinstance(given, str) and is_repo(given):
        return fetching.folder(given)
    raise InputError(f"no prior {str(given)[:80]!r}; a folder or a hub id owner/name is accepted")


def prior_of(decoder: Path, fetching: Fetching) -> Path:
    """The prior a decoder's card names under `prior:`."""
    import yaml

    card = decoder / "README.md"
    text = card.read_text(encoding="utf-8", errors="replace") if card.is_file() else ""
    named = None
    if text.startswith("---"):
        try:
            front = yaml.safe_load(text[3:].split("\n---", 1)[0])
            named = front.get("prior") if isinstance(front, dict) else None
        except yaml.YAMLError:
            named = None
    named = named[0] if isinstance(named, list) and named else named
    if not isinstance(named, str) or not is_repo(named):
        raise InputError(f"{decoder}: its card names no prior; give one with --prior")
    return fetching.folder(named)


def gather(folder: Path, layout: Folder, what: str) -> dict[str, Path]:
    """The part folders of one pipeline, each of which must exist; networks must hold weights."""
    path = folder / "model_index.json"
    Fields(read_json(path), path).choice("_class_name", layout.pipelines)
    parts = {part: folder / name for part, name in layout.parts.items()}
    missing = [f"{place.name}/" for place in parts.values() if not place.is_dir()]
    if missing:
        raise WeightsError(f"{folder}: the {what} lacks {', '.join(missing)}")
    extra = {part: folder / name for part, name in layout.extra.items()}
    return parts | {part: place for part, place in extra.items() if place.is_dir()}
