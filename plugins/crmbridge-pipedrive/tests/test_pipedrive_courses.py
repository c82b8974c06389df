"""What deals' fields held before is read off their changelogs, or off their flow where those do not tell."""

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from crmbridge.errors import RefusedError, RetryLaterError
from crmbridge.model.courses import Course
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.model.values import FieldType, Money
from crmbridge.ports import FieldBinding
from crmbridge.sandbox import Served, VirtualClock
from crmbridge.testing.adapters.workbench import pull_all
from crmbridge_pipedrive.account import DealFields
from crmbridge_pipedrive.changelogs import CUSTOM_SEEN, ChangeLogs
from crmbridge_pipedrive.courses import Courses

NOON = datetime.fromisoformat("2026-06-10T12:00:00Z")
DAY = date(2026, 7, 1)
MINUTE = timedelta(minutes=1)
NO_FIELDS = DealFields(definitions=(), bound={}, key=None, channels={"61": "Fair"})


def row(ago: int, key: str, old: Any, new: Any, by: int = 7) -> dict[str, Any]:
    """Make a row of a changelog, so many minutes before noon."""
    at = (NOON - ago * MINUTE).strftime("%Y-%m-%d %H:%M:%S")
    return {"field_key": key, "old_value": old, "new_value": new, "actor_user_id": by, "time": at}


class Feed:
    """Answers as the changelog of every deal does, or refuses; also the budget, which may be used up."""

    def __init__(self, *rows: dict[str, Any], refuses: bool = False, tokens: int = 1000) -> None:
        self.rows_, self.refuses, self.tokens = rows, refuses, tokens

    def rows(self, _call: str, *, id_: int) -> Iterator[dict[str, Any]]:
        if self.refuses:
            raise RefusedError("there is no such deal")
        return iter(sorted(self.rows_, key=lambda row: str(row["time"]), reverse=True))

    def spare(self, tokens: int) -> bool:
        self.tokens -= tokens
        return self.tokens >= 0


def deal(number: int, **fields: Any) -> Record:
    """Make a deal that was last changed at noon."""
    return Record(ref=Ref("pd", Kind.DEAL, str(number)), fields=fields, version="v", updated_at=NOON)


def ask(feed: Feed, name: str, fields: dict[str, Any], deals: int = 1) -> list[Course]:
    """Ask what a field of deals held in the last hour."""
    api: Any = feed
    source = Courses(api=api, logs=ChangeLogs(api, {}), limits=api, fields=NO_FIELDS, currency="EUR")
    return list(source.read([deal(9 + n, **fields) for n in range(deals)], {name}, NOON - 60 * MINUTE))


