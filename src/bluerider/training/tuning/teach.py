"""From rows of what was computed to lessons: what trains is chosen, the rest is let go."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor, nn

from bluerider.diffusion.schedule import Schedule
from bluerider.nets.tokens import learned_rows
from bluerider.training.order import Order
from bluerider.training.tuning.cache import Frame
from bluerider.training.tuning.chosen import choose, recompute
from bluerider.training.tuning.draws import Source
from bluerider.training.tuning.identifier import pieces
from bluerider.training.tuning.inpainting import WIDENED, Blanked, Known, widen
from bluerider.training.tuning.lessons import DecoderLesson, Lesson, PriorLesson, Shelves
from bluerider.training.tuning.plan import LIVE, PARTS
from bluerider.training.tuning.school import HOMES, School
from bluerider.training.tuning.told import Cached, Live, Spoken, Values
from bluerider.weights.load import READERS, ModelFiles, whole
from bluerider.weights.words import Word


@dataclass
class Rows:
    """Samples of subject and class: their captions, and what was computed of each."""

    captions: list[str] = field(default_factory=list)
    halves: list[list[list[int]]] = field(default_factory=list)  # rows of a picture, of each half
    frames: list[Frame] = field(default_factory=list)  # the pictures themselves, where they are
    tensors: dict[str, list[Tensor]] = field(default_factory=dict)

    def add(
        self,
        captions: Sequence[str],
        variants: int,
        frames: Sequence[Frame] = (),
        **tensors: Iterable[Tensor],
    ) -> None:
        """A half: `variants` rows a picture, pictures in order."""
        start, count = len(self.captions), len(captions)
        self.captions += captions
        self.frames += frames
        rows = list(range(start, start + count))
        self.halves.append([rows[i : i + variants] for i in range(0, count, variants)])
        for name, rows_of in tensors.items():
            self.tensors.setdefault(name, []).extend(rows_of)

    def favour(self, first: int) -> None:
        """Let the `first` rows of every picture of the last half be drawn about half the time."""
        self.halves[-1] = [
            rows[:first] * max(1, len(rows) // first - 1) + rows[first:] for rows in self.halves[-1]
        ]

    def all(self, name: str) -> Tensor | None:
        """All rows as one tensor."""
        return torch.stack(self.tensors[name]) if name in self.tensors else None


def new_words(files: ModelFiles, texts: Sequence[str], classes: Sequence[str]) -> list[Word]:
    """Words that no vocabulary has, each with the mean of the rows of its class's last word."""
    found: dict[str, dict[str, Tensor]] = {text: {} for text in texts}
    for tokenizer, part in READERS.items():
        if part not in files.sources:
            continue
        table = files.load(part, dtype=torch.float32).embed.weight.detach()
        for text, class_ in zip(texts, classes, strict=True):
            ids = pieces(files.tokenizer(tokenizer), class_.split()[-1])
            found[text][part] = table[ids].mean(dim=0).clone()
    return [Word(text=text, rows=rows) for text, rows in found.items()]


def tables(captions: Sequence[str], files: ModelFiles, part: str, full: bool) -> Any:
    """Ids and mask of the different captions, the empty one first, and which one each row has."""
    different = list(dict.fromkeys(["", *captions]))
    ids, mask = files.tokenizer(part)(different, full=full)
    return ids, mask, [different.index(caption) for caption in captions]


def clip_words(tower: nn.Module, ids: Tensor, mask: Tensor) -> Values:
    """What the prior is told: token states, embedding, mask."""
    words = tower(ids)
    return words.states, words.embedding, mask


def prepared(net: nn.Module, school: School, part: str, generator: torch.Generator) -> nn.Module:
    """A network with what trains of it chosen, and all that goes with its training."""
    widens = part == "decoder" and school.widens
    if widens:
        widen(net["unet"], 2 * school.cells + 1)
    choose(net, school.plan.part(part), generator, [WIDENED] if widens else [])
    if school.plan.checkpointing:
        recompute(net)
    return net


