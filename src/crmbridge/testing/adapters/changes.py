"""The changes that the AdapterSuite writes, and which of an adapter's requests carries them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from decimal import Decimal
from itertools import takewhile
from typing import Any, NamedTuple

import pytest

from crmbridge.model.changes import Action, Change, FieldEdit, Origin, Outcome, Receipt, change_id
from crmbridge.model.records import Kind, Position, Record, Ref, Status
from crmbridge.model.values import FieldType, Money, Value
from crmbridge.ports import Adapter
from crmbridge.testing.adapters.workbench import CONNECTION, CURRENCY, AdapterWorkbench, Pulled, open_deals, pull_all


def make(action: Action, *about: str, edits: Sequence[FieldEdit] = (), **more: Any) -> Change:
    """Make a change; `about` and the edits tell it from the others of its action."""
    usual: dict[str, Any] = {"origin": Origin.SYNC, "target": None, "reason": "the suite asked for it"}
    id_ = change_id(action, CONNECTION, *about, edits=tuple(edits))
    return Change(id=id_, action=action, connection=CONNECTION, edits=tuple(edits), **{**usual, **more})


def fill_in(fields: Mapping[str, Value]) -> tuple[FieldEdit, ...]:
    """Make the edits of fields that hold nothing yet."""
    return tuple(FieldEdit(name, None, value) for name, value in sorted(fields.items()))


def make_update(deal: Record, position: Position | None = None, fields: Mapping[str, Value] | None = None) -> Change:
    """Make a change of a deal's fields, of its position, or of both."""
    edits = [FieldEdit(name, deal.fields.get(name), value) for name, value in sorted((fields or {}).items())]
    if position is not None and deal.position is not None:
        edits.append(FieldEdit("stage", deal.position.stage, position.stage))
    before = deal.position if position else None
    parts = {"target": deal.ref, "position": position, "position_before": before, "expects": deal.version}
    return make(Action.UPDATE, deal.ref.id, edits=edits, **parts)


def make_create(bench: AdapterWorkbench, number: int | str, **fields: Value) -> Change:
    """Make the creation of a deal in the first stage, with the key `suite-<number>`."""
    usual: dict[str, Value] = {
        "name": f"Suite deal {number}",
        "amount": Money(Decimal("1250.50"), CURRENCY),
        "close_date": bench.clock.now().date() + timedelta(days=30),
    }
    position = Position(bench.pipeline, first_stage(bench), Status.OPEN)
    edits = fill_in({**usual, **fields})
    return make(Action.CREATE, str(number), edits=edits, position=position, key=f"suite-{number}")


def make_archive(target: Ref, key: str | None = None) -> Change:
    """Make a change that archives a record; `key` is the marker of a task or note."""
    return make(Action.ARCHIVE, str(target), target=target, key=key)


def make_company(word: str, **fields: Value) -> Change:
    """Make the creation of a company, with the domain `<word>.suite.example`."""
    return _counterpart(
        Kind.COMPANY, word, {"name": f"Suite company {word}", "domain": f"{word}.suite.example", **fields}
    )


def make_contact(word: str, **fields: Value) -> Change:
    """Make the creation of a contact, with the address `<word>@suite.example`."""
    return _counterpart(Kind.CONTACT, word, {"name": f"Suite {word}", "email": f"{word}@suite.example", **fields})


def _counterpart(kind: Kind, word: str, fields: Mapping[str, Value]) -> Change:
    given = {name: value for name, value in fields.items() if value is not None}
    known_by = next((f"{name}:{given[name]}" for name in ("domain", "email", "name") if name in given), None)
    return make(Action.CREATE, kind, word, edits=fill_in(given), key=known_by, creates=kind)


def make_task(bench: AdapterWorkbench, deal: Record, number: int | str, **fields: Value) -> Change:
    """Make a task on a deal, due tomorrow, with the marker `suite-task-<number>`."""
    usual: dict[str, Value] = {
        "subject": f"Suite task {number}",
        "body": "Find out <who> decides & when.\nThen write it down.",
        "due_at": bench.clock.now() + timedelta(days=1),
        "owner": deal.fields["owner"],
    }
    return _attachment(Action.TASK, deal.ref, f"suite-task-{number}", {**usual, **fields})


def make_note(target: Ref, number: int | str, **fields: Value) -> Change:
    """Make a note on a deal or company, with the marker `suite-note-<number>`."""
    usual: dict[str, Value] = {"body": f"Suite note {number}: 3 < 5 & 7 > 6\nSecond line."}
    return _attachment(Action.NOTE, target, f"suite-note-{number}", {**usual, **fields})


def make_amendment(deal: Ref, number: int | str, **fields: Value) -> Change:
    """Make a change of the task with the marker `suite-task-<number>`."""
    return _attachment(Action.AMEND, deal, f"suite-task-{number}", fields)


def _attachment(action: Action, target: Ref, key: str, fields: Mapping[str, Value]) -> Change:
    return make(action, target.id, key, edits=fill_in(fields), origin=Origin.ENFORCE, target=target, key=key)


def make_field(name: str, type_: FieldType, **more: Value) -> Change:
    """Make a change that makes a field of deals; of another kind with `on`."""
    usual: dict[str, Value] = {"options": (), "unique": False}
    values = {"name": name, "label": f"Label of {name}", "type": type_.value, **usual, **more}
    key = f"{more['on']}:{name}" if "on" in more else name
    return make(Action.FIELD, key, edits=fill_in(values), origin=Origin.SETUP, key=key)


