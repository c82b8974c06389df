"""What every state store must do for two-way sync, with what changed, waits and matches: part of the StoreSuite."""

from __future__ import annotations

import threading
from decimal import Decimal
from typing import Any

import pytest

from crmbridge.model.changes import Blocked, Cause, Edited
from crmbridge.model.records import Kind, Problem, Ref, Signature, Tombstone
from crmbridge.model.values import Money
from crmbridge.ports import StateStore
from crmbridge.testing.stores.makers import HOUR, OPEN, START, WON, make_move, make_page, make_record, make_ref, save

HOSTILE = ("a\x00b", "half \ud83d", "'); DROP TABLE records;--", "交易 🎉")
NAME = Signature("deal: name", "acme")


def catch_up(store: StateStore, reader: str = "r") -> None:
    """Deal with all that is pending."""
    store.backlog.dealt(reader, store.backlog.pending(reader)[0])


def pending(store: StateStore, reader: str = "r") -> list[str]:
    """Give the ids of what is pending."""
    return [ref.id for ref in store.backlog.pending(reader)[1]]


def make_blocked(name: str = "amount", **other: Any) -> Blocked:
    """Make something that waits: a conflict about deal 1 in hs, under the link L1, when nothing else is said."""
    return Blocked(**{"link": "L1", "deal": make_ref(), "name": name, "reason": "both sides changed it", **other})


