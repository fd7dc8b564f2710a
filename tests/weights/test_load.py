"""Finding a model's parts by name, folder or id, and what they say of themselves."""

import gc
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch

from bluerider import catalog
from bluerider.errors import InputError, OfflineError, WeightsError
from bluerider.weights.load import ModelFiles, open_model
from bluerider.weights.store import home
from bluerider.weights.zero import SHIPPED


def edit(path: Path, **changes: Any) -> None:
    data = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({key: value for key, value in data.items() if value != "gone"}))


def test_a_model_folder_gives_every_part(tiny_model: Path, tiny_parts: dict[str, Any]) -> None:
    files = open_model(tiny_model)
    assert files.parts.keys() == tiny_parts.keys()
    assert (files.name, files.licence, files.family) == ("tiny", "apache-2.0", "kandinsky-2.2")
    assert files.defaults == catalog.MURNAU.defaults
    assert files.schedule("schedule") == catalog.SCHEDULE_22
    assert files.schedule("prior_schedule") == catalog.PRIOR_SCHEDULE


@pytest.mark.parametrize("part", ["text", "image", "prior", "autoencoder"])
def test_a_part_comes_back_as_it_was(
    tiny_model: Path, tiny_parts: dict[str, Any], part: str
) -> None:
    loaded = open_model(tiny_model).load(part)
    assert loaded.config == tiny_parts[part].config
    saved = tiny_parts[part].state_dict()
    assert all(torch.equal(value, saved[name]) for name, value in loaded.state_dict().items())
    assert not any(parameter.requires_grad for parameter in loaded.parameters())
    assert not loaded.training


def test_the_unet_comes_with_its_conditioner(tiny_model: Path, tiny_parts: dict[str, Any]) -> None:
    pair = open_model(tiny_model).load("unet", dtype=torch.bfloat16)
    assert [net.config for net in pair] == [net.config for net in tiny_parts["unet"]]
    assert {p.dtype for net in pair for p in net.parameters()} == {torch.bfloat16}


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="asks Linux what is mapped")
def test_weights_of_the_stored_type_stay_in_the_file(tiny_model: Path) -> None:
    path = str(tiny_model / "decoder/movq/diffusion_pytorch_model.safetensors")
    net = open_model(tiny_model).load("autoencoder")
    assert path in Path("/proc/self/maps").read_text()
    del net
    gc.collect()
    cast = open_model(tiny_model).load("autoencoder", dtype=torch.bfloat16)
    assert path not in Path("/proc/self/maps").read_text()
    del cast


def test_a_decoder_folder_finds_the_prior_beside_it(tiny_model: Path) -> None:
    files = open_model(tiny_model / "decoder")
    assert files.parts["prior"] == tiny_model / "prior" / "prior"


def test_a_lone_decoder_takes_the_prior_it_is_given(tiny_model: Path, tmp_path: Path) -> None:
    decoder = Path(shutil.copytree(tiny_model / "decoder", tmp_path / "alone"))
    with pytest.raises(InputError, match="names no prior; give one with --prior"):
        open_model(decoder)
    for prior in (tiny_model / "prior", tiny_model):
        assert open_model(decoder, prior=prior).parts["text"].parent == tiny_model / "prior"


@pytest.mark.parametrize(
    "front", ["prior: someone/its-prior", "prior:\n- someone/its-prior\ntags: [x]"]
)
def test_a_decoders_card_names_its_prior(tiny_model: Path, tmp_path: Path, front: str) -> None:
    decoder = Path(shutil.copytree(tiny_model / "decoder", tmp_path / "alone"))
    (decoder / "README.md").write_text(f"---\n{front}\n---\n# Card")
    with pytest.raises(OfflineError, match="bluerider models fetch someone/its-prior"):
        open_model(decoder, offline=True)


@pytest.mark.parametrize("front", ["prior: ../../secrets", "prior: [1]", "{{{", "prior: a/b/c"])
def test_a_card_that_names_no_repository_is_not_followed(
    tiny_model: Path, tmp_path: Path, front: str
) -> None:
    decoder = Path(shutil.copytree(tiny_model / "decoder", tmp_path / "alone"))
    (decoder / "README.md").write_text(f"---\n{front}\n---\n# Card")
    with pytest.raises(InputError, match="names no prior"):
        open_model(decoder)


@pytest.mark.parametrize("name", ["kandinsky-2.2", "kandinsky-2.2-depth", "someone/model"])
def test_offline_says_what_to_run_elsewhere(name: str) -> None:
    with pytest.raises(OfflineError, match=f"bluerider models fetch {name}"):
        open_model(name, offline=True)


def test_the_hubs_own_offline_switch_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(OfflineError, match="bluerider models fetch kandinsky-2.2"):
        open_model("kandinsky-2.2")


@pytest.mark.parametrize("name", ["nope", "", "a/b/c", "../x", "a b/c", "murnau\0", "x" * 5000])
def test_what_cannot_be_a_model_is_refused(name: str) -> None:
    with pytest.raises(InputError, match="known models: murnau, kandinsky-2.0") as caught:
        open_model(name)
    assert len(str(caught.value)) < 600


