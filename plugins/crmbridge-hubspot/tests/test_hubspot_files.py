"""Files on deals: found by the notes and e-mails that hold them, and looked up one by one."""

from datetime import timedelta
from typing import Any

import pytest
import respx

from crmbridge.errors import NotGrantedError, RefusedError
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.ports import Adapter, Page
from crmbridge.testing import AdapterWorkbench
from crmbridge_hubspot.attached import holder_of
from crmbridge_hubspot.sandbox import FilingAccount

FILE = "/files/2026-03/files/"


def state_of(bench: AdapterWorkbench) -> FilingAccount:
    """Give the account's inside."""
    state = bench.served.sandbox.state
    assert isinstance(state, FilingAccount)
    return state


def pull(adapter: Adapter, since: str | None = None) -> list[Page]:
    """Pull files to the end."""
    return list(adapter.pull(Kind.FILE, since))


def files(pages: list[Page]) -> dict[str, Record]:
    """Give the files of some pages by id."""
    return {record.ref.id: record for page in pages for record in page.records}


def gone(pages: list[Page]) -> set[str]:
    """Give the ids that some pages say are gone."""
    return {stone.ref.id for page in pages for stone in page.tombstones}


def settled(bench: AdapterWorkbench, adapter: Adapter) -> str:
    """Pull everything, let a day pass, and give the cursor of a quiet pull."""
    cursor = pull(adapter)[-1].cursor
    bench.clock.advance(timedelta(days=1))
    return pull(adapter, cursor)[-1].cursor


def hold(bench: AdapterWorkbench, kind: str, ids: str) -> str:
    """Make a note or an e-mail on the first deal that holds these files; give its id."""
    state = state_of(bench)
    deal = state.get("deals", state.deal_ids()[0])
    made = state.create(kind, {"hs_attachment_ids": ids, "hs_timestamp": "2026-06-10T11:00:00Z"})
    state.links.link(made, deal)
    return made.id


def test_several_files_on_one_note_are_told_apart(bench: AdapterWorkbench, adapter: Adapter) -> None:
    """Each has an id of its own; one that is taken off is gone, the note and the others stay."""
    state = state_of(bench)
    first, second = state.upload("a.pdf", size=1), state.upload("b.docx", size=2)
    note = hold(bench, "notes", f"{first};{second}")
    cursor = settled(bench, adapter)
    assert {"a.pdf", "b.docx"} == {file.fields["name"] for file in files(pull(adapter)).values()}

    state.detach_file(f"note-{note}-{first}")
    bench.clock.advance(timedelta(minutes=6))
    changed = pull(adapter, cursor)
    assert {f"note-{note}-{first}"} == gone(changed)
    assert {f"note-{note}-{second}"} == set(files(changed)) == set(files(pull(adapter)))


def test_what_was_taken_off_before_its_note_was_deleted_is_gone_too(bench: AdapterWorkbench, adapter: Adapter) -> None:
    """Both between two pulls: the list of what was deleted has the history."""
    state = state_of(bench)
    first, second = state.upload("a.pdf", size=1), state.upload("b.docx", size=2)
    note = hold(bench, "notes", f"{first};{second}")
    cursor = settled(bench, adapter)
    state.detach_file(f"note-{note}-{first}")
    state.delete_note(note)
    bench.clock.advance(timedelta(minutes=6))

    assert {f"note-{note}-{first}", f"note-{note}-{second}"} == gone(pull(adapter, cursor))


def test_when_it_was_added_is_told_by_the_history(bench: AdapterWorkbench, adapter: Adapter) -> None:
    """Not when the note was written; put on again, the last time counts."""
    state = state_of(bench)
    file_id, other = state.upload("a.pdf", size=1), state.upload("b.pdf", size=1)
    note = hold(bench, "notes", other)
    times = []
    for ids in (f"{other};{file_id}", other, f"{file_id};{other}"):
        bench.clock.advance(timedelta(hours=1))
        times.append(state.now())
        state.update(state.get("notes", note), {"hs_attachment_ids": ids})
    bench.clock.advance(timedelta(hours=1))
    file = files(pull(adapter))[f"note-{note}-{file_id}"]

    assert times[-1] == file.fields["at"] == file.created_at


def test_emails_hold_files_as_well(bench: AdapterWorkbench, adapter: Adapter) -> None:
    """The id says which of both it was."""
    email = hold(bench, "emails", state_of(bench).upload("Offer.pdf", size=9))

    assert [f"email-{email}"] == list(map(holder_of, files(pull(adapter))))


def test_a_first_pull_only_reads_what_holds_files(bench: AdapterWorkbench, adapter: Adapter) -> None:
    """Of hundreds of notes and e-mails none is listed; each file is one request, whoever holds it."""
    state = state_of(bench)
    deal = state.deal_ids()[0]
    for number in range(150):
        state.add_note(deal, f"Note {number}")
    file_id = state.upload("a.pdf", size=1)
    held = {hold(bench, "notes", file_id), hold(bench, "notes", file_id)}
    bench.served.sandbox.log.clear()
    found = files(pull(adapter))
    log = bench.served.sandbox.log

    assert {f"note-{note}-{file_id}" for note in held} == set(found)
    assert 1 == len(log.matching("GET", FILE))
    assert 1 == len(log.matching("POST", "/batch/read")) - len(log.matching("POST", "/associations/"))
    assert [] == [r for r in log.matching("GET", "/objects/2026-03/") if "archived" not in str(r)]


