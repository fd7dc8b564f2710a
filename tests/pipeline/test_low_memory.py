"""With memory low every network is there only while it works, and the picture is the same."""

import numpy as np
import pytest

from bluerider import InputError, Pipeline

QUICK = {"seed": 5, "steps": 2, "prior_steps": 1, "width": 64, "height": 128}


def test_the_picture_is_the_same_and_no_network_stays() -> None:
    usual = Pipeline.load("murnau", device="cpu", dtype="float32")
    frugal = Pipeline.load("murnau", device="cpu", dtype="float32", memory="low")
    first, second = (pipe.generate("cat", n=2, **QUICK) for pipe in (usual, frugal))
    for one, other in zip(first.images, second.images, strict=True):
        assert np.abs(np.asarray(one, np.int16) - np.asarray(other, np.int16)).max() <= 1
    assert {"prior", "unet", "autoencoder"} <= set(usual.parts._kept)
    assert not {"text", "prior", "unet", "autoencoder", "image"} & set(frugal.parts._kept)


def test_one_network_stands_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    from bluerider.pipeline.parts import Parts

    working: list[str] = []
    real = Parts.using

    def watched(self: Parts, name: str):  # type: ignore[no-untyped-def]
        block = real(self, name)

        class Watched:
            def __enter__(self):  # type: ignore[no-untyped-def]
                working.append(name)
                assert len(working) == 1, working
                return block.__enter__()

            def __exit__(self, *error):  # type: ignore[no-untyped-def]
                working.remove(name)
                return block.__exit__(*error)

        return Watched()

    monkeypatch.setattr(Parts, "using", watched)
    pipe = Pipeline.load("murnau", device="cpu", memory="low")
    picture = pipe.generate("cat", **QUICK).images[0]
    brief = {"seed": 1, "steps": 2, "prior_steps": 1}
    pipe.generate("cat", task="inpaint", picture=picture, mask=picture.convert("L"), **brief)
    pipe.generate("", task="mix", add=["cat", picture], **QUICK)


def test_an_unknown_memory_is_refused() -> None:
    with pytest.raises(InputError, match="unknown memory 'tiny'; accepted: normal, low"):
        Pipeline.load("murnau", memory="tiny")
