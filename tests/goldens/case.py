"""A case: what an original implementation was given, what it answered, and with which weights."""

import json
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor

ROOT = Path(__file__).parents[2]
WEIGHTS = "weights."


USUAL = [ROOT / "tests" / "data" / "goldens", ROOT.parent / "shared" / "goldens"]


def folders() -> list[Path]:
    """Where case files are looked for: BLUERIDER_GOLDENS, or the repository's and, where there is
    one, the fuller set beside it.
    """
    given = os.environ.get("BLUERIDER_GOLDENS")
    return [Path(part) for part in given.split(os.pathsep) if part] if given else USUAL


def find(name: str) -> Path:
    """The first file of that name; weights a case names that are nowhere are an error."""
    for folder in [*folders(), *USUAL]:
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(f"{name} is needed and in none of {[*folders(), *USUAL]}")


def opened(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors of a case file and its meta."""
    with safe_open(path, framework="pt") as file:
        tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        return tensors, json.loads((file.metadata() or {}).get("meta", "{}"))


@dataclass(frozen=True)
class Case:
    """One golden file."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def kind(self) -> str:
        return self.name.split("_")[0]

    @cached_property
    def _read(self) -> tuple[dict[str, Tensor], dict[str, Any]]:
        return opened(self.path)

    @property
    def tensors(self) -> dict[str, Tensor]:
        return self._read[0]

    @property
    def meta(self) -> dict[str, Any]:
        return self._read[1]

    @cached_property
    def table(self) -> Any:
        """What a JSON case holds."""
        return json.loads(self.path.read_text())

    def __getitem__(self, key: str) -> Tensor:
        return self.tensors[key]

    def __contains__(self, key: str) -> bool:
        return key in self.tensors

    def under(self, prefix: str) -> dict[str, Tensor]:
        """The tensors whose names begin so, without it."""
        return {k.removeprefix(prefix): v for k, v in self.tensors.items() if k.startswith(prefix)}

    @cached_property
    def weights(self) -> dict[str, Tensor]:
        """The weights: of the files the case names, then the case's own over them.

        A note in parentheses behind a file's name says what is taken of it; `only` reads one file.
        """
        found: dict[str, Tensor] = {}
        for named in self.meta.get("weights_files", []):
            found |= self.only(named)
        return found | self.under(WEIGHTS)

    def only(self, named: str) -> dict[str, Tensor]:
        """The weights of one file."""
        file, note = re.fullmatch(r"(\S+)\s*(?:\((.*)\))?", named).groups()  # type: ignore[union-attr]
        tensors, _ = opened(find(file))
        weights = {k.removeprefix(WEIGHTS): v for k, v in tensors.items() if k.startswith(WEIGHTS)}
        wanted = re.fullmatch(r"override (\S+)", note or "")
        return {wanted[1]: weights[wanted[1]]} if wanted else weights


def close(ours: Tensor, theirs: Tensor, *, rtol: float = 1e-4, atol: float | None = None) -> None:
    """The accuracy the cases were made to: 1e-4, and 2e-5 of the largest number in it."""
    scale = float(theirs.abs().max()) if theirs.numel() else 0.0
    atol = 2e-5 * scale if atol is None else atol
    torch.testing.assert_close(ours.to(theirs.dtype), theirs, rtol=rtol, atol=atol)


Check = Callable[[Case], None]
CHECKS: dict[str, Check] = {}


def check(*kinds: str) -> Callable[[Check], Check]:
    """Make a function the check of these kinds: the part of a case's name before its first _."""

    def register(function: Check) -> Check:
        for kind in kinds:
            assert kind not in CHECKS, f"two checks for {kind}"
            CHECKS[kind] = function
        return function

    return register


def cases() -> Iterator[Case]:
    """Every case file of the folders, each name once, but the files that hold weights only."""
    seen = set()
    for folder in folders():
        for path in sorted(folder.glob("*")) if folder.is_dir() else []:
            is_case = path.suffix in (".safetensors", ".json") and not path.name.startswith("w_")
            if is_case and path.stem not in seen:
                seen.add(path.stem)
                yield Case(path)
