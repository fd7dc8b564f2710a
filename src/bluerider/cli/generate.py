"""`bluerider generate`: pictures from words."""

from collections.abc import Callable, Mapping
from typing import Annotated, Any

import typer

from bluerider.cli import values
from bluerider.cli.flags import FILES, MODEL, PICTURE, SAMPLING
from bluerider.cli.flags import listed as listed
from bluerider.cli.flags import model_names as model_names
from bluerider.cli.flags import option as option
from bluerider.cli.jobs import Job, check_model, check_places, find_loras, read_jobs, recall
from bluerider.cli.run import Run, execute
from bluerider.cli.steering import NegativeDecoder, NegativePrior, Sweep, WildcardFolder, spread
from bluerider.cli.styles import Style, styled
from bluerider.editing import KEEPS_SIZE, WORDLESS
from bluerider.errors import InputError
from bluerider.request import (
    DEVICES,
    DTYPES,
    MEMORY,
    SAMPLERS,
    SPACINGS,
    Request,
    check_choice,
    check_size,
    parse_size,
    random_seed,
)

app = typer.Typer(rich_markup_mode="rich", add_completion=False)

EXAMPLES = """[bold]Examples[/bold]

bluerider generate "red apple"

bluerider generate "красное яблоко" -o apple.png --seed 7

bluerider generate "a cat in the rain" -n 9 --grid -o cats

bluerider generate "red apple" --sampler ddim --eta 0.5 --steps 50 --guidance 6

bluerider generate "a {red|green|blue} {apple|pear}" -n 9 --grid -o fruit

bluerider generate "red apple" --sweep guidance=1,2,4 --sweep steps=5,10,20 -o tried

bluerider generate --prompts words.txt -o album --json > album.json

bluerider generate --like apple.png --steps 40 -o finer.png
"""


@app.command(epilog=EXAMPLES)
def generate(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="WORDS", help="What to paint, in any language, in quotes."),
    ] = None,
    negative: Annotated[
        str | None, option("What to keep away from.", PICTURE, "--negative", metavar="WORDS")
    ] = None,
    negative_prior: NegativePrior = None,
    negative_decoder: NegativeDecoder = None,
    wildcards: WildcardFolder = None,
    style: Style = None,
    n: Annotated[
        str | None,
        option("Pictures, 1-1000; picture i has seed + i (1).", PICTURE, "-n", "--n", metavar="N"),
    ] = None,
    seed: Annotated[
        str | None,
        option("Same seed, same picture (random, printed).", PICTURE, "--seed", metavar="N"),
    ] = None,
    size: Annotated[
        str | None,
        option("Pixels, such as 128x128 (the model's).", PICTURE, "--size", metavar="WxH"),
    ] = None,
    steps: Annotated[
        str | None, option("Steps, 1-1000 (the model's).", SAMPLING, "--steps", metavar="N")
    ] = None,
    guidance: Annotated[
        str | None,
        option(
            "How closely to follow the words, 0-100; 1 is off.", SAMPLING, "--guidance", metavar="X"
        ),
    ] = None,
    prior_steps: Annotated[
        str | None,
        option("Steps from words to image embedding.", SAMPLING, "--prior-steps", metavar="N"),
    ] = None,
    prior_guidance: Annotated[
        str | None, option("Guidance of those.", SAMPLING, "--prior-guidance", metavar="X")
    ] = None,
    sampler: Annotated[
        str | None,
        option(
            ", ".join(SAMPLERS) + ".",
            SAMPLING,
            "--sampler",
            metavar="NAME",
            autocompletion=listed(SAMPLERS),
        ),
    ] = None,
    spacing: Annotated[
        str | None,
        option(
            "Of the noise levels: " + ", ".join(SPACINGS) + ".",
            SAMPLING,
            "--spacing",
            metavar="NAME",
            autocompletion=listed(SPACINGS),
        ),
    ] = None,
    eta: Annotated[
        str | None,
        option("Fresh noise in ddim: 0 none, 1 as ddpm (0).", SAMPLING, "--eta", metavar="X"),
    ] = None,
    guidance_interval: Annotated[
        str | None,
        option(
            "Part of the steps to guide (the model's).",
            SAMPLING,
            "--guidance-interval",
            metavar="A,B",
        ),
    ] = None,
    model: Annotated[
        str | None,
        option(
            "A name of `bluerider models list`, a folder, or a hub id (murnau).",
            MODEL,
            "--model",
            metavar="NAME",
            autocompletion=model_names,
        ),
    ] = None,
    prior: Annotated[
        str | None,
        option("Folder or hub id, if the card names none.", MODEL, "--prior", metavar="NAME"),
    ] = None,
    clip: Annotated[
        str | None,
        option(
            "CLIP ViT-L/14, which the first files of Kandinsky 2.1 lack.",
            MODEL,
            "--clip",
            metavar="FOLDER",
        ),
    ] = None,
    lora: Annotated[
        list[str] | None,
        option(
            "A LoRA, FILE[:SCALE] (scale 1); may be given again. \\[V] in the words becomes its "
            "subject.",
            MODEL,
            "--lora",
            metavar="FILE",
        ),
    ] = None,
    device: Annotated[
        str | None,
        option(
            ", ".join(DEVICES) + " (auto).",
            MODEL,
            "--device",
            metavar="NAME",
            autocompletion=listed(DEVICES),
        ),
    ] = None,
    dtype: Annotated[
        str | None,
        option(
            ", ".join(DTYPES) + " (auto).",
            MODEL,
            "--dtype",
            metavar="NAME",
            autocompletion=listed(DTYPES),
        ),
    ] = None,
    memory: Annotated[
        str | None,
        option(
            "low: each network is read when it works and let go after it (normal).",
            MODEL,
            "--memory",
            metavar="NAME",
            autocompletion=listed(MEMORY),
        ),
    ] = None,
    offline: Annotated[bool, option("Never use the network.", MODEL, "--offline")] = False,
    out: Annotated[
        str,
        option(
            "A name ending in .png, .jpg or .webp is one file; any other is a folder of SEED.png, "
            "made if need be (outputs).",
            FILES,
            "-o",
            "--out",
            metavar="PATH",
        ),
    ] = "outputs",
    prompts: Annotated[
        str | None,
        option(
            "One prompt a line, or JSONL of request fields; - reads stdin. Every line starts at "
            "--seed; pictures are LINE-SEED.png.",
            FILES,
            "--prompts",
            metavar="FILE",
        ),
    ] = None,
    like: Annotated[
        str | None,
        option(
            "Repeat the picture in FILE bit for bit; other flags change what they name.",
            FILES,
            "--like",
            metavar="FILE",
        ),
    ] = None,
    grid: Annotated[
        bool, option("Also one contact sheet, NAME-grid.png beside the output.", FILES, "--grid")
    ] = False,
    sweep: Sweep = None,
    as_json: Annotated[
        bool,
        option(
            "Print {request, images, seconds, warnings} on stdout; a list with --prompts, "
            "alternatives or --sweep.",
            FILES,
            "--json",
        ),
    ] = False,
) -> None:
    """Paint pictures from words.

    Every picture keeps its request inside: [bold]bluerider show FILE[/bold] prints it,
    [bold]--like FILE[/bold] repeats it. Pictures' paths go to stdout, all else to stderr.
    """
    begin(dict(locals()))


