"""Merging one link: what each side holds now against what was last agreed with it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmbridge.engine.sync.forms import missed
from crmbridge.engine.sync.merge import APART, Merged, Side, decided_ref, merge, owed
from crmbridge.model.changes import Cause, Edited, FieldEdit
from crmbridge.model.replacing import replace
from crmbridge.model.values import Money, Value
from crmbridge.settings import FieldSync
from crmbridge.testing.factories import make_ref

NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)
EUROS = Money(Decimal(100), "EUR")


def side(connection: str, now: Value, *base: Value, minutes: int = 0) -> Side:
    """Make a side with the one field `x`; without a base, nothing was agreed with it yet."""
    return Side(
        ref=make_ref(connection=connection),
        now={"x": now},
        base={"x": base[0]} if base else {},
        updated_at=NOON + timedelta(minutes=minutes),
    )


def merge_x(*sides: Side, conflict: str = "ask") -> Merged:
    return merge("link", sides, lambda _: FieldSync(conflict=conflict))


def edits(merged: Merged) -> dict[str, FieldEdit]:
    return {ref.connection: found[0] for ref, found in merged.edits.items()}


def after(merged: Merged) -> dict[str, Value]:
    return {name: edit.after for name, edit in edits(merged).items()}


def test_a_change_on_one_side_goes_to_the_others() -> None:
    """What one side changed is written to every side that holds something else."""
    merged = merge_x(side("a", "new", "old"), side("b", "old", "old"), side("c", "old", "old"))

    assert {"b": FieldEdit("x", "old", "new"), "c": FieldEdit("x", "old", "new")} == edits(merged)
    assert ("x changed in a",) == merged.reasons[make_ref(connection="b")]


def test_clearing_a_field_is_a_change() -> None:
    """A field that was emptied on one side is emptied on the other."""
    assert {"b": FieldEdit("x", "old", None)} == edits(merge_x(side("a", None, "old"), side("b", "old", "old")))


def test_an_empty_field_that_was_never_agreed_says_nothing() -> None:
    """When deals are linked, what one side knows fills what the other does not."""
    assert {"a": FieldEdit("x", None, "known")} == edits(merge_x(side("a", None), side("b", "known")))


def test_the_same_change_on_all_sides_is_agreed() -> None:
    """Sides that hold the same need no write, and the base follows."""
    merged = merge_x(side("a", "new", "old"), side("b", "new", "old"))

    assert not merged.edits
    everywhere = (make_ref(connection="a"), make_ref(connection="b"), decided_ref("link"))
    assert {ref: {"x": "new"} for ref in everywhere} == merged.agreed


def test_a_decision_that_did_not_arrive_everywhere_is_written_again() -> None:
    """A side that lacks what was decided on gets it, though the side it came from has not changed since."""
    sides = (side("a", "new", "new"), side("b", "new", "new"), side("c", "old", "old"))
    merged = merge("link", sides, lambda _: FieldSync(), {"x": "new"})

    assert {"c": FieldEdit("x", "old", "new")} == edits(merged)


def test_a_decision_that_got_to_nobody_who_is_left_is_written_everywhere() -> None:
    """The deal that it came from is gone; nobody touched the others since."""
    merged = merge("link", (side("b", "old", "old"), side("c", "old", "old")), lambda _: FieldSync(), {"x": "new"})

    assert {"b": "new", "c": "new"} == after(merged)


@pytest.mark.parametrize("policy", [{"conflict": "only_if_empty"}, {"direction": "from: a"}, {"direction": "from: b"}])
def test_who_speaks_alone_or_only_fills_has_no_decision_to_repeat(policy: dict[str, str]) -> None:
    """What all that are left hold is what they agree on."""
    sides = (side("b", "old", "old"), side("c", "old", "old"))
    merged = merge("link", sides, lambda _: FieldSync.model_validate(policy), {"x": "new"})

    assert not merged.edits
    assert {decided_ref("link"): {"x": "old"}} == merged.agreed


def test_what_all_that_are_left_hold_since_is_agreed_on_instead() -> None:
    """A person gave it to one of them after the decision, or they were free to differ before."""
    edited = merge("link", (side("b", "old", "older"), side("c", "old", "old")), lambda _: FieldSync(), {"x": "new"})
    apart = merge("link", (side("b", "old", "old"), side("c", "old", "old")), lambda _: FieldSync(), {"x": APART})

    assert (not edited.edits, not apart.edits) == (True, True)
    assert {make_ref(connection="b"): {"x": "old"}, decided_ref("link"): {"x": "old"}} == edited.agreed
    assert {decided_ref("link"): {"x": "old"}} == apart.agreed


def test_the_last_deal_of_a_link_is_owed_what_did_not_get_there() -> None:
    """As far as it is kept in step, and nobody edited it there."""
    now = {"lost": "old", "arrived": "new", "edited": "own", "free": "old", "apart": "old", "undecided": "old"}
    last = Side(ref=make_ref(), now=now, base={**now, "edited": "old"}, updated_at=NOON)
    decided = {**dict.fromkeys(("lost", "arrived", "edited", "free", "nowhere"), "new"), "apart": APART}

    assert {"lost": "new"} == owed(last, lambda name: FieldSync(sync=name != "free"), decided)


def test_an_edit_that_is_taken_back_meanwhile_is_a_later_edit() -> None:
    """The value before it is not mistaken for one that was left behind."""
    merged = merge("link", (side("a", "old", "new"), side("b", "new", "new")), lambda _: FieldSync(), {"x": "new"})

    assert {"b": FieldEdit("x", "new", "old")} == edits(merged)


def test_a_new_side_that_holds_what_was_decided_says_nothing_new() -> None:
    """A deal that was created, and whose reply was lost, does not compete with a later edit."""
    sides = (side("a", "later", "first"), side("b", "first", minutes=5))
    merged = merge("link", sides, lambda _: FieldSync(conflict="newest"), {"x": "first"})

    assert {"b": FieldEdit("x", "first", "later")} == edits(merged)


def test_a_value_that_a_crm_keeps_in_its_own_way_is_left_alone() -> None:
    """Sides that differ, but hold what was last seen there, stay as they are: a rounding CRM makes no loop."""
    merged = merge_x(side("a", EUROS, EUROS), side("b", Money(Decimal(99), "EUR"), Money(Decimal(99), "EUR")))

    assert (not merged.edits, not merged.blocked, not merged.agreed) == (True, True, True)


def test_different_changes_ask_a_person() -> None:
    """With the policy `ask` nothing is written, and both values are shown."""
    merged = merge_x(side("a", "one", "old"), side("b", "two", "old"))

    assert not merged.edits
    assert [{"a": "one", "b": "two"}] == [dict(item.values) for item in merged.blocked]


@pytest.mark.parametrize(("conflict", "written"), [("newest", "b"), ("prefer: a", "b"), ("prefer: b", "a")])
def test_different_changes_follow_the_policy(conflict: str, written: str) -> None:
    """The newest record wins, or the connection that is preferred; the loser is written."""
    merged = merge_x(side("a", "one", "old", minutes=1), side("b", "two", "old"), conflict=conflict)

    assert [written] == list(edits(merged))


def test_the_first_side_wins_among_equally_new_ones() -> None:
    """The order of the connections in the settings breaks a tie."""
    assert ["b"] == list(edits(merge_x(side("a", "one", "old"), side("b", "two", "old"), conflict="newest")))


def test_a_preferred_side_that_changed_nothing_does_not_win() -> None:
    """When two others disagree, a person is asked; the preferred side's old value would undo both."""
    merged = merge_x(side("a", "one", "o"), side("b", "two", "o"), side("c", "o", "o"), conflict="prefer: c")

    assert (not merged.edits, 1) == (True, len(merged.blocked))


