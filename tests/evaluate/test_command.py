"""`bluerider evaluate words` with a painter that knows the drawings of the package."""

import io
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, ClassVar

import pytest
from PIL import Image

from bluerider.catalog import MURNAU
from bluerider.cli.main import main
from bluerider.evaluate.drawings import Drawings, load_drawings, save_drawings
from bluerider.evaluate.unread import choose_spelled
from bluerider.request import Result

Run = Callable[..., tuple[int, str, str]]


class Knowing:
    """Paints the drawing of a name, enlarged on white; from `stop` prompts on it is interrupted."""

    drawings: Drawings
    stop = 10**6
    weights: Path
    asked: list[Any]
    typed: ClassVar[dict[str, int]] = {}  # prompts that are no names

    def __init__(self) -> None:
        self.files = SimpleNamespace(parts={"unet": self.weights})
        self.defaults = MURNAU.defaults
        self.known = {
            name: place
            for table in self.drawings.names.values()
            for place, emoji in enumerate(self.drawings.emoji)
            if (name := table.get(emoji))
        } | self.typed

    @classmethod
    def load(cls, model: str, **options: Any) -> "Knowing":
        return cls()

    def generate_many(self, requests: Any, *, batch: int) -> Any:
        for request in requests:
            if len(self.asked) == self.stop:
                raise KeyboardInterrupt
            self.asked.append(request)
            canvas = Image.new("RGB", (128, 128), "white")
            drawing = Image.fromarray(self.drawings.pictures[self.known[request.prompt]])
            canvas.paste(drawing.resize((96, 96), Image.Resampling.LANCZOS), (16, 16))
            yield Result(images=[canvas], seeds=[0], request=request, seconds=0.1)


@pytest.fixture(scope="module")
def shipped() -> Drawings:
    return load_drawings()


@pytest.fixture
def painter(shipped: Drawings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> type[Knowing]:
    """A fresh class in the place of the pipeline."""

    class Fresh(Knowing):
        drawings = shipped
        weights = tmp_path / "weights"
        asked: list[Any] = []

    Fresh.weights.mkdir()
    (Fresh.weights / "model.safetensors").write_bytes(b"0123")
    module = ModuleType("bluerider.pipeline")
    module.Pipeline = Fresh  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "bluerider.pipeline", module)
    return Fresh


