"""A run taken up again ends in the bits of the run that was never cut."""

import csv
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from bluerider.errors import BlueriderError, InputError
from bluerider.training.tuning import keeper
from bluerider.training.tuning.draws import Draws
from tests.training.tuning.conftest import Train

STEPS = 4


def losses(out: Path) -> list[list[str]]:
    """metrics.csv without what the clock decides."""
    with (out / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    timed = ("seconds", "samples_per_second", "memory_mb")
    return [[v for k, v in row.items() if k not in timed] for row in rows]


def state(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = torch.load(out / "checkpoints" / f"{STEPS:06d}.ckpt", weights_only=True)
    return found


def same(a: Any, b: Any) -> bool:
    if isinstance(a, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(map(same, a, b))
    return bool(a == b)


@pytest.fixture(scope="module", params=[(0, 1), (0, 3), (2, 1), (2, 3)], ids=str)
def setting(request: pytest.FixtureRequest) -> tuple[str, str]:
    workers, accumulate = request.param
    return f"workers={workers}", f"accumulate={accumulate}"


@pytest.fixture
def whole(train: Train, setting: tuple[str, str], tmp_path_factory: Any, request: Any) -> Path:
    """The run that was never cut, made once for each setting."""
    cache: dict[Any, Path] = request.session.__dict__.setdefault("_whole_runs", {})
    if setting not in cache:
        cache[setting] = tmp_path_factory.mktemp("whole") / "run"
        train(cache[setting], *setting)
    return cache[setting]


@pytest.mark.parametrize("cut", range(1, STEPS))
def test_a_run_cut_after_any_step_ends_in_the_same_bits(
    train: Train, setting: tuple[str, str], whole: Path, tmp_path: Path, cut: int
) -> None:
    out = tmp_path / "run"
    train(out, *setting, f"steps={cut}")
    train(out, *setting, resume=True)
    for key in ("state_dict", "optimizer_states", "lr_schedulers", "bluerider"):
        assert same(state(out)[key], state(whole)[key]), key
    assert losses(out) == losses(whole)
    ours, theirs = (load_file(run / "lora.safetensors") for run in (out, whole))
    assert same(ours, theirs)


@pytest.mark.parametrize("cut", (1, 3))
@pytest.mark.parametrize("model", ["kandinsky-2.2", "sd-1.5"])
def test_learning_to_inpaint_is_taken_up_to_the_same_bits(
    study: Train, tiny: Any, tmp_path: Path, model: str, cut: int
) -> None:
    """Masks are drawn from the same stream, and channels that are new are kept with the rest."""
    given = {"model": str(tiny(model)), "part": "decoder", "inpainting": True}
    study(tmp_path / "whole", f"steps={STEPS}", "average=0.9", **given)
    study(tmp_path / "cut", f"steps={cut}", "average=0.9", **given)
    study(tmp_path / "cut", f"steps={STEPS}", "average=0.9", "workers=2", resume=True, **given)
    for key in ("state_dict", "optimizer_states", "lr_schedulers", "bluerider"):
        assert same(state(tmp_path / "cut")[key], state(tmp_path / "whole")[key]), key
    assert losses(tmp_path / "cut") == losses(tmp_path / "whole")
    with pytest.raises(InputError, match="inpainting was True, now it is False"):
        study(tmp_path / "cut", "steps=9", "inpainting=false", resume=True, **given)


def test_another_position_would_be_noticed(train: Train, tmp_path: Path, monkeypatch: Any) -> None:
    """The negative control: a run that forgets where it stood differs."""
    train(tmp_path / "whole")
    train(tmp_path / "cut", "steps=2")
    plain = Draws.micro
    monkeypatch.setattr(Draws, "micro", lambda self, i: plain(self, i - self.first))
    train(tmp_path / "cut", resume=True)
    assert losses(tmp_path / "cut") != losses(tmp_path / "whole")


def test_a_damaged_newest_checkpoint_is_passed_over(train: Train, tmp_path: Path) -> None:
    train(tmp_path / "whole")
    train(tmp_path / "cut", "steps=3")
    newest = tmp_path / "cut" / "checkpoints" / "000003.ckpt"
    newest.write_bytes(newest.read_bytes()[:-1000])
    said: list[str] = []
    train(tmp_path / "cut", resume=True, say=said.append)
    assert any("000003.ckpt is damaged" in line for line in said)
    assert "going on from step 2" in said
    assert losses(tmp_path / "cut") == losses(tmp_path / "whole")


def test_checkpoints_hold_nothing_frozen(train: Train, tmp_path: Path) -> None:
    train(tmp_path / "run", "steps=1")
    (path,) = (tmp_path / "run" / "checkpoints").glob("*.ckpt")
    names = torch.load(path, weights_only=True)["state_dict"]
    assert names and all(name.endswith((".down", ".up")) for name in names)


def test_a_checkpoint_is_not_put_together_in_memory(
    train: Train, tmp_path: Path, monkeypatch: Any
) -> None:
    places: list[Any] = []
    plain = torch.save
    monkeypatch.setattr(torch, "save", lambda data, to, **k: places.append(to) or plain(data, to))
    train(tmp_path / "run", "steps=1")
    assert len(places) == 1 and isinstance(places[0], Path)


def test_only_the_newest_are_kept(train: Train, tmp_path: Path) -> None:
    train(tmp_path / "run", "keep=2")
    assert [p.stem for p in keeper.checkpoints(tmp_path / "run" / "checkpoints")] == [
        "000004",
        "000003",
    ]


@pytest.mark.parametrize(
    ("changes", "options", "said"),
    [
        (("prior.rank=3",), {}, "trained parts was"),
        (("batch=2",), {}, "batch was 1, now it is 2"),
        (("seed=1",), {}, "seed was 0, now it is 1"),
        ((), {"subject": "a [V] ball"}, "captions was"),
    ],
)
def test_another_training_is_refused_with_the_difference(
    train: Train, tmp_path: Path, changes: tuple[str, ...], options: Any, said: str
) -> None:
    train(tmp_path / "run", "steps=1")
    with pytest.raises(InputError, match=said):
        train(tmp_path / "run", *changes, resume=True, **options)


def test_another_model_is_refused(train: Train, tmp_path: Path, tiny: Any) -> None:
    import shutil

    from safetensors.torch import save_file

    other = Path(shutil.copytree(tiny("kandinsky-2.2"), tmp_path / "other"))
    weights = next((other / "prior" / "prior").glob("*.safetensors"))
    tensors = load_file(weights)
    save_file({name: tensor * 1.01 for name, tensor in tensors.items()}, weights)
    train(tmp_path / "run", "steps=1")
    with pytest.raises(InputError, match="model was"):
        train(tmp_path / "run", resume=True, model=str(other))


def test_a_full_disk_leaves_the_old_checkpoint_and_training_goes_on(
    train: Train, tmp_path: Path, monkeypatch: Any
) -> None:
    plain = keeper.L.Trainer.save_checkpoint

    def full(self: Any, path: Any, *args: Any) -> None:
        plain(self, path, *args)
        if self.global_step == 2:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(keeper.L.Trainer, "save_checkpoint", full)
    said: list[str] = []
    train(tmp_path / "run", "keep=1", say=said.append)
    assert any("checkpoint 2 not written" in line and "step 1 stays" in line for line in said)
    assert (tmp_path / "run" / "lora.safetensors").is_file()
    assert [p.name for p in (tmp_path / "run" / "checkpoints").iterdir()] == ["000004.ckpt"]


def test_a_loss_that_is_no_number_stops_and_names_the_last_good_checkpoint(
    train: Train, tmp_path: Path, monkeypatch: Any
) -> None:
    from bluerider.training.tuning import lessons, tuner

    plain = lessons.halved
    calls: list[int] = []

    def broken(losses: torch.Tensor, batch: int, weight: float) -> Any:
        calls.append(1)
        return plain(losses * (float("nan") if len(calls) > 4 else 1.0), batch, weight)

    monkeypatch.setattr(tuner, "halved", broken)
    with pytest.raises(BlueriderError, match=r"step 3: the loss is nan; the last good.*000002"):
        train(tmp_path / "run")
    assert not (tmp_path / "run" / "lora.safetensors").exists()
