"""The memory a run will take, counted before it starts from the shapes of its networks alone."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from torch import Tensor, nn

from bluerider.devices import choose_dtype
from bluerider.diffusion.loss import simple_loss
from bluerider.diffusion.schedule import Schedule
from bluerider.training.memory import Estimate, Fused, Part, Peak, estimate, resident, saved_bytes
from bluerider.training.tuning.cache import BATCH
from bluerider.training.tuning.chosen import BLOCKS, plain
from bluerider.training.tuning.classes import BATCH as PAINTED
from bluerider.training.tuning.encoding import BATCH as IMAGINED
from bluerider.training.tuning.lessons import DecoderLesson, Lesson, PriorLesson
from bluerider.training.tuning.school import HOMES, School
from bluerider.training.tuning.teach import prepared, tables
from bluerider.weights.net import BUILDERS, Uninitialised

WIDTH = 4  # bytes of a number in float32
READERS = {"image": [], "text_image": ["mclip"], "texts": ["mclip", "t5"], "none": ["text"]}
"""Kind of conditioner -> the text towers it is told by."""
Told = list[tuple[tuple[int, ...], torch.dtype]]  # of a sample: shapes and types


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """Bytes: of each part while it trains, of what was computed once, and of what goes before."""

    parts: dict[str, Estimate]
    cached: int  # latents, embeddings and text states of all samples
    freed: dict[str, int]  # networks that are let go once the caches are made: their weights
    preparing: int  # the most that making the caches takes
    resident: int = 0  # Python and its libraries as they stand, where they share this memory

    @property
    def training(self) -> int:
        """All parts and caches together."""
        return self.cached + sum(part.total for part in self.parts.values())

    @property
    def most(self) -> int:
        """The peak."""
        return self.resident + max(self.training, self.preparing)


class Forecaster:
    """Counts on the meta device, where nothing is computed. `paints` says whether the untouched
    model paints or imagines a class first, `more` how many samples that are.
    """

    def __init__(self, school: School, *, paints: bool = False, more: int = 0) -> None:
        self.school, self.plan, self.files = school, school.plan, school.files
        self.paints, self.more = paints, more
        self.numbers: torch.dtype = getattr(torch, self.plan.precision)
        self.kind = str(self.files.config("unet")[1].kind)

    def forecast(self) -> Forecast:
        """The whole run's memory."""
        trained = {part: self.trained(part) for part in self.plan.trained}
        parts = {part: self.part(part, net) for part, net in trained.items()}
        if self.school.masked and self.kind == "none" and "decoder" in parts:
            parts["autoencoder"] = estimate([Part.of("autoencoder", self.net("autoencoder"))])
        readers = {name: self.weights(name) for name in self.readers}
        eyes = {n: self.weights(n) for n in ("autoencoder", "image") if n in self.files.sources}
        freed = {name: size for name, size in (eyes | readers).items() if name not in parts}
        beside = sum(WIDTH * p.numel() for net in trained.values() for p in net.parameters())
        preparing = max(
            sum(eyes.values()) + self.encoding(),
            self.painting() if self.paints else 0,
            beside + max(readers.values(), default=0),
        )
        own = resident() if self.school.device.type == "cpu" else 0
        return Forecast(
            parts=parts, cached=self.cached(), freed=freed, preparing=preparing, resident=own
        )

    @property
    def readers(self) -> list[str]:
        """The text towers whose words are cached."""
        found = list(READERS[self.kind]) if "decoder" in self.plan.trained else []
        found += ["text"] if "prior" in self.plan.trained else []
        learns = "text_encoder" in self.plan.trained
        return [name for name in found if not (learns and name == "text")]

    def net(self, name: str) -> nn.Module:
        """A network without its numbers."""
        with torch.device("meta"), Uninitialised():
            return BUILDERS[name](self.files.config(name)).requires_grad_(False)

    def weights(self, name: str) -> int:
        """Bytes of a network as it is loaded to make caches."""
        return WIDTH * sum(p.numel() for p in self.net(name).parameters())

    def trained(self, part: str) -> nn.Module:
        """A part as it trains."""
        dtype = "float32" if self.plan.part(part).train == "full" else self.plan.base
        net = self.net(HOMES[part]).to(getattr(torch, dtype))
        return prepared(net, self.school, part, torch.Generator())

    def part(self, part: str, net: nn.Module) -> Estimate:
        """One part's memory while training."""
        wide = self.numbers.itemsize
        copied = sum(p.numel() for p in net.parameters() if p.element_size() != wide)
        return estimate(
            [Part.of(part, net)],
            optimiser=self.plan.optimizer,
            averaged=self.plan.average > 0,
            activations=self.activations(part, net.to(self.numbers)),
            copies=copied * wide if wide < WIDTH else 0,
        )

    def activations(self, part: str, net: nn.Module) -> int:
        """Bytes that a micro-batch keeps for its way back, and while a block is computed again."""
        told_by = [p for p in self.plan.trained if p != "text_encoder"]
        readers = told_by if part == "text_encoder" else [part]
        batch = max((self.plan.batch_of(each) for each in readers), default=1)
        batch *= 2 if self.plan.class_weight else 1
        forward = self.forward(part, net, batch)
        weights = list(net.parameters())
        seen: dict[nn.Module, tuple[Any, ...]] = {}
        blocks = [m for m in net.modules() if self.plan.checkpointing and isinstance(m, BLOCKS)]
        note = lambda m, args: seen.update({m: args})  # noqa: E731
        hooks = [m.register_forward_pre_hook(note) for m in blocks]
        with self.attention(readers):
            kept = saved_bytes(forward, weights)
            for hook in hooks:
                hook.remove()
            again = [
                saved_bytes(lambda m=m, args=args: type(m).forward(m, *args), [*weights, args[0]])
                for m, args in seen.items()
            ]
        return kept + max(again, default=0)

    def attention(self, parts: Sequence[str]) -> Any:
        """How attention is kept in the lessons of these parts."""
        tokens = max((prod(self.shape(part)[1:]) for part in parts), default=1)
        is_plain = plain(self.school.device, self.plan.precision, tokens)
        return nullcontext() if is_plain else Fused()

    def forward(self, part: str, net: nn.Module, batch: int) -> Callable[[], Tensor]:
        """A micro-batch through a part, on the meta device."""
        made: dict[str, Any] = {"device": "meta"}
        if part == "text_encoder":
            words = torch.zeros(batch, self.told("prior")[0][0][0], dtype=torch.long, **made)
            return lambda: net(words)[0]
        kind: type[Lesson] = PriorLesson if part == "prior" else DecoderLesson
        name = "prior_schedule" if part == "prior" else "schedule"
        shape = self.shape(part)
        x0 = torch.zeros(batch, *shape, **made)
        lesson = kind(net, Schedule(self.files.schedule(name)), [], x0)
        channels = net["unet"].config.in_channels if part == "decoder" else shape[0]
        x = torch.zeros(batch, channels, *shape[1:], dtype=self.numbers, **made)
        t = torch.zeros(batch, dtype=torch.long, **made)
        told = tuple(torch.zeros(batch, *s, dtype=d, **made) for s, d in self.told(part))
        return lambda: simple_loss(lesson.ask(x, t, told), x0)

    def shape(self, part: str) -> tuple[int, ...]:
        """Of a clean sample."""
        if part == "prior":
            return (self.files.config("prior").embed_dim,)
        side = self.school.learned.framing.size // self.files.config("autoencoder").factor
        return (self.school.cells, side, side)

    def told(self, part: str) -> Told:
        """What a network is told of a sample; the words last."""
        found: list[tuple[int, ...]] = []
        if part == "prior" or self.kind == "none":
            text = self.files.config("text")
            full = self.kind == "none"
            length = tables(self.school.captions, self.files, "tokenizer", full)[0].shape[1]
            states: Told = [((length, text.width), self.numbers)]
            mask: Told = [((text.embed_dim,), self.numbers), ((length,), torch.bool)]
            return states if full else states + mask
        if self.kind in ("image", "text_image"):
            found.append((self.files.config("image").embed_dim,))
        if "mclip" in READERS[self.kind]:
            mclip = self.files.config("mclip")
            found += [(mclip.tokens, mclip.width), (mclip.embed_dim,)]
        if "t5" in READERS[self.kind]:
            t5 = self.files.config("t5")
            found.append((t5.tokens, t5.width))
        return [(shape, self.numbers) for shape in found]

    def cached(self) -> int:
        """Bytes of all samples: clean ones and embeddings by row, text states by caption."""
        captions = len({"", *self.school.captions})
        count = len(self.school.captions) * self.school.variants + self.more
        spread = 2 if self.files.config("autoencoder").latent == "gaussian" else 1
        total = 0
        for part in self.plan.trained:
            if part == "text_encoder":
                continue
            clean = prod(self.shape(part)) * WIDTH * (spread if part == "decoder" else 1)
            told = [prod(s) * (1 if d == torch.bool else WIDTH) for s, d in self.told(part)]
            pictured = part == "decoder" and self.kind in ("image", "text_image")
            total += count * (clean + (told.pop(0) if pictured else 0))
            total += captions * sum(told)
        return total

    def encoding(self) -> int:
        """What reading pictures takes beside the weights, a batch at a time."""
        size = self.school.learned.framing.size
        nets: dict[str, Any] = {name: self.net(name) for name in ("autoencoder", "image")
                                if name in self.files.sources}  # fmt: skip
        with torch.inference_mode(), Peak() as peak:
            pictures = torch.zeros(BATCH, 3, size, size, device="meta")
            nets["autoencoder"].moments(pictures)
            if "image" in nets:
                shape = self.files.config("image")
                nets["image"](torch.zeros(BATCH, 3, shape.size, shape.size, device="meta"))
        return peak.most

    def painting(self) -> int:
        """The networks that paint and imagine the class, and the largest of their steps."""
        device = self.school.device
        dtype = choose_dtype("auto", device, self.files.bytes("unet") // 2)
        names = [name for name in self.files.sources if name != "image"]
        weights = sum(self.weights(name) for name in names) // WIDTH * dtype.itemsize
        return weights + max(self.steps())

    def steps(self) -> Iterator[int]:
        """What a step of each stage takes beside the weights: batches of pictures painted with
        guidance and decoded, and of embeddings imagined without.
        """
        batches = {"decoder": 2 * PAINTED, "prior": IMAGINED}
        for part, batch in batches.items():
            if HOMES[part] not in self.files.sources:
                continue
            forward = self.forward(part, self.net(HOMES[part]).to(self.numbers), batch)
            with torch.inference_mode(), Peak() as peak:
                forward()
            yield peak.most
        autoencoder: Any = self.net("autoencoder")
        channels, side, _ = self.shape("decoder")
        with torch.inference_mode(), Peak() as peak:
            autoencoder.decode(torch.zeros(PAINTED, channels, side, side, device="meta"))
        yield peak.most
