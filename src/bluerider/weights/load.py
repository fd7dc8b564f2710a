"""A model by name, folder or hub id -> its files, part by part, checked before anything heavy is
read.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from bluerider import catalog
from bluerider.catalog import Defaults
from bluerider.config import ScheduleConfig
from bluerider.errors import InputError, WeightsError
from bluerider.nets.tokens import extend
from bluerider.tokenizers import Tokenizer
from bluerider.weights.families import FAMILIES, NETS
from bluerider.weights.fields import Fields, read_json
from bluerider.weights.hub import Announce
from bluerider.weights.known import KNOWN, Known, load_known
from bluerider.weights.layouts import keymap
from bluerider.weights.lora import Adapter, Target, read_lora, scaled
from bluerider.weights.net import BUILDERS, Source, folder_source, load_net, read_net
from bluerider.weights.places import (
    Fetching,
    clip_folder,
    decoder_folder,
    family_of,
    gather,
    prior_folder,
    prior_of,
    release_place,
)
from bluerider.weights.released import find_release
from bluerider.weights.schedules import read_schedule
from bluerider.weights.tokens import load_tokenizer
from bluerider.weights.words import Word, check_words, merged, stacked
from bluerider.weights.zero import zero_embedding

__all__ = ["ModelFiles", "load_net", "open_model"]

READERS = {"tokenizer": "text", "mclip_tokenizer": "mclip", "t5_tokenizer": "t5"}
ADAPTED = ("unet", "prior", "text")


@dataclass(frozen=True, kw_only=True)
class ModelFiles:
    """A model's parts and where they stand.

    Every family has unet, autoencoder and schedule. Kandinsky 2.1 and 2.2 have tokenizer, text,
    image, prior and prior_schedule; 2.1 and 2.0 mclip and mclip_tokenizer, 2.0 also t5 and
    t5_tokenizer; Stable Diffusion tokenizer and text.
    """

    name: str
    family: str
    licence: str
    defaults: Defaults
    parts: Mapping[str, Path]  # folders, or files where a part has one of its own
    sources: Mapping[str, Source]
    schedules: Mapping[str, ScheduleConfig] = field(default_factory=dict)  # where no file tells
    loras: tuple[Adapter, ...] = ()  # merged into what is loaded
    words: tuple[Word, ...] = ()  # learned; tokenizers and text encoders know them
    root: Path | None = None  # where bluerider.json stands

    def config(self, part: str) -> Any:
        """The shape of a network part; for `unet` the pair (UNetConfig, ConditionerConfig)."""
        return self.sources[part].config

    def bytes(self, part: str) -> int:
        """Size of a network part's files."""
        return self.sources[part].bytes

    def load(
        self,
        part: str,
        *,
        dtype: torch.dtype | None = None,
        device: str | torch.device = "cpu",
        channels_last: bool = False,
    ) -> Any:
        """A network part with the LoRAs merged into it; for `unet` the pair (UNet, conditioner)."""
        net = read_net(self.sources[part], dtype=dtype, device=device, channels_last=channels_last)
        for lora in self.loras:
            lora.merge(part, whole(net))
        if self.words and part in READERS.values():
            extend(net, stacked(self.words, part))
        return net

    def adapted(self, given: Sequence[str | Path]) -> "ModelFiles":
        """The same files with these LoRAs, each FILE[:SCALE], in the place of any before.

        Raises InputError for one that is made for another model, WeightsError for a damaged one.
        """
        targets = self.targets() if given else {}
        loras = tuple(read_lora(*scaled(one), targets, self.name) for one in given)
        widths = {part: self.config(part).width for part in self.readers}
        for lora in loras:
            check_words(lora.words, widths, f"--lora {lora.name}", self.name)
        words = merged([word for lora in loras for word in lora.words])
        return replace(self, loras=loras, words=words)

    @property
    def readers(self) -> list[str]:
        """The text encoders there are."""
        return [part for part in READERS.values() if part in self.sources]

    def targets(self) -> dict[str, Target]:
        """The parts that LoRAs correct."""
        return {
            part: Target.of(
                lambda part=part: BUILDERS[part](self.config(part)),
                keymap(part, self.config(part)),
            )
            for part in ADAPTED
            if part in self.sources
        }

    def tokenizer(self, part: str = "tokenizer") -> Tokenizer:
        """The tokenizer of a text encoder."""
        config = self.config(READERS[part])
        made = load_tokenizer(self.parts[part], config)
        texts = [word.text for word in self.words]
        return made.with_words(texts, config.vocab) if texts else made

    def schedule(self, part: str, sampler: str | None = None) -> ScheduleConfig:
        """The noise levels of `schedule` or `prior_schedule`.

        Kandinsky 2.0 and 2.1 limit x0 and know a learned variance in their ddpm sampler alone: ask
        with `sampler` to get them there.
        """
        special = f"{sampler}_{part}"
        if special in self.schedules or special in self.parts:
            part = special
        return self.schedules[part] if part in self.schedules else read_schedule(self.parts[part])

    def known(self) -> Known | None:
        """What it has read in training, where its folder tells and no LoRA taught it more."""
        path = self.root / KNOWN if self.root and not self.loras else None
        return load_known(path) if path and path.is_file() else None

    def zero_embedding(self) -> Tensor:
        """The embedding (1, D) of the zero picture, float32."""
        return zero_embedding(self.sources["image"], self.parts["image"].parent)


