"""LoRA files: three spellings of their names, merging, what is refused."""

from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from bluerider.config import ConditionerConfig
from bluerider.errors import InputError, WeightsError
from bluerider.nets.conditioner import make_conditioner
from bluerider.nets.lora import Factors, layers
from bluerider.weights.layouts import keymap
from bluerider.weights.load import ModelFiles, open_model, whole
from bluerider.weights.lora import PREFIXES, Adapter, Target, write_lora
from tests.tiny import CROSS

PARTS = ("unet", "prior", "text")
ABOUT = {"subject": "a [V] robot", "class": "a robot", "identifier": "zqx"}


@pytest.fixture(scope="module")
def files(tiny_model: Path) -> ModelFiles:
    return open_model(tiny_model)


@pytest.fixture(scope="module")
def factors(files: ModelFiles) -> dict[str, dict[str, Factors]]:
    """Random corrections of a few layers of every part: attention, MLP, convolutions."""
    generator = torch.Generator().manual_seed(0)
    found: dict[str, dict[str, Factors]] = {}
    for part, target in files.targets().items():
        for layer, shape in list(target.shapes.items())[::3]:
            down = torch.randn(2, *shape[1:], generator=generator)
            up = torch.randn(shape[0], 2, *[1] * (len(shape) - 2), generator=generator)
            found.setdefault(part, {})[layer] = Factors(down, up, 1.0)
    return found


@pytest.fixture
def written(files: ModelFiles, factors: Any, tmp_path: Path) -> Path:
    path = tmp_path / "robot.safetensors"
    write_lora(path, factors, files.targets(), about=ABOUT)
    return path


def weights(files: ModelFiles, part: str) -> dict[str, torch.Tensor]:
    return whole(files.load(part)).state_dict()


def adapter(files: ModelFiles, path: Path | str) -> Adapter:
    return files.adapted([path]).loras[0]


@pytest.mark.parametrize("name", ["kandinsky-2.0", "kandinsky-2.1", "kandinsky-2.2", "sd-1.5"])
def test_every_correctable_layer_has_a_published_name(tiny: Any, name: str) -> None:
    files = open_model(tiny(name))
    for part, target in files.targets().items():
        net = whole(files.load(part))
        assert set(target.names.values()) == set(layers(net)) == set(target.shapes), part


def test_words_pooled_by_attention_have_published_names_too() -> None:
    config = ConditionerConfig(
        kind="text_image",
        context_dim=24,
        time_dim=64,
        image_dim=24,
        tokens=10,
        text_dim=128,
        pooling="attention",
    )
    target = Target.of(
        lambda: nn.ModuleDict({"conditioner": make_conditioner(config)}),
        keymap("unet", (CROSS, config)),
    )
    assert set(target.names.values()) == set(target.shapes)
    assert "conditioner.pooled.attention.q" in target.shapes


@pytest.mark.parametrize(
    ("said", "words"),
    [("zqx", ("zqx",)), (["zqx", "wfk"], ("zqx", "wfk")), ([], (None,)), (7, (None,))],
)
def test_a_file_names_a_word_for_each_of_its_subjects(said: Any, words: Any) -> None:
    about = {"identifier": said}
    assert Adapter(name="", sha256="", scale=1.0, factors={}, about=about).identifiers == words


@pytest.mark.parametrize("style", ["peft", "kohya"])
def test_what_is_written_is_read_again(
    files: ModelFiles, factors: Any, tmp_path: Path, style: str
) -> None:
    path = tmp_path / "robot.safetensors"
    write_lora(path, factors, files.targets(), about=ABOUT, style=style)
    found = adapter(files, path)
    for part in PARTS:
        assert found.factors[part].keys() == factors[part].keys()
        for layer, own in factors[part].items():
            assert torch.equal(found.factors[part][layer].delta(), own.delta())
    assert found.about == ABOUT and found.identifiers == ("zqx",)


