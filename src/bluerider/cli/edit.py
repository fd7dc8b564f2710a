"""`bluerider img2img`, `inpaint`, `outpaint`, `mix`, `vary`, `depth`: pictures from pictures."""

import inspect
from collections.abc import Callable
from typing import Annotated, Any

import typer

from bluerider.cli import values
from bluerider.cli.flags import PICTURE, option
from bluerider.cli.generate import begin, generate

OWN = ("words", "prompts", "like")  # flags of generate that no other command shares
Words = Annotated[
    list[str] | None,
    typer.Argument(metavar="WORDS", help="What to paint, in any language, in quotes."),
]
Source = Annotated[
    str,
    typer.Argument(metavar="PICTURE", help="A PNG, JPEG or WebP of any size.", show_default=False),
]
Strength = Annotated[
    str | None,
    option("0 keeps the picture, 1 ignores it.", PICTURE, "--strength", metavar="X"),
]
Feather = Annotated[
    str | None,
    option("The mask fades out over N pixels.", PICTURE, "--feather", metavar="N"),
]
Pixels = str | None


def command(*without: str, examples: str) -> Callable[[Callable[..., Any]], typer.Typer]:
    """A typer app of a function that gives a task's fields: its flags, then those of `generate`.

    `without` are flags of generate that make no sense here.
    """

    def wrap(fields: Callable[..., dict[str, Any]]) -> typer.Typer:
        own = inspect.signature(fields, eval_str=True).parameters
        flags = inspect.signature(generate, eval_str=True).parameters
        rest = {k: v for k, v in flags.items() if k not in (*OWN, *without, *own)}

        def run(**given: Any) -> None:
            made = fields(**{name: given.pop(name) for name in own})
            words = made.pop("words", None)
            begin({**given, "words": words}, {"task": fields.__name__, **made})

        shared = [each.replace(kind=each.KEYWORD_ONLY) for each in (*own.values(), *rest.values())]
        run.__signature__ = inspect.Signature(shared)  # type: ignore[attr-defined]
        run.__doc__, run.__name__ = fields.__doc__, fields.__name__
        app = typer.Typer(rich_markup_mode="rich", add_completion=False)
        lines = "\n\n".join(f"bluerider {line}" for line in examples.strip().splitlines())
        app.command(epilog=f"[bold]Examples[/bold]\n\n{lines}")(run)
        return app

    return wrap


def side(name: str) -> Any:
    """A flag for the pixels one side grows by."""
    return option(f"Pixels to add on that side ({name}).", PICTURE, f"--{name}", metavar="N")


@command(
    examples="""
img2img sketch.png "a lighthouse at dusk" --strength 0.7
img2img photo.jpg "an oil painting" -n 4 -o paintings
"""
)
def img2img(picture: Source, words: Words = None, strength: Strength = None) -> dict[str, Any]:
    """Paint a picture over, as the words say.

    The result is as large as the picture. With --size the picture is cut to that size first.
    """
    return {
        "picture": picture,
        "words": words,
        "strength": values.number("strength", strength),
    }


@command(
    "size",
    examples="""
inpaint photo.png --mask mask.png "a cat on the sofa"
inpaint cut-out.png "a garden"
inpaint photo.png --mask mask.png --feather 16 "a cat on the sofa"
""",
)
def inpaint(
    picture: Source,
    words: Words = None,
    mask: Annotated[
        str | None,
        option(
            "White is repainted, grey softly; with transparency, what is transparent is. Left "
            "out: the picture's own transparency.",
            PICTURE,
            "--mask",
            metavar="FILE",
        ),
    ] = None,
    invert_mask: Annotated[
        bool, option("Repaint what is black instead.", PICTURE, "--invert-mask")
    ] = False,
    feather: Feather = None,
    strength: Strength = None,
) -> dict[str, Any]:
    """Repaint the part of a picture that a mask says.

    What the mask leaves comes back as it was, to the byte.
    """
    return {
        "picture": picture,
        "words": words,
        "mask": mask,
        "invert_mask": invert_mask,
        "feather": values.whole("feather", feather),
        "strength": values.number("strength", strength),
    }


@command(
    "size",
    examples="""
outpaint photo.png --left 64 --right 64 "a wide beach"
outpaint photo.png --up 128 --feather 16 "a starry sky"
""",
)
def outpaint(
    picture: Source,
    words: Words = None,
    left: Annotated[Pixels, side("left")] = None,
    right: Annotated[Pixels, side("right")] = None,
    up: Annotated[Pixels, side("up")] = None,
    down: Annotated[Pixels, side("down")] = None,
    feather: Feather = None,
) -> dict[str, Any]:
    """Paint on beyond a picture's edges; the result is as large as the sum.

    The picture inside comes back as it was, to the byte, less what --feather lets fade.
    """
    sides = {"left": left, "right": right, "up": up, "down": down, "feather": feather}
    pixels = {name: values.whole(name, given) for name, given in sides.items()}
    return {"picture": picture, "words": words, **pixels}


@command(
    examples="""
mix --add apple.png --add "a hedgehog"
mix --add cat.png:0.7 --add "in the style of a woodcut:0.3" -n 4
mix --add cat.png --add "a {dog|fox}" -n 4
mix --add day.png --add night.png:0.5 --slerp
"""
)
def mix(
    more: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FILE_OR_WORDS[:WEIGHT]]...", help="The same as --add."),
    ] = None,
    add: Annotated[
        list[str] | None,
        option(
            "A picture's file or words, and how much of them (1); several. Plain colons in words: "
            "\\:.",
            PICTURE,
            "--add",
            metavar="FILE_OR_WORDS[:WEIGHT]",
        ),
    ] = None,
    normalise: Annotated[
        bool, option("Divide the weights by their sum.", PICTURE, "--normalise")
    ] = False,
    slerp: Annotated[
        bool, option("Mix along the sphere, not the straight line.", PICTURE, "--slerp")
    ] = False,
) -> dict[str, Any]:
    """Paint a weighted mix of pictures and words, blended as image embeddings."""
    parts = [*(add or []), *(more or [])]
    return {"add": parts or None, "normalise": normalise, "slerp": slerp}


@command(
    examples="""
vary photo.png -n 4
vary photo.png "by night" --prior-strength 0.5
"""
)
def vary(
    picture: Source,
    words: Words = None,
    prior_strength: Annotated[
        str | None,
        option(
            "Let the prior change the embedding, as the words say: 0 keeps it, 1 ignores it.",
            PICTURE,
            "--prior-strength",
            metavar="X",
        ),
    ] = None,
) -> dict[str, Any]:
    """Paint new pictures like a picture, through its image embedding."""
    return {
        "picture": picture,
        "words": words,
        "prior_strength": values.number("prior-strength", prior_strength),
    }


@command(
    examples="""
depth room.png "a library" --model kandinsky-2.2-depth --depth-model dpt-large
depth depth-map.png "a library" --model kandinsky-2.2-depth
"""
)
def depth(
    picture: Source,
    words: Words = None,
    depth_model: Annotated[
        str | None,
        option(
            "Folder of a depth-estimation model of the transformers library; for a picture that "
            "is no depth map.",
            PICTURE,
            "--depth-model",
            metavar="FOLDER",
        ),
    ] = None,
) -> dict[str, Any]:
    """Paint words into the depths of a picture; a grey picture is taken as its depth map."""
    return {"picture": picture, "words": words, "depth_model": depth_model}
