"""Files as they really come: other encodings, line ends, sizes, and bytes that are no file at all."""

from __future__ import annotations

import os
import re
import unicodedata
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crmbridge.files.codes import CODES
from crmbridge.files.reading import MOST_ERRORS, Loaded, parse_process, parse_settings, read_process, read_settings
from crmbridge.files.shipped import shipped_folder
from crmbridge.files.source import LARGEST, MOST_LINES, line_starts
from crmbridge.model.process import Process
from crmbridge.settings import Settings

SMALL = """\
version: 1
id: shop
name: Geschäft 商店
purpose: Sell.
leader: boss
roles: [{id: boss, name: Boss}]
stages: [{id: talk, name: Talk, purpose: Find out., owner: boss}]
"""
SIGNS = (
    "\n|\r\n|  |- |: |{|}|[|]|&a |*a|<<: |!!x |'|\"|#|1e9|0x1|.inf|no|~|\t|\x00|\ufeff|\u2028|%|@|---\n|...\n|"
    "check: |at_least: |of: |sla: |goal: |exit: |sync: |stages: |connections: |cron: "
)
WORDS = st.sampled_from([*SMALL.split(), *SIGNS.split("|"), "|", "\U0001f600"])


def places(loaded: Loaded[Process]) -> list[tuple[str, int, int]]:
    return [(found.code, found.line, found.col) for found in loaded.diagnostics]


@pytest.mark.parametrize(
    "content",
    [
        SMALL.encode(),
        b"\xef\xbb\xbf" + SMALL.encode(),
        SMALL.replace("\n", "\r\n").encode(),
        SMALL.replace("\n", "\r").encode(),
        SMALL.rstrip().encode(),
    ],
    ids=["plain", "byte order mark", "Windows line ends", "old Mac line ends", "no last line end"],
)
def test_every_kind_of_text_file_is_read_alike(content: bytes) -> None:
    """Where a file was saved makes no difference, neither to what it says nor to where errors are."""
    loaded = parse_process("p.yaml", content)

    assert loaded.model is not None
    assert "Geschäft 商店" == str(loaded.model.name)
    assert [("wrong-name", 2, 5)] == places(parse_process("p.yaml", content.replace(b"id: shop", b"id: Shop")))


@pytest.mark.parametrize(
    ("content", "place"),
    [
        (b"", ("yaml-not-a-mapping", 1, 1)),
        (b"# only a comment\n", ("yaml-not-a-mapping", 1, 1)),
        (b"- a\n- b\n", ("yaml-not-a-mapping", 1, 1)),
        (b"text\n", ("yaml-not-a-mapping", 1, 1)),
        (b"a: b\nc: \xff\n", ("not-utf8", 2, 4)),
        ("a: ü\nc: d\n".encode("latin-1"), ("not-utf8", 1, 4)),
        ("a: b\n".encode("utf-16"), ("not-utf8", 1, 1)),
        (b"a: b\x00\n", ("control-character", 1, 5)),
        (b"a: \xef\xbb\xbfb\n", ("control-character", 1, 4)),
        (b"a: b\n\tc: d\n", ("yaml-tab", 2, 1)),
        (b"\r\n\r\na: 'x\r\n", ("yaml-syntax", 3, 4)),
        ("a: x\u2028\nb: @\n".encode(), ("yaml-syntax", 2, 4)),
    ],
)
def test_what_is_no_process_file_is_told_with_its_place(content: bytes, place: tuple[str, int, int]) -> None:
    """Lines are counted as editors count them."""
    assert [place] == places(parse_process("p.yaml", content))


def test_a_file_that_is_not_there_or_is_a_folder(tmp_path: Path) -> None:
    """Both are told, neither raises."""
    assert [("file-missing", 1, 1)] == places(read_process(tmp_path / "none.yaml"))
    assert [("file-unreadable", 1, 1)] == places(read_process(tmp_path))
    assert [("file-unreadable", 1, 1)] == places(read_process(tmp_path / ("x" * 5000)))


