"""Plans on disk say what the plan says, in one layout, and tell when they were edited."""

from __future__ import annotations

import hashlib
import json
import os
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from crmbridge.cli.plan_files import FORMAT, load_plan, save_plan
from crmbridge.errors import ConfigurationError
from crmbridge.model.changes import Blocked, Change, FieldEdit, Plan
from crmbridge.model.codec import plan_to_json
from crmbridge.model.values import Money
from crmbridge.testing.factories import make_change, make_ref

NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)
TEXTS = st.text(st.characters(codec="utf-8")) | st.sampled_from(['"digest": "', "\n }", "]", "\u2028", "\x00\x7f", "é"])
VALUES = TEXTS | st.sampled_from(
    [None, True, 7, 10**30, Decimal("1.50"), Money(Decimal(5), "EUR"), (), ("a", "b"), NOON]
)


def plan_of(*edits: tuple[object, object], blocked: int = 0) -> Plan:
    """Make a plan with one change per pair of values."""
    changes: list[Change] = [
        make_change(id=f"c{n}", edits=(FieldEdit("name", before, after),))  # type: ignore[arg-type]  drawn as values
        for n, (before, after) in enumerate(edits)
    ]
    waits = [
        Blocked(link=f"l{n}", deal=make_ref(str(n)), name="x", reason="r", values={"hs": "é"}) for n in range(blocked)
    ]
    return Plan(
        id="p", made_at=NOON, settings="s", changes=tuple(changes), blocked=tuple(waits), cursors={"a/deal": "1"}
    )


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # each example writes the file anew
@given(edits=st.lists(st.tuples(VALUES, VALUES), max_size=3), blocked=st.integers(0, 2))
def test_a_plan_is_written_as_its_json_and_read_back(
    tmp_path: Path, edits: list[tuple[object, object]], blocked: int
) -> None:
    """With every part on its own line, and a digest of all that it says, whatever CRMs hold."""
    plan, file = plan_of(*edits, blocked=blocked), tmp_path / "plan.json"
    save_plan(plan, file)
    content = plan_to_json(plan)
    said = json.dumps(content, ensure_ascii=True, separators=(",", ":"), sort_keys=True)
    whole = {"format": FORMAT, "digest": hashlib.sha256(said.encode()).hexdigest(), **content}

    assert whole == json.loads(file.read_text("utf-8"))
    assert list(whole) == list(json.loads(file.read_text("utf-8")))
    assert plan == load_plan(file)


@pytest.mark.parametrize("edits", [[], [("a", "b")], [("a", "é\n"), (None, ("x",))]])
def test_the_layout_is_that_of_indented_json(tmp_path: Path, edits: list[tuple[object, object]]) -> None:
    """People read it, and compare two of them line by line."""
    file = tmp_path / "plan.json"
    save_plan(plan_of(*edits, blocked=1), file)
    text = file.read_text("utf-8")

    assert json.dumps(json.loads(text), ensure_ascii=False, indent=1) + "\n" == text


def test_half_a_surrogate_pair_in_a_plan_can_be_saved(tmp_path: Path) -> None:
    """A CRM may hold one, and no file can as it is."""
    plan, file = plan_of(("half \ud83d", "whole")), tmp_path / "plan.json"
    save_plan(plan, file)

    assert plan == load_plan(file)
    assert 0o600 == file.stat().st_mode & 0o777


def test_what_is_no_file_is_not_replaced(tmp_path: Path) -> None:
    """A device or a pipe, such as /dev/stdout, stays what it is."""
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigurationError, match="is no file"):
        save_plan(plan_of(), tmp_path / "pipe")

    assert [tmp_path / "pipe"] == [path for path in tmp_path.iterdir() if path.is_fifo()]
