"""Files on deals: one list of all of them, newest change first, that no deal and no time narrows."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from crmbridge.errors import NotGrantedError
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.ports import Adapter, Page, names_all
from crmbridge.sandbox import Served, VirtualClock
from crmbridge_pipedrive.attached import file_record
from crmbridge_pipedrive.limits import Limits
from crmbridge_pipedrive.sandbox import FilingState

TOKENS = 20  # of one page


def state_of(served: Served) -> FilingState:
    """Give the account's inside."""
    state = served.sandbox.state
    assert isinstance(state, FilingState)
    return state


def pull(adapter: Adapter, since: str | None = None) -> list[Page]:
    """Pull files to the end."""
    return list(adapter.pull(Kind.FILE, since))


def files(pages: list[Page]) -> dict[str, Record]:
    """Give the files of some pages by id."""
    return {record.ref.id: record for page in pages for record in page.records}


def add(served: Served, count: int, *, clock: VirtualClock | None = None) -> list[str]:
    """Add files to the first deal; with a clock some time apart."""
    state, found = state_of(served), []
    for number in range(count):
        found.append(state.add_file(state.deal_ids()[0], f"{number}.pdf", size=number))
        if clock is not None:
            clock.advance(timedelta(seconds=50))
    return found


def test_a_quiet_pull_is_one_request(served: Served, adapter: Adapter, clock: VirtualClock) -> None:
    """The newest hundred, however many there are: twenty tokens."""
    add(served, 250, clock=clock)
    cursor = pull(adapter)[-1].cursor
    clock.advance(timedelta(hours=1))
    cursor = pull(adapter, cursor)[-1].cursor
    served.sandbox.log.clear()
    pages = pull(adapter, cursor)

    assert {} == files(pages)
    assert ["/files"] == [request.path[-6:] for request in served.sandbox.log.all()]


def test_everything_is_read_by_the_hundred(served: Served, adapter: Adapter) -> None:
    """A page holds a hundred, and the look for the newest change comes first."""
    ids = add(served, 250)
    served.sandbox.log.clear()

    assert set(ids) == set(files(pull(adapter)))
    assert 4 == len(served.sandbox.log.matching("GET", "/files"))


def test_what_changed_is_read_until_what_is_known_begins(served: Served, adapter: Adapter, clock: VirtualClock) -> None:
    """Also over several pages; the same again brings nothing."""
    add(served, 5)
    cursor = pull(adapter)[-1].cursor
    clock.advance(timedelta(hours=1))
    ids = add(served, 230, clock=clock)
    pages = pull(adapter, cursor)
    clock.advance(timedelta(hours=1))

    assert set(ids) == set(files(pages))
    assert {} == files(pull(adapter, pages[-1].cursor))


def test_a_file_that_is_deleted_meanwhile_hides_no_other(
    served: Served, adapter: Adapter, clock: VirtualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two of them move all later ones forward by two places, over the edge of a page."""
    add(served, 1)
    cursor = pull(adapter)[-1].cursor
    clock.advance(timedelta(hours=1))
    ids = add(served, 150)
    state, told = state_of(served), served.sandbox.log
    add_request = told.add

    def deleting(request: Any) -> None:
        add_request(request)
        if request.path.endswith("/files"):  # once a page was answered
            for gone in ids[-2:]:
                state.tables.files[int(gone)]["active_flag"] = False

    monkeypatch.setattr(told, "add", deleting)
    found = set(files(pull(adapter, cursor)))

    assert set(ids[:-2]) <= found


def test_files_on_no_deal_cost_as_much_as_others(
    served: Served, adapter: Adapter, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has many of them, say from e-mails, is asked for no more pages than the day's tokens have room for."""
    for number in add(served, 450)[10:]:
        state_of(served).tables.files[int(number)]["deal_id"] = None
    monkeypatch.setattr(Limits, "few", 2 * TOKENS)
    served.sandbox.log.clear()

    assert names_all(adapter, Kind.FILE)
    assert adapter.name_all(Kind.FILE) is None
    assert 3 == len(served.sandbox.log.matching("GET", "/files"))


def test_what_hangs_on_no_deal_is_none_of_ours(served: Served, adapter: Adapter, clock: VirtualClock) -> None:
    """Nor are the pictures within e-mails; one that is taken off its deal is gone."""
    mine, loose, picture = add(served, 3)
    rows = state_of(served).tables.files
    rows[int(loose)]["deal_id"] = None
    rows[int(picture)]["inline_flag"] = True
    pages = pull(adapter)
    assert {mine} == set(files(pages))

    clock.advance(timedelta(hours=1))
    rows[int(mine)].update(deal_id=None, update_time=f"{clock.now():%Y-%m-%d %H:%M:%S}")
    changed = pull(adapter, pages[-1].cursor)
    assert ({}, {mine}) == (files(changed), {s.ref.id for p in changed for s in p.tombstones})
    assert {} == dict(adapter.read([Ref("pd", Kind.FILE, mine)]))


def test_a_token_without_the_right_is_said_to_lack_it(served: Served, adapter: Adapter) -> None:
    """Also in a later pull; a token that is refused as a whole is another thing."""
    add(served, 1)
    cursor = pull(adapter)[-1].cursor
    state_of(served).forbid_files()
    for since in (None, cursor):
        with pytest.raises(NotGrantedError, match="not allowed") as raised:
            pull(adapter, since)
        assert "deals:read" in raised.value.advice


@pytest.mark.parametrize(
    ("told", "fields"),
    [
        ({"name": "Offer.pdf", "file_name": "1_Offer.pdf"}, ("Offer.pdf", "pdf")),
        ({"name": "Offer", "file_name": "1_Offer.PDF"}, ("Offer", "pdf")),
        ({"name": "", "file_name": "1_Offer.pdf"}, ("1_Offer.pdf", "pdf")),
        ({"name": "Offer", "file_name": "x", "remote_location": "googledrive"}, ("Offer", "googledrive")),
        ({"name": None, "file_name": None}, (None, None)),
        ({"name": 7, "file_size": "big", "user_id": "x", "add_time": "soon"}, ("7", None)),
    ],
)
def test_what_is_told_of_a_file(told: dict[str, Any], fields: tuple[str | None, str | None]) -> None:
    """The name that people see; where that lost its ending, the one of the original tells the kind."""
    record = file_record({"id": 1, "deal_id": 2, **told}, "pd")

    assert fields == (record.fields["name"], record.fields["type"])
