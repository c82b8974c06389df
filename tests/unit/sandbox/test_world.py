"""The sandboxes' world: the same from the same seed, and a history that could have happened."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from itertools import pairwise

import pytest

from crmbridge.model.records import Status
from crmbridge.model.values import FieldType
from crmbridge.sandbox import WORLD_FIELDS, World, make_world
from crmbridge.sandbox.world import FILLED_AFTER, OPEN_STAGES
from crmbridge.testing.factories import NOON

PYTHON = {FieldType.TEXT: str, FieldType.BOOL: bool, FieldType.DATE: dt.date, FieldType.NUMBER: Decimal}
LATER = NOON.replace(microsecond=123)  # a clock rarely stands at a whole second


@pytest.fixture(scope="module")
def world() -> World:
    """Give a large world, in which whatever can happen does."""
    return make_world(7, 2000, LATER)


def test_the_same_seed_makes_the_same_world() -> None:
    """To the last value; another seed, another world."""
    assert make_world(7, 30, NOON) == make_world(7, 30, NOON)
    assert make_world(7, 30, NOON).deals != make_world(8, 30, NOON).deals


def test_a_part_is_a_slice_of_the_deals() -> None:
    """Parts that touch share no deal and lose none; parts that overlap share the middle."""
    world = make_world(7, 10, NOON)

    assert world.deals == world.part((0, 1))
    assert world.deals == world.part((0, 0.33)) + world.part((0.33, 1))
    assert [6, 7] == sorted({d.number for d in world.part((0, 0.7))} & {d.number for d in world.part((0.5, 1))})
    assert () == world.part((0.5, 0.5))


def test_a_journey_goes_forward_and_ends_before_now(world: World) -> None:
    """Through known stages in their order, each entered after the one before."""
    for deal in world.deals:
        times = [at for _, at in deal.journey] + ([deal.closed_at] if deal.closed_at else [])
        ranks = [OPEN_STAGES.index(stage) for stage, _ in deal.journey]

        assert all(earlier < later for earlier, later in pairwise(times))
        assert all(earlier < later for earlier, later in pairwise(ranks))
        assert (deal.created_at, 0) == (times[0], ranks[0])
        assert times[-1] <= deal.updated_at <= LATER
        assert all(at.microsecond == 0 for at in times)


def test_only_closed_deals_have_closed(world: World) -> None:
    """Won and lost ones at the day they say; a reason belongs to the lost ones, and winning comes at the end."""
    for deal in world.deals:
        is_open = deal.status is Status.OPEN

        assert is_open is (deal.closed_at is None)
        assert (deal.status is Status.LOST) is bool(deal.lost_reason)
        if deal.closed_at:
            assert deal.closed_at.date() == deal.close_date
        if deal.status is Status.WON:
            assert OPEN_STAGES.index(deal.journey[-1][0]) >= len(OPEN_STAGES) - 2


def test_everything_happens_in_a_large_world(world: World) -> None:
    """Every status, every stage and every field turn up, and some values are forgotten."""
    assert set(Status) == {deal.status for deal in world.deals}
    assert set(OPEN_STAGES) == {deal.journey[-1][0] for deal in world.deals}
    assert set(WORLD_FIELDS) == {name for deal in world.deals for name in deal.fields}
    won = [deal for deal in world.deals if deal.status is Status.WON]
    assert any("proposal_link" not in d.fields for d in won if "proposal" in dict(d.journey))


def test_amounts_are_exact(world: World) -> None:
    """Decimal, above nothing, and some with cents."""
    amounts = [deal.amount for deal in world.deals]

    assert all(type(amount) is Decimal and amount > 0 for amount in amounts)
    assert {Decimal(0), Decimal("0.50")} == {amount % 1 for amount in amounts}


def test_every_field_has_its_kind(world: World) -> None:
    """The world fills in what its table names, with values of the kind it names."""
    assert {name for names in FILLED_AFTER.values() for name in names} == set(WORLD_FIELDS)
    for deal in world.deals:
        for name, value in deal.fields.items():
            assert PYTHON[WORLD_FIELDS[name]] is type(value), name


def test_a_field_is_filled_when_its_stage_was_left(world: World) -> None:
    """Nobody has the contract's link while still prospecting."""
    for deal in world.deals:
        left = [stage for stage, _ in deal.journey[:-1]]
        left += [deal.journey[-1][0]] if deal.status is Status.WON else []

        assert set(deal.fields) <= {name for stage in left for name in FILLED_AFTER[stage]}


def test_contacts_belong_to_the_deals_company(world: World) -> None:
    """And nobody is on a deal twice."""
    company = {contact.number: contact.company for contact in world.contacts}
    domain = {one.number: one.domain for one in world.companies}
    for deal in world.deals:
        assert {deal.company} == {company[number] for number in deal.contacts}
        assert len(set(deal.contacts)) == len(deal.contacts) > 0

    assert all(contact.email.endswith(f"@{domain[contact.company]}") for contact in world.contacts)


def test_names_are_told_apart(world: World) -> None:
    """Deals, companies and domains are unique, so that matching by them can work."""
    assert len(world.deals) == len({deal.name for deal in world.deals})
    assert (
        len(world.companies) == len({one.name for one in world.companies}) == len({c.domain for c in world.companies})
    )
    assert len(world.users) == len({user.email for user in world.users})


def test_activities_fall_into_the_deals_life(world: World) -> None:
    """What is done was done between its creation and its end; what is open is due from now on, and on open deals."""
    for deal in world.deals:
        for activity in deal.activities:
            if activity.done:
                assert deal.created_at <= activity.at <= (deal.closed_at or LATER)
            else:
                assert activity.at >= NOON
                assert deal.status is Status.OPEN


def test_deals_belong_to_people_who_sell(world: World) -> None:
    """No deal belongs to the specialist or to customer success."""
    roles = {user.number: user.role for user in world.users}

    assert {"sdr", "ae"} == {roles[deal.owner] for deal in world.deals}


def test_a_world_can_be_empty() -> None:
    """Without a deal there are still people and companies."""
    world = make_world(7, 0, NOON)

    assert () == world.deals
    assert world.users
    assert world.companies