@pytest.mark.parametrize(
    ("down", "up"),
    [
        (".lora.down.weight", ".lora.up.weight"),
        (".lora_linear_layer.down.weight", ".lora_linear_layer.up.weight"),
        (".lora_A.default.weight", ".lora_B.default.weight"),
    ],
)
def test_other_spellings_mean_the_same(
    files: ModelFiles, written: Path, tmp_path: Path, down: str, up: str
) -> None:
    respelt = {
        name.replace(".lora_A.weight", down).replace(".lora_B.weight", up): tensor
        for name, tensor in load_file(written).items()
    }
    save_file(respelt, tmp_path / "other.safetensors")
    ours, theirs = adapter(files, written), adapter(files, tmp_path / "other.safetensors")
    assert {p: set(f) for p, f in ours.factors.items()} == {
        p: set(f) for p, f in theirs.factors.items()
    }


def test_attention_processors_of_old_files_are_read(files: ModelFiles, tmp_path: Path) -> None:
    target = files.targets()["unet"]
    layer = next(n for n in target.shapes if n.endswith(".attn.0.out"))
    place = target.published(layer)
    assert place is not None and place.endswith("to_out.0")
    stem = place.replace("to_out.0", "processor.to_out_lora")
    out, inner = target.shapes[layer]
    tensors = {f"{stem}.down.weight": torch.ones(2, inner), f"{stem}.up.weight": torch.ones(out, 2)}
    save_file(tensors, tmp_path / "old.safetensors")
    found = adapter(files, tmp_path / "old.safetensors")
    assert found.factors["unet"][layer].alpha == 2.0


def test_alpha_in_the_metadata_of_diffusers_counts(
    files: ModelFiles, factors: Any, written: Path, tmp_path: Path
) -> None:
    tensors = {n: t for n, t in load_file(written).items() if n.startswith("prior.")}
    said = {"lora_adapter_metadata": '{"prior.lora_alpha": 6, "prior.r": 2}'}
    save_file(tensors, tmp_path / "said.safetensors", metadata=said)
    found = adapter(files, tmp_path / "said.safetensors").factors["prior"]
    assert {f.alpha for f in found.values()} == {6.0}


def test_merging_adds_the_scaled_corrections(
    files: ModelFiles, factors: Any, written: Path
) -> None:
    plain, merged = weights(files, "prior"), weights(files.adapted([f"{written}:0.5"]), "prior")
    for name, tensor in plain.items():
        own = factors["prior"].get(name.removesuffix(".weight"))
        wanted = tensor if own is None else tensor + 0.5 * own.delta()
        assert torch.allclose(merged[name], wanted, atol=1e-6), name


def test_several_files_add_up(files: ModelFiles, factors: Any, written: Path) -> None:
    twice = weights(files.adapted([written, f"{written}:-1"]), "text")
    plain = weights(files, "text")
    assert all(torch.allclose(twice[n], plain[n], atol=1e-5) for n in plain)


def test_without_a_file_the_base_is_read_to_the_bit(files: ModelFiles, written: Path) -> None:
    plain, again = weights(files, "unet"), weights(files.adapted([written]).adapted([]), "unet")
    assert all(torch.equal(plain[name], again[name]) for name in plain)


def test_diffusers_paints_the_same_with_the_file(
    files: ModelFiles, written: Path, tiny_model: Path
) -> None:
    diffusers = pytest.importorskip("diffusers")
    peer = diffusers.UNet2DConditionModel.from_pretrained(tiny_model / "decoder" / "unet")
    state = {n: t for n, t in load_file(written).items() if n.startswith("unet.")}
    peer.load_lora_adapter(state, prefix="unet")
    unet, conditioner = files.adapted([written]).load("unet")
    generator = torch.Generator().manual_seed(3)
    x = torch.randn(2, 4, 8, 8, generator=generator)
    embedding, t = torch.randn(2, 24, generator=generator), torch.tensor([5, 800])
    with torch.inference_mode():
        theirs = peer(x, t, None, added_cond_kwargs={"image_embeds": embedding}).sample
        ours = unet(x, t, *conditioner(embedding))
    assert (ours - theirs).abs().max() <= 1e-4 * theirs.abs().max()


