"""Every family is trained further on captioned pictures; mistakes are told."""

import csv
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file

from bluerider.cli.main import main
from bluerider.errors import InputError
from bluerider.nets.lora import inject
from bluerider.pipeline import Pipeline
from bluerider.pipeline.tasks import able
from bluerider.pipeline.words import tell
from bluerider.training.finetune import Run, Studies
from bluerider.training.tuning import encoding, teach
from bluerider.training.tuning.whole import merged
from bluerider.weights.load import open_model
from tests.training.tuning.conftest import SHORT, Train

PARTS = {
    "kandinsky-2.0": ("decoder",),
    "kandinsky-2.1": ("prior", "decoder"),
    "kandinsky-2.2": ("prior", "decoder"),
    "sd-1.5": ("decoder", "text_encoder"),
}
HOMES = {"prior": "prior", "decoder": "unet", "text_encoder": "text_encoder"}


def kept(path: Path) -> set[str]:
    with safe_open(path, "pt") as file:
        return {key.split(".")[0] for key in file.keys()}  # noqa: SIM118


@pytest.mark.parametrize("name", PARTS)
def test_a_lora_of_the_parts_is_learned(study: Train, tiny: Any, tmp_path: Path, name: str) -> None:
    result = study(tmp_path / "run", "steps=1", model=str(tiny(name)), part=PARTS[name])
    assert kept(result) == {HOMES[part] for part in PARTS[name]}
    assert tiny(name) and open_model(str(tiny(name))).adapted([result]).loras


@pytest.mark.parametrize("name", PARTS)
def test_a_decoder_gets_the_channels_to_inpaint(
    study: Train, tiny: Any, tmp_path: Path, name: str
) -> None:
    model = str(tiny(name))
    result = study(tmp_path / "run", "steps=1", model=model, part="decoder", inpainting=True)
    assert result == tmp_path / "run" / "model"
    pipe = Pipeline.load(result, device="cpu")
    assert able(pipe.files) == ("inpaint", "outpaint")
    picture, mask = Image.new("RGB", (64, 64), "red"), Image.new("L", (64, 64), 255)
    given = {"task": "inpaint", "picture": picture, "mask": mask, "seed": 1, "steps": 1}
    assert pipe.generate("a disc", **given).images[0].size == (64, 64)


@pytest.mark.parametrize("name", ["kandinsky-2.2-inpaint", "sd-1.5-inpaint"])
def test_an_inpainting_decoder_learns_under_masks(
    study: Train, tiny: Any, tmp_path: Path, name: str
) -> None:
    changes = ("steps=1", "sample_every=1", "samples=1")
    result = study(tmp_path / "run", *changes, model=str(tiny(name)), part="decoder")
    assert kept(result) == {"unet"}
    assert (tmp_path / "run" / "samples" / "000001-data-0.png").is_file()


def test_full_training_moves_what_is_not_frozen(study: Train, tiny: Any, tmp_path: Path) -> None:
    options = {"part": "decoder", "train": "full", "freeze": ["resblocks"]}
    result = study(tmp_path / "run", "steps=1", **options)
    ours, theirs = (
        next((folder / "decoder" / "unet").glob("*.safetensors"))
        for folder in (result, tiny("kandinsky-2.2"))
    )
    before = load_file(theirs)
    moved = {n for n, v in load_file(ours).items() if not torch.equal(v, before[n])}
    assert any("attentions" in name for name in moved) and "conv_in.weight" in moved
    assert not any("resnets" in n and "conv_shortcut" not in n for n in moved)


def test_a_lora_and_a_part_trained_whole_are_written_together(
    study: Train, tiny: Any, tmp_path: Path
) -> None:
    result = study(tmp_path / "run", "steps=1", "prior.train=lora", part="decoder", train="full")
    before = load_file(next((tiny("kandinsky-2.2") / "prior" / "prior").glob("*.safetensors")))
    after = load_file(next((result / "prior" / "prior").glob("*.safetensors")))
    moved = [n for n in before if not torch.equal(before[n].float(), after[n].float())]
    assert moved and all("attn" in name for name in moved)
    page = (tmp_path / "run" / "report.html").read_text()
    assert "generate &quot;disc on white&quot; --model run/model" in page


def test_merged_corrections_compute_the_same() -> None:
    net = torch.nn.Sequential(torch.nn.Linear(6, 5), torch.nn.Conv1d(1, 1, 1))
    low = inject(net, ["0"], 2, 3.0)["0"]
    torch.nn.init.normal_(low.up)
    x = torch.randn(4, 6)
    wanted = net[0](x)
    assert torch.allclose(merged(net)[0](x), wanted, atol=1e-6)
    assert type(net[0]) is torch.nn.Linear