# How each flag that is a field of a request is read from text.
FIELDS: dict[str, Callable[[str, str | None], Any]] = {
    "negative": values.text,
    "negative_prior": values.text,
    "negative_decoder": values.text,
    "model": values.text,
    "n": values.whole,
    "seed": values.whole,
    "steps": values.whole,
    "guidance": values.number,
    "prior_steps": values.whole,
    "prior_guidance": values.number,
    "sampler": values.text,
    "spacing": values.text,
    "eta": values.number,
    "guidance_interval": lambda name, text: values.interval(text),
}


def begin(flags: Mapping[str, Any], own: Mapping[str, Any] | None = None) -> None:
    """Paint what a command line asks for: `flags` are those of `generate`, `own` a task's fields.

    Raises InputError.
    """
    given: dict[str, Any] = {name: read(name, flags[name]) for name, read in FIELDS.items()}
    if flags.get("size") is not None:
        given["width"], given["height"] = parse_size(flags["size"])
    fields = {name: value for name, value in {**given, **(own or {})}.items() if value is not None}
    machine: dict[str, str] = {}
    stored: dict[str, Any] = {}
    lora: list[str] | None = flags["lora"]
    if flags.get("like") is not None:
        stored, machine = recall(flags["like"])
        known = find_loras(flags["like"], stored.pop("lora", []))
        lora = known if lora is None else lora
        fields = {**stored, **fields}
    jobs = collect(flags["words"] or [], flags.get("prompts"), fields)
    jobs = styled(jobs, flags.get("style"))
    jobs, axes, several = spread(jobs, flags["wildcards"], flags["sweep"], stored)
    run = Run(
        out=flags["out"],
        prior=flags["prior"] or machine.get("prior"),
        clip=flags["clip"] or machine.get("clip"),
        lora=tuple(lora or ()),
        device=flags["device"] or machine.get("device", "auto"),
        dtype=flags["dtype"] or machine.get("dtype", "auto"),
        memory=flags["memory"] or machine.get("memory", "normal"),
        grid=flags["grid"],
        as_json=flags["as_json"],
        offline=flags["offline"],
        axes=axes,
    )
    check_choice("device", run.device, DEVICES)
    check_choice("dtype", run.dtype, DTYPES)
    check_choice("memory", run.memory, MEMORY)
    for job in jobs:
        check_at_door(job.request)
    check_places(jobs, run.lora)
    execute(jobs, run, listed=several or flags.get("prompts") is not None)


def collect(words: list[str], prompts: str | None, fields: dict[str, Any]) -> list[Job]:
    """The jobs asked for, every one with its seed. Raises InputError."""
    if len(words) > 1:
        raise InputError(f'got {len(words)} words apart; put them in quotes: "red apple"')
    if words and prompts is not None:
        raise InputError("got words and --prompts; one of the two is accepted")
    if words:
        fields["prompt"] = words[0]
    fields.setdefault("seed", random_seed())
    if prompts is not None:
        fields.pop("prompt", None)
        jobs = read_jobs(prompts, fields)
    elif "prompt" in fields or fields.get("task") in WORDLESS:
        jobs = [Job(request=Request.from_json(fields))]
    else:
        task = fields.get("task")
        if task is not None:
            raise InputError(f'say what to paint: bluerider {task} photo.png "red apple"')
        raise InputError('say what to paint: bluerider generate "red apple", or --prompts FILE')
    return jobs


def check_at_door(request: Request) -> None:
    """Refuse, before anything heavy is imported, an unknown model, a task it cannot do, a picture
    that cannot be used, and a size off its grid.
    """
    from bluerider.catalog import K22, MODELS, refuse

    check_model(request.model)
    model = MODELS.get(request.model)
    if model is not None and request.task not in model.tasks:
        refuse(model.name, request.task, model.tasks)
    if request.pictures:
        from bluerider.images import settle

        settle(request, model.defaults.grid if model else K22.defaults.grid)
    if model is not None and request.task not in KEEPS_SIZE:
        width = request.width or model.defaults.width
        check_size(width, request.height or model.defaults.height, model.defaults.grid)
