"""The AdapterSuite's tests of replies that are no use: asked for again, then said, with the cursor where it was."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from crmbridge.errors import CrmbridgeError, RetryLaterError
from crmbridge.model.changes import Action, Change, Outcome
from crmbridge.model.records import Kind, Ref
from crmbridge.ports import Adapter, Page
from crmbridge.testing.adapters.changes import (
    finds_deals,
    make_archive,
    make_update,
    open_deal,
    strike,
    struck,
    write_one,
)
from crmbridge.testing.adapters.workbench import CONNECTION, AdapterWorkbench, pull_all, settle

UNUSABLE = ("html", "html_json", "cut_body", "cut_json", "empty_body", "error_500", "error_503", "drop_before", "reset")
STORMS = ("error_503", "html", "cut_json", "empty_body", "reset", "limit_day")
LONGEST = timedelta(minutes=10)  # how long a storm may hold a pull up, by the clock
MOST_TRIES = 80  # requests while a storm lasts; many times this would be a storm of our own
A_DAY = timedelta(days=1)  # after which there are requests again
IMPATIENT = 0.4  # seconds; what a sandbox on this machine keeps to, also when it is busy


class BadReplyTests:
    """An answer that can't be used is none: nothing is taken from it, and nothing is skipped because of it."""

    @pytest.mark.parametrize("fault", [*UNUSABLE, "limit"])
    def test_reads_are_repeated(self, bench: AdapterWorkbench, adapter: Adapter, fault: str) -> None:
        """An answer that can't be used is asked for again, and no record is lost."""
        whole = pull_all(adapter).records
        bench.served.sandbox.faults.plan(fault, times=2)

        assert whole == pull_all(adapter).records
        assert 2 == struck(bench, fault)

    def test_a_wrong_type_loses_nothing(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """A right answer that is called HTML is used or asked for again; it is not taken for an empty one."""
        whole = pull_all(adapter).records
        bench.served.sandbox.faults.plan("wrong_type", times=2)

        assert whole == pull_all(adapter).records
        assert struck(bench, "wrong_type") > 0  # once, where one request is all that a pull takes

    def test_a_dripping_answer_is_given_up(self, bench: AdapterWorkbench) -> None:
        """Bytes that keep coming in time make no answer; it is asked for again, or said, and no record is lost."""
        adapter = bench.open(timeout=IMPATIENT)
        whole = pull_all(adapter).records
        bench.served.sandbox.faults.plan("drip")
        try:
            again = pull_all(adapter).records
        except RetryLaterError as error:  # so little patience is soon at its end
            _says_where(error, set())
            again = pull_all(adapter).records
        adapter.close()

        assert whole == again
        assert 1 == struck(bench, "drip")

    @pytest.mark.parametrize("fault", STORMS)
    def test_a_storm_is_said_and_nothing_is_skipped(self, crowded: AdapterWorkbench, fault: str) -> None:
        """While nothing works, a pull ends with the connection's and the request's name; later it goes on whole."""
        adapter, stored = crowded.open(), list[Page]()
        walk = adapter.pull(Kind.DEAL, None)
        stored.append(next(walk))
        began, asked = crowded.clock.now(), len(crowded.served.sandbox.log.all())
        crowded.served.sandbox.faults.plan(fault, times=10_000)
        with pytest.raises(RetryLaterError) as caught:
            stored.extend(walk)
        requests = crowded.served.sandbox.log.all()[asked:]
        _says_where(caught.value, {request.answer_id for request in requests})
        assert crowded.clock.now() - began <= LONGEST
        assert len(requests) <= MOST_TRIES

        crowded.served.sandbox.faults.clear()
        crowded.clock.advance(A_DAY if fault == "limit_day" else timedelta(minutes=1))
        rest = list(adapter.pull(Kind.DEAL, stored[-1].cursor))
        adapter.close()
        assert {*crowded.hands.deal_ids()} == {ref.id for ref in _refs([*stored, *rest])}

    def test_a_storm_does_not_move_the_cursor(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """A pull that failed is as if it had not been: what changed comes with the next one."""
        cursor = settle(bench, adapter)
        ids = bench.hands.deal_ids()[:3]
        for native_id in ids:
            bench.hands.edit_deal(native_id, **{bench.fields["decision_maker"]: "Someone"})
        bench.clock.advance(adapter.capabilities.lag + timedelta(minutes=1))
        bench.served.sandbox.faults.plan("html", times=10_000)
        pages: list[Page] = []
        with pytest.raises(RetryLaterError):
            pages.extend(adapter.pull(Kind.DEAL, cursor))
        bench.served.sandbox.faults.clear()
        pages.extend(adapter.pull(Kind.DEAL, pages[-1].cursor if pages else cursor))

        assert {*ids} == {ref.id for ref in _refs(pages)}

    def test_a_day_that_is_used_up_is_not_waited_for(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """Past the day's limit, reading and writing say at once to try later, and nothing is written."""
        deal = open_deal(adapter)
        began = bench.clock.now()
        bench.served.sandbox.faults.plan("limit_day", times=10_000)
        with pytest.raises(RetryLaterError) as caught:
            adapter.read([deal.ref])
        _says_where(caught.value, set())
        assert _outcome(adapter, make_update(deal, fields={"name": "Tomorrow"})) in {None, Outcome.FAILED}
        assert bench.clock.now() - began <= timedelta(minutes=2)
        bench.served.sandbox.faults.clear()
        bench.clock.advance(A_DAY)

        assert deal.fields["name"] == adapter.read([deal.ref])[deal.ref].fields["name"]

    def test_a_page_that_is_not_there_says_nothing_of_records(self, bench: AdapterWorkbench, adapter: Adapter) -> None:
        """A 404 from in front of the CRM is an error: nothing is taken for gone, for not there, or for archived."""
        deal = open_deal(adapter)
        calls: list[Callable[[], object]] = [
            lambda: pull_all(adapter),
            lambda: adapter.read([deal.ref]),
            *([lambda: adapter.find(Kind.DEAL, "some-key", None)] if finds_deals(adapter) else []),
        ]
        bench.served.sandbox.faults.plan("html_404", times=10_000)
        for call in calls:
            with pytest.raises(CrmbridgeError):
                call()
        changes = [make_update(deal, fields={"name": "Nowhere"}), make_archive(deal.ref)]
        told = [_outcome(adapter, each) for each in changes if each.action in adapter.capabilities.actions]
        bench.served.sandbox.faults.clear()

        assert Outcome.APPLIED not in told
        assert {deal.ref: deal} == dict(adapter.read([deal.ref]))

    @pytest.mark.parametrize("fault", ["reset", "cut_json", "html_json", "error_503", "drop_after", "cut_body"])
    def test_an_unclear_write_is_unknown(self, bench: AdapterWorkbench, adapter: Adapter, fault: str) -> None:
        """A write whose answer can't be used is unknown and is not sent again, whether it was carried out or not."""
        deal = open_deal(adapter)
        method, path = strike(bench, adapter, Action.UPDATE, fault)
        sent = len(bench.served.sandbox.log.matching(method, path))
        receipt = write_one(adapter, make_update(deal, fields={"name": "Unclear"}))

        assert (Outcome.UNKNOWN, True) == (receipt.outcome, bool(receipt.message))
        assert sent + 1 == len(bench.served.sandbox.log.matching(method, path))
        assert adapter.read([deal.ref])[deal.ref].fields["name"] in {"Unclear", deal.fields["name"]}

    def test_a_write_of_which_the_answer_is_called_html_is_never_said_to_be_refused(
        self, bench: AdapterWorkbench, adapter: Adapter
    ) -> None:
        """It was carried out: applied, or unknown to whoever does not look inside."""
        deal = open_deal(adapter)
        strike(bench, adapter, Action.UPDATE, "wrong_type")
        receipt = write_one(adapter, make_update(deal, fields={"name": "Mislabelled"}))

        assert receipt.outcome in {Outcome.APPLIED, Outcome.UNKNOWN}
        assert "Mislabelled" == adapter.read([deal.ref])[deal.ref].fields["name"]


def _outcome(adapter: Adapter, change: Change) -> Outcome | None:
    """Try to write, and give what the receipt says; None when it was said by an error."""
    try:
        return write_one(adapter, change).outcome
    except CrmbridgeError:
        return None


def _refs(pages: list[Page]) -> set[Ref]:
    return {record.ref for page in pages for record in page.records}


def _says_where(error: RetryLaterError, answer_ids: set[str]) -> None:
    """Assert that an error names its connection, what to do, and the request, where the CRM gave that a name."""
    assert CONNECTION in error.message
    assert error.advice
    assert error.message.isprintable()
    named = answer_ids - {""}
    assert not named or any(answer_id in error.message for answer_id in named)
