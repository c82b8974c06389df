"""Archiving: out of Pipedrive's lists in the way that people can take back, and only once."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
import respx

from crmbridge.model.changes import Action, Change, Outcome
from crmbridge.model.records import Kind, Ref
from crmbridge.ports import Adapter, AdapterContext
from crmbridge.sandbox import Served, VirtualClock
from crmbridge.testing.factories import make_change
from crmbridge_pipedrive.adapter import open_adapter
from crmbridge_pipedrive.settings import PipedriveSettings

HOST = "https://acme.pipedrive.com"
COMPANY = [{"id": 7, "name": "Acme", "is_deleted": False}]
DEAL = [{"id": 7, "is_archived": False}]
TABLES = {
    Kind.DEAL: "deals",
    Kind.COMPANY: "organizations",
    Kind.CONTACT: "persons",
    Kind.TASK: "activities",
    Kind.ACTIVITY: "activities",
    Kind.NOTE: "notes",
}


def archive(kind: Kind, number: str) -> Change:
    target = Ref("pd", kind, number)
    return make_change(id=f"archive {target}", connection="pd", action=Action.ARCHIVE, target=target, edits=())


def gone(state: Any, kind: Kind, number: str) -> bool:
    row = getattr(state.tables, TABLES[kind])[int(number)]
    return bool(row.get("is_archived") or row.get("is_deleted") or row.get("active_flag") is False)


class TestArchiving:
    """Against the sandbox."""

    @pytest.fixture
    def numbers(self, state: Any) -> dict[Kind, str]:
        """Give one of each kind."""
        return {**dict.fromkeys(TABLES, "1"), Kind.NOTE: state.add_note("1", "Hello")}

    @pytest.mark.parametrize("kind", list(TABLES))
    def test_it_is_gone_and_stays_so(self, adapter: Adapter, state: Any, numbers: dict[Kind, str], kind: Kind) -> None:
        """A second time is as good as the first, whatever Pipedrive says to it (v1 said 410, v2 is not documented)."""
        receipts = [adapter.write([archive(kind, numbers[kind])])[0] for _ in range(2)]

        assert [Outcome.APPLIED, Outcome.APPLIED] == [receipt.outcome for receipt in receipts]
        assert gone(state, kind, numbers[kind])
        if kind is not Kind.TASK:
            assert {} == adapter.read([Ref("pd", kind, numbers[kind])])

    def test_a_deal_is_archived_and_not_deleted(self, adapter: Adapter, state: Any, served: Served) -> None:
        """It keeps its status, and people bring it back at any time ("Archive deals and leads")."""
        before = state.tables.deals[1]["status"]
        adapter.write([archive(Kind.DEAL, "1")])
        deal = state.tables.deals[1]

        assert (True, False, before) == (deal["is_archived"], deal["is_deleted"], deal["status"])
        assert () == served.sandbox.log.matching("DELETE", "/deals/")

    def test_a_deal_that_somebody_deleted_is_gone_already(self, adapter: Adapter, state: Any) -> None:
        """Nothing is left to do."""
        state.delete_deal("1")

        assert Outcome.APPLIED == adapter.write([archive(Kind.DEAL, "1")])[0].outcome

    @pytest.mark.parametrize("how", ["archived by us", "deleted by people"])
    def test_it_is_pulled_as_gone_and_comes_back(
        self, adapter: Adapter, state: Any, clock: VirtualClock, how: str
    ) -> None:
        """A tombstone, and a record again once people take it back."""
        ref = Ref("pd", Kind.DEAL, "1")
        cursor = list(adapter.pull(Kind.DEAL, None))[-1].cursor
        clock.advance(timedelta(minutes=5))
        if how == "archived by us":
            adapter.write([archive(Kind.DEAL, "1")])
        else:
            state.delete_deal("1")
        pages = list(adapter.pull(Kind.DEAL, cursor))
        assert [ref] == [tombstone.ref for page in pages for tombstone in page.tombstones]
        clock.advance(timedelta(minutes=5))
        state.restore_deal("1")
        again = [record.ref for page in adapter.pull(Kind.DEAL, pages[-1].cursor) for record in page.records]

        assert [ref] == again
        assert [ref] == list(adapter.read([ref]))

    @pytest.mark.parametrize("kind", [Kind.DEAL, Kind.COMPANY, Kind.NOTE])
    @pytest.mark.parametrize("fault", ["drop_after", "drop_before", "empty_body"])
    def test_an_unclear_answer_is_unknown(self, adapter: Adapter, served: Served, kind: Kind, fault: str) -> None:
        """It is not sent again; whether the record can be read tells what became of it."""
        number = served.sandbox.state.add_note("1", "Hello") if kind is Kind.NOTE else "1"
        path = f"{TABLES[kind]}/{number}"
        served.sandbox.faults.plan(fault, path=path)
        receipt = adapter.write([archive(kind, number)])[0]
        sent = [r for r in served.sandbox.log.all() if r.path.endswith(path) and r.method in {"PATCH", "DELETE"}]

        assert (Outcome.UNKNOWN, 1) == (receipt.outcome, len(sent))
        assert gone(served.sandbox.state, kind, number) is (not adapter.read([Ref("pd", kind, number)]))

    def test_what_can_not_be_archived_is_refused(self, adapter: Adapter) -> None:
        """A user is not crmbridge's to remove."""
        assert Outcome.REFUSED == adapter.write([archive(Kind.USER, "14200001")])[0].outcome