@pytest.fixture
def words(
    painter: type[Knowing],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """`bluerider evaluate words ARGUMENTS` in an empty folder."""
    place = tmp_path / "here"
    place.mkdir()
    monkeypatch.chdir(place)
    monkeypatch.setenv("COLUMNS", "100")

    def run(*arguments: str) -> tuple[int, str, str]:
        capsys.readouterr()
        code = main(["evaluate", "words", *arguments])
        return code, *capsys.readouterr()

    return run


def test_a_knowing_painter_is_right(words: Run) -> None:
    code, out, err = words("--subset", "20", "--languages", "en,ru", "--json")
    found = json.loads(out)
    assert code == 0
    assert found["mean"]["top1"]["value"] == 1.0
    assert found["mean"]["count"] == 40
    assert found["ground_truth"]["top1"]["value"] == 1.0
    assert found["shuffled_prompts"]["top1"]["value"] < 0.1
    assert "sheets" in err


def test_the_table_has_every_row(words: Run) -> None:
    _, out, _ = words("--subset", "3", "--languages", "en,ru,hi")
    first = [line.split("  ")[0] for line in out.splitlines()]
    assert first[1:] == [
        *("en", "ru", "hi", "mean of 3", "lowest: en", "rows under 50 %"),
        *("ground truth", "shuffled prompts"),
    ]


def test_all_languages_are_measured(words: Run, shipped: Drawings) -> None:
    code, out, _ = words("--subset", "1", "--languages", "all", "--json")
    found = json.loads(out)
    assert code == 0
    assert set(found["languages"]) == set(shipped.names) and len(shipped.names) == 99
    missed = [name for name, score in found["languages"].items() if not score["top1"]["value"]]
    assert found["under_half"] == missed  # a text names other drawings in other languages
    assert found["lowest"] == (missed or ["en"])[0]


def test_names_kept_out_have_a_folder_of_their_own(words: Run, painter: type[Knowing]) -> None:
    code, out, _ = words("--subset", "3", "--languages", "en,sw", "--names", "kept-out", "--json")
    assert code == 0
    assert json.loads(out)["names"] == "kept-out"
    assert [path.name for path in Path("outputs").iterdir()] == ["words-kept-out-murnau"]
    assert len(painter.asked) == 6


def test_every_spelling_is_a_row(words: Run, painter: type[Knowing]) -> None:
    painter.typed = {
        word.prompt: word.target for word in choose_spelled(painter.drawings, "typed", 2)
    }
    code, out, _ = words("--subset", "2", "--names", "typed")
    assert code == 0
    first = [line.split("  ")[0] for line in out.splitlines()]
    assert first[1:6] == ["article", "plural", "case", "typo", "mean of 4"]
    names = sorted(path.name for path in Path("outputs/words-typed-murnau/sheets").iterdir())
    assert names == ["article-1.png", "case-1.png", "plural-1.png", "typo-1.png"]


def test_results_lie_in_the_default_folder(words: Run) -> None:
    words("--subset", "2")
    place = Path("outputs/words-murnau")
    assert {path.name for path in place.iterdir()} == {
        "words.json",
        "words.jsonl",
        "pictures",
        "sheets",
    }
    assert [path.name for path in (place / "sheets").iterdir()] == ["en-1.png"]


def test_the_flags_reach_every_request(words: Run, painter: type[Knowing]) -> None:
    words("--subset", "3", "--seed", "5", "--steps", "7", "--guidance", "2.5", "--sampler", "ddim")
    assert {(r.seed, r.steps, r.guidance, r.sampler) for r in painter.asked} == {
        (5, 7, 2.5, "ddim")
    }


def test_an_interrupted_run_goes_on(words: Run, painter: type[Knowing]) -> None:
    painter.stop = 4
    code, _, err = words("--subset", "6")
    assert code == 130
    assert "4 of 6 are kept" in err
    painter.stop = 10**6
    code, _, _ = words("--subset", "6")
    assert code == 0
    assert len({request.prompt for request in painter.asked}) == len(painter.asked) == 6


def test_a_larger_subset_goes_on_from_a_smaller(words: Run, painter: type[Knowing]) -> None:
    words("--subset", "3")
    words("--subset", "5", "--languages", "en")
    assert len(painter.asked) == 5


def test_other_weights_are_not_mixed_in(words: Run, painter: type[Knowing]) -> None:
    words("--subset", "2")
    (painter.weights / "model.safetensors").write_bytes(b"0124")
    code, _, err = words("--subset", "2")
    assert code == 2
    assert "choose another --out" in err
    assert err.count("\n") == 1


def test_other_settings_are_not_mixed_in(words: Run) -> None:
    words("--subset", "2")
    code, _, err = words("--subset", "2", "--steps", "9")
    assert code == 2
    assert "steps" in err


def test_nothing_of_this_machine_is_written(words: Run, tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    code, out, _ = words("--subset", "2", "--model", str(folder), "--json", "--out", "r")
    assert code == 0
    assert json.loads(out)["model"] == "mine"
    assert str(tmp_path) not in out + Path("r/words.jsonl").read_text("utf-8")


def test_data_may_be_drawings(words: Run, painter: type[Knowing], tmp_path: Path) -> None:
    whole = painter.drawings
    part = {"emoji": whole.emoji[:9], "pictures": whole.pictures[:9], "boxes": whole.boxes[:9]}
    few = replace(whole, **part, holdout=frozenset())
    save_drawings(few, tmp_path / "few")
    _, out, _ = words("--data", str(tmp_path / "few"), "--json")
    assert json.loads(out)["languages"]["en"]["count"] == 9


def test_data_may_be_an_emoji_set(words: Run, painter: type[Knowing], tmp_path: Path) -> None:
    from bluerider.training.emoji import EmojiSet, save_emoji

    whole = painter.drawings
    emoji = list(whole.emoji[100:105])
    files = []
    for pixels in whole.pictures[100:105]:
        data = io.BytesIO()
        Image.fromarray(pixels).resize((256, 256)).save(data, "WEBP", lossless=True)
        files.append(data.getvalue())
    names = {"en": {e: whole.names["en"][e] for e in emoji}}
    made = EmojiSet(emoji, files, names, {"en": {}}, ())
    save_emoji(made, tmp_path / "set", parquet=False)
    _, out, _ = words("--data", str(tmp_path / "set"), "--json")
    assert json.loads(out)["languages"]["en"]["count"] == 5


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--languages", "tlh"], "tlh"),
        (["--languages", ""], "accepted: all"),
        (["--names", "new"], "kept-out"),
        (["--names", "typed", "--languages", "en,ru"], "en is accepted"),
        (["--subset", "0"], "1 to 1626"),
        (["--subset", "1627"], "1 to 1626"),
        (["--subset", "５"], "a whole number"),
        (["--subset", "many"], "a whole number"),
        (["--batch", "0"], "batch"),
        (["--steps", "0"], "1 to 1000"),
        (["--seed", "-1"], "seed"),
        (["--sampler", "magic"], "magic"),
        (["--device", "tpu"], "tpu"),
        (["--dtype", "int4"], "int4"),
        (["--out", "no/parent"], "does not exist"),
        (["--data", "nowhere"], "nowhere"),
        (["--model", ""], "model"),
        (["--nonsense"], "--nonsense"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(
    words: Run, painter: type[Knowing], arguments: list[str], said: str
) -> None:
    code, out, err = words(*arguments)
    assert (code, out) == (2, "")
    assert said in err
    assert err.startswith("bluerider: ")
    assert err.count("\n") == 1
    assert not list(Path().iterdir())
    assert not painter.asked


def test_every_language_names_nearly_all_drawings(shipped: Drawings) -> None:
    enough = 0.9 * len(shipped.emoji)
    assert [name for name, table in shipped.names.items() if len(table) < enough] == []
