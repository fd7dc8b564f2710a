"""Fetching published models through huggingface_hub: one commit, safetensors and plain text only,
hashes held to.
"""

import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bluerider.errors import BlueriderError, InputError, OfflineError, WeightsError
from bluerider.weights.store import Announced, Manifest, find_manifest

REPO = re.compile(r"[\w.-]{1,96}/[\w.-]{1,96}", re.ASCII)
COMPONENTS = (
    "prior",
    "text_encoder",
    "image_encoder",
    "image_processor",
    "tokenizer",
    "unet",
    "movq",
    "vae",
    "scheduler",
    "ddpm_scheduler",
)
ROOT_FILES = ("model_index.json", "README.md", "LICENSE", "LICENSE.md", "bluerider.json")
TEXT_SUFFIXES = (".json", ".txt", ".model")
STEMS = ("diffusion_pytorch_model", "model")
PICKLES = (".bin", ".ckpt", ".pt")


@dataclass(frozen=True, kw_only=True)
class Announcement:
    """What is about to be fetched, for the person to see first."""

    repo: str
    commit: str
    licence: str
    files: int
    bytes: int


Announce = Callable[[Announcement], None]


def is_repo(name: str) -> bool:
    """Whether a name has the form of a hub repository, owner/name."""
    return REPO.fullmatch(name) is not None and ".." not in name


def fetch(
    repo: str,
    *,
    revision: str = "main",
    variant: str | None = None,
    offline: bool = False,
    announce: Announce | None = None,
    advice: str | None = None,
    files: tuple[str, ...] = (),
) -> Path:
    """The folder of a repository's files, fetched once and checked against the hashes the hub
    announces.

    `files` names them where the repository is no diffusers pipeline; a tokenizer's are in one of
    several forms, and those that are not there are left out.
    `advice` is the name to put into "bluerider models fetch ..." when the network may not be used.
    Raises OfflineError when something has to be fetched and cannot be, WeightsError when what came
    is not what was announced.
    """
    if not is_repo(repo):
        raise InputError(f"{repo!r} is not a hub repository; the form is owner/name")
    tag = variant if not files else Path(files[0]).stem
    manifest = find_manifest(repo, tag)
    if manifest and manifest.is_there() and revision in (manifest.revision, manifest.commit):
        return Path(manifest.root)
    if offline or os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "TRUE", "YES", "ON"):
        return kept_by_others(repo, revision, advice or repo, files)
    info = described(repo, revision)
    siblings = info.siblings or []
    picked = named(siblings, files, repo) if files else chosen(siblings, variant, repo)
    if announce is not None:
        announce(
            Announcement(
                repo=repo,
                commit=info.sha,
                licence=licence(info),
                files=len(picked),
                bytes=sum(file.size for file in picked),
            )
        )
    root = [download(repo, info.sha, file) for file in picked][0]
    manifest = Manifest(
        repo=repo, revision=revision, commit=info.sha, root=str(root), files=tuple(picked)
    )
    manifest.save(tag)
    return root


def named(siblings: Iterable[Any], files: tuple[str, ...], repo: str) -> list[Announced]:
    """The files of a release, by name; of the tokenizers' those that were published."""
    table = {file.rfilename: file for file in siblings}
    absent = [name for name in files if name not in table]
    lost = [n for n in absent if n.endswith((*PICKLES, "/config.json"))]
    if lost:
        raise WeightsError(f"{repo}: the hub no longer has {', '.join(lost)}")
    return [announced(table[name]) for name in files if name in table]


def kept_by_others(repo: str, revision: str, advice: str, files: tuple[str, ...] = ()) -> Path:
    """What other software left in the hub's cache, when nothing may be fetched."""
    from huggingface_hub import snapshot_download

    try:
        folder = Path(snapshot_download(repo, revision=revision, local_files_only=True))
    except (OSError, ValueError):
        folder = None
    wanted = files[:1] or ("model_index.json",)
    if folder is None or not (folder / wanted[0]).is_file():
        raise OfflineError(
            f"{advice} is not on this machine and nothing may be fetched; "
            f"where there is a network run: bluerider models fetch {advice}"
        )
    return folder


def described(repo: str, revision: str) -> Any:
    """The hub's description of a repository at a commit, with the size and hash of each file."""
    from huggingface_hub import HfApi

    return asked(
        repo,
        lambda: HfApi().model_info(repo, revision=revision, files_metadata=True, timeout=10),
    )


