"""What is made from another value holds nothing that was worked out for that one."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from datetime import UTC, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from rich.pretty import pretty_repr

from crmbridge.engine.expr.pattern_reading import read_pattern
from crmbridge.engine.mapping import stage_mapper
from crmbridge.engine.rules.case import Case
from crmbridge.engine.time.calendars import compile_calendar
from crmbridge.engine.views import Viewer
from crmbridge.http.auth import Signed
from crmbridge.model.replacing import replace
from crmbridge.testing.factories import NOON, make_clock, make_deal, make_process

ROOT = Path(__file__).parents[3]


def test_a_value_is_changed_by_name_and_stays_as_it_is() -> None:
    """The other one is as it was; a field that there is none of is an error."""
    deal: Any = make_deal()

    assert ("v9", deal.fields) == ((made := replace(deal, version="v9")).version, made.fields)
    assert deal == replace(made, version=deal.version) != made
    with pytest.raises(AttributeError):
        deal.version = "v9"
    with pytest.raises(TypeError):
        replace(deal, versoin="v9")


def test_a_case_says_what_it_holds_itself() -> None:
    """And not what the one that it was made from had said."""
    process = make_process()
    case = Case(process=process, stage=process.stages[0], fields={"name": "one"}, now=NOON, zone=UTC)
    before = case.says("name")

    assert before.replace("one", "two") == replace(case, fields={"name": "two"}).says("name") != before


def test_a_viewer_shows_its_own_fields() -> None:
    """What it settled once is settled anew."""
    mapper = stage_mapper("north", make_process(), None)
    viewer = Viewer(mapper=mapper, users={}, ids={}, fields=("one",))
    deal = make_deal(fields={"one": "1", "two": "2"})

    assert {"1", "2"} == {viewer.view(deal).get("one"), replace(viewer, fields=("two",)).view(deal).get("two")}
    assert "one" not in replace(viewer, fields=("two",)).view(deal)


def test_clocks_are_equal_whenever_they_were_measured() -> None:
    """What is of the moment is no difference; anything else is."""
    clock = make_clock()
    later = replace(clock, warned=Decimal("0.8"), warned_at=NOON, turns_at=NOON)

    assert (clock, hash(clock)) == (later, hash(later))
    assert clock != replace(later, elapsed=clock.elapsed + timedelta(seconds=1))


def test_calendars_and_patterns_are_equal_by_what_they_say() -> None:
    """Not by what was worked out for them so far."""
    (calendar, *_) = make_process().calendars.values()
    used, pattern = compile_calendar(calendar, ()), read_pattern("a+b")
    used.year(2026)

    assert {used, pattern} == {compile_calendar(calendar, ()), read_pattern("a+b")}
    assert used != compile_calendar(calendar, (NOON.date(),))
    assert pattern != read_pattern("a+c")


def test_what_signs_a_request_is_not_shown() -> None:
    """Where the value lands in a message or a traceback."""
    signed = Signed({"Authorization": "Bearer s3cret"})
    assert "s3cret" not in f"{signed!r}"
    assert "s3cret" not in pretty_repr(signed)  # which asks Structs in its own way


def classes_and_imports() -> Iterator[tuple[str, str]]:
    """Give each frozen dataclass of ours, and each module that takes from dataclasses what a Struct refuses."""
    for file in [*ROOT.glob("src/**/*.py"), *ROOT.glob("plugins/*/src/**/*.py")]:
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.ClassDef) and any(
                "frozen=True" in ast.unparse(each) for each in node.decorator_list
            ):
                yield "class", node.name
            elif isinstance(node, ast.ImportFrom) and node.module == "dataclasses":
                yield from (
                    ("import", file.stem) for each in node.names if each.name in {"replace", "fields", "asdict"}
                )


def test_frozen_values_are_structs() -> None:
    """A type checker takes one `replace` for the other, so it can't tell of a value that isn't."""
    assert {("class", "Verdicts"), ("import", "replacing")} == set(classes_and_imports())
