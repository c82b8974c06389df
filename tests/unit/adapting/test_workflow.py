"""Deals that a CRM moves by its own buttons: one click at a time, and never over somebody else's edit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from crmbridge.adapting import FORMS, Button, Column, Table, Workflow, standard_columns
from crmbridge.adapting.keys import natural_key
from crmbridge.errors import RefusedError, StaleError, UnclearError
from crmbridge.model.changes import Action, Change, FieldEdit
from crmbridge.model.records import Kind, Position, Ref, Status
from crmbridge.model.replacing import replace
from crmbridge.testing.factories import make_change, make_ref

WORKFLOW = Workflow(
    buttons={
        "lead": Button("reopen", {"open", "lost"}),
        "open": Button("start", {"lead"}),
        "lost": Button("lose", {"lead", "open"}),
    },
    first="lead",
    closed={"lost"},
)
DEAL = make_ref("1")
CONNECTION = DEAL.connection


def table(kind: Kind, **natives: str) -> Table:
    columns: tuple[Column, ...] = standard_columns(kind, FORMS, **natives)
    stage = {Kind.DEAL: lambda row: Position("p", row["state"], Status.OPEN)}.get(kind)
    return Table(kind, kind.value, columns, version="stamp", created_at="made", updated_at="made", position=stage)


TABLES = {Kind.DEAL: table(Kind.DEAL, name="title"), Kind.COMPANY: table(Kind.COMPANY, name="name", domain="domain")}


@dataclass
class Crm:
    """A CRM of rows with versions, in memory; `meanwhile` is what somebody else does after a call."""

    deal: dict[str, Any] = field(default_factory=lambda: {"id": 1, "state": "lead", "title": "Old", "stamp": 0})
    companies: list[dict[str, Any]] = field(default_factory=list)
    sent: list[str] = field(default_factory=list)
    meanwhile: dict[str, dict[str, Any]] = field(default_factory=dict)
    stuck: bool = False  # a button that waits for a second person
    tables: Mapping[Kind, Table] = field(default_factory=lambda: TABLES)

    def find(self, kind: Kind, key: str, near: Ref | None) -> Ref | None:
        found = [row for row in self.companies if natural_key(kind, row) == key]
        return make_ref(str(found[0]["id"]), kind=kind) if found else None

    def row(self, deal: Ref) -> dict[str, Any]:
        if deal.id != "1":
            raise RefusedError("gone")
        return dict(self.deal)

    def values(self, change: Change, row: Mapping[str, Any]) -> dict[str, Any]:
        return TABLES[Kind.DEAL].values(change.after, row)

    def add(self, kind: Kind, values: Mapping[str, Any]) -> Ref:
        self.sent.append(f"add {kind}")
        if kind is Kind.DEAL:
            self.deal |= values
            return DEAL
        self.companies.append({"id": len(self.companies) + 1, **values})
        return make_ref(str(len(self.companies)), kind=kind)

    def note(self, on: Ref, text: str) -> Ref:
        self.sent.append(f"note {on.id} {text}")
        return make_ref("9", kind=Kind.NOTE)

    def tell(self, row: Mapping[str, Any], method: str, *params: Any) -> None:
        if row["stamp"] != self.deal["stamp"]:
            raise StaleError("changed")
        self.sent.append(method)
        after = next((stage for stage, button in WORKFLOW.buttons.items() if button.name == method), None)
        self.deal |= params[0] if params else {} if self.stuck else {"state": after}
        self.deal["stamp"] += 1
        self.deal |= self.meanwhile.get(method, {})


def change(action: Action, stage: str | None = None, **fields: str) -> Change:
    position = Position("p", stage, Status.OPEN) if stage else None
    edits = tuple(FieldEdit(name, None, value) for name, value in fields.items())
    target = None if action is Action.CREATE else DEAL
    return replace(make_change(), action=action, target=target, edits=edits, position=position, expects=None)


def test_a_deal_is_made_where_deals_begin_and_moved() -> None:
    """By the button that leads to its stage; one for the first stage takes no click."""
    crm = Crm()

    assert DEAL == WORKFLOW.make(change(Action.CREATE, "open", name="New"), crm)
    assert (["add deal", "start"], "open", "New") == (crm.sent, crm.deal["state"], crm.deal["title"])
    crm = Crm()
    WORKFLOW.make(change(Action.CREATE, "lead", name="New"), crm)
    assert ["add deal"] == crm.sent


def test_a_stage_that_no_single_button_leads_to_is_refused_before_anything_is_sent() -> None:
    """Neither made nor edited: two clicks could break off between them."""
    crm = Crm(deal={"id": 1, "state": "lost", "title": "Old", "stamp": 0})
    for action, stage in ((Action.CREATE, "won"), (Action.UPDATE, "open")):
        with pytest.raises(RefusedError, match=f"leads from .* to {stage}"):
            WORKFLOW.make(change(action, stage, name="New"), crm)

    assert [] == crm.sent


@pytest.mark.parametrize(("state", "sent"), [("open", ["write", "lose"]), ("lost", ["reopen", "write"])])
def test_an_edit_comes_before_the_click_or_after_it(state: str, sent: list[str]) -> None:
    """A closed deal is opened first, as it takes few edits."""
    crm = Crm(deal={"id": 1, "state": state, "title": "Old", "stamp": 0})
    after = "lost" if state == "open" else "lead"
    WORKFLOW.make(change(Action.UPDATE, after, name="New"), crm)

    assert (sent, after, "New") == (crm.sent, crm.deal["state"], crm.deal["title"])


def test_what_changed_since_it_was_read_is_stale() -> None:
    """Nothing is sent."""
    crm = Crm()
    with pytest.raises(StaleError):
        WORKFLOW.make(replace(change(Action.UPDATE, name="New"), expects="7"), crm)

    assert [] == crm.sent


def test_an_edit_between_two_steps_is_not_overwritten() -> None:
    """The click was made, so it is unclear; the same field, written by somebody else since, stays."""
    crm = Crm({"id": 1, "state": "lost", "title": "Old", "stamp": 0}, meanwhile={"reopen": {"title": "Theirs"}})
    with pytest.raises(UnclearError, match="only a part"):
        WORKFLOW.make(change(Action.UPDATE, "lead", name="New"), crm)

    assert "Theirs" == crm.deal["title"]


def test_a_click_that_left_the_deal_where_it_was_is_unclear() -> None:
    """The server took it, and waits for another person's."""
    with pytest.raises(UnclearError, match="left the deal in lead"):
        WORKFLOW.make(change(Action.UPDATE, "open"), Crm(stuck=True))


def test_a_company_that_is_there_is_not_made_again() -> None:
    """By its natural key, without case."""
    crm = Crm()
    made = [replace(change(Action.CREATE, domain=domain, name="A"), creates=Kind.COMPANY) for domain in ("a.b", "A.B")]

    assert 1 == len({WORKFLOW.make(each, crm) for each in made})
    assert ["add company"] == crm.sent


def test_a_note_carries_its_marker() -> None:
    """By which it is found again."""
    crm = Crm()
    WORKFLOW.make(replace(change(Action.NOTE, body="Call"), key="k-1"), crm)

    assert ["note 1 Call\n\n[k-1]"] == crm.sent


def test_what_there_is_no_way_to_do_is_refused() -> None:
    """In words."""
    with pytest.raises(RefusedError, match="archive"):
        WORKFLOW.make(change(Action.ARCHIVE), Crm())
