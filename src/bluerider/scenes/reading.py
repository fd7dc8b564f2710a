"""What a training on names and scenes reads, as texts: every name, and each in a few scenes."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

from bluerider.scenes.plural import plural
from bluerider.scenes.scene import BACKGROUNDS, KINDS, is_held_out, scene_of
from bluerider.scenes.wording import languages, render, said

Names = Mapping[str, Mapping[str, str]]  # language -> emoji -> name
SAID = tuple(each for values in KINDS.values() for each in values if each != "thing")
PAIRED = ("and", *KINDS["relation"])
OFTEN = 4  # scenes of each name in each language that has templates
COLOURED = 3  # one scene in so many has a background as well


def texts_read(names: Names) -> list[str]:
    """The names as they are and as they are often written, and scenes of them that training may
    see. The same texts every time.
    """
    texts = [name for table in names.values() for name in table.values()]
    texts += [name.capitalize() for name in texts]
    for name in names.get("en", {}).values():
        article = "an" if name[:1].lower() in "aeiou" else "a"
        texts += [f"{article} {name}", f"the {name}", plural(name)]
    for language in languages():
        texts += said(language)
        things = tuple(names.get(language, {}))
        for thing in things:
            turns = range(OFTEN)
            texts += [scene_read(names[language], language, things, thing, n) for n in turns]
    return texts


def scene_read(
    names: Mapping[str, str], language: str, things: Sequence[str], thing: str, turn: int
) -> str:
    """A scene of a thing in words, the name alone where it is one that is held out."""
    hashed = hashlib.sha256(f"read\n{language}\n{thing}\n{turn}".encode()).digest()
    luck, other, colour, variant = (int.from_bytes(hashed[i : i + 4], "big") for i in (0, 4, 8, 12))
    about = SAID[luck % len(SAID)]
    both = (thing, things[other % len(things)])
    if about in PAIRED and both[0] == both[1]:
        return names[thing]
    scene = scene_of(both if about in PAIRED else (thing,), about)
    if scene.background is None and colour % COLOURED == 0:
        scene = replace(scene, background=tuple(BACKGROUNDS)[colour // COLOURED % len(BACKGROUNDS)])
    return names[thing] if is_held_out(scene) else render(scene, names, language, variant % 12)
