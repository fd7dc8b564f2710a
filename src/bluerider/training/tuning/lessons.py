"""What a part learns: the loss of each sample, for the prior and for the decoder."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from bluerider.diffusion.loss import min_snr, simple_loss, target, variance_loss
from bluerider.diffusion.schedule import Schedule
from bluerider.training.tuning.draws import Draw


class Shelves(nn.Module):
    """Rows of several shapes, a table for each shape; rows that are asked for together have one."""

    def __init__(self, rows: Sequence[Tensor]) -> None:
        super().__init__()
        self.shapes = [tuple(row.shape) for row in rows]
        kinds = sorted(set(self.shapes))
        self.shelf = [kinds.index(shape) for shape in self.shapes]
        place = torch.zeros(len(rows), dtype=torch.long)
        for i in range(len(kinds)):
            same = [j for j, shelf in enumerate(self.shelf) if shelf == i]
            self.register_buffer(
                f"table{i}", torch.stack([rows[j] for j in same]), persistent=False
            )
            place[same] = torch.arange(len(same))
        self.register_buffer("place", place, persistent=False)

    def __getitem__(self, row: Tensor) -> Tensor:
        """The rows (N, ...) of these numbers (N,)."""
        table: Tensor = getattr(self, f"table{self.shelf[int(row[0])]}")
        return table[self.place[row]]


def shelved(rows: Sequence[Tensor] | Tensor | None) -> Tensor | Shelves | None:
    """Rows as one table where they have one shape."""
    if rows is None or isinstance(rows, Tensor):
        return rows
    return torch.stack(list(rows)) if len({row.shape for row in rows}) == 1 else Shelves(rows)


class Lesson(nn.Module, ABC):
    """Clean samples, what the network is told of each, and the loss of its answer.

    `told` modules give the values that `ask` hands the network, in order. `beside` gives the
    channels that join the noisy sample, from (row, x0, mask).
    """

    def __init__(
        self,
        net: nn.Module,
        schedule: Schedule,
        told: Sequence[nn.Module],
        x0: Sequence[Tensor] | Tensor,
        *,
        spread: Sequence[Tensor] | Tensor | None = None,
        gamma: float = 0.0,
        variance: bool = False,
        absolute: bool = False,
        beside: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.net, self.told, self.schedule = net, nn.ModuleList(told), schedule
        self.beside = beside
        self.terms = {"gamma": gamma, "variance": variance, "absolute": absolute}
        for name, table in (("x0", shelved(x0)), ("spread", shelved(spread))):
            if isinstance(table, Shelves):
                self.add_module(name, table)
            else:
                self.register_buffer(name, table, persistent=False)

    @abstractmethod
    def ask(self, x: Tensor, t: Tensor, told: tuple[Tensor, ...]) -> Tensor:
        """The network's answer."""

    def clean(self, draw: Draw) -> Tensor:
        """The clean samples of a draw; a Gaussian latent is drawn from its spread."""
        x0 = self.x0[draw.row]
        if self.spread is None or draw.blur is None:
            return x0
        return x0 + draw.blur * self.spread[draw.row]

    def noisy(self, draw: Draw, x0: Tensor) -> Tensor:
        """What the network sees: x0 and noise at t, and what stands beside them."""
        x = self.schedule.noised(x0, draw.noise, draw.t)
        if self.beside is None:
            return x
        return torch.cat([x, self.beside(draw.row, x0, draw.mask)], dim=1)

    def forward(self, draw: Draw) -> Tensor:
        """The loss (N,) of each sample of a draw."""
        x0 = self.clean(draw)
        told = tuple(value for each in self.told for value in each(draw.row, draw.drop))
        answer = self.ask(self.noisy(draw, x0), draw.t, told)
        return sample_loss(self.schedule, answer, x0, draw.noise, draw.t, **self.terms)


def sample_loss(
    schedule: Schedule,
    answer: Tensor,
    x0: Tensor,
    noise: Tensor,
    t: Tensor,
    *,
    gamma: float = 0.0,
    variance: bool = False,
    absolute: bool = False,
) -> Tensor:
    """Squared (or absolute) error (N,), min-SNR weighted with each sample's own t where gamma is
    above 0, and the bound that teaches a learned variance (Nichol & Dhariwal 2021, section 3.1,
    rescaled).
    """
    loss = simple_loss(answer, target(schedule, x0, noise, t), absolute=absolute)
    if gamma:
        loss = min_snr(schedule, t, gamma) * loss
    if variance:
        predict = schedule.config.predict
        loss = loss + variance_loss(schedule.posterior, answer, x0, noise, t, predict=predict)
    return loss


class PriorLesson(Lesson):
    """Words -> clean normalised image embedding (Kandinsky 2.1's prior)."""

    def ask(self, x: Tensor, t: Tensor, told: tuple[Tensor, ...]) -> Tensor:
        return self.net(x, t, *told)


class DecoderLesson(Lesson):
    """Condition -> noise in the latent; the network holds U-Net and conditioner."""

    def ask(self, x: Tensor, t: Tensor, told: tuple[Tensor, ...]) -> Tensor:
        condition = self.net["conditioner"](*told)
        return self.net["unet"](x, t, condition.context, condition.pooled)


def halved(losses: Tensor, batch: int, weight: float) -> tuple[Tensor, list[Tensor]]:
    """What is minimised, the first half's mean and `weight` times the second's, where there is
    one; and these means.
    """
    first = losses[:batch].mean()
    if len(losses) == batch:
        return first, [first.detach()]
    second = losses[batch:].mean()
    return first + weight * second, [first.detach(), second.detach()]