def test_a_quiet_pull_looks_nothing_up(bench: AdapterWorkbench, adapter: Adapter) -> None:
    """A search and a list of deletions for each of notes and e-mails."""
    state_of(bench).add_file(state_of(bench).deal_ids()[0], "a.pdf", size=1)
    cursor = settled(bench, adapter)
    bench.served.sandbox.log.clear()
    pull(adapter, cursor)

    assert 4 == len(bench.served.sandbox.log.all())


def test_a_file_that_is_gone_from_the_account_is_none(bench: AdapterWorkbench, adapter: Adapter) -> None:
    """Though its note still names it; what is no id is never looked up."""
    state = state_of(bench)
    there = state.upload("a.pdf", size=1)
    note = hold(bench, "notes", f"999;{there};../../oauth/v1; ;{there}")
    bench.served.sandbox.log.clear()
    pages = pull(adapter)

    assert {f"note-{note}-{there}"} == set(files(pages))
    assert {f"note-{note}-999"} == gone(pages)
    assert 2 == len(bench.served.sandbox.log.matching("GET", "/files/"))


def test_a_path_that_is_gone_takes_no_file_off_a_deal(bench: AdapterWorkbench, adapter: Adapter) -> None:
    """Only what HubSpot says is not there is none; else every file would seem to be taken off."""
    hold(bench, "notes", state_of(bench).upload("a.pdf", size=1))
    with respx.mock as router:
        router.get(path__startswith=FILE).respond(404, json={"status": "error", "message": "resource not found"})
        router.route().pass_through()

        with pytest.raises(RefusedError, match="resource not found"):
            pull(adapter)


def test_what_is_on_no_deal_costs_nothing(bench: AdapterWorkbench, adapter: Adapter) -> None:
    """A file on a contact's note is known to be on no deal, and not looked up."""
    state = state_of(bench)
    made = state.create("notes", {"hs_attachment_ids": "174", "hs_timestamp": "2026-06-10T11:00:00Z"})
    bench.served.sandbox.log.clear()

    assert {f"note-{made.id}-174": ()} == {i: file.fields["deals"] for i, file in files(pull(adapter)).items()}
    assert () == bench.served.sandbox.log.matching("GET", FILE)


@pytest.mark.parametrize("scope", ["files.ui_hidden.read", "sales-email-read"])
def test_the_scopes_that_lack_are_named(bench: AdapterWorkbench, scope: str) -> None:
    """Files on records are hidden ones, which take a scope of their own, and so do the e-mails that hold them."""
    state = state_of(bench)
    state.add_file(state.deal_ids()[0], "a.pdf", size=1)
    state.oauth.scopes -= {scope}
    adapter = bench.open()
    with pytest.raises(NotGrantedError) as raised:
        pull(adapter)

    wanted = "files, files.ui_hidden.read, sales-email-read"
    assert f"Give the connection's token the scopes {wanted}." == raised.value.advice
    assert "(403)" in raised.value.message
    adapter.close()


@pytest.mark.parametrize("version", ["v3", "2026-09"])
def test_each_version_has_its_own_path(bench: AdapterWorkbench, version: str) -> None:
    """The Files API is versioned as all others."""
    state = state_of(bench)
    state.add_file(state.deal_ids()[0], "a.pdf", size=1)
    adapter = bench.open(api_version=version)
    pull(adapter)
    adapter.close()

    assert 1 == len(bench.served.sandbox.log.matching("GET", f"/files/{version}/files/"))


@respx.mock
def test_what_files_say_of_themselves_may_be_anything(
    open_adapter: Any, answer_account: Any, respx_mock: respx.MockRouter
) -> None:
    """Odd values are left out; the file is kept."""
    answer_account(respx_mock)
    note = {
        "id": "5",
        "createdAt": "2026-06-01T10:00:00Z",
        "updatedAt": "2026-06-02T10:00:00Z",
        "properties": {"hs_attachment_ids": "7", "hs_createdate": "2026-06-01T10:00:00Z"},
    }
    respx_mock.post(path="/crm/objects/2026-03/notes/batch/read").respond(json={"results": [note]})
    links = {"results": [{"from": {"id": "5"}, "to": [{"toObjectId": 31, "associationTypes": []}]}]}
    respx_mock.post(path="/crm/associations/2026-03/notes/deals/batch/read").respond(json=links)
    respx_mock.get(path=f"{FILE}7").respond(json={"id": "7", "name": None, "extension": 4, "size": "big"})
    ref = Ref("hs", Kind.FILE, "note-5-7")
    found = open_adapter().read([ref, Ref("hs", Kind.FILE, "note-5-8"), Ref("hs", Kind.FILE, "fax-1-2")])

    assert [ref] == list(found)
    told = {name: found[ref].fields[name] for name in ("name", "type", "size", "deals")}
    assert {"name": None, "type": "4", "size": None, "deals": ("31",)} == told