def test_a_field_that_only_one_side_has_is_left_alone() -> None:
    """A connection that does not bind a field takes no part in it."""
    other = Side(ref=make_ref(connection="b"), now={}, base={}, updated_at=NOON)

    assert not merge_x(side("a", "new", "old"), other).edits


def test_a_crm_that_never_had_a_field_misses_nothing_of_it() -> None:
    """Else each of its deals would be marked for good. One whose field is left out now, or that is away, does."""
    never, left_out, away = (make_ref(connection=name) for name in ("never", "left_out", "away"))
    sides = [
        side("a", "new", "old"),
        side("b", "old", "old"),
        Side(ref=never, now={}, base={}, updated_at=NOON),
        Side(ref=left_out, now={}, base={"x": "old"}, updated_at=NOON),
    ]

    found = merge("link", sides, lambda _: FieldSync(), {"x": "old"}, {away: {"x": "old"}}).agreed

    assert {ref: missed("x", {"x": "old"}) for ref in (left_out, away)} == {
        ref: fields for ref, fields in found.items() if ref in {never, left_out, away}
    }
    assert missed("x", {"x": "old"}) == merge("link", sides, lambda _: FieldSync(), {"x": "old"}).agreed[left_out]


def test_a_deal_that_is_away_misses_what_all_others_agree_on() -> None:
    """Though every deal that is there has the field: what people do there meanwhile may be older than that."""
    away = make_ref(connection="away")
    held = {"x": "old"}

    for now in ("old", "new"):
        sides = [side("a", "new", "old"), side("b", now, "old")]
        assert missed("x", held) == merge("link", sides, lambda _: FieldSync(), held, {away: held}).agreed[away]


