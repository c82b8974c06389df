"""Views: a deal as all CRMs could hold it, and back to what one of them takes."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from crmbridge.engine.mapping import stage_mapper
from crmbridge.engine.views import Viewer, emails, user_ids
from crmbridge.model.changes import FieldEdit
from crmbridge.model.records import Position, Record, Status
from crmbridge.model.values import Money, Value
from crmbridge.testing.factories import make_company, make_deal, make_position, make_process, make_settings, make_user

RITA = "rita@firm.example"


def viewer(*users: Record, fields: tuple[str, ...] = (), **settings: Any) -> Viewer:
    """Make the viewer of `north`; Rita is user 7 there unless users are given."""
    people = users or (make_user(7, email=RITA),)
    mapper = stage_mapper("north", make_process(), make_settings(**settings).stages.get("north"))
    return Viewer(mapper=mapper, users=emails(people), ids=user_ids(people), fields=fields)


def view(fields: dict[str, Value] | None = None, **deal: Any) -> dict[str, Value]:
    return viewer(fields=("bant.budget",)).view(make_deal(fields=fields, **deal))


def test_a_view_holds_what_all_crms_share() -> None:
    """The shared standard fields, the bound ones, the stage, and the owner by e-mail; nothing that belongs to one."""
    only_here: dict[str, Value] = {"company": "30", "activities": 4, "contacts": ("5",), "unbound": "x"}

    assert {
        "name": "Deal 1",
        "amount": Money(Decimal(12000), "EUR"),
        "close_date": None,
        "bant.budget": "yes",
        "stage": "qualification",
        "owner": RITA,
    } == view({"bant.budget": "yes", **only_here})


@pytest.mark.parametrize("empty", [None, "", " \t", ()])
def test_all_ways_of_being_empty_look_the_same(empty: Value) -> None:
    """Or two CRMs that hold nothing in two ways would be kept in step for ever."""
    assert view({"bant.budget": empty, "name": empty})["bant.budget"] is None
    assert view({"bant.budget": empty, "name": empty})["name"] is None


@pytest.mark.parametrize("value", [False, 0, Decimal(0), Money(Decimal(0), "EUR")])
def test_nothing_that_was_said_is_empty(value: Value) -> None:
    """No and zero are answers."""
    assert value == view({"bant.budget": value})["bant.budget"]
    assert view({"bant.budget": value})["bant.budget"] is not None


# ── Stages ──────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("position", "name"),
    [
        (make_position("proposal"), "proposal"),
        (make_position("won"), "won"),
        (make_position("care"), "won"),
        (make_position("lost"), "lost"),
        (make_position("proposal", status=Status.WON), "won"),
        (make_position("proposal", status=Status.LOST), "lost"),
        (make_position("lost", pipeline="old"), "lost"),
    ],
)
def test_closed_deals_have_their_status_for_a_stage(position: Position, name: str) -> None:
    """However the CRM says won and lost: by a stage or beside it."""
    assert name == view(position=position)["stage"]


@pytest.mark.parametrize("position", [None, make_position("nowhere"), make_position("proposal", pipeline="old")])
def test_a_stage_without_a_counterpart_is_left_out(position: Position | None) -> None:
    """It is not empty: nothing may be written over it."""
    assert "stage" not in view(position=position)


def test_a_stage_is_written_as_the_map_says() -> None:
    """The first of several native stages, the current one where it stands for the same, nothing for an unknown one."""
    stages = {"north": {"pipeline": "sales", "map": {"proposal": ["n_first", "n_second"], "won": "n_won"}}}
    north = viewer(stages=stages)

    assert make_position("first") == north.position("proposal", None)
    assert make_position("second") == north.position("proposal", make_position("second"))
    assert make_position("won") == north.position("won", make_position("first"))
    assert north.position("nowhere", None) is None


# ── Owners ──────────────────────────────────────────────────────────────────────────────────────────────


def test_an_owner_goes_over_by_e_mail() -> None:
    """User 7 here is user 12 there; each side writes its own id."""
    south = viewer(make_user(12, email=RITA.upper()))
    seen = view({"owner": "7"})["owner"]
    edit = south.native(FieldEdit("owner", None, seen), make_deal(fields={"owner": "3"}))

    assert FieldEdit("owner", "3", "12") == edit


def test_an_unknown_owner_is_left_out() -> None:
    """Somebody without an e-mail is no reason to take the owner from the other side."""
    assert "owner" not in view({"owner": "99"})


@pytest.mark.parametrize("owner", [None, "", " "])
def test_a_deal_without_an_owner_says_so(owner: Value) -> None:
    """That is an edit like any other, and it can be written."""
    seen = view({"owner": owner})

    assert ("owner", None) in seen.items()
    assert FieldEdit("owner", "7", None) == viewer().native(FieldEdit("owner", RITA, None), make_deal())


def test_an_owner_who_is_no_user_there_can_not_be_written() -> None:
    """A person has to say who takes the deal."""
    assert viewer().native(FieldEdit("owner", None, "nobody@firm.example"), make_deal()) is None


def test_what_an_owner_was_is_told_by_the_deal_itself() -> None:
    """A user who shares an e-mail is not mistaken for the other one; a new deal had nobody."""
    shared = viewer(make_user(7, email=RITA), make_user(8, email=RITA))
    edit = FieldEdit("owner", RITA, RITA)

    assert FieldEdit("owner", "8", "7") == shared.native(edit, make_deal(fields={"owner": "8"}))
    assert FieldEdit("owner", None, "7") == shared.native(edit)


def test_other_edits_stay_as_they_are() -> None:
    """Only owners are named differently in each CRM."""
    edit = FieldEdit("name", "Before", RITA)

    assert edit is viewer().native(edit, make_deal())


def test_e_mails_are_compared_without_case_and_blanks() -> None:
    """People and companies that are no users, and users without an e-mail, are left out."""
    users = [make_user(1, email=" Rita@Firm.Example\n"), make_user(2, email=" "), make_user(3, email=None)]

    assert {"1": RITA} == emails([*users, make_company(4, email="x@firm.example")])


@pytest.mark.parametrize("backwards", [False, True])
def test_of_several_users_with_an_e_mail_an_active_one_is_written(backwards: bool) -> None:  # noqa: FBT001  the order
    """Then the one with the first id, in whichever order they come."""
    users = [
        make_user(1, email=RITA, active=False),
        make_user(2, email=RITA, active=None),
        make_user(3, email=RITA.upper(), active=True),
        make_user(4, email="gone@firm.example", active=False),
    ]
    people = users[::-1] if backwards else users

    assert {RITA: "2", "gone@firm.example": "4"} == user_ids(people)
