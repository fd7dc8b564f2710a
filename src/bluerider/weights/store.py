"""Where fetched files and computed constants live, what was announced of them, and whether it still
holds.
"""

import hashlib
import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from bluerider import files
from bluerider.errors import BlueriderError, WeightsError
from bluerider.weights.fields import Fields, read_json

CHUNK = 4 * 2**20


def home() -> Path:
    """Where bluerider keeps everything: BLUERIDER_HOME, else the platform's cache folder."""
    if given := os.environ.get("BLUERIDER_HOME"):
        return Path(given).expanduser()
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "bluerider"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData/Local") / "bluerider"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "bluerider"


def write_whole(path: Path, data: bytes) -> None:
    """Write a file, and the folders above it, whole or not at all. Raises BlueriderError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        files.write_whole(path, data)
    except OSError as error:
        raise BlueriderError(f"{path}: cannot be written ({error.strerror})") from None


@dataclass(frozen=True, kw_only=True)
class Announced:
    """What a hub says of one file: its size and the hash it names it by (sha256, or git's sha1 of
    small files).
    """

    path: str
    size: int
    sha256: str | None = None
    git_sha1: str | None = None

    def complaint(self, root: Path) -> str | None:
        """What is wrong with our copy, recomputed from its bytes; None when nothing is."""
        path = root / self.path
        if not path.is_file():
            return f"{self.path}: missing"
        size = path.stat().st_size
        if size != self.size:
            return f"{self.path}: {size} bytes instead of {self.size}"
        wanted = self.sha256 or self.git_sha1
        if wanted is None:
            return None
        start = b"" if self.sha256 else b"blob %d\0" % size
        found = digest(path, "sha256" if self.sha256 else "sha1", start)
        return None if found == wanted else f"{self.path}: hash {found} instead of {wanted}"


def digest(path: Path, algorithm: str = "sha256", start: bytes = b"") -> str:
    """The hexadecimal hash of a file; raises WeightsError when it cannot be read."""
    state = hashlib.new(algorithm, start, usedforsecurity=False)
    try:
        with path.open("rb") as file:
            while chunk := file.read(CHUNK):
                state.update(chunk)
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror})") from None
    return state.hexdigest()


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """What was fetched from one repository: the commit, where its files lie and what was announced
    of each.
    """

    repo: str
    revision: str  # as asked for
    commit: str
    root: str
    files: tuple[Announced, ...]

    @property
    def bytes(self) -> int:
        """Size of all files together."""
        return sum(file.size for file in self.files)

    def is_there(self) -> bool:
        """Whether every file stands where it was put, by size alone."""
        places = ((Path(self.root) / file.path, file.size) for file in self.files)
        return all(path.is_file() and path.stat().st_size == size for path, size in places)

    def save(self, variant: str | None) -> None:
        """Keep this manifest in the store."""
        text = json.dumps(asdict(self), indent=1)
        write_whole(manifest_path(self.repo, variant), text.encode())


def manifest_path(repo: str, variant: str | None) -> Path:
    """Where the manifest of a repository lies."""
    suffix = f".{variant}" if variant else ""
    return home() / "manifests" / f"{repo.replace('/', '--')}{suffix}.json"


def read_manifest(path: Path) -> Manifest:
    """A kept manifest; raises WeightsError when it is damaged."""
    data = read_json(path)
    try:
        files = tuple(Announced(**file) for file in data.pop("files"))
        return Manifest(files=files, **data)
    except (TypeError, KeyError):
        raise WeightsError(f"{path}: damaged; fetch the model again") from None


def find_manifest(repo: str, variant: str | None = None) -> Manifest | None:
    """What was fetched from a repository, if anything was."""
    path = manifest_path(repo, variant)
    return read_manifest(path) if path.is_file() else None


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The outcome of a check: how many files and bytes were read, how many had a hash to hold to,
    what is wrong.
    """

    files: int
    bytes: int
    hashed: int
    complaints: tuple[str, ...]


def check(root: Path, files: tuple[Announced, ...]) -> Verdict:
    """Recompute the hash of each file and hold it to what was announced."""
    complaints = [complaint for file in files if (complaint := file.complaint(root))]
    return Verdict(
        files=len(files),
        bytes=sum(file.size for file in files),
        hashed=sum(1 for file in files if file.sha256 or file.git_sha1),
        complaints=tuple(complaints),
    )


def recorded(folder: Path) -> tuple[Announced, ...] | None:
    """Sizes and hashes of a folder: what a fetch recorded, or what was written down when we saved
    it.
    """
    for manifest in map(read_manifest, sorted((home() / "manifests").glob("*.json"))):
        if Path(manifest.root).resolve() == folder.resolve():
            return manifest.files
    own = folder / "bluerider.json"
    if not own.is_file():
        return None
    fields = Fields(read_json(own), own)
    files = fields.data.get("files", {})
    if not isinstance(files, dict) or not all(map(is_record, files.items())):
        raise fields.refuse("files", "a table of path: [size, sha256]")
    return tuple(Announced(path=p, size=v[0], sha256=v[1]) for p, v in files.items())


def is_record(item: tuple[str, object]) -> bool:
    """Whether an entry of a table of hashes is a path inside the folder with its size and hash."""
    path, value = item
    inside = not Path(path).is_absolute() and ".." not in Path(path).parts
    pair = isinstance(value, list) and len(value) == 2
    return inside and pair and type(value[0]) is int and isinstance(value[1], str)  # type: ignore[index]
