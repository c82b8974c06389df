"""Files on deals: documents tied to them, and the attachments of older orgs."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

import httpx
import pytest

from crmbridge.errors import NotGrantedError
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.ports import Page
from crmbridge.sandbox import Served, VirtualClock
from crmbridge_salesforce.adapter import SalesforceAdapter

from .orgs import Opener, state_of


def files(pages: Iterable[Page]) -> dict[str, Record]:
    """Give the files of some pages by id."""
    return {record.ref.id: record for page in pages for record in page.records}


def settled(adapter: SalesforceAdapter, clock: VirtualClock) -> str:
    """Pull everything, let a day pass, and give the cursor of a quiet pull."""
    cursor = list(adapter.pull(Kind.FILE, None))[-1].cursor
    clock.advance(timedelta(days=1))
    return list(adapter.pull(Kind.FILE, cursor))[-1].cursor


def test_one_document_on_two_deals_is_two_files(org: Served, adapter: SalesforceAdapter) -> None:
    """Each tie is one, on its deal; ties to users and accounts are none of ours."""
    state = state_of(org)
    first, second = state.deal_ids()[:2]
    tie = state.add_file(first, "Offer.pdf", size=9)
    document = state.tables.present("ContentDocumentLink", tie)["ContentDocumentId"]
    other = state.tie_file(document, second)
    state.tie_file(document, state.tables.present("Opportunity", first)["AccountId"])
    found = files(adapter.pull(Kind.FILE, None))

    assert {tie: (first,), other: (second,)} == {row_id: file.fields["deals"] for row_id, file in found.items()}
    assert {"Offer.pdf"} == {file.fields["name"] for file in found.values()}


def test_attachments_of_older_orgs_are_files_too(org: Served, adapter: SalesforceAdapter, clock: VirtualClock) -> None:
    """Told by the same fields, read by their ids, and gone when they are deleted."""
    state = state_of(org)
    deal = state.deal_ids()[0]
    cursor = settled(adapter, clock)
    old = state.add_attachment(deal, "Offer.PDF", size=70)
    ref = Ref("sf", Kind.FILE, old)
    found = files(adapter.pull(Kind.FILE, cursor))
    told = {name: found[old].fields[name] for name in ("name", "type", "deals")}

    assert {"name": "Offer.PDF", "type": "pdf", "deals": (deal,)} == told
    assert found[old].fields == next(iter(adapter.read([ref]).values())).fields
    assert 70 == found[old].fields["size"]
    state.delete_file(old)
    assert {old} == {stone.ref.id for page in adapter.pull(Kind.FILE, cursor) for stone in page.tombstones}


def test_a_note_is_no_file(org: Served, adapter: SalesforceAdapter) -> None:
    """Enhanced notes are documents to the org, and notes to us."""
    state_of(org).add_note(state_of(org).deal_ids()[0], "Talk")

    assert {} == files(adapter.pull(Kind.FILE, None))


def test_a_file_that_is_called_otherwise_comes_again(
    org: Served, adapter: SalesforceAdapter, clock: VirtualClock
) -> None:
    """Although nothing of its tie has changed."""
    state = state_of(org)
    tie = state.add_file(state.deal_ids()[0], "Draft.pdf", size=9)
    before = files(adapter.pull(Kind.FILE, None))
    cursor = settled(adapter, clock)
    document = state.tables.present("ContentDocumentLink", tie)["ContentDocumentId"]
    state.update("ContentDocument", document, {"Title": "Proposal"})
    changed = files(adapter.pull(Kind.FILE, cursor))

    assert {tie: "Proposal.pdf"} == {row_id: file.fields["name"] for row_id, file in changed.items()}
    assert before[tie].version != changed[tie].version
    assert before[tie].fields["at"] == changed[tie].fields["at"]


def test_a_quiet_pull_takes_few_requests(org: Served, adapter: SalesforceAdapter, clock: VirtualClock) -> None:
    """For ties: what changed, which documents did, what is gone; for attachments the first and the last."""
    state_of(org).add_file(state_of(org).deal_ids()[0], "Offer.pdf", size=9)
    cursor = settled(adapter, clock)
    org.sandbox.log.clear()
    assert {} == files(adapter.pull(Kind.FILE, cursor))

    assert 5 == len(org.sandbox.log.all())


def test_ties_are_only_asked_for_by_what_they_tie(org: Served, client: httpx.Client, open_adapter: Opener) -> None:
    """The org refuses anything else; page by page we ask in its way."""
    state = state_of(org)
    for deal in state.deal_ids()[:5]:
        state.add_file(deal, "Offer.pdf", size=9)
    adapter = open_adapter(org.url, org.token, page_size=2)
    refused = client.get("query", params={"q": "SELECT Id FROM ContentDocumentLink"})
    strange = client.get(
        "query", params={"q": "SELECT Id FROM Opportunity WHERE AccountId IN (SELECT Name FROM Account)"}
    )

    assert 5 == len(files(adapter.pull(Kind.FILE, None)))
    assert (400, "MALFORMED_QUERY") == (refused.status_code, refused.json()[0]["errorCode"])
    assert (400, "MALFORMED_QUERY") == (strange.status_code, strange.json()[0]["errorCode"])


def test_an_org_that_shows_one_object_is_read_by_that(org: Served, open_adapter: Opener) -> None:
    """Without Salesforce Files there are attachments; and once the user sees both, their cursors stand apart."""
    state = state_of(org)
    deal = state.deal_ids()[0]
    old = state.add_attachment(deal, "Old.pdf", size=1)
    state.add_file(deal, "New.pdf", size=1)
    state.hide(["ContentDocumentLink"])
    pages = list(open_adapter(org.url, org.token).pull(Kind.FILE, None))

    assert [old] == list(files(pages))
    assert '"Attachment"' in pages[-1].cursor


def test_no_sight_of_any_is_said(org: Served, open_adapter: Opener) -> None:
    """With the objects that the user must see."""
    state_of(org).forbid_files()
    with pytest.raises(NotGrantedError) as raised:
        list(open_adapter(org.url, org.token).pull(Kind.FILE, None))

    assert "ContentDocumentLink" in raised.value.advice