def test_losses_are_of_the_data(study: Train, tmp_path: Path) -> None:
    study(tmp_path / "run", part=["prior", "decoder"])
    with (tmp_path / "run" / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        each = [float(row[f"{part}/data"]) for part in ("prior", "decoder")]
        assert float(row["loss"]) == pytest.approx(sum(each), rel=1e-5)
    assert len(rows) == 2 and "prior/class" not in rows[0]


def test_the_prior_is_told_what_it_is_told_when_painting(
    tiny: Any, captioned: Path, tmp_path: Path
) -> None:
    """The same text features, last norm and all, which the original's trainer leaves out."""
    model = str(tiny("kandinsky-2.2"))
    options = {"model": model, "device": "cpu", "changes": SHORT, "parts": ["prior"]}
    run = Run(Studies(data=captioned, out=tmp_path / "run", **options), print, lambda *a: None)
    lesson = teach.Teacher(run.school).prior(run.rows()["prior"])
    pipe = Pipeline.load(model, device="cpu")
    drop = torch.tensor([[False, False], [False, False], [True, False], [False, False]])
    states, pooled, mask = lesson.told[0](torch.arange(4), drop)
    with torch.inference_mode():
        told = tell(pipe.parts, ["disc on white", "a disc", "", ""])
    width = told.mask.shape[1]
    assert torch.equal(mask[:, :width].bool(), told.mask.bool()) and not mask[:, width:].any()
    seen = told.mask.bool()
    assert torch.allclose(states[:, :width][seen], told.states[seen], atol=1e-5)
    assert torch.allclose(pooled, told.pooled, atol=1e-5)


def test_pictures_are_painted_under_captions_of_the_data(study: Train, tmp_path: Path) -> None:
    from bluerider.images import read_request

    study(tmp_path / "run", "steps=1", "sample_every=1", "samples=2", part="prior")
    found = sorted((tmp_path / "run" / "samples").iterdir())
    names = [f"000001-{kind}-{seed}.png" for kind in ("data", "unrelated") for seed in (0, 1)]
    assert [path.name for path in found] == names
    said = [read_request(path)["prompt"] for path in found]
    assert said == ["disc on white", "a disc", "a cat", "a cat"]


def test_missing_captions_are_told(study: Train, pictures: Path, tmp_path: Path) -> None:
    said: list[str] = []
    study(tmp_path / "run", "steps=1", part="prior", say=said.append)
    assert "warning: 1 of 4 pictures have no caption" in said
    with pytest.raises(InputError, match="no picture has a caption"):
        study(tmp_path / "other", part="prior", data=pictures)


def test_kandinsky_22s_decoder_needs_no_captions(
    study: Train, pictures: Path, tmp_path: Path
) -> None:
    assert study(tmp_path / "run", "steps=1", part="decoder", data=pictures).is_file()


def test_murnaus_decoder_is_told_what_its_prior_makes_of_the_captions(
    study: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    plain = encoding.usual
    monkeypatch.setattr(encoding, "usual", lambda s, w, t: asked.extend(w) or plain(s, w, t))
    study(tmp_path / "run", "steps=1", model="murnau", part="decoder")
    assert asked and "decoder_condition: prior" in (tmp_path / "run" / "config.yaml").read_text()


@pytest.mark.parametrize(
    ("changes", "options", "said"),
    [
        ((), {}, "--part is missing"),
        ((), {"part": "unet"}, "--part: got 'unet'; accepted: prior, decoder, text_encoder"),
        ((), {"part": "decoder", "train": "some"}, "--train: got 'some'"),
        ((), {"part": "decoder", "freeze": ["all"]}, "--freeze: got 'all'"),
        ((), {"part": "prior", "freeze": ["attention"]}, "--freeze is for the decoder"),
        ((), {"part": "prior", "inpainting": True}, "--inpainting is for the decoder"),
        (("prior.train=lora", "inpainting=true"), {}, "the decoder has to learn it"),
        (("decoder.freeze=some",), {"part": "decoder"}, "decoder.freeze: got 'some'"),
        ((), {"part": "decoder", "data": "nowhere"}, "no such folder"),
    ],
)
def test_mistakes_are_told(
    study: Train, tmp_path: Path, changes: tuple[str, ...], options: Any, said: str
) -> None:
    with pytest.raises(InputError, match=said):
        study(tmp_path / "run", *changes, **options)
    assert not (tmp_path / "run").exists()


def test_a_part_or_model_that_cannot_learn_is_refused(
    study: Train, tiny: Any, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="prior: tiny-sd-1.5 has none"):
        study(tmp_path / "run", model=str(tiny("sd-1.5")), part="prior")
    with pytest.raises(InputError, match="is told a depth map"):
        study(tmp_path / "run", model=str(tiny("kandinsky-2.2-depth")), part="decoder")


def test_a_caption_with_a_subjects_place_is_refused(
    study: Train, captioned: Path, tmp_path: Path
) -> None:
    table = captioned.with_name("marked.jsonl")
    table.write_text('{"file_name": "0.png", "text": "a [V] disc"}')
    with pytest.raises(InputError, match=r"0.png: its caption has \[V\]"):
        study(tmp_path / "run", part="prior", data=table)


def test_dreambooth_needs_class_pictures_where_a_model_only_repaints(
    train: Train, tiny: Any, tmp_path: Path
) -> None:
    model = str(tiny("kandinsky-2.2-inpaint"))
    with pytest.raises(InputError, match="--class-pictures, or class_weight=0"):
        train(tmp_path / "run", model=model)
    result = train(tmp_path / "run", "steps=1", "class_weight=0", model=model)
    assert kept(result) == {"prior", "unet"}


def test_a_dry_run_shows_pictures_and_memory_and_writes_nothing(
    tiny: Any, captioned: Path, tmp_path: Path, capsys: Any
) -> None:
    out = tmp_path / "run"
    flags = ["--model", str(tiny("kandinsky-2.2")), "--part", "decoder", "--out", str(out)]
    assert main(["finetune", str(captioned), *flags, "--dry-run", "size=64"]) == 0
    told = capsys.readouterr().out
    assert "disc on white" in told and "the most at once" in told
    assert not out.exists()


def test_mirrored_variants_are_encoded_apart(tiny: Any, captioned: Path, tmp_path: Path) -> None:
    def keys(*changes: str) -> list[str]:
        given = {"model": str(tiny("kandinsky-2.2")), "parts": ["decoder"], "device": "cpu"}
        wanted = Studies(
            data=captioned, out=tmp_path / "run", changes=[*SHORT, "variants=2", *changes], **given
        )
        frames = Run(wanted, lambda line: None, lambda *a: None).school.frames()
        return [str(frame.key) for frame in frames]

    assert len(set(keys("flip=true"))) == 8 and len(set(keys())) == 4
