"""Changes and plans come back from JSON text as they went in; findings and journal rows are plain JSON."""

import copy
import json
from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmbridge.model import codec
from crmbridge.model.changes import Action, Blocked, Change, FieldEdit, JournalEntry, Origin, Outcome, Plan
from crmbridge.model.findings import Finding, FindingKind, Severity, Waived
from crmbridge.model.records import Kind, Position, Problem, Ref, Status
from crmbridge.model.values import Money

texts = st.text(st.characters(codec=None), max_size=8)
moments = st.datetimes(timezones=st.just(UTC))
refs = st.builds(Ref, texts, st.sampled_from(Kind), texts)
positions = st.builds(Position, texts, texts, st.sampled_from(Status))
values = st.one_of(
    st.none(),
    texts,
    st.booleans(),
    st.integers(),
    st.decimals(allow_nan=False, allow_infinity=False),
    st.just(date(2026, 3, 4)),
    moments,
    st.builds(Money, st.decimals(allow_nan=False, allow_infinity=False), st.just("EUR")),
    st.just(("a", "b")),
)
fields = st.dictionaries(texts, values, max_size=3)
maybe = st.none() | texts
changes = st.builds(
    Change,
    id=texts,
    action=st.sampled_from(Action),
    origin=st.sampled_from(Origin),
    connection=texts,
    target=st.none() | refs,
    edits=st.lists(st.builds(FieldEdit, texts, values, values), max_size=3).map(tuple),
    reason=texts,
    position=st.none() | positions,
    position_before=st.none() | positions,
    key=maybe,
    expects=maybe,
    link=maybe,
    finding=maybe,
)
blocked = st.builds(Blocked, link=texts, deal=refs, name=texts, reason=texts, values=fields)
plans = st.builds(
    Plan,
    id=texts,
    made_at=moments,
    settings=texts,
    changes=st.lists(changes, max_size=3).map(tuple),
    blocked=st.lists(blocked, max_size=2).map(tuple),
    cursors=st.dictionaries(texts, texts, max_size=2),
    version=st.just(2),
)
findings = st.builds(
    Finding,
    id=texts,
    deal=refs,
    rule=texts,
    kind=st.sampled_from(FindingKind),
    stage=maybe,
    severity=st.sampled_from(Severity),
    message=texts,
    since=moments,
    seen=fields,
    visit=st.none() | st.integers(min_value=1),
    path=maybe,
    waived=st.none() | st.builds(Waived, texts, texts, st.none() | moments),
)
entries = st.builds(
    JournalEntry,
    seq=st.integers(min_value=1),
    run=texts,
    at=moments,
    change=changes,
    outcome=st.none() | st.sampled_from(Outcome),
    ref=st.none() | refs,
    message=texts,
)
problems = st.lists(st.builds(Problem, texts, texts, texts), max_size=3).map(tuple)

CHANGE = Change(
    id="c1",
    action=Action.UPDATE,
    origin=Origin.SYNC,
    connection="hs",
    target=Ref("hs", Kind.DEAL, "7"),
    edits=(FieldEdit("amount", Money(Decimal("10.50"), "EUR"), None),),
    reason="amount changed in sf",
)
PLAN = Plan(id="p1", made_at=datetime(2026, 1, 5, 8, tzinfo=UTC), settings="d1", changes=(CHANGE,))


def through_text(data: Any) -> Any:
    return json.loads(json.dumps(data))


@given(changes)
def test_a_change_comes_back(change: Change) -> None:
    """Every part of a change survives."""
    assert change == codec.change_from_json(through_text(codec.change_to_json(change)))


@given(plans)
def test_a_plan_comes_back(plan: Plan) -> None:
    """Every part of a plan survives, the blocked entries and cursors too."""
    assert plan == codec.plan_from_json(through_text(codec.plan_to_json(plan)))


@given(findings)
def test_a_finding_is_plain_json(finding: Finding) -> None:
    """Whatever it holds: findings are only ever written, for who reads `--json`."""
    written = codec.finding_to_json(finding)

    assert written == through_text(written)


@given(entries)
def test_a_journal_row_is_plain_json(entry: JournalEntry) -> None:
    """The same, for intents and for outcomes."""
    written = codec.entry_to_json(entry)

    assert written == through_text(written)


@given(problems)
def test_problems_come_back(found: tuple[Problem, ...]) -> None:
    """A record's problems survive."""
    assert found == codec.problems_from_json(through_text(codec.problems_to_json(found)))


def test_problems_of_earlier_versions_come_back() -> None:
    """They named no field."""
    assert (Problem("amount", "no number"),) == codec.problems_from_json([["amount", "no number"]])


def test_a_change_is_written_like_this() -> None:
    """The form is a promise: plan files and journal rows of earlier versions have it."""
    expected = {
        "id": "c1",
        "action": "update",
        "origin": "sync",
        "connection": "hs",
        "target": ["hs", "deal", "7"],
        "edits": [["amount", {"money": ["10.50", "EUR"]}, None]],
        "reason": "amount changed in sf",
    }

    assert expected == codec.change_to_json(CHANGE)


def damaged(path: list[Any], value: Any) -> Any:
    """Give a plan file with one thing in it replaced, or taken away for `...`."""
    data = copy.deepcopy(codec.plan_to_json(PLAN))
    *way, last = path
    place = data
    for step in way:
        place = place[step]
    if value is ...:
        del place[last]
    else:
        place[last] = value
    return data


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (["version"], 1, "version 1"),
        (["version"], True, "version"),
        (["id"], ..., "without id"),
        (["id"], 7, "id is not text"),
        (["made_at"], "2026-01-05T08:00:00", "without a zone"),
        (["chnages"], [], "unknown chnages"),
        (["changes"], {}, "changes is not a list"),
        (["cursors"], [], "cursors is not an object"),
        (["cursors"], {"hs/deal": 1}, "hs/deal is not text"),
        (["changes", 0], "c1", "change is not an object"),
        (["changes", 0, "action"], "delete", "delete"),
        (["changes", 0, "reason"], ..., "without reason"),
        (["changes", 0, "keys"], "x", "unknown keys"),
        (["changes", 0, "target"], ["hs", "deal"], "not a ref"),
        (["changes", 0, "target"], ["hs", "order", "7"], "order"),
        (["changes", 0, "position"], ["p", "s", "closed"], "closed"),
        (["changes", 0, "position"], "p", "not a position"),
        (["changes", 0, "edits", 0], ["amount", None], "not an edit"),
        (["changes", 0, "edits", 0, 1], 1.5, "not a stored value"),
        (["changes", 0, "edits", 0, 1], {"money": ["ten", "EUR"]}, "not a number"),
    ],
)
def test_a_damaged_plan_is_refused_with_what_is_wrong(path: list[Any], value: Any, said: str) -> None:
    """A plan file that was cut or edited badly is a ValueError, whatever is wrong with it."""
    with pytest.raises(ValueError, match=said):
        codec.plan_from_json(damaged(path, value))


@pytest.mark.parametrize("data", [None, 1, "x", [], [1], {}])
@pytest.mark.parametrize(
    "read",
    [
        codec.plan_from_json,
        codec.change_from_json,
        codec.blocked_from_json,
        codec.ref_from_json,
        codec.position_from_json,
    ],
)
def test_something_else_is_refused(read: Callable[[Any], object], data: Any) -> None:
    """Other JSON never passes for one of ours."""
    with pytest.raises(ValueError, match=r".+"):
        read(data)
