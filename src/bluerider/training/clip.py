"""Stage `clip`: words and pictures meet, and the picture's embedding keeps what the picture looks
like.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from bluerider.nets.clip import TextTower, VisionTower
from bluerider.training.stage import Settings, Stage, half


class Pairs(NamedTuple):
    """Pictures with several texts each."""

    picture: Tensor  # (B, 3, size, size), normalised for the vision tower
    small: Tensor  # (B, 3 * 32 * 32), the same pictures, what the appearance head must give back
    drawing: Tensor  # (B,) which drawing
    ids: Tensor  # (T, S)
    owner: Tensor  # (T,) row of the picture that each text names


class Towers(nn.Module):
    """Both towers, and what is thrown away after training: temperature, proxies, the appearance
    head.
    """

    def __init__(self, text: TextTower, vision: VisionTower, drawings: int) -> None:
        super().__init__()
        self.text, self.vision = text, vision
        width = vision.config.embed_dim
        self.temperature = nn.Parameter(torch.tensor(2.7))
        self.proxies = nn.Parameter(torch.randn(drawings, width) / width**0.5)
        self.appearance = nn.Linear(width, 3 * 32 * 32)

    def forward(self, picture: Tensor, ids: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Embeddings of pictures, what the appearance head sees in them, embeddings of texts."""
        embedding = self.vision(picture)
        return embedding, self.appearance(embedding), self.text(ids).embedding


def start_small(text: TextTower, vision: VisionTower) -> None:
    """Positions and tokens begin small (as CLIP's do), so that they do not drown the patches."""
    for table in (text.embed, text.positions, vision.positions):
        nn.init.normal_(table.weight, std=0.02)


class ClipStage(Stage):
    """Texts and pictures must both find their drawing's proxy (Movshovitz-Attias et al. 2017).

    Proxies put every look-alike among the negatives of every step, however small the batch. The
    appearance head makes the embedding predict a 32 x 32 picture, for a decoder can only paint
    what the embedding holds.
    """

    def __init__(
        self, text: TextTower, vision: VisionTower, settings: Settings, drawings: int, look: float
    ) -> None:
        super().__init__(Towers(text, vision, drawings), settings)
        self.look = look

    def training_step(self, batch: Pairs, index: int) -> Tensor:
        picture = batch.picture.to(self.dtype_)
        embedding, seen, words = half(self.net, self.dtype_, picture, batch.ids)
        scale = self.net.temperature.exp().clamp(max=60.0)
        proxies = F.normalize(self.net.proxies, dim=-1)
        named = batch.drawing[batch.owner]
        logits = scale * F.normalize(words.float(), dim=-1) @ proxies.T  # (T, drawings)
        find = F.cross_entropy(logits, named)
        own = scale * F.normalize(embedding.float(), dim=-1) @ proxies.T  # (B, drawings)
        name = F.cross_entropy(own, batch.drawing)
        look = F.mse_loss(seen.float(), batch.small)
        right = (logits.argmax(dim=1) == named).float().mean()
        self.log_dict({"find": find, "name": name, "look": look, "right": right})
        return find + 0.3 * name + self.look * look
