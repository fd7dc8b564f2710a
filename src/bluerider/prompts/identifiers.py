"""`[V]` in a prompt: the place of the word that a LoRA has learned for its subject."""

import re
from collections.abc import Sequence

from bluerider.errors import InputError

PLACE = re.compile(r"\[V([1-9][0-9]?)?\]")


def has_place(prompt: str) -> bool:
    """Whether a prompt leaves a place for an identifier."""
    return PLACE.search(prompt) is not None


def filled(prompt: str, identifiers: Sequence[str | None]) -> str:
    """The prompt with the first subject's identifier for `[V]` or `[V1]`, the second's for `[V2]`.

    Subjects are counted from LoRA to LoRA; None is one whose file names no identifier. Raises
    InputError for a place that stands for none of them, and for one that names no identifier.
    """
    count = len(identifiers)

    def word(match: re.Match[str]) -> str:
        place, index = match[0], int(match[1] or 1)
        if not count:
            raise InputError(f"the prompt has {place}, but no --lora says what it is; give one")
        if match[1] is None and count > 1:
            raise InputError(
                f"{place} with {count} subjects in --lora; [V1] to [V{count}] are accepted"
            )
        if index > count:
            raise InputError(
                f"the prompt has {place}; --lora gives {count} subject{'s' * (count > 1)}"
            )
        found = identifiers[index - 1]
        if found is None:
            raise InputError(
                f"{place}: this LoRA does not name its identifier; write its own word there"
            )
        return found

    return PLACE.sub(word, prompt)
