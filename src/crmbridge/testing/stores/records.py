"""What every state store must do with pulled records: part of the StoreSuite."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from crmbridge.model.records import BACK, Kind, Problem, Tombstone
from crmbridge.model.values import Money, Value
from crmbridge.ports import StateStore
from crmbridge.testing.stores.makers import (
    HOUR,
    OPEN,
    START,
    WON,
    deals,
    make_move,
    make_page,
    make_record,
    make_ref,
    save,
)


class RecordSuite:
    """Records, moves and cursors."""

    def test_a_new_store_is_empty(self, store: StateStore) -> None:
        """Nothing is known before the first page."""
        assert store.records.cursors("hs").get(Kind.DEAL) is None
        assert deals(store) == {}
        assert list(store.records.moves("hs")) == []
        assert list(store.records.gone("hs")) == []

    def test_a_record_comes_back_whole(self, store: StateStore) -> None:
        """Every part and every type of value survives, and hostile text with them."""
        fields: Mapping[str, Value] = {
            "name": "Robert'); DROP TABLE records;-- \x00 \ud83d 交易 🎉",
            "amount": Money(Decimal("1200.50"), "EUR"),
            "close_date": date(2026, 3, 31),
            "owner": "77",
            "contacts": ("a", "b"),
            "activities": Decimal("3.0"),
            "last_activity_at": datetime(2026, 1, 4, 17, 30, 0, 123456, tzinfo=UTC),
            "bant.budget": True,
            "seats": 12,
            "source": None,
        }
        record = make_record(
            fields=fields,
            created_at=START - HOUR,
            key="crmbridge-1",
            url="https://crm.example/deals/1?a=b&c=%20",
            updated_by="77",
            problems=(Problem("amount_native", "'12,5x' is no number", "amount"),),
        )
        save(store, make_page(record))

        assert [record] == list(store.records.records("hs", Kind.DEAL))
        assert "3.0" == str(deals(store)["1"].fields["activities"])

    def test_amount_name_and_owner_of_another_type_are_kept(self, store: StateStore) -> None:
        """A field need not hold what its name suggests."""
        record = make_record(fields={"name": None, "amount": Decimal(7), "owner": ("a", "b"), "close_date": START})
        save(store, make_page(record))

        assert [record] == list(store.records.records("hs", Kind.DEAL))

    def test_records_come_ordered_by_id_and_kind_by_kind(self, store: StateStore) -> None:
        """Ids are text: 10 stands before 9, and upper case before lower."""
        save(store, make_page(*(make_record(id_) for id_ in ("b", "9", "10", "ä", "B"))))
        save(store, make_page(make_record("1", kind=Kind.USER, fields={})), kind=Kind.USER)
        save(store, make_page(make_record("1", connection="sf")), "sf")

        assert ["10", "9", "B", "b", "ä"] == list(deals(store))
        assert ["1"] == [record.ref.id for record in store.records.records("hs", Kind.USER)]

    def test_the_cursor_is_kept_per_connection_and_kind(self, store: StateStore) -> None:
        """One pull never moves another's cursor."""
        save(store, make_page(cursor="a"))
        save(store, make_page(cursor="b"), kind=Kind.USER)
        save(store, make_page(cursor="c"), "sf")
        save(store, make_page(cursor="d"))

        assert store.records.cursors("hs").get(Kind.DEAL) == "d"
        assert store.records.cursors("hs").get(Kind.USER) == "b"
        assert store.records.cursors("sf").get(Kind.DEAL) == "c"

    def test_a_repeated_page_changes_nothing(self, store: StateStore) -> None:
        """A page that is delivered twice leaves what it left the first time."""
        page = make_page(
            make_record("1"),
            make_record("2"),
            moves=(make_move("m1"), make_move("m2", at=START + HOUR, before=OPEN, after=WON)),
            tombstones=(Tombstone(ref=make_ref("3"), at=START),),
        )
        save(store, page)
        once = (deals(store), list(store.records.moves("hs")), list(store.records.gone("hs")))
        save(store, page, at=START + HOUR)

        assert once == (deals(store), list(store.records.moves("hs")), list(store.records.gone("hs")))

    def test_a_newer_copy_replaces_the_one_held(self, store: StateStore) -> None:
        """All of it: what the newer copy does not have is gone."""
        save(store, make_page(make_record(fields={"name": "Old", "source": "web"}, key="k", url="u")))
        newer = make_record(fields={"name": "New"}, updated_at=START + HOUR, version="v2")
        save(store, make_page(newer))

        assert {"1": newer} == deals(store)

    def test_who_changed_a_record_is_known(self, store: StateStore) -> None:
        """As the newest copy says it, though it says nothing else that is new."""
        for version, by in (("v1", "77"), ("v2", "78"), ("v3", None)):
            record = make_record(version=version, updated_by=by)
            save(store, make_page(record))
            assert {"1": record} == deals(store)

    def test_a_copy_of_the_same_time_replaces_the_one_held(self, store: StateStore) -> None:
        """A CRM that counts in seconds can change a record twice in one."""
        save(store, make_page(make_record()))
        again = make_record(fields={"name": "Same second"}, version="v2")
        save(store, make_page(again))

        assert {"1": again} == deals(store)

    def test_an_older_copy_does_not_replace_a_newer_one(self, store: StateStore) -> None:
        """A stale search index costs nothing; the deal keeps its moves too, and the cursor goes on."""
        newer = make_record(updated_at=START + HOUR, version="v2")
        moves = (make_move("m1"), make_move("m2", at=START + HOUR, before=OPEN, after=WON))
        save(store, make_page(newer, moves=moves))
        save(store, make_page(make_record(), moves=moves[:1], cursor="later"))
        store.records.put([make_record()])

        assert {"1": newer} == deals(store)
        assert moves == store.records.moves_of(make_ref())
        assert store.records.cursors("hs").get(Kind.DEAL) == "later"

    def test_of_two_copies_in_one_page_the_newer_one_stays(self, store: StateStore) -> None:
        """Whichever stands first."""
        newer = make_record(updated_at=START + HOUR, version="v2")
        save(store, make_page(make_record(), newer, make_record()))

        assert {"1": newer} == deals(store)

    def test_ids_that_no_database_tells_apart_do_not_end_a_pull(self, store: StateStore) -> None:
        """Half a surrogate pair in an id is kept as its replacement, which may be another record's id."""
        save(store, make_page(make_record("a\ud83d"), make_record("a\ufffd"), make_record("b")))
        moves = (make_move("x\ud83d"), make_move("x\ufffd", before=OPEN, after=WON))
        save(store, make_page(make_record(), moves=moves))

        assert "b" in deals(store)
        assert "a\ufffd" in deals(store)
        assert store.records.moves_of(make_ref())[-1].after == WON

    def test_a_page_may_bring_what_hangs_on_its_records(self, store: StateStore) -> None:
        """Of another kind than what was asked for; what is held is replaced all the same."""
        save(store, make_page(make_record(kind=Kind.COMPANY)), kind=Kind.COMPANY)
        newer = make_record(kind=Kind.COMPANY, fields={"name": "later"}, updated_at=START + HOUR)
        save(store, make_page(make_record("2"), newer))

        assert [newer] == list(store.records.records("hs", Kind.COMPANY))

    def test_put_replaces_records_and_leaves_cursor_and_moves(self, store: StateStore) -> None:
        """What was read outside a pull is no page."""
        save(store, make_page(make_record(), moves=(make_move(),), cursor="c1"))
        read = make_record(version="v2", updated_at=START + HOUR)
        store.records.put([read, make_record("2")])

        assert {"1": read, "2": make_record("2")} == deals(store)
        assert store.records.cursors("hs").get(Kind.DEAL) == "c1"
        assert (make_move(),) == store.records.moves_of(make_ref())