class BacklogSuite:
    """What readers have not dealt with yet."""

    def test_a_reader_begins_with_everything(self, store: StateStore) -> None:
        """Records of every connection and kind, and tombstones, in the order of the refs, until it dealt with them."""
        save(
            store, make_page(make_record("2"), make_record("10"), tombstones=(Tombstone(ref=make_ref("3"), at=START),))
        )
        save(store, make_page(make_record("7", connection="sf", kind=Kind.COMPANY)), "sf", Kind.COMPANY)
        everything = (make_ref("10"), make_ref("2"), make_ref("3"), make_ref("7", "sf", Kind.COMPANY))

        assert everything == store.backlog.pending("r")[1]
        assert everything == store.backlog.pending("r")[1]
        assert store.backlog.readers() == frozenset()

    def test_a_new_store_has_nothing_pending(self, store: StateStore) -> None:
        """And dealing with nothing is no mistake."""
        assert store.backlog.pending("r")[1] == ()
        catch_up(store)
        assert store.backlog.pending("r")[1] == ()

    def test_what_was_dealt_with_is_not_pending_for_any_process(self, store: StateStore, again: StateStore) -> None:
        """What changed since then is; one that was killed before it said so begins where it began."""
        save(store, make_page(make_record("1"), make_record("2")))
        catch_up(store)
        save(store, make_page(make_record("2", fields={"name": "New"}), make_record("3")))

        assert ["2", "3"] == pending(again)
        assert ["2", "3"] == pending(again)
        catch_up(again)
        assert [] == pending(store)

    def test_what_comes_in_while_a_reader_is_at_work_stays_pending(self, store: StateStore) -> None:
        """It dealt with what it was told of, up to that mark."""
        save(store, make_page(make_record("1"), make_record("2")))
        mark, _ = store.backlog.pending("r")
        save(store, make_page(make_record("2", fields={"name": "New"}), make_record("3")))
        store.backlog.dealt("r", mark)

        assert ["2", "3"] == pending(store)

    def test_readers_do_not_disturb_each_other(self, store: StateStore) -> None:
        """Each has its own mark and its own rest."""
        save(store, make_page(make_record("1"), make_record("2")))
        store.backlog.dealt("r", store.backlog.pending("r")[0], [make_ref("1")])

        assert (["1"], ["1", "2"]) == (pending(store, "r"), pending(store, "s"))
        catch_up(store, "s")
        save(store, make_page(make_record("3")))
        assert (["1", "3"], ["3"]) == (pending(store, "r"), pending(store, "s"))
        assert {"r", "s"} == store.backlog.readers()

    def test_what_was_left_is_pending_until_it_is_left_no_more(self, store: StateStore) -> None:
        """Each time the rest is said anew; a ref that no record has can be left too, and nothing comes twice."""
        save(store, make_page(make_record("1"), make_record("2")))
        mark, _ = store.backlog.pending("r")
        store.backlog.dealt("r", mark, [make_ref("2"), make_ref("9"), make_ref("2")])
        save(store, make_page(make_record("2", fields={"name": "New"})))

        assert ["2", "9"] == pending(store)
        store.backlog.dealt("r", store.backlog.pending("r")[0], [make_ref("9")])
        assert ["9"] == pending(store)
        catch_up(store)
        assert [] == pending(store)

    def test_a_reader_that_was_forgotten_begins_with_everything(self, store: StateStore) -> None:
        """The others go on where they are."""
        save(store, make_page(make_record("1")))
        for reader in ("r", "s"):
            store.backlog.dealt(reader, store.backlog.pending(reader)[0], [make_ref("9")])
        store.backlog.forget(["r", "nobody"])
        store.backlog.forget([])

        assert {"s"} == store.backlog.readers()
        assert (["1"], ["9"]) == (pending(store, "r"), pending(store, "s"))

    def test_a_record_that_is_saved_again_as_it_was_does_not_count(self, store: StateStore) -> None:
        """By a repeated page, or put; nor does a new version, time or editor alone, or an older copy."""
        moves = (make_move("m1"), make_move("m2", at=START + HOUR, before=OPEN, after=WON))
        record = make_record(key="k", created_at=START, problems=(Problem("a", "b"),), updated_at=START + HOUR)
        tombstone = Tombstone(ref=make_ref("2"), at=START, merged_into=make_ref())
        page = make_page(record, moves=moves, tombstones=(tombstone,))
        save(store, page)
        catch_up(store)
        save(store, page, at=START + HOUR)
        store.records.put([record])
        save(store, make_page(make_record(fields={"name": "Old"})))
        save(store, make_page(tombstones=(Tombstone(ref=make_ref("2"), at=START),)))

        assert [] == pending(store)

    @pytest.mark.parametrize(
        "other",
        [
            {"fields": {"name": "New"}},
            {"fields": {"name": "Deal 1", "amount": None}},
            {"fields": {"name": "Deal 1", "seats": Money(Decimal(1), "EUR")}},
            {"position": WON},
            {"position": None},
            {"key": "k"},
            {"problems": (Problem("a", "b"),)},
        ],
        ids=str,
    )
    def test_a_record_that_says_something_else_counts(self, store: StateStore, other: dict[str, Any]) -> None:
        """In the same second too; and so does putting one. Back again is a change as well."""
        save(store, make_page(make_record()))
        catch_up(store)
        save(store, make_page(make_record(**other)))
        assert ["1"] == pending(store)
        catch_up(store)
        store.records.put([make_record()])
        assert ["1"] == pending(store)
        catch_up(store)
        store.records.put([make_record(**other)])
        assert ["1"] == pending(store)

    def test_moves_count_for_their_deal(self, store: StateStore) -> None:
        """New ones, other ones and fewer; the same ones do not, in whatever order they come."""
        one, two = make_move("m1"), make_move("m2", at=START + HOUR, before=OPEN, after=WON)
        save(store, make_page(make_record("1"), make_record("2"), moves=(one,)))
        for moves in ((one, two), (one, make_move("m2", at=START + 2 * HOUR, before=OPEN, after=WON)), (one,)):
            catch_up(store)
            save(store, make_page(make_record("1"), make_record("2"), moves=moves))
            assert ["1"] == pending(store)
        save(store, make_page(make_record("1"), moves=(one, two)))
        catch_up(store)
        save(store, make_page(make_record("1"), moves=(two, one)))
        assert [] == pending(store)

    def test_a_record_that_goes_and_comes_back_counts_each_time(self, store: StateStore) -> None:
        """Though it comes back just as it was; also when only now it is said what it was merged into."""
        gone = Tombstone(ref=make_ref(), at=START + HOUR)
        merged = Tombstone(ref=make_ref(), at=START + HOUR, merged_into=make_ref("2"))
        save(store, make_page(make_record()))
        back = make_page(make_record())
        for page in (make_page(tombstones=(gone,)), back, make_page(tombstones=(gone,))):
            catch_up(store)
            save(store, page)
            assert ["1"] == pending(store)
        for page in (make_page(tombstones=(merged,)), back):
            catch_up(store)
            save(store, page)
            assert ["1"] == pending(store)

    def test_touched_records_count_for_every_reader(self, store: StateStore, again: StateStore) -> None:
        """Also gone ones; what no record or tombstone has does not."""
        save(store, make_page(make_record("1"), make_record("2"), tombstones=(Tombstone(ref=make_ref("3"), at=START),)))
        catch_up(store, "r")
        catch_up(store, "s")
        store.backlog.touch([make_ref("1"), make_ref("3"), make_ref("9")])
        store.backlog.touch([])

        assert (["1", "3"], ["1", "3"]) == (pending(again, "r"), pending(again, "s"))

    def test_much_can_be_left_and_touched(self, store: StateStore) -> None:
        """More than one statement can name."""
        refs = [make_ref(f"{number:04}") for number in range(1200)]
        save(store, make_page(*(make_record(ref.id) for ref in refs)))
        store.backlog.dealt("r", store.backlog.pending("r")[0], refs)
        assert tuple(refs) == store.backlog.pending("r")[1]
        catch_up(store)
        store.backlog.touch(refs)
        assert tuple(refs) == store.backlog.pending("r")[1]

    @pytest.mark.parametrize("text", HOSTILE, ids=ascii)
    def test_hostile_names_end_nothing(self, store: StateStore, text: str) -> None:
        """What no database keeps in text is replaced; the others are found as always."""
        save(store, make_page(make_record("b"), make_record(text)))
        store.backlog.dealt(text, store.backlog.pending(text)[0], [make_ref(text), make_ref("b")])
        store.backlog.touch([make_ref(text)])

        assert 2 == len(store.backlog.pending(text)[1])
        assert "b" in pending(store, text)
        store.backlog.forget([text])
        assert store.backlog.readers() == frozenset()

    def test_nothing_that_is_saved_meanwhile_is_overlooked(self, store: StateStore, again: StateStore) -> None:
        """Two processes save page after page, and a reader deals with what it is told of: in the end it saw all."""
        seen: set[Ref] = set()

        def fill(one: StateStore, name: str) -> None:
            for page in range(15):
                save(one, make_page(*(make_record(f"{name}{page}-{n}") for n in range(3))))

        def look() -> None:
            mark, refs = again.backlog.pending("r")
            seen.update(refs)
            again.backlog.dealt("r", mark)

        threads = [threading.Thread(target=fill, args=each) for each in ((store, "a"), (again, "b"), (store, "c"))]
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            look()
        look()

        assert {make_ref(f"{name}{page}-{n}") for name in "abc" for page in range(15) for n in range(3)} == seen