def whole(net: Any) -> nn.Module:
    """A network part as one module, named as its keymap names it."""
    return nn.ModuleDict({"unet": net[0], "conditioner": net[1]}) if isinstance(net, tuple) else net


def open_model(
    given: str | Path,
    *,
    prior: str | Path | None = None,
    clip: str | Path | None = None,
    offline: bool = False,
    variant: str | None = None,
    announce: Announce | None = None,
) -> ModelFiles:
    """The files of a model: a catalog name, a hub id, a folder (ours, a diffusers pipeline's, or
    the first releases of Kandinsky 2.0 and 2.1), or a single file.

    `prior` (a folder or hub id) is for decoders whose card names none, `clip` (a folder) for the
    first files of Kandinsky 2.1, which lack it. Raises InputError for what cannot be a model,
    WeightsError for a damaged one, OfflineError where something would have to be fetched.
    """
    fetching = Fetching(offline=offline, variant=variant, announce=announce)
    place, unet = release_place(given, fetching)
    found = find_release(place, clip_folder(clip, fetching), unet) if place else None
    if found is not None:
        if prior is not None:
            raise InputError(f"{given}: holds all it needs; it takes no other prior")
        check_fit(found.sources)
        return described(
            given, found.family, found.home, found.parts, found.sources, found.schedules
        )
    if clip is not None:
        raise InputError(f"{given}: has its own CLIP; --clip is for the first files of 2.1")
    decoder, home = decoder_folder(given, fetching)
    family = family_of(decoder)
    layout = FAMILIES[family]
    parts = gather(decoder, layout.decoder, "decoder")
    if layout.prior is None:
        if prior is not None:
            raise InputError(f"{given}: {family} has no prior, so it takes none")
    else:
        if prior is not None:
            source = prior_folder(prior, fetching)
        else:
            source = home or prior_of(decoder, fetching)
        parts |= gather(source, layout.prior, "prior")
    sources = {part: folder_source(parts[part], part) for part in parts if part in NETS}
    check_fit(sources)
    return described(given, family, decoder, parts, sources)


def check_fit(sources: Mapping[str, Source]) -> None:
    """Whether the parts speak of the same embeddings, tokens and latent, from their shapes alone.

    Raises WeightsError naming the part that does not fit.
    """
    unet, conditioner = sources["unet"].config
    if "prior" in sources:
        check_prior(sources, conditioner.image_dim)
    widths = {
        "mclip": (conditioner.text_dim, conditioner.pooled_dim or None),
        "t5": (conditioner.text_dim2, None),
    }
    if conditioner.kind == "none":
        widths["text"] = (unet.context_dim, None)
    for part, (wanted, pooled) in widths.items():
        if part not in sources:
            continue
        config = sources[part].config
        if config.width != wanted or (pooled and config.embed_dim != pooled):
            raise WeightsError(
                f"{sources['unet'].place}: takes words of {wanted} numbers; its text encoder "
                f"{sources[part].place} gives {config.width}: it belongs to another model"
            )
    latent = sources["autoencoder"].config.latent_channels
    if unet.in_channels < latent or unet.out_channels not in (latent, 2 * latent):
        raise WeightsError(
            f"{sources['unet'].place}: does not fit the autoencoder's {latent} channels"
        )


