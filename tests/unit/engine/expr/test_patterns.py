"""Regular expressions find what Python's find, and take no longer for being wicked."""

import re
import time
from random import Random

import pytest

from crmbridge.engine.expr.faults import ExprError
from crmbridge.engine.expr.pattern_reading import read_pattern

ATOMS = (
    "a",
    "b",
    "c",
    ".",
    "[ab]",
    "[^a]",
    r"\d",
    r"\w",
    r"\W",
    "[a-c]",
    r"\.",
    "[]a]",
    "[^]b]",
    "[a-]",
    r"[\d.]",
    r"\s",
)
COUNTS = ("*", "+", "?", "{2}", "{1,3}", "{0,2}", "{2,}", "{0}", "*?", "+?")


def draw_pattern(draw: Random, depth: int = 4) -> str:
    fate = draw.random()
    if depth == 0 or fate < 0.35:
        return draw.choice(ATOMS)
    if fate < 0.55:
        return draw_pattern(draw, depth - 1) + draw_pattern(draw, depth - 1)
    if fate < 0.75:
        return f"({draw_pattern(draw, depth - 1)}|{draw_pattern(draw, depth - 1)})"
    return f"({draw.choice(('', '?:'))}{draw_pattern(draw, depth - 1)}){draw.choice(COUNTS)}"


def test_a_pattern_finds_what_python_finds() -> None:
    """Random patterns over random texts."""
    draw = Random(8)
    for _ in range(3_000):
        pattern = draw.choice(("", "", "(?i)")) + draw.choice(("", "^")) + draw_pattern(draw) + draw.choice(("", "$"))
        if draw.random() < 0.2:
            pattern += "|" + draw.choice(("", "^")) + draw_pattern(draw)
        ours, theirs = read_pattern(pattern), re.compile(pattern.replace("$", r"\Z"), re.ASCII)
        for _ in range(5):
            text = "".join(draw.choice("abcABC1.] \n") for _ in range(draw.randrange(9)))

            assert (theirs.search(text) is not None) is ours.found_in(text), (pattern, text)


@pytest.mark.parametrize(
    ("pattern", "piece", "said"),
    [
        ("a**", "*", "repeats nothing"),
        ("*a", "*", "repeats nothing"),
        ("(a", "(", "not closed"),
        ("a)", ")", "nothing is closed"),
        ("[a", "[", "not closed"),
        ("x[z-a]", "z-a", "no range"),
        (r"a\k", r"\k", "not understood"),
        (r"(a)\1", r"\1", "not understood"),
        (r"\bx", r"\b", "not understood"),
        ("a(?=b)", "(?=", "plain groups"),
        ("a{2", "{", "a count is written"),
        ("a{3,1}", "{3,1}", "larger count"),
        ("a{300}", "{300}", "more than 250"),
        ("a^b", "^", "beginning"),
        ("(a$)b", "$", "end"),
        ("x" * 300, "x" * 300, "at most 200"),
    ],
)
def test_what_is_no_pattern_is_refused(pattern: str, piece: str, said: str) -> None:
    """Each at its place in the pattern."""
    with pytest.raises(ExprError) as caught:
        read_pattern(pattern)
    fault = caught.value.fault

    assert ("expr-pattern", piece) == (fault.code, pattern[fault.span.start : fault.span.end])
    assert said in fault.sentence


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        ("(a+)+$", "a" * 2_000 + "b"),
        ("(a|a)*b", "a" * 2_000),
        ("(x+x+)+y", "x" * 2_000),
        (".*.*.*.*=.*", "x" * 2_000),
        ("(a|b)*a(a|b){100}c", "".join(Random(9).choice("ab") for _ in range(2_000))),
        ("([ab]*a[ab]{60}){2}c", "".join(Random(9).choice("ab") for _ in range(2_000))),
    ],
)
def test_a_wicked_pattern_takes_no_longer(pattern: str, text: str) -> None:
    """What makes others go back and forth for years is answered at once."""
    start = time.perf_counter()

    assert not read_pattern(pattern).found_in(text)
    assert time.perf_counter() - start < 5  # some milliseconds, on a machine that does nothing else


def test_what_was_computed_is_forgotten_in_time() -> None:
    """A pattern that has seen many characters holds no more than it may."""
    pattern = read_pattern("[^a]b")
    for start in range(0x100, 0x100 + 20_000, 1_000):
        pattern.found_in("".join(map(chr, range(start, start + 1_000))))

    assert all(len(branch.steps) <= 5_000 and len(branch.fitting) <= 5_000 for branch in pattern.branches)
