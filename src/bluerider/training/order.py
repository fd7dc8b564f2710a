"""Which picture a sample shows, as a function of seed and sample number alone."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


class Order:
    """Passes over pictures, each pass in an order of its own; sample j is the same in every run.

    `repeats[i]` is how often a pass shows picture i. Pictures of unequal `buckets` never share a
    group of `group` samples in a row: the last group of a bucket is filled with its first pictures.
    """

    def __init__(
        self,
        repeats: Sequence[int],
        *,
        seed: int,
        group: int = 1,
        buckets: Sequence[int] | None = None,
    ) -> None:
        self.seed, self.group = seed, group
        kinds = [0] * len(repeats) if buckets is None else list(buckets)
        members: dict[int, list[int]] = {}
        for picture, (count, kind) in enumerate(zip(repeats, kinds, strict=True)):
            members.setdefault(kind, []).extend([picture] * count)
        self.members = [np.array(members[kind]) for kind in sorted(members)]
        self.length = sum(-(-len(each) // group) * group for each in self.members)

    def __len__(self) -> int:
        """Samples of one pass."""
        return self.length

    def __getitem__(self, sample: int) -> int:
        """The picture of a sample, counted from 0 without end."""
        turn, place = divmod(sample, self.length)
        return int(self.one_pass(turn)[place])

    def one_pass(self, turn: int) -> NDArray[np.int64]:
        """The pictures of a pass in order."""
        rng = np.random.default_rng((self.seed, turn))
        groups = []
        for each in self.members:
            mixed = rng.permutation(each)
            missing = -len(mixed) % self.group
            whole = np.concatenate([mixed, np.resize(mixed, missing)])
            groups.append(whole.reshape(-1, self.group))
        return rng.permutation(np.concatenate(groups)).reshape(-1)