def test_a_deal_that_is_away_misses_no_field_but_the_one_that_was_agreed_on() -> None:
    """In the others it is no older than anybody."""
    away, held = make_ref(connection="away"), {"x": "old", "y": "old"}
    sides = [
        Side(ref=make_ref(connection="a"), now={"x": "new", "y": "old"}, base=held, updated_at=NOON),
        Side(ref=make_ref(connection="b"), now=held, base=held, updated_at=NOON),
    ]
    asked = [replace(one, base={**one.base, "y": "older"}) for one in sides]  # so that y is looked at as well

    assert missed("x", held) == merge("link", asked, lambda _: FieldSync(), held, {away: held}).agreed[away]


def test_edits_come_in_the_order_of_the_fields_names() -> None:
    """They are part of the id of a change, which is the same whichever process plans it."""
    names = [f"field_{letter}" for letter in "abcdefghij"]
    old, new = dict.fromkeys(names, "old"), dict.fromkeys(names, "new")
    sides = [
        Side(ref=make_ref(connection="a"), now=new, base=old, updated_at=NOON),
        Side(ref=make_ref(connection="b"), now=old, base=old, updated_at=NOON),
    ]

    assert names == [edit.name for edit in merge("link", sides, lambda _: FieldSync()).edits[make_ref(connection="b")]]


def test_a_field_that_is_not_synced_is_left_alone() -> None:
    """`sync: false` keeps a field as it is on every side."""
    merged = merge("link", [side("a", "n", "o"), side("b", "o", "o")], lambda _: FieldSync(sync=False))

    assert (not merged.edits, not merged.agreed) == (True, True)


def test_a_deal_that_joins_a_link_does_not_overrule_it() -> None:
    """Nothing was agreed with it yet, so its value and the one that the others agree on are a conflict."""
    sides = (side("a", "agreed", "agreed"), side("b", "agreed", "agreed"), side("c", "its own"))
    merged = merge("link", sides, lambda _: FieldSync(), {"x": "agreed"})

    assert (not merged.edits, 1) == (True, len(merged.blocked))


