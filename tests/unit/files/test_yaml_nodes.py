"""Plain data out of YAML text, and what hostile text costs."""

from __future__ import annotations

from decimal import Decimal

import pytest
import yaml

from crmbridge.files import yaml_nodes
from crmbridge.files.shipped import shipped_folder
from crmbridge.files.yaml_nodes import FREE_NODES, LONGEST, MANY, MOST_FAULTS, SHORTEST, Span, locate, parse


def data(text: str) -> object:
    parsed = parse(text)
    assert () == parsed.faults
    assert parsed.root is not None
    return parsed.root.value


def codes(text: str) -> list[str]:
    return [fault.code for fault in parse(text).faults]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("yes", "yes"),
        ("on", "on"),
        ("true", True),
        ("False", False),
        ("~", None),
        ("", None),
        ("null", None),
        ("12:30", "12:30"),
        ("09:00-18:00", "09:00-18:00"),
        ("2026-11-23", "2026-11-23"),
        ("7", 7),
        ("-7", -7),
        ("0o17", 15),
        ("0x1F", 31),
        ("1_000", "1_000"),
        ("80%", "80%"),
        ("1.10", Decimal("1.10")),
        ("0.1", Decimal("0.1")),
        ("1e3", Decimal("1E+3")),
        ("-.5", Decimal("-0.5")),
        (".", "."),
        ("'7'", "7"),
        ('"true"', "true"),
        ("!!str 7", "7"),
        ("! 7", "7"),
        ("1.2.3", "1.2.3"),
    ],
)
def test_plain_scalars_follow_the_core_schema(text: str, value: object) -> None:
    """Only what looks like a number, true, false or null is one; fractions are exact."""
    found = data(f"key: {text}")

    assert {"key": value} == found
    assert isinstance(found, dict)
    assert type(value) is type(found["key"])


def test_keys_are_always_text() -> None:
    """A stage map's key or a language code is never a number or a yes."""
    assert {"no": 1, "12": 2, "null": 3} == data("no: 1\n12: 2\nnull: 3")


def test_places_are_counted_in_characters() -> None:
    """Wide characters, a list item and a flow mapping are found where they stand."""
    parsed = parse("名: {a: 你好, b: [x, 你好吗]}\n")
    assert parsed.root is not None

    assert Span(0, 1) == locate(parsed.root, ("名",), key=True)
    assert Span(7, 9) == locate(parsed.root, ("名", "a"))
    assert Span(11, 12) == locate(parsed.root, ("名", "b"), key=True)
    assert Span(18, 21) == locate(parsed.root, ("名", "b", 1))


def test_a_path_that_is_not_there_gives_what_is_around_it() -> None:
    """A missing key is shown at the first key of the mapping it is missing from."""
    parsed = parse("a:\n  - b: 1\n    c: 2\n")
    assert parsed.root is not None

    assert Span(7, 8) == locate(parsed.root, ("a", 0, "missing", "deeper"))


def test_an_alias_stands_for_its_anchor() -> None:
    """Repeating a value by an alias is legal, and shares it."""
    assert {"a": [1], "b": [1]} == data("a: &x [1]\nb: *x")


def test_an_alias_bomb_is_refused_without_expanding_it() -> None:
    """Ten levels of ten aliases stand for ten thousand million values."""
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 10)]

    assert ["yaml-alias"] == codes("\n".join(levels))


def test_a_bomb_of_long_text_is_refused() -> None:
    """Few aliases of a very long text are as bad as many of a short one."""
    assert ["yaml-alias"] == codes(f"a: &a {'x' * 250_000}\nb: [{', '.join(['*a'] * 36)}]")


@pytest.mark.parametrize("before", ["a: ", "a: '", 'a: "', "", "a: [", "#"])
def test_a_text_without_end_is_found_without_reading_it(before: str) -> None:
    """A plain one, a quotation, a key, a list or a comment: where neither a line nor a quotation ends for so long."""
    found = yaml_nodes.endless(f"first: 'line'\n{before}{'x, ' * LONGEST}")

    assert found is not None
    assert ("yaml-too-long", "a text of more than 256 KB begins here") == (found.code, found.sentence)
    assert 14 <= found.start <= 14 + len(before)