def test_why_a_file_can_not_be_read_is_told_with_what_to_do(tmp_path: Path) -> None:
    """A folder is named instead of a file in it, or the file is somebody else's."""
    (folder,) = read_process(tmp_path).diagnostics
    (empty,) = parse_process("p.yaml", b"# nothing yet\n").diagnostics

    assert ("the file can't be read: it is a folder", "Name the file in it.") == (folder.sentence, folder.advice)
    assert ("the file is empty", "`crmbridge init FOLDER` writes one to begin with.") == (empty.sentence, empty.advice)


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read_is_told(tmp_path: Path) -> None:
    """With whom to let read it."""
    path = tmp_path / "p.yaml"
    path.touch(mode=0o200)
    (found,) = read_process(path).diagnostics

    assert "Let whoever runs crmbridge read it." == found.advice


def test_a_file_without_end_is_not_read_to_its_end(tmp_path: Path) -> None:
    """More than the largest size is never held in memory."""
    path = tmp_path / "large.yaml"
    path.touch()
    os.truncate(path, LARGEST + 1)

    assert [("file-too-large", 1, 1)] == places(read_process(path))


def test_ten_megabytes_in_one_line_are_told_in_a_few_words() -> None:
    """Neither the sentence nor the line fills the screen."""
    loaded = parse_process("p.yaml", SMALL.replace("leader: boss", f"leader: {'x' * 10_000_000}").encode())

    assert [("yaml-too-long", 5, 1)] == places(loaded)
    assert len(loaded.diagnostics[0].render()) < 500


def test_numbers_reach_the_model_exactly() -> None:
    """A threshold of 0.1 is not binary."""
    text = SMALL.replace(
        "owner: boss}", "owner: boss, exit: [{id: a, check: {bounds: {field: amount, min: 0.1, max: 1000000.01}}}]}"
    )
    loaded = parse_process("p.yaml", text.encode())
    assert loaded.model is not None
    check = loaded.model.stages[0].exit[0].check

    assert {"bounds": {"field": "amount", "min": Decimal("0.1"), "max": Decimal("1000000.01")}} == check.model_dump()


@pytest.mark.parametrize("name", ["b2b", "meddicc"])
def test_the_shipped_processes_are_read_without_a_word(name: str) -> None:
    """What a newcomer starts from is right."""
    assert () == read_process(shipped_folder() / "processes" / f"{name}.yaml").diagnostics


def test_the_shipped_settings_are_read_without_a_word() -> None:
    """The example with everything in it is right."""
    assert () == read_settings(shipped_folder() / "crmbridge.yaml").diagnostics


def hold(loaded: Loaded[Process] | Loaded[Settings], content: bytes) -> None:
    """Whatever came in: a model or errors, each at a place that exists, and nothing that a terminal would obey."""
    assert (loaded.model is None) == any(found.severity == "error" for found in loaded.diagnostics)
    for found in loaded.diagnostics:
        assert found.code in CODES
        assert 1 <= found.line <= content.count(b"\n") + content.count(b"\r") + 1
        assert found.col >= 1
        assert all(_obeyed_by_no_terminal(char) for char in found.render())


def _obeyed_by_no_terminal(char: str) -> bool:
    return char.isprintable() or char in "\n\ufffd" or unicodedata.category(char) == "Zs"  # spaces of other widths


@settings(max_examples=300, deadline=None)
@given(content=st.binary(max_size=200))
def test_any_bytes_give_a_model_or_errors(content: bytes) -> None:
    """Reading never raises."""
    hold(parse_process("p.yaml", content), content)
    hold(parse_settings("s.yaml", content), content)


@settings(max_examples=400, deadline=None)
@given(parts=st.lists(WORDS, max_size=30), cut=st.integers(0, len(SMALL)))
def test_any_mixture_of_yaml_gives_a_model_or_errors(parts: list[str], cut: int) -> None:
    """Nor does it when the bytes come close to what a file should be."""
    content = (SMALL[:cut] + "".join(parts) + SMALL[cut:]).encode()
    hold(parse_process("p.yaml", content), content)
    hold(parse_settings("s.yaml", content), content)