def test_a_deal_does_not_speak_for_what_it_was_made_with() -> None:
    """It was made from one of two that differ, which went on since; the value it got is nobody's, preferred or not."""
    sides = (side("a", "first", "first"), side("b", "second"), side("c", "other"))
    merged = merge("link", sides, lambda _: FieldSync(conflict="prefer: a"))

    assert (not merged.edits, 1) == (True, len(merged.blocked))


def test_a_deal_that_joins_does_not_hide_what_somebody_changed() -> None:
    """The side that nobody touched since has no say beside the edit, however late its record was touched."""
    sides = (side("a", "agreed", "agreed", minutes=9), side("b", "edited", "agreed", minutes=5), side("c", "its own"))

    assert {"a": "edited", "c": "edited"} == {
        name: edit.after for name, edit in edits(merge_x(*sides, conflict="newest")).items()
    }


def held(connection: str, value: Value, *, whole: Value, base: Value) -> Side:
    """Make a side whose CRM made something else of what it was given."""
    return replace(side(connection, whole, base), held={"x": value})


def test_a_form_that_a_crm_keeps_is_not_carried_on() -> None:
    """The others keep the whole value, and the side is not written again."""
    sides = (side("a", "Whole ", "Whole "), held("b", "whole", whole="Whole ", base="Whole "))

    assert not merge("link", sides, lambda _: FieldSync(), {"x": "Whole "}).edits


def test_an_edit_replaces_a_form_that_a_crm_keeps() -> None:
    """What is shown and expected before it is what the CRM holds."""
    merged = merge_x(side("a", "new", "Whole"), held("b", "whole", whole="Whole", base="Whole"))

    assert {"b": FieldEdit("x", "whole", "new")} == edits(merged)


def test_an_edit_to_the_form_that_another_crm_keeps_needs_no_write() -> None:
    """All hold the same then, and that is what they agree on from now on."""
    sides = (side("a", "whole", "Whole"), held("b", "whole", whole="Whole", base="Whole"))
    merged = merge("link", sides, lambda _: FieldSync(), {"x": "Whole"})
    everywhere = (make_ref(connection="a"), make_ref(connection="b"), decided_ref("link"))

    assert not merged.edits
    assert {ref: {"x": "whole"} for ref in everywhere} == merged.agreed


def test_an_edit_to_a_form_is_written_only_where_it_is_not() -> None:
    """Of three, the one that kept the form is done with it, and knows."""
    sides = (side("a", "whole", "W"), held("b", "whole", whole="W", base="W"), side("c", "W", "W"))
    merged = merge("link", sides, lambda _: FieldSync(), {"x": "W"})

    assert {"c": FieldEdit("x", "W", "whole")} == edits(merged)
    assert {make_ref(connection="b"): {"x": "whole"}} == merged.agreed


def test_a_conflict_shows_what_every_crm_holds_and_who_edited_it() -> None:
    """Also the side that changed nothing, and what its CRM made of what it was given: that is what people see there."""
    sides = (
        replace(side("a", "one", "W", minutes=1), updated_by="ann@acme.example"),
        side("b", "two", "W", minutes=2),
        held("c", "w", whole="W", base="W"),
    )
    (blocked,) = merge_x(*sides).blocked

    assert {"a": "one", "b": "two", "c": "w"} == blocked.values
    assert Cause.CONFLICT == blocked.cause
    assert Edited(NOON + timedelta(minutes=1), "ann@acme.example") == blocked.edited["a"]
    assert {"a", "b", "c"} == set(blocked.edited)


def test_an_empty_deal_that_joins_gets_what_all_others_have() -> None:
    """Also where nothing was decided on; but no value where they differ."""
    assert {"b": "p"} == after(merge_x(side("a", "p", "p"), side("b", None)))
    assert not merge_x(side("a", "p", "p"), side("b", None), side("c", "q", "q")).edits


