"""Two things mixed: whether both are to be seen."""

import json
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

import bluerider
from bluerider.catalog import MURNAU
from bluerider.cli.main import main
from bluerider.errors import InputError
from bluerider.evaluate.crop import Array, crop_square
from bluerider.evaluate.drawings import load_drawings
from bluerider.evaluate.encoder import Encoder
from bluerider.evaluate.mix import (
    WHOLE,
    Mixed,
    by_encoder,
    by_pixels,
    choose_pairs,
    measure_mix,
    row_of,
)
from bluerider.evaluate.truth import Truth
from bluerider.request import Result

TOWER = Path(bluerider.__file__).parent / "embedded/murnau/prior/image_encoder"


@pytest.fixture(scope="module")
def truth() -> Truth:
    return Truth(load_drawings())


def test_pairs_are_of_two_things_and_fewer_begin_more(truth: Truth) -> None:
    pairs = choose_pairs(truth.drawings, 60)
    assert len({frozenset(pair.targets) for pair in pairs}) == 60
    assert choose_pairs(truth.drawings, 9) == pairs[:9]
    held = {truth.places[emoji] for emoji in truth.drawings.holdout}
    assert not held & {place for pair in pairs for place in pair.targets}


def test_both_have_to_be_near(truth: Truth) -> None:
    pairs = choose_pairs(truth.drawings, 2)
    errors = np.ones((2, len(truth.drawings.emoji)))
    errors[:, :25] = 0.5
    for row, pair in enumerate(pairs):
        errors[row, pair.targets[0]] = 0.0
    errors[1, pairs[1].targets[1]] = 0.1
    found = row_of(pairs, errors)
    assert (found.both.value, found.first.value, found.second.value) == (0.5, 1.0, 0.5)


@pytest.fixture(scope="module")
def drawn(truth: Truth) -> Array:
    return truth.drawings.whole(WHOLE)


def test_one_thing_alone_is_no_mix(truth: Truth, drawn: Array) -> None:
    pairs = choose_pairs(truth.drawings, 12)
    painted = [(pair, drawn[pair.targets[0]]) for pair in pairs]
    found = measure_mix(painted, drawn, by_pixels(drawn))
    assert found.painted == found.one
    assert found.painted.first.value == 1.0 and found.painted.both.value < 0.3
    assert found.blend.both.value > found.one.both.value
    assert found.shuffled.both.value == 0.0


def test_a_small_thing_in_a_mix_is_looked_for_where_it_was_drawn(
    truth: Truth, drawn: Array
) -> None:
    large, small = (truth.places[emoji] for emoji in ("🏠", "🔻"))
    pair = Mixed(words=("a", "b"), targets=(large, small))
    blend = np.rint((drawn[large].astype(float) + drawn[small]) / 2).astype(np.uint8)
    found = measure_mix([(pair, blend), (pair, blend)], drawn, by_pixels(drawn)).painted
    grown = crop_square(Image.fromarray(drawn[small]), WHOLE)  # as large as its crop shows it
    wrong = np.rint((drawn[large].astype(float) + grown) / 2).astype(np.uint8)
    other = measure_mix([(pair, wrong), (pair, wrong)], drawn, by_pixels(drawn)).painted
    assert (found.both.value, other.both.value) == (1.0, 0.0)


def test_an_encoder_judges_whole_pictures(drawn: Array) -> None:
    def encode(pictures: Sequence[Image.Image]) -> NDArray[np.float64]:
        shown.extend(pictures)
        return np.eye(2)[: len(pictures)]

    shown: list[Image.Image] = []
    aside = np.full((WHOLE, WHOLE, 3), 255, np.uint8)
    aside[:8, :8] = 0
    assert by_encoder(encode, drawn[:2])([aside]).tolist() == [[0.0, 1.0]]
    assert np.array_equal(np.asarray(shown[2]), aside)


def test_an_encoder_knows_its_own_pictures(truth: Truth) -> None:
    encode = Encoder(TOWER)
    pictures = [Image.fromarray(pixels) for pixels in truth.drawings.pictures[:6]]
    vectors = encode(pictures)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0)
    assert (vectors @ encode(pictures[:3]).T).argmax(axis=0).tolist() == [0, 1, 2]


def test_a_folder_of_no_tower_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no config.json"):
        Encoder(tmp_path)


def test_the_command_mixes_pairs_once(
    truth: Truth, drawn: Array, tmp_path, monkeypatch, capsys
) -> None:
    asked = []

    def generate_many(requests, *, batch):
        for request in requests:
            asked.append(request)
            place = truth.drawings.names["en"]
            words = [one.words for one in request.add]
            emoji = [next(e for e, name in place.items() if name == word) for word in words]
            shown = [drawn[truth.places[e]].astype(float) for e in emoji]
            image = Image.fromarray(np.rint((shown[0] + shown[1]) / 2).astype(np.uint8))
            yield Result(images=[image], seeds=[0], request=request, seconds=0.0)

    pipe = SimpleNamespace(
        files=SimpleNamespace(parts={}), defaults=MURNAU.defaults, generate_many=generate_many
    )
    module = ModuleType("bluerider.pipeline")
    module.Pipeline = SimpleNamespace(load=lambda *args, **options: pipe)
    monkeypatch.setitem(sys.modules, "bluerider.pipeline", module)
    monkeypatch.chdir(tmp_path)
    assert main(["evaluate", "mix", "--subset", "4", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)["pixels"]
    assert found["painted"]["count"] == 4
    assert found["painted"]["both"]["value"] >= 0.75
    assert main(["evaluate", "mix", "--subset", "4"]) == 0
    assert len(asked) == 4
    assert [(one.task, [part.weight for part in one.add]) for one in asked] == [
        ("mix", [0.5, 0.5])
    ] * 4
    assert (tmp_path / "outputs/mix-murnau/sheets/mix-1.png").is_file()
