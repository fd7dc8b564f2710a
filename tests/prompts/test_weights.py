"""Prompt weights: A1111's and compel's spelling, properties of every text, places of tokens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bluerider.prompts.weights import MAX_WEIGHT, Span, escape, parse, write

SIGNS = st.text(alphabet="ab1.5 \\()[]{}|+-_:,кुत्ता\n", max_size=40)
WEIGHTS = st.integers(0, 100_000).map(lambda n: n / 10_000)


def read(prompt: str) -> list[tuple[str, float]]:
    return [tuple(span) for span in parse(prompt).spans]


@pytest.mark.parametrize(
    ("prompt", "spans"),
    [
        ("red apple", [("red apple", 1)]),
        ("", []),
        ("(red) apple", [("red", 1.1), (" apple", 1)]),
        ("((red)) apple", [("red", 1.21), (" apple", 1)]),
        ("[red] apple", [("red", 0.9091), (" apple", 1)]),
        ("(red:1.3) apple", [("red", 1.3), (" apple", 1)]),
        ("(red: .5 ) apple", [("red", 0.5), (" apple", 1)]),
        ("(a (b:2) c:0.5)", [("a ", 0.5), ("b", 1), (" c", 0.5)]),
        ("(open to the end", [("open to the end", 1.1)]),
        ("a) b]", [("a) b]", 1)]),
        ("(a [b) c", [("a ", 1.1), ("b c", 1)]),
        ("()[] a", [(" a", 1)]),
    ],
)
def test_brackets_are_read_as_a1111_reads_them(prompt: str, spans: list[tuple[str, float]]) -> None:
    assert read(prompt) == spans


def test_a1111s_own_example() -> None:
    assert read("a (((house:1.3)) [on] a (hill:0.5), sun, (((sky))).") == [
        ("a ", 1.0),
        ("house", 1.573),
        (" ", 1.1),
        ("on", 1.0),
        (" a ", 1.1),
        ("hill", 0.55),
        (", sun, ", 1.1),
        ("sky", 1.4641),
        (".", 1.1),
    ]


@pytest.mark.parametrize(
    ("prompt", "spans"),
    [
        ("red++ apple", [("red", 1.21), (" apple", 1)]),
        ("red- apple", [("red", 0.9), (" apple", 1)]),
        ("красное+, яблоко--", [("красное", 1.1), (", ", 1), ("яблоко", 0.81)]),
        ("कुत्ता+", [("कुत्ता", 1.1)]),
        ("(two words)++ more", [("two words", 1.21), (" more", 1)]),
        ("(two words)1.3 more", [("two words", 1.3), (" more", 1)]),
        ("well-known 3-5 + - a--b C++x", [("well-known 3-5 + - a--b C++x", 1)]),
    ],
)
def test_signs_are_read_as_compel_reads_them(prompt: str, spans: list[tuple[str, float]]) -> None:
    assert read(prompt) == spans


@pytest.mark.parametrize(
    ("prompt", "text"),
    [
        (r"\(red\) \[x\]", "(red) [x]"),
        (r"C\+\+ code", "C++ code"),
        (r"(16\:9)", "16:9"),
        (r"\{a\|b\} \_\_c\_\_", "{a|b} __c__"),
        (r"a \ b \\ c \n", "a \\ b \\ c \\n"),
    ],
)
def test_a_backslash_makes_a_sign_plain_text(prompt: str, text: str) -> None:
    assert parse(prompt).text == text


def test_what_went_wrong_is_told() -> None:
    assert parse("(a [b").unclosed == 2
    assert parse("(a:1e9)").unclosed == 0
    assert [parse(p).clipped for p in ("(a:10)", "(a:11)", "(a:-1)", "a" + "+" * 99)] == [
        False,
        True,
        True,
        True,
    ]


@given(SIGNS | st.text(max_size=40))
def test_every_text_is_read(prompt: str) -> None:
    found = parse(prompt)
    assert all(0 <= span.weight <= MAX_WEIGHT and span.text for span in found.spans)
    assert all(a.weight != b.weight for a, b in zip(found.spans, found.spans[1:], strict=False))
    assert len(found.text) <= len(prompt)


@given(st.lists(st.tuples(SIGNS | st.text(max_size=9), WEIGHTS).map(lambda p: Span(*p))))
def test_what_is_written_is_read_back(spans: list[Span]) -> None:
    joined: list[Span] = []
    for span in spans:
        if joined and joined[-1].weight == span.weight:
            joined[-1] = Span(joined[-1].text + span.text, span.weight)
        elif span.text:
            joined.append(span)
    assert parse(write(spans)).spans == tuple(joined)


@given(SIGNS | st.text(max_size=40))
def test_escaped_text_is_read_as_itself(text: str) -> None:
    found = parse(escape(text))
    assert found.text == text and found.plain


@given(st.integers(0, 12), st.sampled_from("(["))
def test_nesting_multiplies(depth: int, bracket: str) -> None:
    factor = 1.1 if bracket == "(" else 1 / 1.1
    close = {"(": ")", "[": "]"}[bracket]
    (span,) = parse(bracket * depth + "x" + close * depth).spans
    assert span == ("x", round(factor**depth, 4))


@given(st.text(alphabet="ab ", min_size=1, max_size=8), WEIGHTS, WEIGHTS)
def test_a_weight_within_a_weight_multiplies(text: str, inner: float, outer: float) -> None:
    (span,) = parse(f"(({text}:{inner}):{outer})").spans
    assert span == (text, round(min(inner * outer, MAX_WEIGHT), 4))


@pytest.mark.parametrize(
    "unit",
    ["(", ")", "[(", "(a)", "\\", ":", ":1", "1", "a+", "+", "-", "(a:1", ": ", ")1", ")+", "__a"],
)
def test_a_long_hostile_text_is_read(unit: str) -> None:
    count = 60_000 // len(unit)  # minutes, if the time grew with the square
    assert len(parse(unit * count).text) <= len(unit) * count


def test_tokens_take_the_weight_of_their_letters() -> None:
    found = parse("(red:2) ap(ple:0.5)")
    assert found.text == "red apple"
    offsets = [(0, 0), (0, 3), (3, 9), (4, 6), (3, 4), (6, 9), (9, 9), (8, 99)]
    expected = [1, 2, (2 * 1 + 3 * 0.5) / 5, 1, 1, 0.5, 1, 0.5]
    assert found.per_token(offsets) == pytest.approx(expected)


def test_a_span_can_be_left_out() -> None:
    assert parse("(red:2) apple").without(0) == " apple"