@pytest.mark.parametrize("blank", [None, "", " ", ()])
@pytest.mark.parametrize("policy", [FieldSync(), FieldSync(conflict="newest"), FieldSync(conflict="only_if_empty")])
def test_a_blank_field_of_a_new_side_says_nothing(policy: FieldSync, blank: Value) -> None:
    """However a CRM writes that a field is empty, the side that knows something fills it."""
    merged = merge("link", (side("a", blank, minutes=5), side("b", "known")), lambda _: policy)

    assert ({"a": "known"}, ()) == (after(merged), merged.blocked)


def test_only_if_empty_fills_and_writes_over_nothing() -> None:
    """What is empty gets what another changed; a value that stands there stays, and nobody is asked."""
    policy = FieldSync(conflict="only_if_empty")
    sides = (side("a", "new", "old"), side("b", None, None), side("c", "old", "old"))
    merged = merge("link", sides, lambda _: policy)

    assert ({"b": "new"}, ()) == (after(merged), merged.blocked)
    assert not merge("link", (side("a", "new", "old"), side("b", "old", "old")), lambda _: policy).edits


def test_a_field_that_a_person_emptied_is_filled_when_another_changes() -> None:
    """Not before: what the other holds was heard already."""
    policy = FieldSync(conflict="only_if_empty")

    assert not merge("link", (side("a", None, "old"), side("b", "old", "old")), lambda _: policy, {"x": "old"}).edits
    merged = merge("link", (side("a", None, "old"), side("b", "new", "old")), lambda _: policy, {"x": "old"})

    assert {"a": "new"} == after(merged)


def merge_filling(*sides: Side, decided: Mapping[str, Value] | None = None) -> Merged:
    return merge("link", sides, lambda _: FieldSync(conflict="only_if_empty"), decided)


def test_what_may_differ_is_noted() -> None:
    """Values that differ stay, and ask nobody; that they may differ is noted, whatever was agreed on before."""
    merged = merge_filling(side("a", "new", "old"), side("b", "old", "old"), decided={"x": "old"})

    assert (not merged.edits, not merged.blocked) == (True, True)
    assert {make_ref(connection="a"): {"x": "new"}, decided_ref("link"): {"x": APART}} == merged.agreed


def test_what_may_differ_is_not_written_over_under_another_policy() -> None:
    """What was agreed on before is not brought back by a change of the settings; an edit made then counts."""
    sides = (side("a", "r", "r"), side("b", "q", "q"))

    for policy in map(FieldSync.model_validate, ({"conflict": "newest"}, {"conflict": "prefer: a"}, {})):
        assert not merge("link", sides, {"x": policy}.__getitem__, {"x": APART}).edits
    later = merge("link", (side("a", "s", "r"), sides[1]), lambda _: FieldSync(), {"x": APART})
    assert {"b": "s"} == after(later)


def test_a_deal_that_joins_some_that_may_differ_is_asked_about() -> None:
    """All of them have a value that a person gave them."""
    sides = (side("a", "r", "r"), side("b", "q", "q"), side("c", "own"))
    merged = merge("link", sides, lambda _: FieldSync(), {"x": APART})

    assert (not merged.edits, 1) == (True, len(merged.blocked))


def test_a_field_that_a_person_emptied_stays_empty_until_another_side_changes() -> None:
    """It is noted, so that another policy does not take it for an edit either."""
    emptied = merge_filling(side("a", "p", "p"), side("b", None, "p"), decided={"x": "p"})

    assert not emptied.edits
    assert {make_ref(connection="b"): {"x": None}, decided_ref("link"): {"x": APART}} == emptied.agreed
    assert not merge_filling(side("a", "p", "p"), side("b", None, None), decided={"x": APART}).edits
    assert {"b": "q"} == after(merge_filling(side("a", "q", "p"), side("b", None, None), decided={"x": APART}))