VALUES: st.SearchStrategy[object] = st.recursive(
    st.sampled_from(["a", "1", "-1", "~", "no", "true", "1.5", "''", "1h", "80%", "{env: A}", "2026-01-01", "''"]),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda items: f"[{', '.join(map(str, items))}]"),
        st.dictionaries(st.sampled_from(["id", "required", "of", "en", "field", "bounds", "0"]), inner, max_size=3).map(
            lambda items: "{" + ", ".join(f"{key}: {value}" for key, value in items.items()) + "}"
        ),
    ),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(data=st.data(), value=VALUES)
def test_any_value_in_any_place_gives_a_model_or_errors(data: st.DataObject, value: object) -> None:
    """The shipped files with one value replaced by another: every type meets every key."""
    name = data.draw(st.sampled_from(["processes/meddicc.yaml", "crmbridge.yaml"]))
    lines = (shipped_folder() / name).read_text(encoding="utf-8").split("\n")
    keyed = [number for number, line in enumerate(lines) if ": " in line and not line.lstrip().startswith("#")]
    number = data.draw(st.sampled_from(keyed))
    lines[number] = f"{lines[number].split(': ', 1)[0]}: {value}"
    content = "\n".join(lines).encode()
    hold(parse_process("p.yaml", content), content)
    hold(parse_settings("s.yaml", content), content)


def test_a_list_that_is_too_short_is_an_error_of_its_own() -> None:
    """It is left out only where it follows from items that were refused; else nothing would say why the file is."""
    text = (shipped_folder() / "crmbridge.yaml").read_text(encoding="utf-8")
    loaded = parse_settings("s.yaml", re.sub(r"(?m)^( *)between: .*$", r"\1between: [hs]", text).encode())

    assert loaded.model is None
    assert ["at least 2 must be listed here, not 1"] == [found.sentence for found in loaded.diagnostics]


@pytest.mark.parametrize("line", [b"\n", b"\r", b"#\n", b"- \n", b"a\n", b":\n", b"a: 1\n"])
def test_more_lines_than_any_process_has_are_refused_unread(line: bytes) -> None:
    """Each costs something where nothing stands, so they are counted first; their number is all that is told."""
    loaded = parse_process("p.yaml", line * (MOST_LINES + 1))

    assert [("file-too-many-lines", 1, 1)] == places(loaded)
    assert "" == loaded.source.text


def test_so_many_lines_are_read_however_they_end() -> None:
    """A line end of Windows is one."""
    comments = "#\r\n" * (MOST_LINES - SMALL.count("\n"))

    assert parse_process("p.yaml", comments.encode() + SMALL.encode()).model is not None


@given(st.text(st.sampled_from("ab\n\r\u2028\x85"), max_size=30))
def test_lines_begin_where_editors_see_them(text: str) -> None:
    """After each end of whichever kind, found fast or by looking at each character."""
    ends = [at + 1 for at, sign in enumerate(text) if sign == "\n" or (sign == "\r" and text[at + 1 : at + 2] != "\n")]

    assert (0, *ends) == line_starts(text)


def test_a_legal_process_of_six_megabytes_is_read() -> None:
    """Twenty times as many fields as any CRM allows, each with the help that people wrote, line by line."""
    told = "\n".join(["      " + "Ask for it before the meeting, and write down who said so. "] * 18)
    fields = "".join(f"  - id: field_{n}\n    name: Field {n}\n    help: |\n{told}\n" for n in range(5_000))
    content = f"{SMALL}fields:\n{fields}".encode()
    loaded = parse_process("p.yaml", content)

    assert len(content) > 6_000_000
    assert (5_000, ()) == (len(loaded.model.fields) if loaded.model else 0, loaded.diagnostics)


def test_only_the_first_of_many_errors_are_told() -> None:
    """Nobody reads thousands; the last one says how many there are."""
    loaded = parse_process("p.yaml", (SMALL + "".join(f"key_{n}: 1\n" for n in range(1_000))).encode())

    assert MOST_ERRORS + 1 == len(loaded.diagnostics)
    said = [found.sentence for found in loaded.diagnostics if found.code == "more-errors"]
    assert ["there are 800 more errors; mend the ones that are told first"] == said