def changed(written: Path, change: Any) -> Path:
    tensors = load_file(written)
    change(tensors)
    save_file(tensors, written)
    return written


def test_a_file_for_another_shape_is_refused(files: ModelFiles, written: Path) -> None:
    def cut(tensors: dict[str, Any]) -> None:
        name = next(n for n in tensors if n.startswith("prior.") and n.endswith("lora_A.weight"))
        tensors[name] = tensors[name][:, :-1].contiguous()

    with pytest.raises(InputError, match="another model than tiny: 1 layers of another shape"):
        adapter(files, changed(written, cut))


def test_a_file_for_another_model_is_refused(files: ModelFiles, tmp_path: Path) -> None:
    stem = f"{PREFIXES['unet'][1]}_down_blocks_9_attentions_0_to_q"
    tensors = {
        f"{stem}.lora_down.weight": torch.ones(1, 4),
        f"{stem}.lora_up.weight": torch.ones(4, 1),
    }
    save_file(tensors, tmp_path / "sd.safetensors")
    with pytest.raises(InputError, match="layers it does not have"):
        adapter(files, tmp_path / "sd.safetensors")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("unet.a.dora_scale", "holds DoRA"),
        ("lora_unet_a.hada_w1_a", "holds LoHa"),
        ("model.weight", "no LoRA"),
    ],
)
def test_other_kinds_of_file_are_refused(
    files: ModelFiles, tmp_path: Path, name: str, said: str
) -> None:
    save_file({name: torch.ones(2, 2)}, tmp_path / "x.safetensors")
    with pytest.raises(InputError, match=said):
        adapter(files, tmp_path / "x.safetensors")


def test_a_half_without_the_other_is_damage(files: ModelFiles, written: Path) -> None:
    def drop(tensors: dict[str, Any]) -> None:
        del tensors[next(n for n in tensors if n.endswith("lora_B.weight"))]

    with pytest.raises(WeightsError, match="without their other half"):
        adapter(files, changed(written, drop))


def test_a_cut_file_is_damage(files: ModelFiles, written: Path) -> None:
    written.write_bytes(written.read_bytes()[:-100])
    with pytest.raises(WeightsError, match="truncated"):
        adapter(files, written)


def test_not_a_number_is_damage(files: ModelFiles, written: Path) -> None:
    def poison(tensors: dict[str, Any]) -> None:
        next(iter(tensors.values())).view(-1)[0] = float("nan")

    with pytest.raises(WeightsError, match="NaN"):
        adapter(files, changed(written, poison))


@pytest.mark.parametrize("given", ["missing.safetensors", "missing.safetensors:0.5"])
def test_a_missing_file_is_named(files: ModelFiles, given: str) -> None:
    with pytest.raises(InputError, match="missing.safetensors: no such file"):
        adapter(files, given)


def test_a_scale_out_of_range_is_refused(files: ModelFiles, written: Path) -> None:
    with pytest.raises(InputError, match="scale 11"):
        adapter(files, f"{written}:11")


def test_a_full_disk_leaves_the_old_file(
    files: ModelFiles, factors: Any, written: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from bluerider.errors import BlueriderError

    def full(*args: Any, **options: Any) -> None:
        raise OSError(28, "No space left on device")

    before = written.read_bytes()
    monkeypatch.setattr("bluerider.weights.lora.save_file", full)
    with pytest.raises(BlueriderError, match="No space left"):
        write_lora(written, factors, files.targets(), about={})
    assert written.read_bytes() == before and len(list(written.parent.iterdir())) == 1
