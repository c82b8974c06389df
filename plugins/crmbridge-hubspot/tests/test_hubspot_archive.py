"""Archives go to the recycle bin, never to another record, and are told for each record."""

import json
from typing import Any

import httpx
import pytest
import respx

from crmbridge.errors import RetryLaterError
from crmbridge.model.changes import Action, Change, Outcome
from crmbridge.model.records import Kind, Ref
from crmbridge.ports import Adapter
from crmbridge.testing import AdapterWorkbench
from crmbridge.testing.factories import make_change

from .accounts import DEALS, STAMP, Opener


def make_archive(number: str, kind: Kind = Kind.DEAL, expects: str | None = None, connection: str = "hs") -> Change:
    """Make the archiving of a record."""
    target = Ref(connection, kind, number)
    return make_change(number, connection=connection, action=Action.ARCHIVE, target=target, edits=(), expects=expects)


def there(*ids: str) -> dict[str, Any]:
    """Make the answer to a read."""
    return {"results": [{"id": each, "properties": {"hs_lastmodifieddate": STAMP}} for each in ids]}


def sent(route: respx.Route) -> list[str]:
    """Give the ids of the last call."""
    return [each["id"] for each in json.loads(route.calls.last.request.content)["inputs"]]


def test_what_is_gone_is_archived_and_not_sent(hubspot: respx.MockRouter, open_adapter: Opener) -> None:
    """HubSpot answers 204 for any id (n8n#3219), and one that was merged away leads to a survivor that must stay."""
    hubspot.post(path=f"{DEALS}/batch/read").respond(207, json=there("1", "9"))  # 2 was merged into 9
    route = hubspot.post(path=f"{DEALS}/batch/archive").respond(204)
    receipts = open_adapter().write([make_archive("1"), make_archive("2")])

    assert [Outcome.APPLIED] * 2 == [receipt.outcome for receipt in receipts]
    assert ["1"] == sent(route)
    assert "gone already" in receipts[1].message


def test_a_record_that_changed_is_not_archived(hubspot: respx.MockRouter, open_adapter: Opener) -> None:
    """HubSpot has no conditional write, so the version is compared right before."""
    hubspot.post(path=f"{DEALS}/batch/read").respond(json=there("1", "2"))
    route = hubspot.post(path=f"{DEALS}/batch/archive").respond(204)
    receipts = open_adapter().write(
        [make_archive("1", expects="2026-01-01T00:00:00Z"), make_archive("2", expects=STAMP)]
    )

    assert [Outcome.STALE, Outcome.APPLIED] == [receipt.outcome for receipt in receipts]
    assert ["2"] == sent(route)


@pytest.mark.parametrize("trouble", [httpx.ReadTimeout("slow"), httpx.Response(502)])
def test_an_unclear_archive_is_unknown(
    hubspot: respx.MockRouter, open_adapter: Opener, trouble: httpx.Response | Exception
) -> None:
    """Sent and not clearly answered, and not sent again."""
    hubspot.post(path=f"{DEALS}/batch/read").respond(json=there("1", "2"))
    route = hubspot.post(path=f"{DEALS}/batch/archive")
    route.side_effect = [trouble]
    receipts = open_adapter().write([make_archive("1"), make_archive("2")])

    assert [Outcome.UNKNOWN] * 2 == [receipt.outcome for receipt in receipts]
    assert 1 == route.call_count


def test_part_of_an_archive_is_refused(hubspot: respx.MockRouter, open_adapter: Opener) -> None:
    """207 names records by their ids ("Error handling"); what is not there is archived all the same."""
    hubspot.post(path=f"{DEALS}/batch/read").respond(json=there("1", "2", "3"))
    errors = [
        {"category": "VALIDATION_ERROR", "message": "held", "context": {"ids": ["2"]}},
        {"category": "OBJECT_NOT_FOUND", "message": "gone", "context": {"ids": ["3"]}},
    ]
    hubspot.post(path=f"{DEALS}/batch/archive").respond(207, json={"status": "COMPLETE", "errors": errors})
    receipts = open_adapter().write([make_archive(number) for number in "123"])

    assert [Outcome.APPLIED, Outcome.REFUSED, Outcome.APPLIED] == [receipt.outcome for receipt in receipts]
    assert "held" in receipts[1].message


@pytest.mark.parametrize("context", [{}, {"ids": ["77"]}, {"ids": "77"}, {"ids": None}, None])
def test_an_error_that_names_none_of_a_batch_leaves_the_others_open(
    hubspot: respx.MockRouter, open_adapter: Opener, context: Any
) -> None:
    """It may be any of them that was not archived; what another error names is clear."""
    hubspot.post(path=f"{DEALS}/batch/read").respond(json=there("1", "2"))
    errors = [
        {"category": "VALIDATION_ERROR", "message": "held", "context": {"ids": "2"}},
        {"category": "VALIDATION_ERROR", "message": "something", "context": context},
    ]
    hubspot.post(path=f"{DEALS}/batch/archive").respond(207, json={"status": "COMPLETE", "errors": errors})
    receipts = open_adapter().write([make_archive(number) for number in "12"])

    assert [Outcome.UNKNOWN, Outcome.REFUSED] == [receipt.outcome for receipt in receipts]


