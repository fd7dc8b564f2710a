"""English plurals of names such as 'red apple' or 'face with tears of joy'."""

import re

IRREGULAR = {
    "bison": "bison",
    "bus": "buses",
    "child": "children",
    "deer": "deer",
    "dice": "dice",
    "elf": "elves",
    "fish": "fish",
    "foot": "feet",
    "goose": "geese",
    "knife": "knives",
    "leaf": "leaves",
    "loaf": "loaves",
    "man": "men",
    "mouse": "mice",
    "ox": "oxen",
    "person": "people",
    "scarf": "scarves",
    "sheep": "sheep",
    "snowman": "snowmen",
    "squid": "squid",
    "tooth": "teeth",
    "wolf": "wolves",
    "woman": "women",
}
# Endings, the first that fits; a noun that ends in a single s is taken for a plural (grapes).
ENDINGS = (
    (r"(?<=[^aeiou])y$", "ies"),
    (r"(?<=x|z)$|(?<=ch|sh|ss|us|is)$", "es"),
    (r"(?<=s)$", ""),
    (r"(?<=tomat|potat)o$", "oes"),
    (r"$", "s"),
)
# The noun stands before the first of these.
AFTER_NOUN = re.compile(
    r":| \(| (?=(?<=man |son )\w+(?: \w+)?ing\b)"
    r"| (?:with|without|of|in|on|at|as|and|from|behind|over|against|for|to)\b"
    r"| (?:holding|getting|feeding|rowing|lifting)\b"
)


def plural(name: str) -> str:
    """'red apple' -> 'red apples', 'face with tears of joy' -> 'faces with tears of joy'."""
    found = AFTER_NOUN.search(name)
    head, rest = (name[: found.start()], name[found.start() :]) if found else (name, "")
    before, space, noun = head.rpartition(" ")
    return before + space + plural_noun(noun) + rest


def plural_noun(noun: str) -> str:
    """One word in the plural; hyphenated words by their last part."""
    before, hyphen, last = noun.rpartition("-")
    if hyphen:
        return before + hyphen + plural_noun(last)
    if noun.lower() in IRREGULAR:
        return noun[:1] + IRREGULAR[noun.lower()][1:]
    for ending, becomes in ENDINGS:
        if re.search(ending, noun):
            return re.sub(ending, becomes, noun, count=1)
    return noun
