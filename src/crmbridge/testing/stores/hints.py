"""What every state store must do with hints, adapters' memories and the ledger of requests: part of the StoreSuite."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta

import pytest

from crmbridge.model.records import Kind
from crmbridge.ports import Rate, RateLedger, StateStore
from crmbridge.testing.stores.makers import HOUR, START, make_ref

DAY = timedelta(days=1)
MOMENT = timedelta(microseconds=1)
BURST = Rate(10, 10, "burst")
TOKENS = Rate(100, 86400, "day", "cost")


def after(seconds: float) -> datetime:
    """Give a time so long after START."""
    return START + timedelta(seconds=seconds)


def take_all(ledger: RateLedger, rate: Rate, now: datetime, account: str = "hs") -> int:
    """Take one at a time until nothing more is given, and count."""
    taken = 0
    while ledger.take(account, [rate], [1], now) == 0:
        taken += 1
    return taken


class HintSuite:
    """Hints, and the deliveries they came with."""

    def test_hints_wait_oldest_first_connection_by_connection(self, store: StateStore, again: StateStore) -> None:
        """Each ref once, with the time it was last noted, for every process."""
        one, two, other = make_ref("1"), make_ref("2", kind=Kind.COMPANY), make_ref("1", "sf")
        store.hints.add([one, one], START)
        store.hints.add([two, other], START + HOUR)
        store.hints.add([one], START + 2 * HOUR)
        store.hints.add([two], START)
        store.hints.add([], START)

        assert ((two, START + HOUR), (one, START + 2 * HOUR)) == again.hints.pending("hs")
        assert ((other, START + HOUR),) == again.hints.pending("sf")

    def test_a_hint_that_was_heeded_is_gone(self, store: StateStore) -> None:
        """Unless it was noted again while the record was being read: that reading may be too old."""
        store.hints.add([make_ref("1"), make_ref("2"), make_ref("3")], START)
        seen = store.hints.pending("hs")
        store.hints.add([make_ref("2")], START + MOMENT)
        store.hints.done(seen[:2])
        store.hints.done([])

        assert ((make_ref("3"), START), (make_ref("2"), START + MOMENT)) == store.hints.pending("hs")

    def test_a_delivery_is_new_once(self, store: StateStore, again: StateStore) -> None:
        """For all processes, until the time to keep it is over; seeing it again does not prolong that."""
        assert {"e1", "e2"} == store.hints.first_seen(["e1", "e2", "e1"], START, DAY)
        assert {"e3"} == again.hints.first_seen(["e3", "e1"], START + DAY - MOMENT, DAY)
        assert {"e1"} == store.hints.first_seen(["e1", "e3"], START + DAY, DAY)
        assert set() == store.hints.first_seen([], START + DAY, DAY)

    def test_what_a_new_delivery_names_is_noted_with_it(self, store: StateStore) -> None:
        """One that was seen before names nothing any more."""
        store.hints.first_seen(["e1"], START, DAY, [make_ref("1"), make_ref("1")])
        store.hints.first_seen(["e1"], START + HOUR, DAY, [make_ref("1"), make_ref("2")])
        store.hints.first_seen(["e1", "e2"], START + HOUR, DAY, [make_ref("3")])

        assert ((make_ref("1"), START), (make_ref("3"), START + HOUR)) == store.hints.pending("hs")

    def test_the_same_records_may_be_noted_in_any_order(self, store: StateStore, again: StateStore) -> None:
        """Two deliveries at once that name them the other way round, and a pull that forgets them: nobody is stuck."""
        refs = [make_ref(str(number)) for number in range(100)]
        done: list[int] = []

        def note(one: StateStore, number: int) -> None:
            named = refs if number % 2 else refs[::-1]
            for round_ in range(10):
                one.hints.first_seen([f"{number}-{round_}"], START, DAY, named)
                one.hints.done([(ref, START) for ref in named])
            done.append(number)

        threads = [threading.Thread(target=note, args=(one, n)) for n, one in enumerate((store, again, again, store))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert [0, 1, 2, 3] == sorted(done)

    def test_of_many_that_see_a_delivery_one_is_first(self, store: StateStore, again: StateStore) -> None:
        """A vendor that sends twice at once is answered twice, and heeded once."""
        firsts: list[str] = []
        names = [f"d{number}" for number in range(20)]

        def see(one: StateStore) -> None:
            for start in range(0, 20, 5):
                firsts.extend(one.hints.first_seen(names[start : start + 5], START, DAY))

        threads = [threading.Thread(target=see, args=(one,)) for one in (store, again) * 3]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

        assert sorted(names) == sorted(firsts)


class MemorySuite:
    """What adapters keep between runs."""

    def test_each_connection_has_its_own_memory(self, store: StateStore, again: StateStore) -> None:
        """Text by name, hostile text too, for the next process as well."""
        store.memory("hs")["account"] = "77"
        store.memory("sf").update({"account": "\x00 \ud83d 交易", "b": ""})
        store.memory("hs")["account"] = "78"

        assert {"account": "78"} == dict(again.memory("hs"))
        assert {"account": "\x00 \ud83d 交易", "b": ""} == dict(again.memory("sf"))
        assert (0, []) == (len(again.memory("pd")), list(again.memory("pd")))

    def test_what_is_forgotten_is_gone(self, store: StateStore) -> None:
        """And what was never there says so."""
        kept = store.memory("hs")
        kept.update(b="2", a="1")
        del kept["b"]

        assert (["a"], 1, None) == (list(kept), len(kept), kept.get("b"))
        with pytest.raises(KeyError):
            del kept["b"]
        with pytest.raises(KeyError):
            store.memory("sf")["a"]
        with pytest.raises(KeyError):
            del store.memory("sf")["a"]


class RateSuite:
    """The ledger of requests."""

    def test_no_more_is_given_than_the_limit(self, store: StateStore, again: StateStore) -> None:
        """By both together; each account has its own."""
        assert store.rates.take("hs", [BURST], [4], START) == 0

        assert take_all(again.rates, BURST, START) == 6
        assert again.rates.used("hs", BURST, START) == 10
        assert take_all(again.rates, BURST, START, "sf") == 10
        assert store.rates.used("pd", BURST, START) == 0

    def test_what_was_taken_counts_for_a_window(self, store: StateStore) -> None:
        """The wait that is named leads to when it fits, and not much further."""
        store.rates.take("hs", [BURST], [6], START)
        store.rates.take("hs", [BURST], [4], after(5))
        wait = store.rates.take("hs", [BURST], [1], after(6))

        assert 4 <= wait <= 4.1
        assert store.rates.take("hs", [BURST], [1], after(9.98)) > 0
        assert take_all(store.rates, BURST, after(10.1)) == 6
        assert store.rates.used("hs", BURST, after(15.1)) == 6

    def test_an_answer_makes_it_count_from_then_on(self, store: StateStore) -> None:
        """The CRM may have counted it as late as that."""
        store.rates.take("hs", [BURST], [10], START)
        store.rates.settle("hs", [BURST], [7], START, after(8))

        assert take_all(store.rates, BURST, after(10.1)) == 3
        assert store.rates.used("hs", BURST, after(17.9)) == 10
        assert store.rates.used("hs", BURST, after(18.1)) == 3

    def test_an_answer_tells_what_counts(self, store: StateStore, again: StateStore) -> None:
        """Of each rate, by both together."""
        store.rates.take("hs", [BURST, TOKENS], [1, 30], START)
        again.rates.take("hs", [BURST, TOKENS], [2, 20], START)

        assert store.rates.settle("hs", [BURST, TOKENS], [1, 30], START, after(5)) == (3, 50)
        assert store.rates.settle("hs", [BURST, TOKENS], [2, 20], START, after(10.1)) == (3, 50)
        assert again.rates.settle("hs", [BURST, TOKENS], [0, 0], START, after(15.1)) == (2, 50)

    def test_an_answer_that_is_later_than_a_window_counts_from_then_on(self, store: StateStore) -> None:
        """It was no longer counted, and is again."""
        store.rates.take("hs", [BURST], [10], START)
        take_all(store.rates, BURST, after(30))
        store.rates.settle("hs", [BURST], [10], START, after(30))

        assert store.rates.used("hs", BURST, after(30)) == 20

    def test_all_rates_give_or_none(self, store: StateStore) -> None:
        """What one of them can't give is not taken from the other; the longer wait is named."""
        both = [BURST, TOKENS]
        assert store.rates.take("hs", both, [1, 90], START) == 0
        wait = store.rates.take("hs", both, [1, 20], START)

        assert wait > 86000
        assert (1, 90) == tuple(store.rates.used("hs", rate, START) for rate in both)
        assert store.rates.take("hs", both, [1, 10], START) == 0

    def test_what_never_fits_waits_until_nothing_else_counts(self, store: StateStore) -> None:
        """A limit that shrank below one request's cost must not stop everything."""
        store.rates.take("hs", [BURST], [1], START)

        assert 10 <= store.rates.take("hs", [BURST], [50], START) <= 10.1
        assert store.rates.take("hs", [BURST], [50], after(10.1)) == 0

    def test_a_clock_that_was_put_right_blocks_nothing(self, store: StateStore) -> None:
        """What was counted in a future that never came does not count, then or later."""
        store.rates.take("hs", [BURST], [10], START + DAY)

        assert take_all(store.rates, BURST, START) == 10
        assert take_all(store.rates, BURST, START + DAY) == 10
