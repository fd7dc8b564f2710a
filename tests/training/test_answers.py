"""What the prior answers to the words of training pictures."""

import numpy as np
import torch

from bluerider.scenes.names import is_kept_out
from bluerider.tokenizers import Tokenizer
from bluerider.training.answers import VERSIONS, Answerer, answers_to
from bluerider.training.captions import Captions
from bluerider.training.recall import Recall
from bluerider.weights.load import open_model
from tests.training.drawn import tiny_emoji


def answerer(dtype: torch.dtype = torch.float32) -> Answerer:
    """That of the embedded model."""
    model = open_model("murnau")
    text, prior = model.load("text").float().eval(), model.load("prior").float().eval()
    file = model.root / "prior" / "tokenizer" / "tokenizer.json"
    tokenizer = Tokenizer.load(file, length=48, pad=0)
    return Answerer(text, Recall(prior, anew=False).eval(), tokenizer, 32, dtype)


def test_texts_keep_their_order_whatever_their_length() -> None:
    answer = answerer()
    texts = ["cat", "a red apple left of a small blue house", "", "dog", "собака"]
    together = answer(texts)
    for text, one in zip(texts, together, strict=True):
        torch.testing.assert_close(answer([text])[0], one, atol=1e-4, rtol=1e-4)


def test_a_name_calls_up_its_drawing_in_every_picture_of_it() -> None:
    captions = Captions(tiny_emoji(3))
    told: list[list[str]] = []

    class Listener(Answerer):
        def __call__(self, texts: list[str]) -> torch.Tensor:
            told.append(texts)
            return torch.arange(len(texts))[:, None]

    motifs = [captions.motifs.draw(np.random.default_rng(seed)) for seed in range(3)]
    answers = answers_to(Listener(*answerer()), captions, motifs, 0)
    drawings = len(captions.motifs.emoji)
    assert answers.shape == (drawings + 3, VERSIONS, 1)
    for row, sign in enumerate(captions.motifs.emoji):
        texts = told[0][row * VERSIONS : (row + 1) * VERSIONS]
        readable = [lang for lang in ("en", "ru") if not is_kept_out(lang, sign)]
        assert all((sign in text) == bool(readable) for text in texts)


def test_words_of_a_scene_say_nothing_that_is_kept_out() -> None:
    captions = Captions(tiny_emoji(26))
    captions.nicknames = {lang: {} for lang in captions.names}  # the same in both languages here
    rng = np.random.default_rng(0)
    for _ in range(200):
        motif = captions.motifs.draw(rng)
        text = captions.words_of(rng, motif)
        emoji = captions.motifs.emoji
        things = [emoji[row] for row in (motif.first, motif.second) if row >= 0]
        lang = "ru" if "вещ" in text else "en"
        assert not text or not any(is_kept_out(lang, thing) for thing in things)