def test_a_file_or_an_empty_folder_is_no_model(tiny_model: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a file of another kind"):
        open_model(tiny_model / "bluerider.json")
    with pytest.raises(WeightsError, match="no model here"):
        open_model(tmp_path)


def test_a_missing_part_is_named(model_copy: Path) -> None:
    shutil.rmtree(model_copy / "decoder/movq")
    with pytest.raises(WeightsError, match="the decoder lacks movq/"):
        open_model(model_copy)


def test_another_family_is_named(model_copy: Path) -> None:
    edit(model_copy / "decoder/model_index.json", _class_name="StableDiffusionXLPipeline")
    with pytest.raises(WeightsError, match="'StableDiffusionXLPipeline'; accepted: Kandinsky"):
        open_model(model_copy)
    edit(model_copy / "decoder/model_index.json", _class_name="StableDiffusionPipeline")
    with pytest.raises(WeightsError, match="the decoder lacks vae/, text_encoder/, tokenizer/"):
        open_model(model_copy)


@pytest.mark.parametrize(
    ("name", "family"),
    [("kandinsky-2.1", "kandinsky-2.1"), ("sd-1.5", "stable-diffusion-1")],
)
def test_a_folder_tells_its_family(tiny: Any, name: str, family: str) -> None:
    files = open_model(tiny(name))
    assert files.family == family
    assert files.defaults.width == 64
    assert all(files.load(part) for part in files.sources)


def test_the_ddpm_sampler_of_21_has_limits_of_its_own(tiny: Any) -> None:
    files = open_model(tiny("kandinsky-2.1"))
    assert files.schedule("schedule", "ddim") == catalog.SCHEDULE_21
    assert files.schedule("schedule", "ddpm") == catalog.DDPM_21


def test_a_prior_given_to_a_family_without_one_is_refused(tiny: Any) -> None:
    with pytest.raises(InputError, match="stable-diffusion-1 has no prior"):
        open_model(tiny("sd-1.5"), prior=tiny("kandinsky-2.1"))


def test_an_encoder_of_another_width_does_not_fit(tiny: Any, tmp_path: Path) -> None:
    sd = Path(shutil.copytree(tiny("sd-1.5"), tmp_path / "sd"))
    edit(sd / "text_encoder/config.json", hidden_size=32)
    with pytest.raises(WeightsError, match="takes words of 64 numbers.*gives 32"):
        open_model(sd)


def test_a_prior_of_another_width_does_not_fit(model_copy: Path) -> None:
    edit(model_copy / "prior/prior/config.json", embedding_dim=32)
    with pytest.raises(WeightsError, match="takes embeddings of 24 numbers.*prior 32"):
        open_model(model_copy)


def test_defaults_without_a_word_are_the_familys_at_the_saved_size(model_copy: Path) -> None:
    (model_copy / "bluerider.json").unlink()
    defaults = open_model(model_copy).defaults
    assert (defaults.width, defaults.height) == (128, 128)
    assert defaults.steps == catalog.K22.defaults.steps


def test_a_folder_tells_which_part_of_the_steps_is_guided(model_copy: Path) -> None:
    edit(model_copy / "bluerider.json", defaults={"guidance_interval": [0.25, 0.75]})
    assert open_model(model_copy).defaults.guidance_interval == (0.25, 0.75)


@pytest.mark.parametrize(
    ("defaults", "complaint"),
    [({"stepps": 3}, "a table of steps"), ({"steps": "3"}, "a int"), ([1], "a table of steps")],
)
def test_defaults_of_a_folder_are_checked(model_copy: Path, defaults: Any, complaint: str) -> None:
    edit(model_copy / "bluerider.json", defaults=defaults)
    with pytest.raises(WeightsError, match=complaint):
        open_model(model_copy)


class TestZeroEmbedding:
    def files(self, folder: Path) -> ModelFiles:
        return open_model(folder)

    def test_is_computed_once_and_kept(self, model_copy: Path, tiny_parts: dict[str, Any]) -> None:
        (model_copy / "prior" / SHIPPED).unlink()
        embedding = self.files(model_copy).zero_embedding()
        with torch.inference_mode():
            expected = tiny_parts["image"](torch.zeros(1, 3, 28, 28))
        assert (embedding - expected).abs().max() <= 1e-6
        kept = list((home() / "zero").iterdir())
        assert len(kept) == 1
        weights = model_copy / "prior/image_encoder/model.safetensors"
        content, stamp = weights.read_bytes(), kept[0].stat().st_mtime_ns
        assert torch.equal(self.files(model_copy).zero_embedding(), embedding)
        assert (weights.read_bytes(), kept[0].stat().st_mtime_ns) == (content, stamp)

    def test_is_computed_anew_for_other_weights(
        self, save_tiny: Any, tiny_parts: dict[str, Any], model_copy: Path, tmp_path: Path
    ) -> None:
        from bluerider.nets.clip import VisionTower

        torch.manual_seed(99)
        other = save_tiny(tmp_path / "other", image=VisionTower(tiny_parts["image"].config))
        shutil.copy(
            other / "prior/image_encoder/model.safetensors", model_copy / "prior/image_encoder"
        )
        stale = self.files(model_copy).zero_embedding()
        assert torch.equal(stale, self.files(other).zero_embedding())

    def test_needs_no_writable_home(
        self, model_copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (model_copy / "prior" / SHIPPED).unlink()
        (tmp_path / "file").write_text("in the way")
        monkeypatch.setenv("BLUERIDER_HOME", str(tmp_path / "file"))
        assert self.files(model_copy).zero_embedding().shape == (1, 24)