def test_a_filling_that_did_not_arrive_is_written_again() -> None:
    """The side was empty before, and is not because a person made it so."""
    merged = merge_filling(side("a", "p", "p"), side("b", None, None), decided={"x": "p"})

    assert {"b": "p"} == after(merged)


def test_an_empty_deal_that_joins_is_filled_with_what_is_there() -> None:
    """With what was agreed on where anybody holds it still, not with a value that nobody has."""
    sides = (side("a", "r", "r"), side("b", "p", "p"), side("c", None))

    assert {"c": "p"} == after(merge_filling(*sides, decided={"x": "p"}))
    assert {"c": "r"} == after(merge_filling(*sides, decided={"x": "gone"}))
    assert {"c": "r"} == after(merge_filling(*sides, decided={"x": APART}))


def test_of_two_that_changed_the_other_was_looked_at_as_well() -> None:
    """Its value is no news any more when somebody empties what was just filled."""
    merged = merge_filling(side("a", "p", None), side("b", "q", None), side("c", None, None))

    assert {"c": "p"} == after(merged)
    assert {make_ref(connection="b"): {"x": "q"}, decided_ref("link"): {"x": APART}} == merged.agreed


def test_one_side_speaks_alone() -> None:
    """What the source changed goes to all, also over what others changed."""
    policy = FieldSync(direction="from: a")
    merged = merge("link", (side("a", "new", "old"), side("b", "own", "old", minutes=9)), lambda _: policy)

    assert {"b": "new"} == after(merged)


def test_what_others_change_is_theirs_until_the_source_speaks() -> None:
    """It goes nowhere, and is not written over by what was decided on before."""
    policy = FieldSync(direction="from: a")
    sides = (side("a", "old", "old"), side("b", "own", "old"), side("c", "older", "older"))
    merged = merge("link", sides, lambda _: policy, {"x": "old"})

    assert ({"c": "old"}, ()) == (after(merged), merged.blocked)


def test_without_its_source_a_field_stays_as_it_is() -> None:
    """The deal of the connection that speaks is not there."""
    merged = merge("link", (side("b", "new", "old"), side("c", "old", "old")), lambda _: FieldSync(direction="from: a"))

    assert (not merged.edits, not merged.blocked) == (True, True)


def merge_one_way(*sides: Side, decided: Mapping[str, Value] | None = None) -> Merged:
    return merge("link", sides, lambda _: FieldSync(direction="from: a"), decided)


def test_what_did_not_arrive_goes_again_but_not_over_what_others_changed() -> None:
    """The side that nobody touched since gets it."""
    sides = (side("a", "new", "new"), side("b", "old", "old"), side("c", "own", "old"))

    assert {"b": "new"} == after(merge_one_way(*sides, decided={"x": "new"}))


def test_nothing_is_written_over_the_one_that_speaks() -> None:
    """Also not what was decided on under another policy, and did not get there."""
    assert not merge_one_way(side("a", "p", "p"), side("b", "q", "q"), decided={"x": "q"}).edits


def test_a_deal_that_joins_gets_what_the_one_that_speaks_has() -> None:
    """Whatever it has; but an empty field empties nothing that it never filled."""
    sides = (side("b", "old", "old"), side("c", "its own"), side("d", None))

    assert {"c": "old", "d": "old"} == after(merge_one_way(side("a", "old", "old"), *sides))
    assert not merge_one_way(side("a", None, None), *sides).edits


SETS = st.sampled_from([None, ("p",), ("q",), ("p", "q"), ("p", "q", "r")])


@pytest.mark.parametrize("conflict", ["ask", "newest", "prefer: a"])
def test_members_are_merged_one_by_one(conflict: str) -> None:
    """Whatever the policy: what one side added is in, what the other removed is out."""
    merged = merge_x(side("a", ("p", "q", "r"), ("p", "q")), side("b", ("q",), ("p", "q")), conflict=conflict)

    assert ({"a": ("q", "r"), "b": ("q", "r")}, ()) == (after(merged), merged.blocked)