class WaitingSuite:
    """What waits for a person."""

    def test_what_waits_comes_back_whole(self, store: StateStore, again: StateStore) -> None:
        """With who edited what, and since when; ordered by deal, name and reason."""
        values = {"hs": Money(Decimal("1.50"), "EUR"), "sf": None, "half \ud83d": "\x00"}
        edited = {"hs": Edited(START, "77"), "sf": Edited(START + HOUR)}
        one = make_blocked("stage", values=values, edited=edited, cause=Cause.MOVE)
        two = make_blocked("amount", reason="b")
        three = make_blocked("amount", reason="a", link="L2")
        four = make_blocked(deal=make_ref("7", kind=Kind.COMPANY))
        store.waiting.replace(["L1", "L2"], [one, two, three, four], START)

        assert ((four, START), (three, START), (two, START), (one, START)) == again.waiting.all()

    def test_what_waits_under_a_link_is_replaced(self, store: StateStore) -> None:
        """What waits under others stays; what waits no more is gone."""
        other = make_blocked(link="L2", deal=make_ref("2"))
        store.waiting.replace(["L1", "L2"], [make_blocked("amount"), make_blocked("name"), other], START)
        store.waiting.replace(["L1"], [make_blocked("stage")], START + HOUR)
        assert [(make_blocked("stage"), START + HOUR), (other, START)] == list(store.waiting.all())

        store.waiting.replace(["L1", "L3"], [], START)
        store.waiting.replace([], [], START)
        assert [(other, START)] == list(store.waiting.all())

    def test_what_waited_already_keeps_its_time(self, store: StateStore) -> None:
        """And says what is true now. Another name, deal or cause is another thing; so is one that was gone between."""
        later = make_blocked(reason="now for another reason", values={"hs": 1})
        store.waiting.replace(["L1"], [make_blocked()], START)
        others = [make_blocked("name"), make_blocked(deal=make_ref("2")), make_blocked(cause=Cause.REFUSED, reason="z")]
        store.waiting.replace(["L1"], [later, *others], START + HOUR)
        waiting = store.waiting.all()

        assert [START] == [each.since for each in waiting if each.item == later]
        assert [START + HOUR] * 3 == [each.since for each in waiting if each.item != later]
        store.waiting.replace(["L1"], [], START + HOUR)
        store.waiting.replace(["L1"], [later], START + 2 * HOUR)
        assert ((later, START + 2 * HOUR),) == store.waiting.all()

    def test_two_tasks_of_a_deal_that_were_refused_wait_each(self, store: StateStore, again: StateStore) -> None:
        """They are under no link, and differ in what they say; each keeps its time."""
        one, two = (make_blocked("a task", link="", cause=Cause.REFUSED, values={"hs": said}) for said in "ab")
        store.waiting.replace([""], [one], START)
        store.waiting.replace([""], [two, one], START + HOUR)

        waiting = {each.item.values["hs"]: each.since for each in again.waiting.all()}
        assert {"a": START, "b": START + HOUR} == waiting

    def test_what_is_said_again_beside_other_links_keeps_its_time(self, store: StateStore) -> None:
        """Its own link need not be named."""
        store.waiting.replace(["L1"], [make_blocked()], START)
        store.waiting.replace(["L2"], [make_blocked()], START + HOUR)

        assert ((make_blocked(), START),) == store.waiting.all()

    def test_things_that_differ_only_in_cause_or_link_come_in_one_order(self, store: StateStore) -> None:
        """Whichever was said first."""
        some = [make_blocked(link=link, cause=cause) for link in ("L1", "L2") for cause in (Cause.CONFLICT, Cause.LINK)]
        store.waiting.replace([], some, START)
        first = store.waiting.all()
        store.waiting.replace(["L1", "L2"], some[::-1], START)

        assert tuple((each, START) for each in some) == first == store.waiting.all()

    @pytest.mark.parametrize("text", HOSTILE, ids=ascii)
    def test_hostile_text_waits_like_any_other(self, store: StateStore, text: str) -> None:
        """And keeps its time."""
        item = make_blocked(text, link=text, deal=make_ref(text), reason=text, values={text: text})
        store.waiting.replace([text], [item], START)
        store.waiting.replace([text], [item], START + HOUR)

        assert ((item, START),) == store.waiting.all()
        store.waiting.replace([text], [], START)
        assert store.waiting.all() == ()

    def test_much_can_wait(self, store: StateStore) -> None:
        """Under more links than one statement can name."""
        items = [make_blocked(link=f"L{number}", deal=make_ref(f"{number:04}")) for number in range(1200)]
        links = [item.link for item in items]
        store.waiting.replace(links, items, START)
        store.waiting.replace(links, items, START + HOUR)

        assert [(item, START) for item in items] == list(store.waiting.all())


