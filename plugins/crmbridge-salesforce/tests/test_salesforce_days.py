"""Days and moments: a due day is the one that the org's people have then, and a day that is written stays that day."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import force_setattr

from crmbridge.engine.sync.sameness import same
from crmbridge.model.changes import Action, Change, FieldEdit, Outcome
from crmbridge.model.records import Kind, Ref
from crmbridge.model.replacing import replace
from crmbridge.model.values import FieldType, Value
from crmbridge.ports import FieldBinding
from crmbridge.sandbox import Served, VirtualClock
from crmbridge.testing.factories import make_change
from crmbridge_salesforce.adapter import SalesforceAdapter
from crmbridge_salesforce.days import beginning, day_in, time_of

from .orgs import Opener, asked, state_of

LOS_ANGELES, BERLIN, AUCKLAND = "America/Los_Angeles", "Europe/Berlin", "Pacific/Auckland"
EVENING = datetime(2026, 6, 20, 17, tzinfo=ZoneInfo(LOS_ANGELES)).astimezone(UTC)  # the next day in UTC


def move_to(org: Served, zone: str | None) -> None:
    """Give the org another time zone of its own."""
    for row in state_of(org).tables.rows("Organization").values():
        row["TimeZoneSidKey"] = zone


def task(org: Served, due: datetime, *, action: Action = Action.TASK) -> Change:
    """Make a change that makes a task on the first deal, or amends it."""
    deal = Ref("sf", Kind.DEAL, state_of(org).deal_ids()[0])
    subject = () if action is Action.AMEND else (FieldEdit("subject", None, "Call"),)
    return make_change(action=action, target=deal, key="m-1", edits=(*subject, FieldEdit("due_at", None, due)))


def written(adapter: SalesforceAdapter, change: Change) -> str:
    """Make a change, and give the id of what it made or changed."""
    (receipt,) = adapter.write([change])

    assert Outcome.APPLIED == receipt.outcome, receipt.message
    assert receipt.ref is not None
    return receipt.ref.id


@pytest.mark.parametrize(
    ("zone", "due", "day"),
    [
        (LOS_ANGELES, EVENING, date(2026, 6, 20)),
        (BERLIN, datetime(2026, 6, 20, 22, 30, tzinfo=UTC), date(2026, 6, 21)),
        (BERLIN, datetime(2026, 12, 20, 22, 30, tzinfo=UTC), date(2026, 12, 20)),  # in winter time
        ("GMT", EVENING, date(2026, 6, 21)),
        (None, EVENING, date(2026, 6, 21)),
        *((odd, EVENING, date(2026, 6, 21)) for odd in ("Mars/Olympus", "../etc", "\x00", "x" * 500, "America")),
        (AUCKLAND, datetime(9999, 12, 31, 20, tzinfo=UTC), date(9999, 12, 31)),  # the next day there has no date
    ],
)
def test_a_task_is_due_on_the_day_that_it_is_in_the_org(
    org: Served, adapter: SalesforceAdapter, zone: str | None, due: datetime, day: date
) -> None:
    """Its due day has no time: 17:00 in Los Angeles is that day, though the next one has begun in UTC."""
    move_to(org, zone)
    made = written(adapter, task(org, due))

    assert day == state_of(org).tables.present("Task", made)["ActivityDate"]


def test_an_amended_task_is_due_on_the_day_that_it_would_be_made_for(org: Served, adapter: SalesforceAdapter) -> None:
    """Setting the same due time again changes nothing, another one the day; without one nobody asks for the zone."""
    move_to(org, LOS_ANGELES)
    made = written(adapter, task(org, EVENING))
    seen = []
    for due in (EVENING, EVENING + timedelta(days=2)):
        assert made == written(adapter, task(org, due, action=Action.AMEND))
        seen.append(state_of(org).tables.present("Task", made)["ActivityDate"])

    assert [date(2026, 6, 20), date(2026, 6, 22)] == seen
    assert 1 == sum("TimeZoneSidKey" in statement for statement in asked(org))


def test_a_task_without_a_due_time_needs_no_zone(org: Served, adapter: SalesforceAdapter) -> None:
    """It costs no request, and has no due day."""
    deal = Ref("sf", Kind.DEAL, state_of(org).deal_ids()[0])
    made = written(adapter, make_change(action=Action.TASK, target=deal, key="m-1"))

    assert None is state_of(org).tables.present("Task", made)["ActivityDate"]
    assert not any("TimeZoneSidKey" in statement for statement in asked(org))


def test_an_org_whose_zone_is_hidden_has_days_in_utc(org: Served, adapter: SalesforceAdapter) -> None:
    """A task is written all the same."""
    table = state_of(org).tables.objects["Organization"]
    force_setattr(table, "columns", {name: each for name, each in table.columns.items() if name != "TimeZoneSidKey"})
    vars(table).clear()
    made = written(adapter, task(org, EVENING))

    assert date(2026, 6, 21) == state_of(org).tables.present("Task", made)["ActivityDate"]


def test_a_task_is_read_back_as_due_when_its_day_begins_in_the_org(org: Served, adapter: SalesforceAdapter) -> None:
    """Pulled and read alike; it is found by its marker as before."""
    move_to(org, LOS_ANGELES)
    change = task(org, EVENING)
    ref = Ref("sf", Kind.ACTIVITY, written(adapter, change))
    pulled = {record.ref: record for page in adapter.pull(Kind.ACTIVITY, None) for record in page.records}
    begins = datetime(2026, 6, 20, tzinfo=ZoneInfo(LOS_ANGELES))

    assert begins == pulled[ref].fields["at"]
    assert pulled[ref] == adapter.read([ref])[ref]
    assert Ref("sf", Kind.TASK, ref.id) == adapter.find(Kind.TASK, "m-1", change.target)


@pytest.mark.parametrize(
    ("zone", "completed", "in_time"),
    [
        (LOS_ANGELES, datetime(2026, 6, 21, 0, 30, tzinfo=UTC), True),  # half past five in the afternoon there
        (LOS_ANGELES, datetime(2026, 6, 21, 7, 30, tzinfo=UTC), False),
        (AUCKLAND, datetime(2026, 6, 19, 20, tzinfo=UTC), True),
        (AUCKLAND, datetime(2026, 6, 20, 20, tzinfo=UTC), False),  # the morning after
    ],
)
def test_a_task_that_is_done_on_its_day_is_done_when_it_was_completed(
    org: Served, adapter: SalesforceAdapter, clock: VirtualClock, zone: str, completed: datetime, *, in_time: bool
) -> None:
    """The day is the org's, from its midnight to the next."""
    move_to(org, zone)
    made = state_of(org).add_task(state_of(org).deal_ids()[0], Subject="Call", ActivityDate="2026-06-20")
    clock.advance(completed - clock.now())
    state_of(org).update("Task", made, {"Status": "Completed"})
    ref = Ref("sf", Kind.ACTIVITY, made)
    begins = datetime(2026, 6, 20, tzinfo=ZoneInfo(zone))

    assert (completed if in_time else begins) == adapter.read([ref])[ref].fields["at"]