class MoveSuite:
    """Moves, and the pages that bring them."""

    def test_moves_come_deal_by_deal_and_oldest_first(self, store: StateStore) -> None:
        """Two moves of one instant keep the CRM's order."""
        first = make_move("z", by="77")
        second = make_move("a", before=OPEN, after=WON)
        third = make_move("m", at=START + HOUR, before=WON, after=OPEN)
        other = make_move("z", deal="10")
        page = make_page(make_record("1"), make_record("10"), moves=(third, first, other, second))
        save(store, page)

        assert (first, second, third) == store.records.moves_of(make_ref())
        assert [(make_ref("1"), (first, second, third)), (make_ref("10"), (other,))] == list(store.records.moves("hs"))
        assert store.records.moves_of(make_ref("2")) == ()
        asked = [make_ref("2"), make_ref("10"), make_ref("1"), make_ref("1", kind=Kind.COMPANY)]
        assert {make_ref("1"): (first, second, third), make_ref("10"): (other,)} == store.records.moves_for(asked)

    def test_the_moves_in_a_page_replace_the_deals_moves(self, store: StateStore) -> None:
        """A page has all moves of the deals that moved; a deal that comes without moves keeps what was known."""
        both = (make_record("1"), make_record("2"))
        save(store, make_page(*both, moves=(make_move("m1"), make_move("m2"), make_move("m1", deal="2"))))
        save(store, make_page(make_record("1"), moves=(make_move("m3"),)))

        save(store, make_page(make_record("1", version="later")))
        assert ["m3"] == [move.id for move in store.records.moves_of(make_ref("1"))]
        assert ["m1"] == [move.id for move in store.records.moves_of(make_ref("2"))]

    def test_moves_may_come_before_their_deal(self, store: StateStore) -> None:
        """A page with the deal replaces them all the same."""
        save(store, make_page(moves=(make_move("seen early", before=OPEN, after=WON),)))
        moves = (make_move(at=START - HOUR), make_move("m2", before=OPEN, after=WON))
        save(store, make_page(make_record(), moves=moves))

        assert {make_ref(): moves} == dict(store.records.moves("hs"))

    def test_moves_beside_records_that_are_new_replace_another_deals(self, store: StateStore) -> None:
        """The page need not bring that deal again."""
        save(store, make_page(make_record(), moves=(make_move(at=START - HOUR),)))
        moves = (make_move("m2", before=OPEN, after=WON),)
        save(store, make_page(make_record("2"), moves=moves))

        assert moves == store.records.moves_of(make_ref())

    def test_a_deal_that_was_gone_and_is_there_again_says_so_in_its_base(self, store: StateStore) -> None:
        """Beside what stands there. Not one that was never gone, that is gone still, or of which an old copy comes."""
        names = ["held", "stone", "there", "gone", "old"]
        refs = {name: make_ref(name) for name in names}
        held = [make_record(name, updated_at=START + HOUR) for name in names if name != "stone"]
        save(store, make_page(*held))
        save(store, make_page(tombstones=[Tombstone(ref=refs[n], at=START) for n in names if n != "there"]))
        store.links.save_bases({refs["held"]: {"name": "A"}})
        back = [make_record(name, updated_at=START + HOUR) for name in ("held", "stone", "there")]
        save(store, make_page(*back, make_record("old", updated_at=START)))

        assert {refs["held"]: {"name": "A", BACK: True}, refs["stone"]: {BACK: True}} == store.links.bases()


