"""What every state store must do with the lease: part of the StoreSuite."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest

from crmbridge.errors import LockedError
from crmbridge.model.changes import Outcome, Receipt
from crmbridge.model.records import Signature
from crmbridge.ports import Run, StateStore
from crmbridge.testing.stores.makers import (
    HOUR,
    START,
    make_change,
    make_evaluation,
    make_finding,
    make_page,
    make_record,
    make_ref,
    save,
)

Write = Callable[[StateStore, datetime], object]

RENEWING: dict[str, Write] = {
    "page": lambda store, at: save(store, make_page(make_record()), at=at),
    "intent": lambda store, at: store.journal.intend("r1", [make_change("c2")], at),
    "outcome": lambda store, at: store.journal.settle("r1", [Receipt(change="c1", outcome=Outcome.APPLIED)], {}, at),
    "renew": lambda store, at: store.runs.renew(at),
}
OTHERS: dict[str, Write] = {
    "records": lambda store, _: store.records.put([make_record()]),
    "links": lambda store, _: store.links.save({"L1": [make_ref()]}),
    "bases": lambda store, _: store.links.save_bases({make_ref(): {"name": "B"}}),
    "findings": lambda store, at: store.findings.save([make_evaluation("1", make_finding())], at),
    "forgetting": lambda store, at: store.findings.forget([make_ref()], at),
    "what was dealt with": lambda store, _: store.backlog.dealt("r", 1),
    "what counts as changed": lambda store, _: store.backlog.touch([make_ref()]),
    "readers": lambda store, _: store.backlog.forget(["r"]),
    "what waits": lambda store, at: store.waiting.replace(["L1"], [], at),
    "matches": lambda store, _: store.matches.put({make_ref(): [Signature("rule", "text")]}),
    "start of a run": lambda store, at: store.runs.start(Run(id="r9", command="run", started_at=at)),
    "hint": lambda store, at: store.hints.add([make_ref()], at),
    "hint that was heeded": lambda store, at: store.hints.done([(make_ref("2"), at)]),
    "delivery": lambda store, at: store.hints.first_seen(["e1"], at, HOUR),
    "memory": lambda store, _: store.memory("hs").update(account="1"),
    "end of a run": lambda store, at: store.runs.finish("r0", at, 0, {}),
}
EVERY = RENEWING | OTHERS


def take(store: StateStore, holder: str, now: datetime) -> None:
    """Take the lease and give it back."""
    with store.runs.lease(holder, now, HOUR):
        pass


def prepare(store: StateStore) -> None:
    """Save what the writes need: a run that began, an open finding, an intent, a hint."""
    store.hints.add([make_ref("2")], START)
    store.runs.start(Run(id="r0", command="run", started_at=START))
    store.findings.save([make_evaluation("2", make_finding("f2", deal="2"))], START)
    store.journal.intend("r0", [make_change("c1")], START)


def contents(store: StateStore) -> tuple[object, ...]:
    """Give all that a write may change."""
    records, links, findings = store.records, store.links, store.findings
    return (
        records.get([make_ref()]),
        (links.links(), links.bases()),
        (findings.findings(cleared=True), list(findings.visits())),
        list(store.journal.entries()),
        store.runs.runs(9),
        (store.hints.pending("hs"), dict(store.memory("hs"))),
    )


class LeaseSuite:
    """The lease: who may write, and for how long. `again` is the same state, opened once more."""

    def test_the_lease_keeps_others_out_and_says_who_holds_it(self, store: StateStore, again: StateStore) -> None:
        """Since when and until when, too."""
        with store.runs.lease("r1", START, 2 * HOUR), pytest.raises(LockedError) as refused:
            take(again, "r2", START + HOUR)

        for part in ("r1", "2026-01-05 08:00 UTC", "2026-01-05 10:00 UTC"):
            assert part in refused.value.message
        assert refused.value.advice

    def test_who_holds_the_lease_can_be_asked(self, store: StateStore, again: StateStore) -> None:
        """For as long as it lasts, by anybody who reads the state."""
        asked = [again.runs.holder(START)]
        with store.runs.lease("r1", START, HOUR):
            asked += [again.runs.holder(START + HOUR - timedelta(microseconds=1)), again.runs.holder(START + HOUR)]
        asked += [again.runs.holder(START)]

        assert ["", "r1", "", ""] == asked

    def test_nobody_holds_the_lease_twice(self, store: StateStore) -> None:
        """Two runs of one process are two runs."""
        with store.runs.lease("r1", START, 2 * HOUR), pytest.raises(LockedError, match="r1"):
            take(store, "r2", START + HOUR)

    def test_the_lease_is_given_back(self, store: StateStore, again: StateStore) -> None:
        """Also when the run ends with an error, which goes on as it was."""
        take(store, "r1", START)
        with pytest.raises(ZeroDivisionError), store.runs.lease("r2", START, HOUR):
            raise ZeroDivisionError
        take(again, "r3", START)

    def test_an_expired_lease_is_taken_over(self, store: StateStore, again: StateStore) -> None:
        """At the moment it expires; the late one does not give away what is no longer its own."""
        with store.runs.lease("r1", START, HOUR):
            with pytest.raises(LockedError):
                take(again, "r2", START + HOUR - timedelta(microseconds=1))
            taken = again.runs.lease("r2", START + HOUR, HOUR)
            taken.__enter__()
        with pytest.raises(LockedError, match="r2"):
            take(store, "r3", START + HOUR)
        taken.__exit__(None, None, None)
        take(store, "r3", START + HOUR)

    def test_a_lease_that_a_wrong_clock_took_is_taken_over(self, store: StateStore, again: StateStore) -> None:
        """Its machine was in another year: nobody waits until then. One of a clock that is a little ahead holds."""
        with store.runs.lease("r1", START + HOUR, HOUR), pytest.raises(LockedError, match="r1"):
            take(again, "r2", START)
        with store.runs.lease("r1", START + 9000 * HOUR, HOUR):
            take(again, "r2", START)
            with pytest.raises(LockedError, match="took it over"):
                store.links.save({"L1": [make_ref()]})

    def test_a_late_one_may_take_the_lease_again(self, store: StateStore, again: StateStore) -> None:
        """Once it is free: what it lost is no hindrance."""
        with store.runs.lease("r1", START, HOUR):
            take(again, "r2", START + HOUR)
            with store.runs.lease("r3", START + HOUR, HOUR):
                store.links.save({"L1": [make_ref()]})

        assert {"L1": (make_ref(),)} == again.links.links()

    @pytest.mark.parametrize("write", RENEWING)
    def test_writing_renews_the_lease(self, store: StateStore, again: StateStore, write: str) -> None:
        """A run that gets on is not pushed aside, and an earlier time takes nothing away."""
        prepare(store)
        with store.runs.lease("r1", START, HOUR):
            for at in (START + HOUR, START):
                RENEWING[write](store, at)
            with pytest.raises(LockedError, match="2026-01-05 10:00 UTC"):
                take(again, "r2", START + HOUR)
            take(again, "r2", START + 2 * HOUR)

    def test_an_expired_lease_that_nobody_wanted_is_renewed(self, store: StateStore, again: StateStore) -> None:
        """The run goes on."""
        with store.runs.lease("r1", START, HOUR):
            store.runs.renew(START + 5 * HOUR)
            with pytest.raises(LockedError, match="14:00"):
                take(again, "r2", START + 5 * HOUR)

    @pytest.mark.parametrize("write", EVERY)
    def test_a_run_whose_lease_was_taken_over_writes_nothing(
        self, store: StateStore, again: StateStore, write: str
    ) -> None:
        """A laptop that slept too long must not go on where another run is at work; it may still read."""
        prepare(store)
        before = contents(store)
        with store.runs.lease("r1", START, HOUR), again.runs.lease("r2", START + HOUR, HOUR):
            with pytest.raises(LockedError, match="took it over"):
                EVERY[write](store, START + 2 * HOUR)
            assert before == contents(store)
            EVERY[write](again, START + HOUR)

    @pytest.mark.parametrize("write", EVERY)
    def test_a_lease_that_was_taken_over_stays_lost(self, store: StateStore, again: StateStore, write: str) -> None:
        """Also when the other run is done: what this one knows is old."""
        prepare(store)
        with store.runs.lease("r1", START, HOUR):
            take(again, "r2", START + HOUR)
            with pytest.raises(LockedError, match="took it over"):
                EVERY[write](store, START + HOUR)

    def test_a_run_can_ask_whether_it_still_holds_the_state(self, store: StateStore, again: StateStore) -> None:
        """It does so although its lease has expired, until another run takes it over; and asking renews nothing."""
        store.runs.must_hold()
        with store.runs.lease("r1", START, HOUR):
            again.runs.must_hold()
            store.runs.must_hold()
            take(again, "r2", START + HOUR)
            with pytest.raises(LockedError, match="took it over"):
                store.runs.must_hold()
        store.runs.must_hold()

    @pytest.mark.parametrize("write", EVERY)
    def test_one_that_never_took_the_lease_may_write(self, store: StateStore, again: StateStore, write: str) -> None:
        """Before, after, and beside one that holds it; none of it renews the lease."""
        prepare(store)
        take(again, "r1", START)
        with store.runs.lease("r2", START, HOUR):
            EVERY[write](again, START + HOUR)
            take(again, "r3", START + HOUR)
