"""Stage `tokenizer`."""

from bluerider.training.tokenizer import train_tokenizer


def test_of_signs_met_equally_often_the_lower_are_tokens() -> None:
    texts = ["aaa bbb", *"zyxwvutsrqponm"]
    tokenizer = train_tokenizer(texts, vocab=300, alphabet=6)
    signs = {sign for sign in tokenizer.get_vocab() if len(sign) == 1}
    assert signs == {"\u2581", "a", "b", "m", "n", "o"}


def test_the_same_texts_make_the_same_tokenizer() -> None:
    texts = [chr(0x4E00 + i) + chr(0x5000 + i) for i in range(600)]
    first, second = (train_tokenizer(texts, vocab=900, alphabet=500) for _ in range(2))
    assert first.to_str() == second.to_str()
