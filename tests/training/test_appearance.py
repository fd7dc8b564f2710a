"""The code of what pictures look like."""

import math

import pytest
import torch

from bluerider.scenes.scene import Scene
from bluerider.training.appearance import NONE, SECOND, TRAITS, Appearance, traits_of

FAR = Appearance(torch.tensor([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]]), 1)
WIDTH = 46  # 20 numbers of the first thing, 10 of the second


@pytest.fixture(scope="module")
def small() -> torch.Tensor:
    return torch.randn(40, 3, 32, 32, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def appearance(small: torch.Tensor) -> Appearance:
    return Appearance.fit(small, WIDTH)


def test_components_deviate_by_the_root_of_their_share(
    small: torch.Tensor, appearance: Appearance
) -> None:
    x = small.flatten(1).double()
    sizes = torch.linalg.svdvals(x - x.mean(0))
    wanted = (sizes / sizes[0]).sqrt()[:20]
    found = appearance.codes.double().square().mean(0).sqrt()
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=0)


def test_a_code_does_not_hang_on_the_order_of_drawings(
    small: torch.Tensor, appearance: Appearance
) -> None:
    other = Appearance.fit(small.flip(0), WIDTH)
    torch.testing.assert_close(other.codes.flip(0), appearance.codes, rtol=1e-3, atol=1e-4)


def test_parts_take_an_embedding_apart(appearance: Appearance) -> None:
    traits = torch.rand(2, TRAITS)
    embedding = appearance.embed(torch.tensor([3, 4]), torch.tensor([NONE, 5]), traits)
    first, second, found = appearance.parts(embedding)
    assert torch.equal(first, appearance.codes[3:5])
    assert not second[0].any() and torch.equal(second[1], appearance.codes[5, :10])
    assert torch.equal(found, traits)


def test_far_is_the_squared_distance(appearance: Appearance) -> None:
    code = torch.randn(3, 10)
    wanted = torch.cdist(code, appearance.codes[:, :10]).square()
    torch.testing.assert_close(appearance.far(code, appearance.codes), wanted, rtol=1e-4, atol=1e-4)


def test_few_drawings_leave_the_last_numbers_zero() -> None:
    codes = Appearance.fit(torch.randn(4, 3, 32, 32), WIDTH).codes
    assert codes[:, :3].any() and not codes[:, 3:].any()


def test_a_thing_that_fills_white_has_no_traits() -> None:
    assert not traits_of(Scene(things=("a",)), 0.93, [(0.5, 0.5)]).any()


@pytest.mark.parametrize(
    "scene, at",
    [
        (Scene(things=("a",), background="blue"), [0, 1, 2]),
        (Scene(things=("a", "b")), [4, 5, 6, 7, 8]),
        (Scene(things=("a",), count=2), [9]),
        (Scene(things=("a",), count=3), [10]),
        (Scene(things=("a",), look="pixel"), [14]),
    ],
)
def test_every_trait_has_its_place(scene: Scene, at: list[int]) -> None:
    spots = [(0.2, 0.3), (0.7, 0.8)]
    found = traits_of(scene, 0.93, spots if len(scene.things) * scene.count > 1 else [(0.5, 0.5)])
    assert found.nonzero()[0].tolist() == at


def test_the_codes_go_where_a_stage_goes_and_the_streams_stay() -> None:
    appearance = Appearance(torch.zeros(2, 20), 10)
    holder = torch.nn.Module()
    holder.inner = Appearance(appearance.codes, appearance.second)
    holder.to("meta")
    assert holder.inner.codes.is_meta and not appearance.codes.is_meta
    assert not holder.state_dict()


def test_a_blend_lies_between_its_two_drawings(appearance: Appearance) -> None:
    rows, share = torch.tensor([[3, 7], [5, 2]]), torch.tensor([0.5, 0.25])
    first, second, traits = appearance.parts(appearance.between(rows, share))
    one, other = appearance.codes[rows[:, 0]], appearance.codes[rows[:, 1]]
    between = [(one[0] + other[0]) / 2, 0.75 * one[1] + other[1] / 4]
    torch.testing.assert_close(first, torch.stack(between))
    assert not second.any() and not traits.any()


def test_a_blend_has_the_code_of_its_picture(small: torch.Tensor) -> None:
    blend = torch.lerp(small[:1], small[1:2], 0.25)
    fitted = Appearance.fit(small, WIDTH)
    x = small.flatten(1) - small.flatten(1).mean(0)
    # What maps pictures to codes, found from the codes alone.
    to_code = torch.linalg.lstsq(x.double(), fitted.codes.double()).solution
    wanted = (blend.flatten(1) - small.flatten(1).mean(0)).double() @ to_code
    found = fitted.between(torch.tensor([[0, 1]]), torch.tensor([0.25]))[:, :20]
    torch.testing.assert_close(found.double(), wanted, rtol=1e-3, atol=1e-4)


def missed(second: list[int]) -> float:
    """Of two texts that name drawing 1 rightly and mean these second things."""
    first, beside = torch.tensor([1, 1]), torch.tensor(second)
    embedding = FAR.embed(first, beside, torch.zeros(2, TRAITS))
    return float(FAR.chosen(embedding, first, beside, torch.tensor(2.0))[0])


def choice(distances: list[float], right: int) -> float:
    """Cross-entropy of a choice at sharpness 2."""
    return 2 * distances[right] + math.log(sum(math.exp(-2 * far) for far in distances))


def test_a_thing_is_chosen_by_the_distance_of_its_code() -> None:
    assert abs(missed([NONE, NONE]) - choice([2.0, 0.0, 2.0], 1)) < 1e-5


def test_a_second_thing_weighs_more_for_the_few_that_have_one() -> None:
    beside = choice([0.0, 1.0, 4.0], 0)  # by its first number alone: 1, 0, -1
    found = missed([0, NONE]) - missed([NONE, NONE])
    assert abs(found - SECOND * 0.5 * beside) < 1e-5