def asked(repo: str, question: Callable[[], Any]) -> Any:
    """An answer of the hub, its many errors told in one line."""
    from huggingface_hub import errors

    try:
        return question()
    except errors.GatedRepoError:
        raise WeightsError(
            f"{repo}: access must be granted first: accept its terms on its page, "
            "then log in with `hf auth login`"
        ) from None
    except errors.RevisionNotFoundError:
        raise WeightsError(f"{repo}: no such revision on the hub") from None
    except errors.RepositoryNotFoundError:
        raise WeightsError(f"{repo}: no such model on the hub (or it is private)") from None
    except errors.RemoteEntryNotFoundError as error:
        raise WeightsError(f"{repo}: a file is missing on the hub ({brief(error)})") from None
    except (errors.HTTPError, OSError) as error:
        cause = error.__cause__ if isinstance(error, errors.LocalEntryNotFoundError) else error
        if isinstance(cause, errors.HfHubHTTPError):
            raise OfflineError(
                f"{repo}: the hub refused ({brief(cause)}); try again later"
            ) from None
        raise OfflineError(
            f"{repo}: the connection to the hub failed ({brief(cause or error)}); "
            "run the same command again: files that arrived whole are kept"
        ) from None


def brief(error: BaseException) -> str:
    """The first line of a message, cut."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:120]


def chosen(siblings: Iterable[Any], variant: str | None, repo: str) -> list[Announced]:
    """The files to fetch: of each part its texts and one set of safetensors; raises WeightsError
    for pickles only.
    """
    table = {file.rfilename: file for file in siblings}
    names = [name for name in ROOT_FILES if name in table]
    if "model_index.json" not in names:
        raise WeightsError(f"{repo}: no model_index.json; a diffusers pipeline is needed")
    for component in COMPONENTS:
        inside = [name for name in table if name.startswith(f"{component}/")]
        inside = [name for name in inside if name.count("/") == 1]
        names += [name for name in inside if name.endswith(TEXT_SUFFIXES) and "index" not in name]
        names += weights(component, inside, variant, repo)
    return [announced(table[name]) for name in names]


def weights(component: str, inside: list[str], variant: str | None, repo: str) -> list[str]:
    """The safetensors of one part: the variant asked for where it exists, else the plain ones."""
    for infix in ([f".{variant}"] if variant else []) + [""]:
        for stem in STEMS:
            single = f"{component}/{stem}{infix}.safetensors"
            if single in inside:
                return [single]
            index = f"{component}/{stem}.safetensors.index{infix}.json"
            if index in inside:
                part = re.compile(rf"{component}/{stem}-\d+-of-\d+{re.escape(infix)}\.safetensors")
                return [index, *(name for name in inside if part.fullmatch(name))]
    pickles = [name for name in inside if name.endswith(PICKLES)]
    if pickles:
        raise WeightsError(
            f"{repo}: publishes {pickles[0]} as a pickle only, which is not opened; "
            "safetensors are needed"
        )
    return []


def announced(file: Any) -> Announced:
    """What the hub says of a file."""
    lfs = file.lfs
    if lfs is not None:
        return Announced(path=file.rfilename, size=lfs.size, sha256=lfs.sha256)
    return Announced(path=file.rfilename, size=file.size, git_sha1=file.blob_id)


def licence(info: Any) -> str:
    """The licence the card states."""
    card = getattr(info, "card_data", None)
    return str(getattr(card, "license", None) or "not stated")


def download(repo: str, commit: str, file: Announced) -> Path:
    """Fetch one file (or find it in the cache), hold it to its hash, and return the folder of the
    commit.
    """
    from huggingface_hub import hf_hub_download

    def get() -> str:
        return hf_hub_download(repo, file.path, revision=commit)

    path = Path(asked(repo, get))
    root = path.parents[file.path.count("/")]
    if complaint := file.complaint(root):
        discard(path)
        raise WeightsError(
            f"{repo}: {complaint}: the copy was thrown away; run the same command again"
        )
    return root


def discard(path: Path) -> None:
    """Remove a bad file of the cache, and the blob it points to."""
    try:
        path.resolve().unlink(missing_ok=True)
        path.unlink(missing_ok=True)
    except OSError as error:
        raise BlueriderError(f"{path}: cannot be removed ({error.strerror})") from None
