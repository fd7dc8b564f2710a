"""A LoRA from PEFT's names into kohya's and back."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from bluerider.cli.main import main
from bluerider.nets.lora import Factors
from bluerider.weights.load import ModelFiles, open_model
from bluerider.weights.lora import write_lora

FAMILIES = ("kandinsky-2.0", "kandinsky-2.1", "kandinsky-2.2", "sd-1.5")


def corrections(files: ModelFiles) -> dict[str, dict[str, Factors]]:
    generator = torch.Generator().manual_seed(0)
    found: dict[str, dict[str, Factors]] = {}
    for part, target in files.targets().items():
        named = [(n, s) for n, s in target.shapes.items() if target.published(n)]
        for layer, shape in named[::4]:
            down = torch.randn(2, *shape[1:], generator=generator)
            up = torch.randn(shape[0], 2, *[1] * (len(shape) - 2), generator=generator)
            found.setdefault(part, {})[layer] = Factors(down, up, 1.0)
    return found


@pytest.fixture(params=FAMILIES)
def files(request: pytest.FixtureRequest, tiny: Any) -> ModelFiles:
    return open_model(tiny(request.param))


def about(files: ModelFiles) -> dict[str, Any]:
    return {"subject": "a [V] robot", "identifier": "zqx", "base": {"name": files.name}}


def said(path: Path) -> Any:
    with safe_open(path, "pt") as file:
        return json.loads(file.metadata()["bluerider"])


def same(a: Path, b: Path) -> bool:
    ours, theirs = load_file(a), load_file(b)
    return ours.keys() == theirs.keys() and all(
        ours[n].dtype == theirs[n].dtype and torch.equal(ours[n], theirs[n]) for n in ours
    )


def test_there_and_back_is_the_same_to_the_bit(
    files: ModelFiles, tiny: Any, tmp_path: Path, capsys: Any
) -> None:
    model = str(tiny(files.name.removeprefix("tiny-")))
    first, kohya, back = (tmp_path / f"{n}.safetensors" for n in ("a", "b", "c"))
    write_lora(first, corrections(files), files.targets(), about=about(files), dtype=torch.float16)
    for source, target, style in ((first, kohya, "kohya"), (kohya, back, "peft")):
        flags = ["--layout", style, "--model", model]
        assert main(["convert", str(source), str(target), *flags]) == 0
    names = set(load_file(kohya))
    assert all(name.startswith("lora_") for name in names)
    assert {name.rpartition(".")[2] for name in names} == {"weight", "alpha"}
    assert same(first, back) and said(back) == said(kohya) == about(files)
    assert f"({style})" in capsys.readouterr().out


def test_an_alpha_of_its_own_keeps_its_effect(tiny: Any, tmp_path: Path) -> None:
    files = open_model(tiny("sd-1.5"))
    made = corrections(files)
    source, target = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    write_lora(source, made, files.targets(), about={}, style="kohya")
    flags = ["--layout", "peft", "--model", str(tiny("sd-1.5"))]
    assert main(["convert", str(source), str(target), *flags]) == 0
    (lora,) = files.adapted([target]).loras
    for part, layers in made.items():
        for layer, factors in layers.items():
            assert torch.allclose(lora.factors[part][layer].delta(), factors.delta(), atol=1e-6)


def test_the_model_is_the_one_the_file_names(tmp_path: Path) -> None:
    files = open_model("murnau")
    part, target = next(iter(files.targets().items()))
    layer, (wide, narrow) = next((n, s) for n, s in target.shapes.items() if len(s) == 2)
    factors = {part: {layer: Factors(torch.ones(1, narrow), torch.ones(wide, 1), 1.0)}}
    source, out = tmp_path / "a.safetensors", tmp_path / "b.safetensors"
    write_lora(source, factors, {part: target}, about={"base": {"name": "murnau"}})
    assert main(["convert", str(source), str(out), "--layout", "kohya"]) == 0
    assert len(load_file(out)) == 3


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("no.safetensors", "b.safetensors", "--layout", "kohya"), "no such file"),
        (("a.safetensors", "b.ckpt", "--layout", "kohya"), "a .safetensors file in a folder"),
        (("a.safetensors", "b.safetensors", "--layout", "kohya"), "--model is missing"),
        (("murnau", "b", "--layout", "diffusers", "--model", "x"), "--model goes with a LoRA"),
    ],
)
def test_mistakes_are_told(
    tiny: Any, tmp_path: Path, monkeypatch: Any, capsys: Any, arguments: Any, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    files = open_model(tiny("sd-1.5"))
    write_lora(Path("a.safetensors"), corrections(files), files.targets(), about={})
    assert main(["convert", *arguments]) == 2
    assert said in capsys.readouterr().err


def test_a_lora_for_another_model_is_refused(tiny: Any, tmp_path: Path, capsys: Any) -> None:
    files = open_model(tiny("sd-1.5"))
    source = tmp_path / "a.safetensors"
    write_lora(source, corrections(files), files.targets(), about={})
    flags = ["--layout", "kohya", "--model", "murnau"]
    assert main(["convert", str(source), str(tmp_path / "b.safetensors"), *flags]) == 2
    assert "made for another model than murnau" in capsys.readouterr().err
    assert not (tmp_path / "b.safetensors").exists()