class Teacher:
    """Builds the lessons, with what trains chosen and everything frozen let go."""

    def __init__(self, school: School) -> None:
        self.school = school
        plan = school.plan
        self.generator = torch.Generator().manual_seed(plan.seed)
        self.base = getattr(torch, plan.base)
        self.nets: dict[str, nn.Module] = {}  # by what trains
        self.towers: dict[str, nn.Module] = {}  # text encoders whose new words are learned

    def net(self, part: str) -> nn.Module:
        """A part that trains, as one module, prepared."""
        if part not in self.nets:
            school = self.school
            dtype = torch.float32 if school.plan.part(part).train == "full" else self.base
            net = whole(school.files.load(HOMES[part], dtype=dtype, device=school.device))
            self.nets[part] = prepared(net, school, part, self.generator)
        return self.nets[part]

    def spoken(self, rows: Rows, part: str, tokenizer: str, read: Any, *, full: bool) -> nn.Module:
        """What a text tower says of the rows' captions: in the step where it learns."""
        school = self.school
        ids, mask, captions = tables(rows.captions, school.files, tokenizer, full)
        learns = part == "text" and school.plan.text_encoder.train != "off"
        spells = bool(school.files.words)
        tower = self.towers.get(part)
        if tower is None:
            tower = (
                self.net("text_encoder")
                if learns
                else whole(school.files.load(part, dtype=torch.float32, device=school.device))
            )
        spoken = Spoken(tower, read, ids, mask, captions).to(school.device)
        if spells:
            self.spell(part, tower)
        return spoken if learns or spells else spoken.cached()

    def spell(self, part: str, tower: nn.Module) -> None:
        """Let a text encoder learn its new words; the rest of it stays as it was chosen."""
        rows = learned_rows(tower)
        assert rows is not None
        if not any(tower is net for net in self.nets.values()):
            tower.requires_grad_(False)
        rows.data = rows.data.float()
        rows.requires_grad_(True)
        self.towers[part] = tower

    def words(self) -> list[Word]:
        """The words as they stand; where no lesson reads one with a text encoder, as they were."""
        live = {part: learned_rows(tower) for part, tower in self.towers.items()}
        return [
            Word(
                text=word.text,
                rows={
                    part: row if (rows := live.get(part)) is None else rows[number].detach().clone()
                    for part, row in word.rows.items()
                },
            )
            for number, word in enumerate(self.school.files.words)
        ]

    def prior(self, rows: Rows) -> Lesson:
        """The prior's lesson."""
        files, net = self.school.files, self.net("prior")
        embeddings = rows.all("embedding")
        assert embeddings is not None
        with torch.no_grad():
            x0 = net.normalise(embeddings.to(self.school.device, net.mean.dtype)).float()
        told = self.spoken(rows, "text", "tokenizer", clip_words, full=False)
        return PriorLesson(
            net,
            Schedule(files.schedule("prior_schedule")),
            [told],
            x0,
            gamma=0.0,  # x0 is what it predicts; it was trained without weights
            absolute=self.school.plan.loss == "l1",
        )

    def decoder(self, rows: Rows) -> Lesson:
        """The decoder's lesson."""
        school = self.school
        net = self.net("decoder")
        schedule = Schedule(school.files.schedule("schedule", "ddpm"))  # with what it learned
        unet = net["unet"].config
        learned = unet.out_channels == 2 * school.cells
        wanted = school.plan.variance
        is_on = learned and (wanted == "on" or (wanted == "auto" and is_learned(schedule)))
        return DecoderLesson(
            net,
            schedule,
            self.told(rows),
            rows.tensors["latent"],
            spread=rows.tensors.get("spread"),
            gamma=school.plan.snr_gamma,
            variance=is_on,
            absolute=school.plan.loss == "l1",
            beside=self.beside(rows) if school.masked else None,
        ).to(school.device)

    def beside(self, rows: Rows) -> nn.Module:
        """What an inpainting decoder is shown beside the noisy latent."""
        files, device = self.school.files, self.school.device
        if files.config("unet")[1].kind != "none":
            return Known()
        autoencoder = files.load("autoencoder", dtype=torch.float32, device=device)
        return Blanked(autoencoder, [frame.open for frame in rows.frames])

    def live(self, rows: Rows, embedding: Tensor, zero: Tensor) -> nn.Module:
        """What the prior makes of the subject's words as it learns; the class' own embeddings."""
        prior = self.net("prior")
        schedule = Schedule(self.school.files.schedule("prior_schedule"))
        (first, *_) = schedule.steps(1)

        def answer(words: Values) -> Tensor:
            states, pooled, mask = words
            # Of a prior that answers at once, the noise is the mean: it is told nothing by it.
            x = torch.zeros(len(states), prior.config.embed_dim, device=states.device)
            t = torch.full((len(x),), first.t, device=x.device)
            made: Tensor = prior.restore(prior(x.to(states.dtype), t, states, pooled, mask))
            return made

        spoken = self.spoken(rows, "text", "tokenizer", clip_words, full=False)
        count = sum(map(len, rows.halves[0]))
        return Live(spoken, answer, embedding, zero, count).to(self.school.device)

    def told(self, rows: Rows) -> list[nn.Module]:
        """What the conditioner is given, by its kind."""
        school = self.school
        kind = school.files.config("unet")[1].kind
        found: list[nn.Module] = []
        if kind in ("image", "text_image"):
            embedding = rows.all("embedding")
            assert embedding is not None
            embedding = embedding.to(school.device)
            zero = school.files.zero_embedding().to(school.device)
            if school.plan.decoder_condition == LIVE:
                found.append(self.live(rows, embedding, zero))
            else:
                found.append(Cached((embedding,), (zero,), drop=1))
        if kind in ("text_image", "texts"):
            found.append(self.spoken(rows, "mclip", "mclip_tokenizer", both_words, full=True))
        if kind == "texts":
            found.append(self.spoken(rows, "t5", "t5_tokenizer", masked_states, full=True))
        if kind == "none":
            found.append(self.spoken(rows, "text", "tokenizer", clip_states, full=True))
        return found


