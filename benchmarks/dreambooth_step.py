"""A DreamBooth step of Stable Diffusion's kind, class pictures on: ours against plain loops of
diffusers' U-Net and autoencoder, transformers' text encoder and the same optimiser.

All sides train the same small model of random weights on the same pictures: one process, one
thread, float32, one picture of the subject and one of the class a step in one forward pass, AdamW,
gradients clipped at 1, no moving average, no sample pictures. What each does:

- bluerider: `dreambooth` as users run it, Lightning, metrics.csv and the result's file included.
  Latents and text states are made once; the posterior is still drawn in every step.
- plain: as diffusers' train_dreambooth.py without flags: every step encodes the pictures and reads
  the words. Pictures stay in memory as tensors and ids are made once, which that script does not.
- cached: the same loop with latents and text states made once and their networks let go, which no
  script of diffusers for this model does. It shows what is left beside caching.

Time is the processor time of a step (the median of a run's steps after the first few), which other
work on the machine does not lengthen as it does the clock's; memory is the peak of the whole
process. `--train lora` corrects the same layers at the same rank, the loops through peft.
`--peer PATH` also runs a copy of diffusers' train_dreambooth.py, which needs torchvision: the time
of a step is there the clock's, from the difference between a long and a short run.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from turns import Turn, alternate, report, take

SIZE = 128  # pixels
WARM, RANK, RATE = 5, 16, 1e-5
SUBJECT, CLASS = "a zqx disc", "a disc"
LONG, SHORT = 60, 20  # steps of a foreign script, which does not tell its own time


def build(folder: Path) -> Path:
    """A model of random weights, large enough for its arithmetic to count, and its pictures."""
    import numpy as np
    import torch
    from PIL import Image
    from tokenizers import Tokenizer, models, pre_tokenizers, processors

    from bluerider.catalog import Defaults, find
    from bluerider.config import AutoencoderConfig, ConditionerConfig, TextConfig, UNetConfig
    from bluerider.nets.autoencoder import Autoencoder
    from bluerider.nets.clip import TextTower
    from bluerider.nets.conditioner import make_conditioner
    from bluerider.nets.unet import UNet
    from bluerider.weights.save import save_model

    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    for name, count in (("subject", 4), ("class", 8)):
        (folder / name).mkdir()
        for number in range(count):
            coarse = rng.integers(0, 256, (8, 8, 3), np.uint8)
            picture = Image.fromarray(coarse).resize((SIZE, SIZE), Image.Resampling.BICUBIC)
            picture.save(folder / name / f"{number}.png")
    words = [*(f"<{i}>" for i in range(8)), *map(chr, range(97, 123)), "<unk>", "<s>", "</s>"]
    table = {word: number for number, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordLevel(table, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer.add_special_tokens(["<s>", "</s>"])
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[(word, table[word]) for word in ("<s>", "</s>")]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    shapes = find("sd-1.5").shapes
    assert shapes is not None
    config = UNetConfig(
        in_channels=4,
        out_channels=4,
        channels=(64, 128, 128),
        depth=1,
        attends=(True, True, False),
        context_dim=128,
        attention="cross",
        head_dim=None,
        heads=8,
        time="add",
        resample="conv",
    )
    heads = ConditionerConfig(kind="none", context_dim=128, time_dim=config.time_dim)
    parts = {
        "unet": (UNet(config), make_conditioner(heads)),
        "autoencoder": Autoencoder(
            AutoencoderConfig(
                channels=(32, 64, 128, 128),
                depth=1,
                latent="gaussian",
                norm="group",
                attends=False,
                scale=shapes.autoencoder.scale,
            )
        ),
        "text": TextTower(
            TextConfig(
                vocab=len(words),
                width=128,
                layers=6,
                heads=8,
                mlp=512,
                tokens=77,
                embed_dim=None,
                activation="quick_gelu",
                bos=table["<s>"],
                eos=table["</s>"],
                pad=table["</s>"],
            )
        ),
        "tokenizer": folder / "tokenizer.json",
        "schedule": shapes.schedule,
    }
    usual = Defaults(
        steps=3, guidance=3.0, prior_steps=2, prior_guidance=3.0, width=SIZE, height=SIZE, grid=64
    )
    return save_model(parts, folder / "model", name="small", defaults=usual, licence="apache-2.0")


def ours(folder: Path, train: str, steps: int) -> list[float]:
    """Train; the processor time at the end of every step."""
    from bluerider.training.dreambooth import dreambooth

    marks: list[float] = []

    def advance(done: float, word: str) -> None:
        if word.startswith("step"):
            marks.append(time.process_time())

    with tempfile.TemporaryDirectory() as home:
        os.environ["BLUERIDER_HOME"] = f"{home}/home"
        settings = {"steps": steps, "identifier": "zqx", "class_pictures": 8, "average": 0}
        settings |= {"snr_gamma": 0, "samples": 0, "checkpoint_every": steps}
        parts = {"train": train, "rate": RATE, "rank": RANK, "alpha": RANK, "drop_text": 0}
        settings |= {f"decoder.{name}": value for name, value in parts.items()}
        dreambooth(
            folder / "subject",
            subject=SUBJECT.replace("zqx", "[V]"),
            class_=CLASS,
            class_pictures=folder / "class",
            out=Path(home) / "run",
            model=str(folder / "model"),
            device="cpu",
            changes=[f"{k}={v}" for k, v in settings.items()] + ["tensorboard=false"],
            advance=advance,
        )
    return marks


def theirs(folder: Path, train: str, steps: int, *, cached: bool) -> list[float]:
    """The loop of diffusers' script; the processor time at the end of every step."""
    import numpy as np
    import torch
    from diffusers import AutoencoderKL, DDPMScheduler, UNet2DConditionModel
    from PIL import Image
    from tokenizers import Tokenizer
    from torch.nn import functional as F
    from transformers import CLIPTextModel

    torch.manual_seed(0)
    model = folder / "model"
    vae = AutoencoderKL.from_pretrained(model / "vae").requires_grad_(False)
    scale = vae.config.scaling_factor
    reader = CLIPTextModel.from_pretrained(model / "text_encoder").requires_grad_(False)
    unet = UNet2DConditionModel.from_pretrained(model / "unet").train()
    schedule = DDPMScheduler.from_pretrained(model / "scheduler")
    if train == "lora":
        from peft import LoraConfig

        unet.requires_grad_(False)
        layers = ["to_q", "to_k", "to_v", "to_out.0"]
        unet.add_adapter(LoraConfig(r=RANK, lora_alpha=RANK, target_modules=layers))
    weights = [weight for weight in unet.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(weights, lr=RATE)

    def pictures(name: str) -> Any:
        arrays = [np.asarray(Image.open(path)) for path in sorted((folder / name).glob("*.png"))]
        return torch.from_numpy(np.stack(arrays)).movedim(-1, 1).float() / 127.5 - 1

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    rows = [tokenizer.encode(words).ids for words in (SUBJECT, CLASS)]
    ids = torch.tensor([row + [row[-1]] * (77 - len(row)) for row in rows])
    subject, class_ = pictures("subject"), pictures("class")
    if cached:
        with torch.no_grad():
            known = [vae.encode(each).latent_dist for each in (subject, class_)]
            states = reader(ids).last_hidden_state
        vae = reader = None

    def drawn(step: int) -> Any:
        if not cached:
            batch = torch.stack([subject[step % len(subject)], class_[step % len(class_)]])
            return vae.encode(batch).latent_dist.sample()
        own = [
            (each.mean[step % len(each.mean)], each.std[step % len(each.mean)]) for each in known
        ]
        return torch.stack([mean + std * torch.randn_like(mean) for mean, std in own])

    marks = []
    for step in range(steps):
        latents = drawn(step) * scale
        noise = torch.randn_like(latents)
        t = torch.randint(0, schedule.config.num_train_timesteps, (2,))
        told = states if cached else reader(ids).last_hidden_state
        answer = unet(schedule.add_noise(latents, noise, t), t, told, return_dict=False)[0]
        halves = zip(answer.chunk(2), noise.chunk(2), strict=True)
        loss = sum(F.mse_loss(one, wanted) for one, wanted in halves)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        marks.append(time.process_time())
    return marks


def run(side: str, folder: Path, train: str, steps: int) -> None:
    """Print the median processor time of a step of one side."""
    import torch

    torch.set_num_threads(1)
    if side == "bluerider":
        marks = ours(folder, train, steps)
    else:
        marks = theirs(folder, train, steps, cached=side == "cached")
    each = [after - before for before, after in zip(marks, marks[1:], strict=False)]
    print(median(each[WARM:]))


def script(path: Path, folder: Path) -> Turn:
    """A step of a copy of diffusers' train_dreambooth.py: seconds and peak memory."""

    def command(steps: int, out: str) -> list[str]:
        told = {
            "pretrained_model_name_or_path": folder / "model",
            "instance_data_dir": folder / "subject",
            "class_data_dir": folder / "class",
            "instance_prompt": SUBJECT,
            "class_prompt": CLASS,
            "num_class_images": 8,
            "resolution": SIZE,
            "train_batch_size": 1,
            "learning_rate": RATE,
            "max_train_steps": steps,
            "output_dir": out,
        }
        return [
            *(sys.executable, str(path), "--with_prior_preservation"),
            *(f"--{name}={value}" for name, value in told.items()),
        ]

    with tempfile.TemporaryDirectory() as out:
        short, long = take(command(SHORT, f"{out}/a")), take(command(LONG, f"{out}/b"))
    return Turn((long.seconds - short.seconds) / (LONG - SHORT), long.peak, "")


def main() -> None:
    """Run the sides by turns and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train", choices=("full", "lora"), default="full")
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--peer", type=Path, help="diffusers' train_dreambooth.py")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        build(folder)
        more = [place, given.train, str(given.steps)]
        turns = alternate(
            {
                side: [sys.executable, __file__, side, *more]
                for side in ("bluerider", "plain", "cached")
            },
            given.rounds,
        )
        if given.peer:
            turns["script"] = [script(given.peer, folder) for _ in range(given.rounds)]
    for peer in list(turns)[1:]:
        both = {side: turns[side] for side in ("bluerider", peer)}
        own = {s: [float(t.said or t.seconds) * 1000 for t in found] for s, found in both.items()}
        report(f"{given.train} step against {peer}", own, "ms")
        peaks = {s: [t.peak / 10**6 for t in found] for s, found in both.items()}
        report(f"{given.train} peak memory against {peer}", peaks, "MB")
    print(json.dumps({side: [round(t.seconds, 1) for t in found] for side, found in turns.items()}))


if __name__ == "__main__":
    if sys.argv[1:2] and sys.argv[1] in ("bluerider", "plain", "cached"):
        run(sys.argv[1], Path(sys.argv[2]), sys.argv[3], int(sys.argv[4]))
    else:
        main()