def test_a_text_up_to_the_limit_is_read() -> None:
    """Quoted or in lines; one character more is too long, however many lines it is cut into."""
    for text in (f"a: '{'x' * (LONGEST - 4)}'\n", "a: |\n" + "  12345678\n" * (LONGEST // 9)):
        assert (None, []) == (yaml_nodes.endless(text), codes(text))
    assert ["yaml-too-long"] == codes("a: |\n" + "  12345678\n" * (LONGEST // 9 + 1))
    assert ["yaml-too-long"] == codes(f"a: '{'x' * (LONGEST + 1)}'")


@pytest.mark.parametrize("node", ["-\n", "- \n", "'',", "[],"])
def test_what_is_nearly_nothing_many_times_is_refused_soon(node: str) -> None:
    """A few thousand are free; beyond them a text is as long as what it says."""
    text = f"a: [{node * 100_000}]" if node.endswith(",") else f"a:\n{node * 100_000}"
    found = parse(text).faults

    assert ["yaml-too-many"] == [fault.code for fault in found]
    assert found[0].start < 4 * FREE_NODES * SHORTEST


def test_very_many_short_texts_are_refused_before_they_fill_the_memory() -> None:
    """Eight megabytes of them would take seconds, and a hundred times their size."""
    parsed = parse("a:\n" + "- [abc, abc]\n" * 200_000)

    assert ["yaml-too-many"] == [fault.code for fault in parsed.faults]
    assert parsed.faults[0].start < MANY * 8


def test_a_dense_file_of_usual_size_is_read() -> None:
    """As many values as the shipped process has, each of one letter."""
    assert [] == codes(f"a: [{'x,' * (FREE_NODES - 5)}]")
    assert [] == codes("".join(f"k{n}: [{', '.join(['abc'] * 90)}]\n" for n in range(1_000)))


def test_reading_ends_after_many_faults() -> None:
    """A key that stands twice, a hundred thousand times."""
    assert ["yaml-duplicate-key"] * (MOST_FAULTS + 1) == codes("a: one\n" * 100_000)


def test_warnings_alone_refuse_nothing() -> None:
    """Numbers with zeros in front are read, however many there are."""
    parsed = parse("a: [" + "007, " * 1_000 + "]")

    assert MOST_FAULTS == len(parsed.faults)
    assert parsed.root is not None


@pytest.mark.parametrize("end", ["\n", "\r", "\x85", "\u2028"])
def test_tags_that_are_declared_many_times_are_refused_unread(end: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The parser compares each with all before it: eight megabytes of them would take it minutes."""
    monkeypatch.setattr("crmbridge.files.yaml_nodes.LOADER", None)
    found = parse(f"a: b{end}...{end}" + "".join(f"%TAG !t{n}! tag:x{end}" for n in range(11)) + f"---{end}a: b{end}")

    assert [("yaml-tag", 4 + 3 + 2)] == [(fault.code, fault.start) for fault in found.faults]


def test_what_only_looks_like_declared_tags_is_read() -> None:
    """Within a line they are text."""
    assert () == parse("a: |\n" + "  of %TAG !t! tag:x\n" * 100).faults


def test_a_list_at_the_top_is_not_read_to_its_end() -> None:
    """It will be no mapping, whatever comes."""
    assert ["yaml-not-a-mapping"] == codes("- a\n" * 50_000 + "]")


@pytest.mark.parametrize("opening", ["[", "{a: ", "- ", "? "])
def test_deep_nesting_is_refused_before_it_hurts(opening: str) -> None:
    """A ready-made composer dies of this with the whole process."""
    assert codes("a: " + opening * 100_000)[0] in {"yaml-too-deep", "yaml-key", "yaml-syntax"}
    assert codes("a:\n " + opening * 100_000)[0] in {"yaml-too-deep", "yaml-key"}


def test_nesting_up_to_the_limit_is_read() -> None:
    """The limit is far from what legal files need."""
    depth = yaml_nodes.DEEPEST - 1

    assert codes(f"a: {'[' * depth}{']' * depth}") == []
    assert ["yaml-too-deep"] == codes(f"a: {'[' * (depth + 1)}{']' * (depth + 1)}")


@pytest.mark.parametrize("number", ["1e999999999", "1e-999999999", "9" * 41, "0x" + "f" * 40, ".nan", "-.inf"])
def test_numbers_that_nobody_can_count_with_are_refused(number: str) -> None:
    """Decimal would take them, and spell them out when they are shown."""
    assert ["yaml-number"] == codes(f"a: {number}")


def test_the_slow_parser_says_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where PyYAML has no libyaml, data and places are the same."""
    text = "a: {b: 你好, c: [1, no]}\nd: &x |\n  long\n  text\ne: *x\n"
    fast = parse(text)
    monkeypatch.setattr(yaml_nodes, "LOADER", yaml.BaseLoader)

    assert fast == parse(text)


@pytest.mark.parametrize(
    "name", ["crmbridge.yaml", "init/crmbridge.yaml", "processes/b2b.yaml", "processes/meddicc.yaml"]
)
def test_the_shipped_files_are_read_alike_by_both_parsers(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """PyYAML's own parser is pickier than libyaml, and so are those of some editors."""
    text = (shipped_folder() / name).read_text(encoding="utf-8")
    fast = parse(text)
    monkeypatch.setattr(yaml_nodes, "LOADER", yaml.BaseLoader)

    assert fast == parse(text)
    assert () == fast.faults


def test_a_legal_file_of_six_megabytes_is_read() -> None:
    """Size alone is no reason to refuse a file."""
    parsed = parse("texts:\n" + f"  - {'word ' * 200}\n" * 6000)

    assert parsed.root is not None
    assert 6000 == len(parsed.root.value["texts"])