def test_an_addition_beats_a_removal() -> None:
    """One side took a member out that another, whose base lacks it, put in."""
    merged = merge_x(side("a", None, ("p",)), side("b", ("p", "q"), ("q",)))

    assert {"a": ("p", "q")} == after(merged)


def test_a_removal_that_did_not_arrive_is_not_undone_by_an_addition_there() -> None:
    """What is decided on counts, not what a side had that missed it."""
    sides = (side("a", ("n",), ("n",)), side("b", ("m", "n", "q"), ("m", "n")))
    merged = merge("link", sides, lambda _: FieldSync(), {"x": ("n",)})

    assert {"a": ("n", "q"), "b": ("n", "q")} == after(merged)


def test_where_nothing_was_decided_on_a_member_is_removed_by_nobody() -> None:
    """One side changed; what the other was made with stays."""
    sides = (side("a", ("m", "n"), ("m",)), side("b", ("q",), ("q",)))

    assert {"a": ("m", "n", "q"), "b": ("m", "n", "q")} == after(merge_x(*sides))


def test_the_last_member_can_be_removed() -> None:
    """No members is no value."""
    merged = merge("link", (side("a", None, ("m",)), side("b", ("m",), ("m",))), lambda _: FieldSync(), {"x": ("m",)})

    assert {"b": None} == after(merged)


@given(st.lists(st.tuples(SETS, SETS), min_size=2, max_size=3))
def test_what_is_added_to_a_set_arrives_and_what_is_removed_goes(drawn: list[tuple[Value, Value]]) -> None:
    """On all sides, and all hold the same in the end."""
    sides = [side(f"s{n}", now, base) for n, (now, base) in enumerate(drawn)]
    moved = [(set(now or ()), set(base or ())) for now, base in drawn if now != base]  # type: ignore[arg-type]
    added = {member for now, base in moved for member in now - base}
    removed = {member for now, base in moved for member in base - now}
    found = after(merge_x(*sides))
    ends = {found.get(s.ref.connection, s.now["x"]) for s in sides}

    if moved:
        assert 1 == len(ends)
        assert added <= set(next(iter(ends)) or ())  # type: ignore[arg-type]
        assert not (removed - added) & set(next(iter(ends)) or ())  # type: ignore[arg-type]


VALUES = st.sampled_from([None, "p", "q", "r"])


@given(
    st.lists(st.tuples(VALUES, VALUES, st.booleans(), st.integers(0, 2)), min_size=2, max_size=4),
    st.sampled_from(["newest", "prefer: s0", "prefer: s1", "ask"]),
)
def test_no_change_is_lost_and_merging_ends(drawn: list[tuple[Value, Value, bool, int]], conflict: str) -> None:
    """Each side's change is written elsewhere, lost a conflict by policy, or waits for a person; then all is quiet."""
    sides = [
        side(f"s{n}", now, *([base] if based else []), minutes=minutes)
        for n, (now, base, based, minutes) in enumerate(drawn)
    ]
    merged = merge_x(*sides, conflict=conflict)
    changed = [s for s in sides if (s.now["x"] != s.base["x"] if "x" in s.base else s.now["x"] is not None)]
    if changed and all("x" not in s.base for s in changed):
        changed = [s for s in sides if s.now["x"] is not None]
    held = [merged.edits[s.ref][0].after if s.ref in merged.edits else s.now["x"] for s in sides]

    if merged.blocked:
        assert not merged.edits
        assert len({s.now["x"] for s in changed}) > 1
    elif changed:
        assert 1 == len(set(held))
        assert held[0] in {s.now["x"] for s in changed}
    else:  # who joins with nothing gets what all others have
        assert not [s for s in sides if s.ref in merged.edits and "x" in s.base]
    settled = [Side(ref=s.ref, now={"x": a}, base={"x": a}, updated_at=NOON) for s, a in zip(sides, held, strict=True)]
    assert not merge_x(*settled, conflict=conflict).edits


