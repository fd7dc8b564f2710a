"""One picture by the model inside the package, or by a folder: our command, or diffusers'
pipelines.
"""

import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from PIL.Image import Image

import bluerider

PROMPT, SEED = "red apple", 7
FOLDER = Path(bluerider.__file__).parent / "embedded" / "murnau"


def commands(
    folder: Path, model: Path = FOLDER, dtype: str = "float32", more: Sequence[str] = ()
) -> dict[str, list[str]]:
    """The two sides: a process each, the same request, a PNG in `folder`; `more` flags are for our
    command alone.
    """
    ours = ["-m", "bluerider", "generate", PROMPT, "--seed", str(SEED), *more]
    if model != FOLDER:
        ours += ["--model", str(model), "--dtype", dtype]
    return {
        "bluerider": [sys.executable, *ours, "-o", str(folder / "bluerider.png")],
        "diffusers": [
            sys.executable,
            __file__,
            str(folder / "diffusers.png"),
            str(model),
            dtype,
        ],
    }


def load_peer(folder: Path = FOLDER, dtype: str = "float32") -> Callable[[], Image]:
    """The peer's side: both pipelines from the same folder, the same steps (of the prior at least
    two), guidance and size; returns what paints one picture.
    """
    import torch
    from diffusers import KandinskyV22Pipeline, KandinskyV22PriorPipeline

    defaults = json.loads((folder / "bluerider.json").read_text())["defaults"]
    kind = getattr(torch, dtype)
    prior = KandinskyV22PriorPipeline.from_pretrained(folder / "prior", dtype=kind)
    decoder = KandinskyV22Pipeline.from_pretrained(folder / "decoder", dtype=kind)

    def painted() -> Image:
        noise = torch.Generator().manual_seed(SEED)
        found = prior(
            PROMPT,
            num_inference_steps=max(defaults["prior_steps"], 2),  # its scheduler divides by 1 less
            guidance_scale=defaults["prior_guidance"],
            generator=noise,
        )
        made: Image = decoder(
            image_embeds=found.image_embeds,
            negative_image_embeds=found.negative_image_embeds,
            num_inference_steps=defaults["steps"],
            guidance_scale=defaults["guidance"],
            width=defaults["width"],
            height=defaults["height"],
            generator=noise,
        ).images[0]
        return made

    return painted


if __name__ == "__main__":
    load_peer(Path(sys.argv[2]), sys.argv[3])().save(sys.argv[1])
