"""Words for pictures that come without: what is behind the subject, where it stands and how small,
as the model's own towers find it.

Told nothing of that, what learns takes the mean of all backgrounds and places for the subject's
own.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from bluerider.training.tuning.backdrops import GROUNDS, SAID, Said, worded
from bluerider.training.tuning.encoding import Tell, imagined
from bluerider.weights.load import ModelFiles

SURE = 4.0  # deviations of a mean over words, from which on a change is one


def describe(
    files: ModelFiles, device: torch.device, seen: Tensor, words: Sequence[str], tell: Tell
) -> list[Said]:
    """What to say of pictures whose image embeddings are `seen` (N, D).

    What a background, place or size changes is what it changes on average for `words`, in the
    embedding that the prior imagines, normalised; a picture gets the two whose changes together
    come nearest to what it differs by from the plain words. What changes no surelier than words
    differ in it is no change: along it, the thing itself would decide.
    """
    texts = [worded(word, said) for said in SAID for word in words]
    made = imagined(files, device, texts, files.defaults.prior_steps, 1.0, tell)
    normalise = files.load("prior", dtype=torch.float32).normalise
    answers = normalise(made).unflatten(0, (len(SAID), len(words)))  # (K, W, D)
    each = answers - answers[0]
    changes = each.mean(dim=1)  # (K, D)
    noise = each.var(dim=1, correction=0).mean(dim=0)  # (D,)
    changes = changes * (changes.abs() > SURE * (noise / len(words)).sqrt())
    differs = normalise(seen.cpu().float()) - answers[0].mean(dim=0)  # (N, D)
    grounds, stands = range(len(GROUNDS)), (0, *range(len(GROUNDS), len(SAID)))
    pairs = [(i, j) for i in grounds for j in stands]
    both = torch.stack([changes[i] + changes[j] for i, j in pairs])
    nearest = [pairs[best] for best in torch.cdist(differs, both).argmin(dim=1).tolist()]
    return [SAID[i] | SAID[j] for i, j in nearest]
