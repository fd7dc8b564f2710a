"""A model's networks where they work: read on first use, on one device, in one format."""

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from bluerider.config import AutoencoderConfig, Compat
from bluerider.devices import packs
from bluerider.diffusion.schedule import Schedule
from bluerider.nets.packed import pack
from bluerider.nets.stored import widen
from bluerider.tokenizers import Tokenizer
from bluerider.weights.known import Known
from bluerider.weights.load import ModelFiles

LOOPED = ("unet", "prior")  # called at every step
NOTED = 64  # answers of the prior, after which they are forgotten


class Parts:
    """The parts of a model; a stage takes the networks it needs with `using`.

    Where memory is `low` a network is read when a stage takes it and gone when the stage ends.
    """

    def __init__(
        self,
        files: ModelFiles,
        device: torch.device,
        dtype: torch.dtype,
        *,
        low: bool = False,
        stored: torch.dtype | None = None,
    ) -> None:
        self.files = files
        self.device = device
        self.dtype = dtype  # networks compute in it
        self.stored = stored or dtype  # their large weights are kept in it
        self.low = low
        self.constants: dict[str, Any] = {}  # what stages compute once, by name
        self.answers: dict[str, Tensor] = {}  # the prior's latest ones to plain words alone
        self.compat: Compat | None = None  # ways of a published program to follow
        self._kept: dict[str, Any] = {}

    @contextmanager
    def using(self, name: str) -> Iterator[Any]:
        """A network for as long as the block runs; `unet` is the pair (UNet, conditioner)."""
        if not self.low:
            yield self.get(name)
            return
        yield self._load(name)
        gc.collect()
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def get(self, name: str) -> Any:
        """A network that stays, convolutions channels-last."""
        if name not in self._kept:
            self._kept[name] = self._load(name)
        return self._kept[name]

    def lend(self, nets: Mapping[str, Any]) -> None:
        """Use networks that are at work elsewhere, such as in training."""
        self._kept.update(nets)

    def note(self, texts: Sequence[str], answers: Tensor) -> None:
        """Keep what the prior has answered to texts, a few batches long."""
        if len(self.answers) > NOTED:
            self.answers.clear()
        self.answers |= dict(zip(texts, answers, strict=True))

    def adapt(self, files: ModelFiles) -> None:
        """Go on with other LoRAs; networks that they or the former ones correct are read again."""
        for lora in (*self.files.loras, *files.loras):
            for part in lora.factors:
                self._kept.pop(part, None)
        if self.files.words or files.words:
            for part in (*files.readers, *(p for p in files.parts if p.endswith("tokenizer"))):
                self._kept.pop(part, None)
            self.__dict__.pop("tokenizer", None)
        self.__dict__.pop("known", None)
        self.constants.clear()
        self.answers.clear()
        self.files = files

    def _load(self, name: str) -> Any:
        # mT5's states leave float16's range; the autoencoder is small, and strips read its weights.
        dtype = self.dtype if name == "autoencoder" else self.stored
        if name == "t5" and dtype == torch.float16:
            dtype = torch.float32
        wide = name in ("unet", "autoencoder")
        packed = name in LOOPED and dtype == self.dtype and packs(dtype, self.device)
        # What is packed is copied too: norms left in a mapped file would keep all its pages there.
        copied = wide or packed
        net = self.files.load(name, dtype=dtype, device=self.device, channels_last=copied)
        if dtype != self.dtype == torch.float32:
            for each in net if name == "unet" else (net,):
                widen(each)
        looped = net[0] if name == "unet" else net
        if wide:
            looped.to(memory_format=torch.channels_last)
        if packed:
            pack(looped)
        return net

    def schedule(self, name: str, sampler: str | None = None) -> Schedule:
        """The noise levels of `schedule` or `prior_schedule`; a sampler may have its own."""
        return Schedule(self.files.schedule(name, sampler))

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """What reads the words first: the prior's tokenizer, or the decoder's."""
        first = "tokenizer" if "tokenizer" in self.files.parts else "mclip_tokenizer"
        return self.words(first)

    def words(self, name: str) -> Tokenizer:
        """A tokenizer by the name of its part."""
        if name not in self._kept:
            self._kept[name] = self.files.tokenizer(name)
        made: Tokenizer = self._kept[name]
        return made

    @cached_property
    def known(self) -> Known | None:
        """What the model has read in training, where its folder tells."""
        return self.files.known()

    @cached_property
    def latent(self) -> AutoencoderConfig:
        """The shape of the autoencoder, and so of a latent."""
        config: AutoencoderConfig = self.files.config("autoencoder")
        return config

    @cached_property
    def zero(self) -> Tensor:
        """The embedding (1, D) of the zero picture: the decoder's condition for "nothing in
        particular".
        """
        return self.files.zero_embedding().to(self.device, torch.float32)