def check_prior(sources: Mapping[str, Source], wanted: int) -> None:
    """Whether a prior and its towers make the image embedding that the decoder takes."""
    prior, text, image = (sources[part].config for part in ("prior", "text", "image"))
    widths = {
        "prior": prior.embed_dim,
        "text tower": text.embed_dim,
        "image tower": image.embed_dim,
    }
    wrong = [f"{name} {width}" for name, width in widths.items() if width != wanted]
    if wrong:
        raise WeightsError(
            f"{sources['unet'].place.parent}: takes embeddings of {wanted} numbers; its prior's "
            f"parts have {', '.join(wrong)}: they belong to another model"
        )
    if text.width != prior.text_dim or text.tokens < prior.tokens:
        raise WeightsError(
            f"{sources['prior'].place}: takes {prior.tokens} tokens of {prior.text_dim}; "
            f"the text tower gives {text.tokens} of {text.width}"
        )


BASES = {"kandinsky-2.0": catalog.K20, "kandinsky-2.1": catalog.K21, "kandinsky-2.2": catalog.K22}


def described(
    given: str | Path,
    family: str,
    decoder: Path,
    parts: Mapping[str, Path],
    sources: Mapping[str, Source],
    schedules: Mapping[str, ScheduleConfig] | None = None,
) -> ModelFiles:
    """Name, licence and defaults: of the folder's bluerider.json, the catalog, or the family."""
    model = catalog.MODELS.get(str(given)) if isinstance(given, str) else None
    base = BASES.get(family, catalog.SD15).defaults
    name = model.name if model else Path(given).name
    licence, defaults = model.licence if model else "not stated", model.defaults if model else base
    root = None
    for folder in (decoder, decoder.parent):
        own = folder / "bluerider.json"
        if own.is_file() and not (model and model.hub):
            entry = Fields(read_json(own), own)
            name = model.name if model else str(entry.data.get("name") or name)
            licence = str(entry.data.get("licence") or licence)
            defaults = read_defaults(entry, base)
            root = folder
            break
    else:
        defaults = defaults if model else sized(defaults, sources)
    return ModelFiles(
        name=name,
        family=family,
        licence=licence,
        defaults=defaults,
        parts=parts,
        sources=sources,
        schedules=schedules or {},
        root=root,
    )


def sized(defaults: Defaults, sources: Mapping[str, Source]) -> Defaults:
    """The family's defaults at the size the U-Net's config was saved with."""
    path = sources["unet"].place / "config.json"
    cells = read_json(path).get("sample_size") if path.is_file() else None
    side = cells * sources["autoencoder"].config.factor if cells else 0
    usable = isinstance(side, int) and 64 <= side <= 2048 and side % defaults.grid == 0
    return replace(defaults, width=side, height=side) if usable else defaults


def read_defaults(entry: Fields, base: Defaults) -> Defaults:
    """The defaults a model folder states; fields it leaves out are the family's."""
    given = entry.data.get("defaults", {})
    accepted = {each.name: type(getattr(base, each.name)) for each in fields(Defaults)}
    if not isinstance(given, dict) or set(given) - set(accepted):
        raise entry.refuse("defaults", f"a table of {', '.join(accepted)}")
    given = {name: tuple(v) if isinstance(v, list) else v for name, v in given.items()}
    for name, value in given.items():
        kind = accepted[name]
        if not (type(value) is kind or (kind is float and type(value) is int)):
            raise WeightsError(f"{entry.path}: {name} is {value!r}; a {kind.__name__} is needed")
    return replace(base, **given)