def first_stage(bench: AdapterWorkbench) -> str:
    """Give the native id of the stage that deals start in."""
    return next(native for name, native in bench.stages.items() if name not in {"won", "lost"})


def open_deal(adapter: Adapter, number: int = 0) -> Record:
    """Give an open deal as it is now; the same number gives the same deal."""
    return open_deals(pull_all(adapter), number + 1)[number]


def outcomes(changes: Sequence[Change], receipts: Sequence[Receipt]) -> list[Outcome]:
    """Give the outcomes, once it is sure that there is one receipt per change, in order."""
    assert [change.id for change in changes] == [receipt.change for receipt in receipts]
    return [receipt.outcome for receipt in receipts]


def write_one(adapter: Adapter, change: Change) -> Receipt:
    """Write one change and give its receipt; a test that does is skipped where the adapter declares no such action."""
    needs(adapter, change.action)
    receipts = adapter.write([change])
    outcomes([change], receipts)
    return receipts[0]


def finds_deals(adapter: Adapter) -> bool:
    """Tell whether `find` is ever asked for a deal: by its key, of which an adapter that creates none writes none."""
    return Action.CREATE in adapter.capabilities.actions


def needs(adapter: Adapter, action: Action) -> None:
    """Skip a test where the adapter does not declare an action, such as tasks in a CRM that has none."""
    if action not in adapter.capabilities.actions:
        pytest.skip(f"the adapter does not declare the action {action}")


def batch_of(adapter: Adapter, action: Action) -> int:
    """Give how many changes of an action fit in one call; skips a test where the adapter does not declare it."""
    needs(adapter, action)
    return adapter.capabilities.batch[action]


def named(pulled: Pulled, name: str) -> list[Ref]:
    """Give the deals with this name."""
    return [ref for ref, record in pulled.records.items() if record.fields.get("name") == name]


class WriteRequest(NamedTuple):
    """The request that carries a write: its method, and the part of its path that is the same each time."""

    method: str
    path: str


def learn_request(bench: AdapterWorkbench, adapter: Adapter, action: Action) -> WriteRequest:
    """Find out which request carries a write, by making it twice with words that nothing else contains.

    A write may be preceded by reads, so a fault can't simply strike the next request.
    """
    found = [_request_with(bench, adapter, _probe(bench, adapter, action, word)) for word in ("probea", "probeb")]
    assert found[0].method == found[1].method
    return WriteRequest(found[0].method, _common_path(found[0].path, found[1].path))


def strike(bench: AdapterWorkbench, adapter: Adapter, action: Action, fault: str) -> WriteRequest:
    """Let the next request that carries such a write go wrong, and give which requests do."""
    request = learn_request(bench, adapter, action)
    bench.served.sandbox.faults.plan(fault, method=request.method, path=request.path)
    return request


def learn_requests(bench: AdapterWorkbench, adapter: Adapter, probes: Sequence[Change]) -> list[WriteRequest]:
    """Find out which requests make up a write, in their order, by making two changes that are alike.

    Only those of methods that change something: where a CRM also reads by these, such reads are among them.
    """
    log, sent = bench.served.sandbox.log, []
    for change in probes:
        seen = len(log.all())
        assert Outcome.APPLIED == write_one(adapter, change).outcome
        sent.append([request for request in log.all()[seen:] if request.writes])
    # From the end: what an adapter learns of an account, it asks before its first write only.
    pairs = list(zip(*(reversed(each) for each in sent), strict=False))[::-1]
    assert pairs, "what is written is sent"
    return [WriteRequest(one.method, _common_path(one.path, other.path)) for one, other in pairs]


def struck(bench: AdapterWorkbench, fault: str) -> int:
    """Give how many requests this fault has hit."""
    return sum(request.fault == fault for request in bench.served.sandbox.log.all())


def _request_with(bench: AdapterWorkbench, adapter: Adapter, change: Change) -> WriteRequest:
    log = bench.served.sandbox.log
    seen = len(log.all())
    assert write_one(adapter, change).outcome is Outcome.APPLIED
    words = [word for word in ("probea", "probeb") if word in repr(change)]
    carrying = [r for r in log.all()[seen:] if r.writes and any(word in repr(r.body) for word in words)]
    assert carrying, "one of the requests carries what is written"
    return WriteRequest(carrying[0].method, carrying[0].path)


def _common_path(one: str, other: str) -> str:
    pairs = zip(one.split("/"), other.split("/"), strict=False)
    shared = "/".join(part for part, _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    return one if one == other else shared + "/"


def _probe(bench: AdapterWorkbench, adapter: Adapter, action: Action, word: str) -> Change:
    # The last open deals: the tests themselves use the first ones.
    deals = open_deals(pull_all(adapter), 6)
    deal = deals[-1] if word == "probea" else deals[-2]
    match action:
        case Action.CREATE:
            return make_create(bench, word)
        case Action.UPDATE:
            return make_update(deal, fields={"name": word})
        case Action.TASK:
            return make_task(bench, deal, word)
        case Action.NOTE:
            return make_note(deal.ref, word)
        case Action.FIELD | Action.ARCHIVE | Action.AMEND | Action.NOTIFY:
            raise ValueError(f"a {action} carries no word of ours, so there is no request to learn")
