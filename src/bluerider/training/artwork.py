"""The emoji set made from public clones: noto-emoji's artwork and the names of Unicode CLDR.

Published at github.com/googlefonts/noto-emoji (png/512, Apache 2.0) and
github.com/unicode-org/cldr-json (annotations, base and derived, Unicode License v3).
"""

import io
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from bluerider.errors import InputError
from bluerider.images import opened
from bluerider.training.emoji import EmojiSet

SIZE = 256
SHARE = 0.9  # of the pictures that a language has to name
VARIATION = "\ufe0f"  # asks for the coloured form; neither source uses it the same way everywhere
# New subjects for personalisation: no stage sees them, in any language or picture.
HELD_OUT = tuple("🪀🪆🪅🗿🪃🫕🦣🦤🦫🫖🪐🩰🪁🛼🪩🪼🪿🪇🪈🧋🦦🪂🦕🪷")
BASE, DERIVED = "cldr-annotations-full/annotations", "cldr-annotations-derived-full"

Advance = Callable[[float, str], None]  # part done, 0 to 1, and what is being done


def prepare(png: Path, cldr: Path, advance: Advance = lambda done, word: None) -> EmojiSet:
    """Read both clones: drawings with an English name, languages that name 90 % of them.

    Left out: skin tones, and flags of countries and regions. Raises InputError for a folder that is
    no such clone, or a file in it that cannot be read.
    """
    paths = find_pictures(png)
    folders = find_languages(cldr)
    advance(0.0, "en")
    english = read_language(folders["en"])
    emoji = sorted((e for e in paths if e in english), key=as_named)
    if not emoji:
        raise InputError(f"--png {png}: no picture there has an English name in {cldr}")
    read = {}
    for index, (lang, files) in enumerate(folders.items()):
        advance(0.2 * index / len(folders), f"names: {lang}")
        found = {e: entry for e, entry in read_language(files).items() if e in paths}
        found = {e: found[e] for e in emoji if e in found}
        if len(found) >= SHARE * len(emoji):
            read[lang] = found
    images = []
    for index, e in enumerate(emoji):
        advance(0.2 + 0.8 * index / len(emoji), f"picture {index + 1} of {len(emoji)}")
        images.append(encode(paths[e]))
    names = {lang: {e: name for e, (name, _) in t.items()} for lang, t in read.items()}
    keywords = {lang: {e: words for e, (_, words) in t.items()} for lang, t in read.items()}
    return EmojiSet(emoji, images, names, keywords, tuple(e for e in HELD_OUT if e in emoji))


def find_pictures(folder: Path) -> dict[str, Path]:
    """Emoji (without variation selectors) -> file, from emoji_u<hex>[_<hex>...].png."""
    found: dict[str, Path] = {}
    for place in (folder / "png" / "512", folder):
        for path in sorted(place.glob("emoji_u*.png"), key=lambda p: (len(p.name), p.name)):
            parts = path.stem.removeprefix("emoji_u").split("_")
            if all(re.fullmatch("[0-9a-f]{2,6}", part) for part in parts):
                emoji = "".join(chr(int(part, 16)) for part in parts).replace(VARIATION, "")
                if is_wanted(emoji):
                    found.setdefault(emoji, path)
        if found:
            return found
    raise InputError(
        f"--png {folder}: no emoji_u*.png there nor in its png/512; "
        "a clone of googlefonts/noto-emoji is accepted"
    )


def as_named(emoji: str) -> list[str]:
    """A key that sorts as the artwork's file names do."""
    return [f"{ord(letter):04x}" for letter in emoji]


def is_wanted(emoji: str) -> bool:
    """Whether it is neither a skin tone or toned, nor a flag of a country or region."""
    return not any(
        0x1F3FB <= ord(letter) <= 0x1F3FF  # skin tones
        or 0x1F1E6 <= ord(letter) <= 0x1F1FF  # letters of countries
        or 0xE0020 <= ord(letter) <= 0xE007F  # tags of regions
        for letter in emoji
    )


def find_languages(folder: Path) -> dict[str, list[Path]]:
    """Language -> its files, base before derived, from a clone's root or its folder of packages."""
    for root in (folder / "cldr-json", folder):
        found: dict[str, list[Path]] = {}
        for path in sorted((root / BASE).glob("*/annotations.json")):
            derived = root / DERIVED / "annotationsDerived" / path.parent.name / path.name
            found[path.parent.name] = [path, *([derived] if derived.is_file() else [])]
        if "en" in found and len(found["en"]) == 2:
            return found
    raise InputError(
        f"--cldr {folder}: no {BASE}/en/annotations.json and {DERIVED}/annotationsDerived/en/"
        "annotations.json there; a clone of unicode-org/cldr-json is accepted"
    )


def read_language(paths: list[Path]) -> dict[str, tuple[str, list[str]]]:
    """Emoji -> (spoken short name, keywords)."""
    found: dict[str, tuple[str, list[str]]] = {}
    for path in paths:
        for emoji, entry in read_annotations(path).items():
            spoken, words = entry.get("tts"), entry.get("default", [])
            if spoken and spoken[0].strip():
                name = spoken[0].strip()
                others = [word for word in words if word != name]
                found.setdefault(emoji.replace(VARIATION, ""), (name, others))
    return found


def read_annotations(path: Path) -> Mapping[str, Mapping[str, Any]]:
    """The entries of one annotations.json. Raises InputError when it is not one."""
    try:
        (content,) = json.loads(path.read_text("utf-8")).values()
        entries = content["annotations"]
        whole = all(isinstance(w, list) for entry in entries.values() for w in entry.values())
    except (OSError, ValueError, AttributeError, KeyError, TypeError, RecursionError) as error:
        raise InputError(f"{path}: not an annotations file ({type(error).__name__})") from error
    if not whole:
        raise InputError(
            f"{path}: its names are not lists; a clone of CLDR 38 or later is accepted"
        )
    found: Mapping[str, Mapping[str, Any]] = entries
    return found


def encode(path: Path) -> bytes:
    """A PNG as 256 x 256 RGBA WebP; what is missing to a square is transparent."""
    with opened(path) as image:
        picture = image.convert("RGBA")
    side = max(picture.size)
    if picture.size != (side, side):
        square = Image.new("RGBA", (side, side))
        square.paste(picture, ((side - picture.width) // 2, (side - picture.height) // 2))
        picture = square
    data = io.BytesIO()
    picture.resize((SIZE, SIZE), Image.Resampling.LANCZOS).save(data, "WEBP", quality=90)
    return data.getvalue()
