"""What a training on names and scenes reads, as texts: every name, and each in a few scenes."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace

from bluerider.scenes.names import articled
from bluerider.scenes.plural import plural
from bluerider.scenes.scene import BACKGROUNDS, KINDS, is_held_out, scene_of
from bluerider.scenes.wording import languages, render, said

Names = Mapping[str, Mapping[str, str]]  # language -> emoji -> name
SAID = tuple(each for values in KINDS.values() for each in values if each != "thing")
PAIRED = ("and", *KINDS["relation"])
OFTEN = 8  # scenes of each name in each language that has templates
ENGLISH = 2 * len(SAID)  # in English: everything that can be said, without and with an article
COLOURED = 3  # one scene in so many has a background as well


def texts_read(names: Names) -> list[str]:
    """The names as they are and as they are often written, and scenes of them that training may
    see. The same texts every time.
    """
    texts = [name for table in names.values() for name in table.values()]
    texts += [name.capitalize() for name in texts]
    for name in names.get("en", {}).values():
        texts += [articled(name), f"the {name}", plural(name)]
    for language in languages():
        texts += said(language)
        things = tuple(names.get(language, {}))
        for thing in things:
            turns = range(ENGLISH if language == "en" else OFTEN)
            texts += [scene_read(names[language], language, things, thing, n) for n in turns]
    return texts


def scene_read(
    names: Mapping[str, str], language: str, things: Sequence[str], thing: str, turn: int
) -> str:
    """A scene of a thing in words, the name alone where it is one that is held out. Turns say one
    thing after the other; from the second time round English names have an article.
    """
    start = number(f"{language}\n{thing}", 0)
    other, colour, variant = (number(f"{language}\n{thing}\n{turn}", at) for at in (0, 4, 8))
    about = SAID[(start + turn) % len(SAID)]
    both = (thing, things[other % len(things)])
    if about in PAIRED and both[0] == both[1]:
        return names[thing]
    scene = scene_of(both if about in PAIRED else (thing,), about)
    if scene.background is None and colour % COLOURED == 0:
        scene = replace(scene, background=tuple(BACKGROUNDS)[colour // COLOURED % len(BACKGROUNDS)])
    if is_held_out(scene):
        return names[thing]
    if turn >= len(SAID) and scene.count == 1:
        names = {each: articled(names[each]) for each in scene.things}
    return render(scene, names, language, variant % 12)


def number(text: str, at: int) -> int:
    """A number of four bytes that a text stands for."""
    return int.from_bytes(hashlib.sha256(f"read\n{text}".encode()).digest()[at : at + 4], "big")