def told(courses: Sequence[Course]) -> list[tuple[int, Any]]:
    """Give what one course has, by minutes before noon."""
    (course,) = courses
    return [((NOON - held.at) // MINUTE, held.value) for held in course.held]


def test_rows_become_a_course_since_the_oldest_one() -> None:
    """Before its first change a field held the old value; how far back a log goes is not documented."""
    feed = Feed(row(50, "stage_id", "1", "2"), row(30, "title", "A", "B"), row(10, "title", "B", "C"))

    assert [(50, "A"), (30, "B"), (10, "C")] == told(ask(feed, "name", {"name": "C"}))


def test_what_has_no_row_did_not_change() -> None:
    """Since the oldest row of any field, which a move always has."""
    assert [(50, "A")] == told(ask(Feed(row(50, "stage_id", "1", "2")), "name", {"name": "A"}))


def test_a_chain_that_breaks_is_not_relied_on() -> None:
    """Only the first of several pages may come (devcommunity.pipedrive.com, "Deals changelog format")."""
    feed = Feed(row(40, "title", "A", "B"), row(10, "title", "X", "C"))

    assert [(10, "C")] == told(ask(feed, "name", {"name": "C"}))


def test_amounts_are_in_the_currency_of_their_time() -> None:
    """Both come as texts, each change of either is one of the amount, and 100 and 100.00 are one number."""
    feed = Feed(row(40, "value", "50", "100"), row(30, "currency", "EUR", "USD"), row(20, "value", "100.00", "200"))
    now = Money(Decimal(200), "USD")

    assert [(40, Money(Decimal(100), "EUR")), (30, Money(Decimal(100), "USD")), (20, now)] == told(
        ask(feed, "amount", {"amount": now})
    )[-3:]


def test_zero_was_no_amount() -> None:
    """A deal without an amount has 0, and so do the lines about it."""
    feed = Feed(row(50, "currency", "", "EUR"), row(40, "value", "0", "100"), row(20, "value", "100", "0.00"))

    assert [(40, Money(Decimal(100), "EUR")), (20, None)] == told(ask(feed, "amount", {"amount": None}))[-2:]


def test_zero_is_an_amount_in_a_field_of_ones_own(opened: Any, state: Any, clock: VirtualClock) -> None:
    """That can be empty, so somebody entered it."""
    adapter = opened(fields=(FieldBinding(name="list_price", native="List price", type=FieldType.MONEY),))
    number = min(state.tables.deals)
    code = next(code for code, field in state.tables.fields.items() if field["field_name"] == "List price")
    for amount in (5, 0):
        clock.advance(MINUTE)
        state.change_deal(number, {"custom_fields": {code: {"value": amount, "currency": "EUR"}}}, by=7)
    (found,) = adapter.read([Ref("pd", Kind.DEAL, str(number))]).values()
    (course,) = adapter.field_history([found], {"list_price"}, NOON)

    assert Money(Decimal(0), "EUR") == found.fields["list_price"] == course.held[-1].value


def test_the_currency_of_a_deal_that_has_no_amount_any_more_is_not_guessed() -> None:
    """Without an amount the deal tells no currency, and that of the connection may be another."""
    feed = Feed(row(40, "stage_id", "1", "2"), row(20, "value", "100", "0"))
    (course,) = ask(feed, "amount", {"amount": None})

    assert [(None, True), (None, False)] == [(held.value, bool(held.problem)) for held in course.held]


@pytest.mark.parametrize("size", ["1E+99999999", "1E-99999999", "1E+999999"])
def test_an_amount_beyond_all_bounds_ends_nothing(size: str) -> None:
    """It is not read, as what shows it would fill the memory; nor is it taken for none."""
    rows = row(20, "value", "100", size), row(10, "value", size, "5.00")
    (course,) = ask(Feed(*rows), "amount", {"amount": Money(Decimal(5), "EUR")})

    assert [(None, "digits"), (Money(Decimal(5), "EUR"), "")] == [
        (held.value, "digits" if "digits" in held.problem else held.problem) for held in course.held[-2:]
    ]


def test_values_go_through_the_mapping_of_the_field() -> None:
    """Options by their labels, days as days, owners under either name that the versions of the API have for them."""
    assert [(9, None), (9, "Fair")] == told(ask(Feed(row(9, "channel", None, "61")), "source", {"source": "Fair"}))
    assert "2026-07-01" == str(
        told(ask(Feed(row(9, "expected_close_date", "", "2026-07-01")), "close_date", {}))[-1][1]
    )
    assert [(9, "3"), (9, "4")] == told(ask(Feed(row(9, "user_id", "3", "4")), "owner", {"owner": "4"}))


def test_a_value_that_can_not_be_read_is_kept_with_its_problem() -> None:
    """It is not taken for none."""
    (course,) = ask(Feed(row(9, "expected_close_date", "soon", "2026-07-01")), "close_date", {})

    assert [("'soon' is not a date", False), ("", True)] == [(h.problem, h.value is not None) for h in course.held]


@pytest.mark.parametrize(
    ("feed", "name", "why"),
    [
        (Feed(refuses=True), "name", "does not show"),  # deleted or merged meanwhile (airbyte AGENTS.md, section 6)
        (Feed(), "name", "is empty"),
        (Feed(row(9, "title", "a", "b")), "contacts", "no history"),
    ],
)
def test_what_is_not_told_is_said(feed: Feed, name: str, why: str) -> None:
    """One deal that can't be read costs only itself."""
    (course,) = ask(feed, name, {})

    assert () == course.held
    assert why in course.why


def test_it_ends_when_the_tokens_for_it_are_used_up() -> None:
    """The daily work keeps its own: twenty tokens a deal, and not one more."""
    feed = Feed(row(9, "title", "a", "b"), tokens=50)

    with pytest.raises(RetryLaterError):
        ask(feed, "name", {}, deals=3)


def logs_of(served: Served) -> int:
    """Count the changelogs and flows that were asked for."""
    return sum(path in str(each.path) for each in served.sandbox.log.all() for path in ("/changelog", "/flow"))


def test_what_a_pull_read_is_not_paid_for_again(opened: Any, served: Served, state: Any, clock: VirtualClock) -> None:
    """The changelog that told how a deal moved tells what it held; after another edit it is read anew."""
    adapter = opened()
    cursor = pull_all(adapter, since=pull_all(adapter).cursor).cursor
    number = min(state.tables.deals)
    for changes in ({"title": "Then"}, {"stage_id": 3}, {"title": "Now"}):
        clock.advance(MINUTE)
        state.change_deal(number, changes, by=7)
    clock.advance(MINUTE)
    changed = pull_all(adapter, since=cursor).records[Ref("pd", Kind.DEAL, str(number))]
    before = logs_of(served)
    (course,) = adapter.field_history([changed], {"name"}, NOON)
    free = logs_of(served) - before
    clock.advance(MINUTE)
    state.change_deal(number, {"title": "Later"}, by=7)
    fresh = adapter.read([changed.ref])[changed.ref]
    (later,) = adapter.field_history([fresh], {"name"}, NOON)

    assert ["Then", "Now"] == [held.value for held in course.held][-2:]
    assert (0, 1, "Later") == (free, logs_of(served) - before, later.held[-1].value)


def test_the_flow_is_asked_for_custom_fields_until_changelogs_are_seen_to_have_them(
    opened: Any, served: Served, state: Any, clock: VirtualClock
) -> None:
    """Whether they do is not documented; it costs forty tokens a deal until one was seen."""
    memory: dict[str, str] = {}
    adapter = opened(memory=memory, fields=(FieldBinding(name="objections", native="Objections", type=FieldType.TEXT),))
    pull_all(adapter)
    first, second = sorted(state.tables.deals)[:2]
    code = next(code for code, field in state.tables.fields.items() if field["field_name"] == "Objections")
    clock.advance(MINUTE)
    state.change_deal(first, {"title": "Renamed"}, by=7)
    refs = [Ref("pd", Kind.DEAL, str(number)) for number in (first, second)]
    list(adapter.field_history([adapter.read([refs[0]])[refs[0]]], {"objections"}, NOON))
    flows = [each for each in served.sandbox.log.all() if "/flow" in str(each.path)]
    state.change_deal(second, {"custom_fields": {code: "Porto"}}, by=7)
    list(adapter.field_history([adapter.read([refs[1]])[refs[1]]], {"objections"}, NOON))

    assert 1 == len(flows) == len([each for each in served.sandbox.log.all() if "/flow" in str(each.path)])
    assert CUSTOM_SEEN in memory