class TestAnswers:
    """What Pipedrive's answers to it are taken for."""

    @pytest.fixture
    def vendor(self) -> Iterator[respx.MockRouter]:
        """Stand in for the vendor's host."""
        with respx.mock(base_url=HOST, assert_all_called=False) as router:
            yield router

    @pytest.fixture
    def wired(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Adapter]:
        monkeypatch.setenv("PD_TOKEN", "0123456789abcdef")
        settings = PipedriveSettings.model_validate({"company": "acme", "token": {"env": "PD_TOKEN"}})
        context = AdapterContext(connection="pd", clock=VirtualClock(datetime(2026, 6, 10, 12, tzinfo=UTC)))
        opened = open_adapter(settings, context)
        yield opened
        opened.close()

    @pytest.mark.parametrize(
        ("answer", "there", "outcome"),
        [
            ((200, {"success": True, "data": {"id": 7}}), COMPANY, "applied"),
            ((404, {"success": False, "error": "Organization not found", "code": "ERR_NOT_FOUND"}), [], "applied"),
            ((410, {"success": True, "data": {"id": 7}}), [], "applied"),
            ((410, {"success": True, "data": {"id": 7}}), COMPANY, "refused"),
            ((403, {"success": False, "error": "Forbidden"}), [], "refused"),
            ((200, {"success": False, "error": "Said no"}), COMPANY, "refused"),
            ((200, {"success": True, "data": None}), COMPANY, "unknown"),
            ((500, {"success": False, "error": "oops"}), [], "unknown"),
        ],
    )
    def test_a_deletion(
        self, vendor: respx.MockRouter, wired: Adapter, answer: tuple[int, Any], there: list[Any], outcome: str
    ) -> None:
        """A 410 says success and is none (recorded 2017), so after a refusal the list tells who is there.

        A DELETE may be refused although the scope promises it (amp-labs/connectors PR #103).
        """
        route = vendor.delete("/api/v2/organizations/7").respond(answer[0], json=answer[1])
        vendor.get("/api/v2/organizations").respond(json={"success": True, "data": there})

        assert outcome == wired.write([archive(Kind.COMPANY, "7")])[0].outcome
        assert 1 == route.call_count

    @pytest.mark.parametrize(
        ("answer", "there", "outcome"),
        [
            ({"id": 7, "is_archived": True}, DEAL, "applied"),
            ({"id": 7}, [], "applied"),
            ({"id": 7}, DEAL, "unknown"),
            ({"id": 7, "is_archived": False}, DEAL, "unknown"),
        ],
    )
    def test_an_archived_deal(
        self, vendor: respx.MockRouter, wired: Adapter, answer: Any, there: list[Any], outcome: str
    ) -> None:
        """Answers to a PATCH may say less than the whole deal; the list of deals has none that is archived."""
        route = vendor.patch("/api/v2/deals/7").respond(json={"success": True, "data": answer})
        vendor.get("/api/v2/deals").respond(json={"success": True, "data": there})

        assert outcome == wired.write([archive(Kind.DEAL, "7")])[0].outcome
        assert b'{"is_archived":true}' == route.calls.last.request.content

    @pytest.mark.parametrize("status", [401, 403, 500])
    def test_a_deal_of_which_nobody_can_tell_is_unknown(
        self, vendor: respx.MockRouter, wired: Adapter, status: int
    ) -> None:
        """The request was sent: to say that it was not would be wrong."""
        vendor.patch("/api/v2/deals/7").respond(json={"success": True, "data": {"id": 7}})
        vendor.get("/api/v2/deals").respond(status, json={"success": False})

        assert Outcome.UNKNOWN == wired.write([archive(Kind.DEAL, "7")])[0].outcome

    def test_a_note_answers_with_true(self, vendor: respx.MockRouter, wired: Adapter) -> None:
        """v1 gives no id back ("Notes: Delete a note")."""
        vendor.delete("/api/v1/notes/7").mock(return_value=httpx.Response(200, json={"success": True, "data": True}))

        assert Outcome.APPLIED == wired.write([archive(Kind.NOTE, "7")])[0].outcome
