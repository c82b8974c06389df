"""What a first pull begins with is asked for while the account is looked at, and used only where it holds."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmbridge.model.records import Kind
from crmbridge.model.values import FieldType
from crmbridge.ports import Adapter, FieldBinding, Page, asks_ahead
from crmbridge.sandbox import Served, VirtualClock
from crmbridge_pipedrive import ahead
from crmbridge_pipedrive.ahead import FIRST, STEPS, likely_params, spread, step_for
from crmbridge_pipedrive.api import Api

NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)
DEALS = 90
pytestmark = pytest.mark.usefixtures("small_pages")
CODES = {"a" * 40, "b" * 40}


@pytest.fixture
def deal_count() -> int:
    return DEALS


def by_code(state: Any) -> tuple[FieldBinding, ...]:
    code = next(code for code, row in state.tables.fields.items() if row["field_name"] == "Site")
    return (FieldBinding(name="site", native=code, type=FieldType.TEXT),)


def begin(adapter: Adapter, *kinds: Kind) -> None:
    """Do what a first pull does before it pulls."""
    assert asks_ahead(adapter)
    adapter.ask_ahead(kinds or [Kind.DEAL])
    adapter.describe()


def pull(adapter: Adapter, since: str | None = None) -> list[Page]:
    return list(adapter.pull(Kind.DEAL, since))


def ids(pages: list[Page]) -> list[str]:
    return [record.ref.id for page in pages for record in page.records]


def newest(served: Served) -> int:
    """Count how often the newest deals were asked for."""
    return sum("sort_by=update_time" in r.query for r in served.sandbox.log.matching("GET", "/api/v2/deals"))


def surveys(served: Served) -> int:
    """Count how often the last id was."""
    return sum("limit=1&" in f"{r.query}&" for r in served.sandbox.log.matching("GET", "/api/v2/deals"))


class TestPulls:
    """A pull after it brings what it would have brought without, with fewer requests that wait for one another."""

    @pytest.fixture(autouse=True)
    def _few_are_many(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let ninety deals be enough for a sample."""
        monkeypatch.setattr(ahead, "FIRST", 96)

    def test_nothing_is_asked_again(self, opened: Callable[..., Adapter], served: Served, state: Any) -> None:
        """Fields that go by their codes are asked for as they will be; the page and the plan are there already."""
        adapter = opened(fields=by_code(state), key_field=None)
        begin(adapter)
        pages = pull(adapter)

        assert state.deal_ids() == sorted(ids(pages), key=int)
        assert (1, 1) == (newest(served), surveys(served))
        assert 1 == sum(r.path == "/api/v2/deals/archived" for r in served.sandbox.log.all())
        assert NOON == pages[0].begun

    def test_a_page_without_a_field_that_goes_by_its_label_is_not_used(
        self, opened: Callable[..., Adapter], served: Served, state: Any
    ) -> None:
        """A word may be a code or a label. Its records would lack a value that is there, and be of another version."""
        fields = (FieldBinding(name="site", native="site", type=FieldType.TEXT),)  # found by its label, in any case
        told, usual = (opened(fields=fields, key_field=None) for _ in range(2))
        begin(told)
        found = {record.ref: record for page in pull(told) for record in page.records}

        assert 2 == newest(served)
        assert {record.ref: record for page in pull(usual) for record in page.records} == found

    def test_what_cannot_be_known_is_not_asked_for(self, adapter: Adapter, served: Served, state: Any) -> None:
        """Few fields that go by their labels are asked for by codes that nobody knows yet; the sample needs none."""
        begin(adapter)

        assert state.deal_ids() == sorted(ids(pull(adapter)), key=int)
        assert (1, 1) == (newest(served), surveys(served))

    @pytest.mark.parametrize("minutes", [1, 5])
    def test_deals_that_came_since_come_as_well(
        self, opened: Callable[..., Adapter], served: Served, state: Any, clock: VirtualClock, minutes: int
    ) -> None:
        """With this pull, and what is too old is asked for again."""
        adapter = opened(fields=by_code(state), key_field=None)
        begin(adapter)
        clock.advance(timedelta(minutes=minutes))
        for number in range(30):
            state.create_deal(title=f"Since {number}")
        state.edit_deal("7", title="Meanwhile")
        pages = pull(adapter)
        names = {r.ref.id: r.fields["name"] for page in pages for r in page.records}

        assert state.deal_ids() == sorted(names, key=int)
        assert "Meanwhile" == names["7"]
        assert (1 if minutes == 1 else 2) == newest(served)

    @pytest.mark.parametrize("minutes", [1, 5])
    def test_what_was_archived_since_is_told_of(
        self, opened: Callable[..., Adapter], state: Any, clock: VirtualClock, minutes: int
    ) -> None:
        """By this pull or the next one, however long before the list was read the archived ones were asked for."""
        adapter = opened()
        begin(adapter)
        clock.advance(timedelta(minutes=minutes))
        state.edit_deal("7", is_archived=True)
        first = pull(adapter)
        second = pull(adapter, first[-1].cursor)

        assert "7" in {gone.ref.id for page in (*first, *second) for gone in page.tombstones}

    def test_what_was_archived_before_a_page_that_took_long_is_told_of(
        self, adapter: Adapter, state: Any, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The next pull goes back from that page's newest change, not to when the archived ones were asked for."""
        real = Api.page

        def slow(api: Api, call: str, params: Any) -> Any:
            if params.get("sort_by") == "update_time" and call == "deals":
                clock.advance(timedelta(minutes=1))
                state.edit_deal("3", title="Newest")
            return real(api, call, params)

        begin(adapter)
        clock.advance(timedelta(seconds=1))
        state.edit_deal("7", is_archived=True)
        clock.advance(timedelta(minutes=1, seconds=50))
        monkeypatch.setattr(Api, "page", slow)
        first = pull(adapter)
        monkeypatch.undo()
        second = pull(adapter, first[-1].cursor)

        assert "7" in {gone.ref.id for page in (*first, *second) for gone in page.tombstones}

    def test_only_the_first_kind_is_asked_for(self, adapter: Adapter, served: Served) -> None:
        """Until the next ones come, what is found would be old."""
        begin(adapter, Kind.USER, Kind.COMPANY, Kind.DEAL)
        pages = list(adapter.pull(Kind.COMPANY, None))
        paths = [r.path for r in served.sandbox.log.all()]

        assert "/api/v2/deals" not in paths
        assert "/api/v2/organizations" in paths
        assert {NOON} == {page.begun for page in pages if page.records}

    def test_what_went_wrong_is_asked_for_again(
        self, opened: Callable[..., Adapter], served: Served, state: Any
    ) -> None:
        """By the pull, which says what is wrong if it still is."""
        adapter = opened(fields=by_code(state), key_field=None)
        assert asks_ahead(adapter)
        served.sandbox.faults.plan("revoked", method="GET", path="/api/v2/deals")
        adapter.ask_ahead([Kind.DEAL])
        while served.sandbox.faults.planned:
            time.sleep(0.01)

        assert state.deal_ids() == sorted(ids(pull(adapter)), key=int)


class TestSample:
    """Ids that are asked for before anybody knows how many deals there are."""

    @given(st.integers(1, max(spread())))
    def test_any_number_of_deals_has_even_distances(self, highest: int) -> None:
        """Every id at the distance is among those that were asked for, dozens of them where there are many."""
        step = step_for(highest)
        asked = set(range(step, highest + 1, step))

        assert asked <= spread()
        assert highest < FIRST // 2 or STEPS // 2 <= len(asked) <= STEPS

    def test_it_is_four_requests(self) -> None:
        """Of a hundred ids each."""
        assert 300 < len(spread()) <= 400


class TestGuess:
    """How deals will be asked for is guessed by the names that the settings have for the fields."""

    def test_codes_are_asked_for_in_their_order(self) -> None:
        """Built-in fields come without being asked for."""
        params = likely_params({*CODES, "probability"})
        assert params is not None
        assert ",".join(sorted(CODES)) == params["custom_fields"]

    def test_many_fields_come_all(self) -> None:
        """However they are called."""
        params = likely_params({f"Label {number}" for number in range(16)})
        assert params is not None
        assert "custom_fields" not in params

    def test_labels_are_not_guessed(self) -> None:
        """Their codes are not known."""
        assert likely_params({*CODES, "Site"}) is None