class MatchSuite:
    """What records are matched by."""

    def test_records_of_one_signature_are_found(self, store: StateStore, again: StateStore) -> None:
        """In the order of the refs; by rule and text, and nothing else."""
        other, same_text = Signature("deal: name", "Acme"), Signature("deal: key", "acme")
        hs, sf, company = make_ref("2"), make_ref("1", "sf"), make_ref("1", kind=Kind.COMPANY)
        store.matches.put({sf: [NAME], hs: [NAME, other], company: [same_text, same_text]})

        assert {NAME: (hs, sf), same_text: (company,)} == again.matches.find([NAME, same_text, Signature("x", "acme")])
        assert {hs: (other, NAME), company: (same_text,)} == again.matches.of([hs, company, make_ref("9")])
        assert ({}, {}) == (store.matches.find([]), store.matches.of([]))

    def test_signatures_replace_the_ones_a_record_had(self, store: StateStore) -> None:
        """None take them all away; records that are not named keep theirs."""
        other = Signature("deal: name", "beta")
        store.matches.put({make_ref("1"): [NAME], make_ref("2"): [NAME], make_ref("3"): [NAME]})
        store.matches.put({make_ref("1"): [other], make_ref("2"): [], make_ref("9"): []})
        store.matches.put({})

        assert {NAME: (make_ref("3"),), other: (make_ref("1"),)} == store.matches.find([NAME, other])
        assert {make_ref("1"), make_ref("3")} == set(store.matches.of([make_ref(str(n)) for n in range(10)]))

    @pytest.mark.parametrize("text", [*HOSTILE, "long " * 20_000, ""], ids=lambda text: ascii(text[:12]))
    def test_any_text_can_be_matched_by(self, store: StateStore, text: str) -> None:
        """However long, empty or hostile; what looks alike on a screen or in a database is not the same."""
        signature, near = Signature("deal: name", text), Signature("deal: name", text.replace("\x00", "\ufffd") + " ")
        store.matches.put({make_ref("1"): [signature], make_ref("2"): [near]})
        store.matches.put({make_ref(HOSTILE[1]): [NAME]})

        assert {signature: (make_ref("1"),), near: (make_ref("2"),)} == store.matches.find([signature, near])
        assert (signature,) == store.matches.of([make_ref("1"), make_ref(HOSTILE[0])])[make_ref("1")]

    def test_much_can_be_put_and_found(self, store: StateStore) -> None:
        """More than one statement can name."""
        signed = {make_ref(f"{n:04}"): [Signature("deal: name", f"n{n}"), NAME] for n in range(1200)}
        store.matches.put(signed)
        found = store.matches.find([first for first, _ in signed.values()] + [NAME])

        assert tuple(signed) == found.pop(NAME)
        assert {first: (ref,) for ref, (first, _) in signed.items()} == found
        assert {ref: tuple(sorted(each)) for ref, each in signed.items()} == store.matches.of(list(signed))