def with_time_column(org: Served, open_adapter: Opener, type_: FieldType) -> SalesforceAdapter:
    """Open an adapter that binds a field of this type to a column of deals that keeps times."""
    table = state_of(org).tables.objects["Opportunity"]
    column = replace(table.columns["delivery_date__c"], name="Begins__c", label="Begins", type="datetime")
    force_setattr(table, "columns", {**table.columns, "Begins__c": column})
    vars(table).clear()
    return open_adapter(org.url, org.token, fields=(FieldBinding(name="begins", native="Begins__c", type=type_),))


def set_begins(adapter: SalesforceAdapter, org: Served, value: Value) -> tuple[datetime, Value]:
    """Write the field on the first deal; give what the org holds then, and what is read back."""
    ref = Ref("sf", Kind.DEAL, state_of(org).deal_ids()[0])
    written(adapter, make_change(target=ref, edits=(FieldEdit("begins", None, value),)))
    return state_of(org).tables.present("Opportunity", ref.id)["Begins__c"], adapter.read([ref])[ref].fields["begins"]


@pytest.mark.parametrize(
    ("zone", "hour"),
    [
        ("Pacific/Pago_Pago", 12),
        (LOS_ANGELES, 12),
        ("America/Sao_Paulo", 12),
        ("GMT", 12),
        (BERLIN, 12),
        ("Australia/Sydney", 12),
        (AUCKLAND, 0),  # where noon in UTC is the next day
        ("Pacific/Kiritimati", 0),
        (None, 12),
    ],
)
def test_a_day_in_a_column_of_times_is_that_day_for_the_orgs_people(
    org: Served, open_adapter: Opener, zone: str | None, hour: int
) -> None:
    """It is read back as the same day, so it neither travels nor is written again."""
    move_to(org, zone)
    adapter = with_time_column(org, open_adapter, FieldType.DATE)
    for day in (date(2026, 6, 20), date(2026, 12, 31), date(2024, 2, 29), date(9999, 12, 31)):
        held, read = set_begins(adapter, org, day)

        assert datetime.combine(day, time(hour), UTC) == held
        assert day == read
        assert day == held.astimezone(ZoneInfo(zone or "UTC")).date()


def test_a_day_in_a_field_of_times_is_its_midnight_in_utc(org: Served, open_adapter: Opener) -> None:
    """There it is compared as a time, and a day counts as the same as its midnight in UTC, and as no other time."""
    move_to(org, LOS_ANGELES)
    day = date(2026, 6, 20)
    held, read = set_begins(with_time_column(org, open_adapter, FieldType.DATETIME), org, day)

    assert datetime(2026, 6, 20, tzinfo=UTC) == held
    assert same(day, read)


ZONES = (
    *("UTC", LOS_ANGELES, BERLIN, AUCKLAND, "America/Havana", "Asia/Kolkata"),
    *("Pacific/Tongatapu", "Pacific/Pago_Pago", "Etc/GMT-14", "Etc/GMT+12"),
)
DAYS = st.dates(date(1900, 1, 1)) | st.sampled_from([date.min, date.max])


@pytest.mark.parametrize("zone", ZONES)
@given(day=DAYS)
def test_a_day_that_becomes_a_moment_is_that_day_for_everybody(zone: str, day: date) -> None:
    """In UTC, in which it is read back, and for the people of the org, wherever on Earth that is."""
    moment = time_of(ZoneInfo(zone), day)

    assert day == moment.astimezone(UTC).date()
    if date.min < day < date.max:
        assert day == day_in(ZoneInfo(zone), moment)


@pytest.mark.parametrize("zone", ZONES)
@given(day=DAYS)
def test_a_day_begins_where_the_one_before_ended(zone: str, day: date) -> None:
    """Also where clocks are changed at midnight; at the ends of the calendar it is the day in UTC."""
    begun = beginning(ZoneInfo(zone), day)

    assert UTC is begun.tzinfo
    if date.min + timedelta(days=2) < day < date.max - timedelta(days=2):
        assert day == day_in(ZoneInfo(zone), begun)
        assert day == day_in(ZoneInfo(zone), begun - timedelta(microseconds=1)) + timedelta(days=1)
    assert abs(begun - datetime.combine(day, time(), UTC)) <= timedelta(hours=16)
