"""Pictures that are painted together, and what a stage tells while it works."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from bluerider.request import Request


class Event(NamedTuple):
    """How far a stage is; `value` is x0 in the decoder, the pictures in pixels."""

    stage: str  # text, prior, decoder, pixels
    step: int
    steps: int
    value: Any = None


@dataclass(frozen=True)
class Batch:
    """Resolved requests of one picture each, which agree on all but words and seed."""

    requests: Sequence[Request]

    def __len__(self) -> int:
        return len(self.requests)

    @property
    def settings(self) -> Request:
        """What they agree on."""
        return self.requests[0]

    @property
    def seeds(self) -> list[int]:
        """The seed of each picture."""
        return [request.seed or 0 for request in self.requests]

    @property
    def prompts(self) -> list[str]:
        """What to paint in each picture."""
        return [request.prompt for request in self.requests]

    @property
    def negatives(self) -> list[str]:
        """What to keep away from in each picture."""
        return [request.negative for request in self.requests]

    @property
    def prior_negatives(self) -> list[str]:
        """The words of the prior's unconditional half."""
        return [first(r.negative_prior, r.negative) for r in self.requests]

    @property
    def decoder_negatives(self) -> list[str]:
        """The words the decoder's unconditional half is told, through the prior where there is
        one.
        """
        return [first(r.negative_decoder, r.negative) for r in self.requests]


def first(own: str | None, common: str) -> str:
    """The words of a half's own negative where they were given, if only as "", else the common."""
    return common if own is None else own
