"""The memory told before a run is what the run keeps."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch

from bluerider.cli.understood import show_memory
from bluerider.training import dreambooth as command
from bluerider.training.finetune import Run, Studies
from bluerider.training.memory import resident, saved_bytes
from bluerider.training.tuning import teach
from bluerider.training.tuning.chosen import kernels, plain
from bluerider.training.tuning.draws import Draws
from bluerider.training.tuning.forecast import Forecaster
from tests.training.tuning.conftest import QUICK, SHORT


def planned(model: Path, data: Path, *changes: str, **options: Any) -> Run:
    given = {"parts": ["prior", "decoder"], "device": "cpu", **options}
    wanted = Studies(
        data=data, out=Path("nowhere"), model=str(model), changes=[*SHORT, *changes], **given
    )
    return Run(wanted, lambda line: None, lambda *a: None)


def built(run: Run) -> dict[str, torch.nn.Module]:
    """The lessons of a run."""
    teacher, rows = teach.Teacher(run.school), run.rows()
    lessons = [part for part in run.plan.trained if part != "text_encoder"]
    return {part: getattr(teacher, part)(rows[part]) for part in lessons}


def kept(run: Run, lessons: dict[str, Any]) -> dict[str, int]:
    """What a micro-batch of each lesson keeps."""
    rows = run.rows()
    sources = {p: teach.source(run.school, p, rows[p], one) for p, one in lessons.items()}
    micro = Draws(sources, seed=0, rank=0, world=1, first=0).micro(0)
    found = {}
    for part, lesson in lessons.items():
        tokens = micro[part].noise.shape[2:].numel()
        with kernels(plain(torch.device("cpu"), run.plan.precision, tokens)):
            step = partial(lesson, micro[part])
            found[part] = saved_bytes(step, list(lesson.parameters()))
    return found


FAMILIES = {
    "kandinsky-2.0": ["decoder"],
    "kandinsky-2.1": ["prior", "decoder"],
    "kandinsky-2.2": ["prior", "decoder"],
    "sd-1.5": ["decoder"],
}


@pytest.mark.parametrize("name", FAMILIES)
def test_activations_are_what_a_step_keeps(tiny: Any, captioned: Path, name: str) -> None:
    run = planned(tiny(name), captioned, parts=FAMILIES[name])
    real, forecast = kept(run, built(run)), run.forecast()
    for part, size in real.items():
        assert forecast.parts[part].rows["activations"] == pytest.approx(size, rel=0.03)


@pytest.mark.parametrize("train", ["lora", "full"])
def test_weights_are_those_of_the_run(tiny: Any, captioned: Path, train: str) -> None:
    run = planned(tiny("kandinsky-2.2"), captioned, "average=0.9", train=train, inpainting=True)
    lessons = built(run)
    for part, found in run.forecast().parts.items():
        weights = list(lessons[part].net.parameters())
        learned = sum(p.numel() for p in weights if p.requires_grad)
        rows = found.rows
        assert rows["trained weights"] == rows["gradients"] == rows["moving average"] == 4 * learned
        assert rows["optimiser (adamw)"] == 8 * learned
        assert rows.get("frozen weights", 0) == 4 * (sum(p.numel() for p in weights) - learned)


def test_a_low_rank_correction_takes_its_sides_times_its_rank(tiny: Any, captioned: Path) -> None:
    run = planned(tiny("kandinsky-2.2"), captioned, "prior.rank=4", parts=["prior"])
    config = run.files.config("prior")
    width = config.heads * config.head_dim
    layers = 4 * config.layers  # q, k, v, out of every block
    assert run.forecast().parts["prior"].rows["trained weights"] == 4 * layers * 4 * 2 * width


def test_what_is_computed_again_is_not_kept(tiny: Any, captioned: Path) -> None:
    plain, again = (
        planned(tiny("kandinsky-2.2"), captioned, f"checkpointing={flag}").forecast()
        for flag in ("false", "true")
    )
    for part in plain.parts:
        kept_, less = (one.parts[part].rows["activations"] for one in (plain, again))
        assert 0 < less < 0.75 * kept_


def test_what_makes_the_caches_is_let_go(tiny: Any, captioned: Path) -> None:
    run = planned(tiny("kandinsky-2.2"), captioned)
    forecast = run.forecast()
    sizes = {
        name: 4 * sum(p.numel() for p in run.files.load(name).parameters())
        for name in ("autoencoder", "image", "text")
    }
    assert forecast.freed == sizes
    assert forecast.preparing > sizes["autoencoder"] + sizes["image"]
    embedding, cells = 24 * 4, 4 * 8 * 8 * 4
    longest = run.files.tokenizer("tokenizer")(["disc on white"], full=False).ids.shape[1]
    words = 4 * (longest * (24 * 4 + 1) + 24 * 4)  # three captions and none
    assert forecast.cached == 4 * (embedding + cells + embedding) + words


def test_half_precision_halves_frozen_weights(tiny: Any, captioned: Path) -> None:
    whole, half = (
        planned(tiny("kandinsky-2.2"), captioned, *flags).forecast().parts["decoder"].rows
        for flags in ((), ("precision=bfloat16", "base=bfloat16"))
    )
    assert half["frozen weights"] == whole["frozen weights"] // 2
    assert half["activations"] < 0.6 * whole["activations"]
    assert half["copies of weights"] == half["trained weights"] // 2


def test_dreambooth_counts_both_halves_and_the_class(tiny: Any, pictures: Path) -> None:
    def forecast(*changes: str) -> Any:
        wanted = command.Lessons(
            pictures=[pictures],
            subjects=["a [V] disc"],
            classes=["a disc"],
            out=Path("nowhere"),
            model=str(tiny("kandinsky-2.2")),
            changes=[*QUICK, *changes],
            device="cpu",
        )
        return command.Run(wanted, print, lambda *a: None).forecast()

    both, one = forecast(), forecast("class_weight=0")
    ours, theirs = (each.parts["decoder"].rows["activations"] for each in (both, one))
    assert ours == pytest.approx(2 * theirs, rel=0.05)
    assert both.cached > one.cached and both.preparing >= one.preparing


def test_the_peak_counts_the_process_itself(tiny: Any, captioned: Path) -> None:
    run = planned(tiny("kandinsky-2.2"), captioned)
    found = run.forecast()
    assert found.resident == pytest.approx(resident(), rel=0.1) and found.resident > 100e6
    assert found.most == found.resident + max(found.training, found.preparing)
    run.school.device = torch.device("cuda")  # whose memory Python does not take
    on_gpu = run.forecast()
    assert on_gpu.resident == 0 and on_gpu.most == max(on_gpu.training, on_gpu.preparing)


def test_painting_the_class_counts_its_largest_step(tiny: Any, captioned: Path) -> None:
    small, large = (
        max(Forecaster(planned(tiny("kandinsky-2.2"), captioned, f"size={size}").school).steps())
        for size in (64, 128)
    )
    held = 8 * 32 * 64 * 64 * 4  # pictures at once, channels, pixels, bytes: the finest layer's
    assert small >= 2 * held and large == pytest.approx(4 * small, rel=0.05)


def test_the_forecast_is_shown(tiny: Any, captioned: Path, capsys: Any, monkeypatch: Any) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    show_memory(planned(tiny("kandinsky-2.2"), captioned).forecast())
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["memory,", "estimated", "prior", "decoder", "together"]
    assert any(line.startswith("gradients") for line in lines)
    assert "then let go: autoencoder" in lines[-2] and lines[-1].startswith("the most at once")
