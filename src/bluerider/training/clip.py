"""Stage `clip`: words and pictures meet, and the picture's embedding keeps what the picture looks like."""

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
    index: Tensor  # (B,) which drawing
    ids: Tensor  # (T, S)
    owner: Tensor  # (T,) row of the picture that each text names


class Towers(nn.Module):
    """Both towers, the temperature, and the appearance head, which is thrown away after training."""

    def __init__(self, text: TextTower, vision: VisionTower) -> None:
        super().__init__()
        self.text, self.vision = text, vision
        self.temperature = nn.Parameter(torch.tensor(2.7))
        self.appearance = nn.Linear(vision.config.embed_dim, 3 * 32 * 32)

    def forward(self, picture: Tensor, ids: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        embedding = self.vision(picture)
        return embedding, self.appearance(embedding), self.text(ids).embedding


class ClipStage(Stage):
    """Each text must find its picture among all drawings; each picture its texts among the batch's.

    Negatives outside the batch come from a bank of every drawing's last embedding (Wu et al. 2018), so that
    look-alikes are always among them. The appearance head makes the embedding predict a 32 x 32 picture.
    """

    def __init__(
        self, text: TextTower, vision: VisionTower, settings: Settings, drawings: int, look: float
    ) -> None:
        super().__init__(Towers(text, vision), settings)
        self.look = look
        self.register_buffer("bank", torch.zeros(drawings, vision.config.embed_dim))

    def training_step(self, batch: Pairs, index: int) -> Tensor:
        picture = batch.picture.to(self.dtype_)
        embedding, seen, words = half(self.net, self.dtype_, picture, batch.ids)
        embedding, words = embedding.float(), F.normalize(words.float(), dim=-1)
        unit = F.normalize(embedding, dim=-1)
        scale = self.net.temperature.exp().clamp(max=100.0)
        bank = self.bank.index_copy(0, batch.index, unit.detach())
        self.bank = bank
        live = bank.index_copy(0, batch.index, unit)
        logits = scale * words @ live.T  # (T, drawings)
        target = batch.index[batch.owner]
        find = F.cross_entropy(logits, target)
        back = (scale * unit @ words.T).log_softmax(dim=1)  # (B, T)
        own = batch.owner[None] == torch.arange(len(unit), device=unit.device)[:, None]
        name = -(back * own).sum() / own.sum()
        look = F.mse_loss(seen.float(), batch.small)
        right = (logits.argmax(dim=1) == target).float().mean()
        self.log_dict({"find": find, "name": name, "look": look, "right": right})
        return find + 0.5 * name + self.look * look