def test_an_archive_that_is_refused_whole_goes_one_by_one(hubspot: respx.MockRouter, open_adapter: Opener) -> None:
    """One bad item can fail the batch (hubspot-api-python#51)."""

    def answer(request: httpx.Request) -> httpx.Response:
        ids = [each["id"] for each in json.loads(request.content)["inputs"]]
        return httpx.Response(400, json={"message": "not this one"}) if "2" in ids else httpx.Response(204)

    hubspot.post(path=f"{DEALS}/batch/read").respond(json=there("1", "2", "3"))
    hubspot.post(path=f"{DEALS}/batch/archive").mock(side_effect=answer)
    receipts = open_adapter().write([make_archive(number) for number in "123"])

    assert [Outcome.APPLIED, Outcome.REFUSED, Outcome.APPLIED] == [receipt.outcome for receipt in receipts]


def test_a_token_that_is_revoked_half_way_takes_no_receipt_away(
    hubspot: respx.MockRouter, open_adapter: Opener
) -> None:
    """What was archived by then is told, whatever ends the rest."""
    answers = [httpx.Response(400, json={"message": "one of these"}), httpx.Response(204), httpx.Response(401)]
    hubspot.post(path=f"{DEALS}/batch/read").respond(json=there("1", "2", "3"))
    route = hubspot.post(path=f"{DEALS}/batch/archive").mock(side_effect=answers)
    receipts = open_adapter().write([make_archive(number) for number in "123"])

    assert [Outcome.APPLIED, Outcome.FAILED, Outcome.FAILED] == [receipt.outcome for receipt in receipts]
    assert "refused the token" in receipts[1].message
    assert 3 == route.call_count


def test_a_locked_record_holds_up_no_other(hubspot: respx.MockRouter, open_adapter: Opener) -> None:
    """423 is about one record that is written to much ("Error handling")."""

    def answer(request: httpx.Request) -> httpx.Response:
        ids = [each["id"] for each in json.loads(request.content)["inputs"]]
        if len(ids) > 1:
            return httpx.Response(400, json={"message": "one of these"})
        return httpx.Response(423, json={"message": "locked"}) if ids == ["1"] else httpx.Response(204)

    hubspot.post(path=f"{DEALS}/batch/read").respond(json=there("1", "2"))
    hubspot.post(path=f"{DEALS}/batch/archive").mock(side_effect=answer)
    receipts = open_adapter().write([make_archive(number) for number in "12"])

    assert [Outcome.FAILED, Outcome.APPLIED] == [receipt.outcome for receipt in receipts]


def test_nothing_is_archived_while_hubspot_limits_us(hubspot: respx.MockRouter, open_adapter: Opener) -> None:
    """A clear "later" before anything was sent is no receipt."""
    hubspot.post(path=f"{DEALS}/batch/read").respond(json=there("1"))
    limit = {"status": "error", "message": "You have reached your daily limit.", "policyName": "DAILY"}
    hubspot.post(path=f"{DEALS}/batch/archive").respond(429, json=limit)

    with pytest.raises(RetryLaterError):
        open_adapter().write([make_archive("1")])


def test_every_kind_goes_to_the_bin_and_repeating_is_harmless(adapter: Adapter, bench: AdapterWorkbench) -> None:
    """Deals, companies, contacts, tasks and notes, all in one call, twice."""
    state: Any = bench.hands
    deal = state.deal_ids()[0]
    ids = {
        Kind.DEAL: deal,
        Kind.COMPANY: state.create_company(name="Gone Ltd"),
        Kind.CONTACT: state.create_contact(firstname="Gone"),
        Kind.NOTE: state.add_note(deal, "Gone"),
        Kind.TASK: state.add_activity(deal, type="task", subject="Gone", at=bench.clock.now(), done=False)[5:],
    }
    changes = [make_archive(each, kind, connection="bench") for kind, each in ids.items()]
    first, again = adapter.write(changes), adapter.write(changes)

    assert [Outcome.APPLIED] * 10 == [receipt.outcome for receipt in (*first, *again)]
    tables = {Kind.COMPANY: "companies", **{kind: f"{kind}s" for kind in ids if kind is not Kind.COMPANY}}
    assert all(state.tables[tables[kind]][each].archived_at for kind, each in ids.items())


def test_a_deal_that_was_merged_away_does_not_take_the_survivor_along(
    adapter: Adapter, bench: AdapterWorkbench
) -> None:
    """Its id leads to the survivor ("Deals now support merging")."""
    state: Any = bench.hands
    winner, loser = state.deal_ids()[:2]
    state.merge_deals(winner, loser)
    adapter.write([make_archive(loser, connection="bench")])

    assert winner in state.deal_ids()


def test_a_restored_deal_is_in_the_next_pull(adapter: Adapter, bench: AdapterWorkbench) -> None:
    """It is not in the list of deletions any more; its modification time, which nobody promises, is not needed."""
    state: Any = bench.hands
    deal = state.deal_ids()[0]
    cursor = list(adapter.pull(Kind.DEAL, None))[-1].cursor
    state.delete_deal(deal)
    gone = list(adapter.pull(Kind.DEAL, cursor))
    state.restore_deal(deal)
    back = list(adapter.pull(Kind.DEAL, gone[-1].cursor))
    quiet = list(adapter.pull(Kind.DEAL, back[-1].cursor))

    assert [deal] == [tombstone.ref.id for page in gone for tombstone in page.tombstones]
    assert [deal] == [record.ref.id for page in back for record in page.records]
    assert [] == [tombstone for page in back for tombstone in page.tombstones]
    assert [] == [record for page in quiet for record in page.records]