def is_learned(schedule: Schedule) -> bool:
    """Whether a schedule's sampler reads the learned variance."""
    return schedule.config.variance == "learned"


def clip_states(tower: nn.Module, ids: Tensor, mask: Tensor) -> Values:
    """Stable Diffusion: the token states alone."""
    return (tower(ids)[0],)


def both_words(tower: nn.Module, ids: Tensor, mask: Tensor) -> Values:
    """XLM-R: token states and the pooled vector."""
    states, pooled = tower(ids, mask)
    return states, pooled


def masked_states(tower: nn.Module, ids: Tensor, mask: Tensor) -> Values:
    """mT5: token states."""
    return (tower(ids, mask),)


def source(school: School, name: str, rows: Rows, lesson: Lesson) -> Source:
    """What a lesson's micro-batches are drawn from."""
    plan, part = school.plan, school.plan.part(name)
    seed = plan.seed
    shapes = lesson.x0.shapes if isinstance(lesson.x0, Shelves) else []
    group = plan.batch_of(name) if shapes else 1  # samples in a row of one shape
    orders: list[Any] = [replace(school.learned, group=group).order]
    orders += [Order([1] * len(half), seed=seed + 1) for half in rows.halves[1:]]
    return Source(
        part=PARTS.index(name),
        batch=plan.batch_of(name),
        order=tuple(orders),
        rows=tuple(rows.halves),
        shape=() if shapes else tuple(lesson.x0.shape[1:]),
        shapes=shapes,
        levels=lesson.schedule.length,
        drop=(part.drop_text, part.drop_image),
        blurs=lesson.spread is not None,
        masks=lesson.beside is not None,
    )