class AskingSuite:
    """Records that are asked for by their refs."""

    def test_get_finds_what_is_known_however_much_is_asked_for(self, store: StateStore) -> None:
        """Unknown refs are left out."""
        known = [make_record(str(number)) for number in range(1200)]
        save(store, make_page(*known))
        refs = [make_ref(str(number)) for number in range(1500)] + [make_ref("1", "sf"), make_ref("1", kind=Kind.USER)]

        assert {record.ref: record for record in known} == store.records.get(refs)
        assert store.records.get([]) == {}

    @pytest.mark.parametrize("text", ["a\x00b", "half \ud83d"], ids=ascii)
    def test_ids_that_no_database_keeps_can_be_asked_for(self, store: StateStore, text: str) -> None:
        """Somebody may type one, or a CRM send it: it ends nothing, and the others are found as always."""
        tombstone = Tombstone(ref=make_ref("2"), at=START)
        save(store, make_page(make_record("1"), moves=(make_move(),), tombstones=(tombstone,)))
        asked = [make_ref(text), make_ref("1"), make_ref("2")]

        assert {make_ref("1"): make_record("1")} == store.records.get(asked) == store.records.last_known(asked)
        assert {make_ref("1"): (make_move(),)} == store.records.moves_for(asked)
        assert {make_ref("2"): tombstone} == store.records.tombstones(asked)
        assert store.records.moves_of(make_ref(text)) == ()

    def test_records_are_found_by_a_part_of_their_name(self, store: StateStore) -> None:
        """Whatever the case, of one connection and kind, in order, and no more than are wanted."""
        names = {"1": "Straße 9", "2": "STRASSE 10", "3": None, "4": "100 % off", "5": "Strasse, gone"}
        records = [make_record(number, fields={"name": name}) for number, name in names.items()]
        save(store, make_page(*records))
        save(store, make_page(tombstones=[Tombstone(ref=make_ref("5"), at=START)]))
        named = store.records.named

        assert named("hs", Kind.DEAL, "strasse", 9) == (make_ref("1"), make_ref("2"))
        assert named("hs", Kind.DEAL, "strasse", 1) == (make_ref("1"),)
        assert named("hs", Kind.DEAL, "%", 9) == (make_ref("4"),)
        assert named("hs", Kind.COMPANY, "strasse", 9) == named("sf", Kind.DEAL, "strasse", 9) == ()

    def test_it_is_known_when_a_kind_was_pulled_last(self, store: StateStore) -> None:
        """The time of its newest page."""
        assert store.records.pulled_at("hs", Kind.DEAL) is None
        for at in (START, START + HOUR):
            store.records.save_page("hs", Kind.DEAL, make_page(), at)

        assert store.records.pulled_at("hs", Kind.DEAL) == START + HOUR
        assert store.records.pulled_at("hs", Kind.COMPANY) is None