def missing(connection: str, now: Value, base: Value, *, minutes: int = 0) -> Side:
    """Make a side that could not be asked when others agreed on something."""
    one = side(connection, now, base, minutes=minutes)
    return replace(one, base={**one.base, **missed("x", one.base)})


@pytest.mark.parametrize(
    ("sides", "stands"),
    [
        ((missing("c", "mine", "old", minutes=5), side("a", "new", "new", minutes=4)), "mine"),
        ((missing("c", "mine", "old", minutes=5), side("a", "new", "new", minutes=6)), "new"),
        # Where it did not get to all yet, what counts is when it was entered where it came from.
        ((missing("c", "mine", "old", minutes=5), side("a", "new", "new", minutes=6), side("b", "old", "old")), "new"),
        # What we wrote elsewhere makes it no newer.
        (
            (
                missing("c", "mine", "old", minutes=5),
                side("a", "new", "new", minutes=4),
                side("b", "new", "new", minutes=9),
            ),
            "mine",
        ),
        # The one that it came from is gone.
        ((missing("c", "mine", "old", minutes=5), side("b", "old", "old", minutes=6)), "new"),
        # Another one was edited since: what was agreed on before is over.
        (
            (
                missing("c", "mine", "old", minutes=5),
                side("a", "later", "new", minutes=7),
                side("b", "new", "new", minutes=9),
            ),
            "later",
        ),
    ],
)
def test_an_edit_that_missed_what_others_agreed_on_stands_beside_that(sides: tuple[Side, ...], stands: str) -> None:
    """The newer of the two wins, unless somebody else edits the field as well."""
    merged = merge("link", sides, lambda _: FieldSync(conflict="newest"), {"x": "new"})

    assert {stands} == {after(merged).get(each.ref.connection, each.now["x"]) for each in sides}


def test_an_edit_that_missed_that_others_may_differ_stands_beside_nothing() -> None:
    """There is nothing that all should hold, so nobody has agreed on anything else."""
    sides = missing("c", "mine", "old"), side("a", "one", "one", minutes=5), side("b", "two", "two", minutes=5)
    merged = merge("link", sides, lambda _: FieldSync(conflict="newest"), {"x": APART})

    assert {"a": "mine", "b": "mine"} == after(merged)


def test_who_is_away_misses_nothing_that_was_agreed_with_them() -> None:
    """What did not arrive elsewhere is written there again, and is what the one that is away holds."""
    away, sides = make_ref(connection="c"), (side("a", "new", "new"), side("b", "old", "old"))
    merged = merge("link", sides, lambda _: FieldSync(), {"x": "new"}, {away: {"x": "new"}})

    assert {"b": "new"} == after(merged)
    assert away not in merged.agreed


def test_what_a_joining_deal_holds_stands_beside_an_edit_and_not_beside_what_that_is_over() -> None:
    """What was agreed on before somebody edited it is nobody's value any more, however new the deals are."""
    sides = side("a", "edited", "old", minutes=5), side("b", "old", "old", minutes=9), side("c", "own", minutes=3)
    merged = merge("link", sides, lambda _: FieldSync(conflict="newest"), {"x": "old"})

    assert {"b": "edited", "c": "edited"} == after(merged)


def test_who_says_the_same_as_the_winner_is_not_outdone() -> None:
    """Neither in what is remembered nor in the reason."""
    sides = side("a", "new", "old", minutes=9), side("b", "new", "old", minutes=3), side("c", "other", "old", minutes=6)
    merged = merge_x(*sides, conflict="newest")

    assert {make_ref(connection="c"): {"x": "other"}} == merged.outdone
    assert ("x changed in a and b and c; a wins over c by the policy 'newest'",) == merged.reasons[sides[2].ref]