class TombstoneSuite:
    """Records that are gone, and the ones that come back."""

    def test_a_tombstone_takes_a_record_away(self, store: StateStore) -> None:
        """It is neither listed nor found any more."""
        save(store, make_page(make_record("1"), make_record("2")))
        tombstone = Tombstone(ref=make_ref("1"), at=START + HOUR)
        save(store, make_page(tombstones=(tombstone,)))

        assert ["2"] == list(deals(store))
        assert store.records.get([make_ref("1")]) == {}
        assert [tombstone] == list(store.records.gone("hs"))
        assert list(store.records.gone("sf")) == []

    def test_a_tombstone_of_an_unknown_record_is_kept(self, store: StateStore) -> None:
        """A deal can be gone before it was ever pulled."""
        tombstone = Tombstone(ref=make_ref("9"), at=START)
        save(store, make_page(tombstones=(tombstone,)))

        assert [tombstone] == list(store.records.gone("hs"))
        assert deals(store) == {}

    def test_a_record_that_is_gone_is_known_as_it_was(self, store: StateStore) -> None:
        """For who asks for it; of one that was never pulled nothing is known."""
        tombstones = tuple(Tombstone(ref=make_ref(id_), at=START) for id_ in ("1", "9"))
        save(store, make_page(make_record("1"), make_record("2")))
        save(store, make_page(tombstones=tombstones))
        refs = [make_ref("1"), make_ref("2"), make_ref("8"), make_ref("9")]

        assert {make_ref(id_): make_record(id_) for id_ in ("1", "2")} == store.records.last_known(refs)
        assert {each.ref: each for each in tombstones} == store.records.tombstones(refs)

    def test_a_tombstone_keeps_what_the_record_was_merged_into(self, store: StateStore) -> None:
        """Also when it is delivered again without saying so."""
        into = make_ref("a/b:2")
        save(store, make_page(make_record("1"), make_record("a/b:2")))
        save(store, make_page(tombstones=(Tombstone(ref=make_ref("1"), at=START, merged_into=into),)))
        save(store, make_page(tombstones=(Tombstone(ref=make_ref("1"), at=START + HOUR),)))

        assert [Tombstone(ref=make_ref("1"), at=START + HOUR, merged_into=into)] == list(store.records.gone("hs"))

    def test_a_record_that_comes_back_lives_again(self, store: StateStore) -> None:
        """A deal restored from the bin is a deal, even with the time it had before."""
        merged = Tombstone(ref=make_ref("1"), at=START + HOUR, merged_into=make_ref("2"))
        save(store, make_page(make_record("1")))
        save(store, make_page(tombstones=(merged, Tombstone(ref=make_ref("3"), at=START))))
        save(store, make_page(make_record("1"), make_record("3")))

        assert ["1", "3"] == list(deals(store))
        assert list(store.records.gone("hs")) == []

        save(store, make_page(tombstones=(Tombstone(ref=make_ref("1"), at=START + 2 * HOUR),)))

        assert [Tombstone(ref=make_ref("1"), at=START + 2 * HOUR)] == list(store.records.gone("hs"))

    def test_an_older_copy_does_not_bring_a_record_back(self, store: StateStore) -> None:
        """What an index still shows of a deleted deal is not the deal."""
        save(store, make_page(make_record("1", updated_at=START + HOUR)))
        save(store, make_page(tombstones=(Tombstone(ref=make_ref("1"), at=START + 2 * HOUR),)))
        save(store, make_page(make_record("1")))

        assert deals(store) == {}

    def test_a_record_with_its_tombstone_in_one_page_is_gone(self, store: StateStore) -> None:
        """Two lists of one CRM may disagree for a moment."""
        save(store, make_page(make_record("1"), tombstones=(Tombstone(ref=make_ref("1"), at=START),)))

        assert deals(store) == {}
