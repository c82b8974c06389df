"""Finding the deals of several CRMs that are the same one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from crmbridge.engine.sync.matching import MOST_NAMED, Around, Matched, external_key, lead, link_id, signatures
from crmbridge.engine.sync.matching import match as match_around
from crmbridge.model.records import Kind, Record, Ref, Signature
from crmbridge.model.replacing import replace
from crmbridge.testing.factories import make_deal, make_ref

NORTH_LINK = link_id(make_ref(1))
BY_NAME = ("external_key", ("name", "company.domain"))


def company(connection: str, number: str, domain: str) -> Record:
    ref = Ref(connection, Kind.COMPANY, number)
    usual = make_deal()
    return Record(ref=ref, fields={"domain": domain}, version="1", updated_at=usual.updated_at)


def deal(number: str, connection: str, name: str, firm: str | None = None, key: str | None = None) -> Record:
    return make_deal(number, connection=connection, fields={"name": name, "company": firm}, key=key)


def match(
    *deals: Record,
    companies: tuple[Record, ...] = (),
    known: dict[str, tuple[Ref, ...]] | None = None,
    apart: tuple[tuple[Record, Record], ...] = (),
) -> Matched:
    """Match deals as sync does: the fresh ones against everybody; give all links, the known ones among them."""
    links = known or {}
    firms = {firm.ref: firm for firm in companies}
    signed = {one.ref: signatures(one, firms.get(_firm_of(one)), BY_NAME) for one in deals}
    alike: dict[Signature, list[Ref]] = {}
    for ref, found in sorted(signed.items()):
        for signature in found:
            alike.setdefault(signature, []).append(ref)
    linked = {ref for refs in links.values() for ref in refs}
    around = Around(
        signatures={ref: found for ref, found in signed.items() if ref not in linked},
        alike=alike,
        links=links,
        present={one.ref for one in deals},
        apart={frozenset((one.ref, other.ref)) for one, other in apart},
    )
    matched = match_around(around, BY_NAME, ("north", "south", "west"))
    return replace(matched, links={**links, **matched.links})


def _firm_of(one: Record) -> Ref:
    return Ref(one.ref.connection, Kind.COMPANY, str(one.fields.get("company")))


FIRMS = (company("north", "c1", "Acme.example"), company("south", "c9", "acme.example"))


def test_deals_of_one_name_at_one_company_are_linked() -> None:
    """Case, spaces and the way accents are written make no difference."""
    matched = match(
        deal("1", "north", "Café  rollout", "c1"), deal("2", "south", "cafe\u0301 Rollout", "c9"), companies=FIRMS
    )

    assert [(make_ref(1), make_ref(2, connection="south"))] == list(matched.links.values())
    assert not matched.single


def test_the_same_name_at_another_company_is_another_deal() -> None:
    """All parts of a rule must fit; a deal without a company fits none that asks for one."""
    matched = match(deal("1", "north", "Rollout", "c1"), deal("2", "south", "Rollout"), companies=FIRMS)

    assert not matched.links
    assert 2 == len(matched.single)


def test_two_candidates_are_never_guessed_between() -> None:
    """Two deals of one name on one side: nobody is linked, and a person is asked about each of them."""
    matched = match(
        deal("1", "north", "Rollout", "c1"),
        deal("2", "south", "Rollout", "c9"),
        deal("3", "south", "Rollout", "c9"),
        companies=FIRMS,
    )

    assert not matched.links
    assert {make_ref(1), make_ref(2, connection="south"), make_ref(3, connection="south")} == {
        item.deal for item in matched.ambiguous
    }
    assert not matched.single  # nothing that may have a counterpart is created a second time


def test_a_key_links_a_created_deal_to_the_one_it_was_made_for() -> None:
    """After a crash between creating and linking, the key in the created deal is enough."""
    origin = deal("1", "north", "Rollout", "c1")
    created = deal("7", "south", "Renamed since", key=external_key(link_id(origin.ref)))
    matched = match(origin, created)

    assert {link_id(origin.ref): (origin.ref, created.ref)} == dict(matched.links)


def test_a_key_is_stronger_than_a_name() -> None:
    """A deal that carries a key is linked by it, also where a rule would say otherwise."""
    one, two = deal("1", "north", "Rollout", "c1"), deal("2", "north", "Other", "c1")
    keyed = deal("7", "south", "Rollout", "c9", key=external_key(link_id(two.ref)))
    matched = match(one, two, keyed, companies=FIRMS)

    assert (two.ref, keyed.ref) == matched.links[link_id(two.ref)]
    assert keyed.ref not in matched.links.get(link_id(one.ref), ())


def test_a_name_does_not_take_the_place_that_a_key_just_gave() -> None:
    """The deal that was created for another one, seen for the first time together with a person's of the same name."""
    origin, created = deal("1", "north", "Rollout", "c1"), deal("7", "south", "Renamed", key=external_key(NORTH_LINK))
    matched = match(origin, created, deal("8", "south", "Rollout", "c9"), companies=FIRMS)

    assert {NORTH_LINK: (origin.ref, created.ref)} == dict(matched.links)
    assert [make_ref(8, connection="south")] == [item.deal for item in matched.ambiguous]
    assert not matched.single


def test_known_links_stay() -> None:
    """A link is kept when names part later."""
    refs = (make_ref(1), make_ref(2, connection="south"))
    matched = match(deal("1", "north", "Renamed"), deal("2", "south", "Rollout"), known={"l": refs})

    assert {"l": refs} == dict(matched.links)


def test_the_lead_is_the_deal_that_a_link_is_named_after() -> None:
    """The deal that a counterpart was made for speaks for the link, whatever the order of the refs."""
    first, second = make_ref(1, connection="south"), make_ref(2, connection="north")

    assert first == lead(link_id(first), [second, first])
    assert second == lead(link_id(first), [second])
    assert None is lead(link_id(first), [])


def test_a_deal_that_was_made_again_takes_the_place_of_the_one_that_is_gone() -> None:
    """Its counterpart on the other side is there already, so none is made a second time."""
    gone, south = make_ref(1), make_ref(2, connection="south")
    again = deal("3", "north", "Rollout", "c1")
    matched = match(again, deal("2", "south", "Rollout", "c9"), companies=FIRMS, known={"l": (gone, south)})

    assert {"l": {again.ref, south}} == {link: set(refs) for link, refs in matched.links.items()}
    assert not matched.single


def test_a_deal_with_our_key_and_no_known_origin_is_asked_about() -> None:
    """After a connection was renamed, what was created for it is no new deal, and gets no counterpart."""
    made = deal("2", "south", "Rollout", key=external_key("lnk0123456789abc"))
    matched = match(made)

    assert ([made.ref], ()) == ([item.deal for item in matched.ambiguous], matched.single)


def test_what_a_person_told_apart_is_not_asked_about_again() -> None:
    """Each of the two may be given a counterpart of its own."""
    one, other = deal("1", "north", "Rollout", "c1"), deal("2", "south", "Rollout", "c9")
    matched = match(one, other, companies=FIRMS, apart=((one, other),))

    assert ({}, (one.ref, other.ref), ()) == (matched.links, matched.single, matched.ambiguous)


def test_to_which_of_two_that_were_told_apart_a_third_belongs_is_not_guessed() -> None:
    """Nor is it given counterparts of its own, which would be there twice then."""
    firms = (*FIRMS, company("west", "c5", "acme.example"))
    one, other = deal("1", "north", "Rollout", "c1"), deal("2", "south", "Rollout", "c9")
    third = deal("3", "west", "Rollout", "c5")
    unlinked = match(one, other, third, companies=firms, apart=((one, other),))
    linked = match(one, other, third, companies=firms, apart=((one, other),), known={"l": (one.ref,)})

    assert ({}, ()) == (unlinked.links, unlinked.single)
    assert {one.ref, other.ref, third.ref} == {item.deal for item in unlinked.ambiguous}
    assert ({"l": (one.ref,)}, ()) == (linked.links, linked.single)
    assert {other.ref, third.ref} == {item.deal for item in linked.ambiguous}


def test_who_was_told_apart_from_one_may_still_be_another() -> None:
    """Of two in the other CRM it is one at most, and only a person knows whether it is the second."""
    one, two, three = (
        deal(number, side, "Rollout", firm)
        for number, side, firm in (("1", "north", "c1"), ("2", "south", "c9"), ("3", "south", "c9"))
    )
    matched = match(one, two, three, companies=FIRMS, apart=((one, two),))

    assert ({}, (two.ref,)) == (matched.links, matched.single)
    assert [one.ref, three.ref] == [item.deal for item in matched.ambiguous]


def test_a_deal_that_fits_two_links_joins_none() -> None:
    """Nor do the links become one."""
    firms = (*FIRMS, company("west", "c5", "acme.example"))
    one, other = deal("1", "north", "Rollout", "c1"), deal("2", "south", "Rollout", "c9")
    third = deal("3", "west", "Rollout", "c5")
    known = {"l": (one.ref, make_ref(8, connection="south")), "m": (make_ref(9), other.ref)}
    matched = match(one, other, third, companies=firms, known=known)

    assert (known, ()) == (matched.links, matched.single)
    assert [(third.ref, {"north": "1", "south": "2"})] == [(item.deal, item.values) for item in matched.ambiguous]


def test_a_copy_of_a_deal_that_we_made_is_asked_about() -> None:
    """It carries the key as well, and the place of the one that it was copied from is taken."""
    origin, made = deal("1", "north", "Rollout", "c1"), deal("7", "south", "Rollout", key=external_key(NORTH_LINK))
    copy = deal("10", "south", "Rollout (copy)", key=external_key(NORTH_LINK))
    refs = (origin.ref, made.ref)
    matched = match(origin, made, copy, known={NORTH_LINK: refs})

    assert ({NORTH_LINK: refs}, ()) == (matched.links, matched.single)
    (asked,) = matched.ambiguous
    assert (copy.ref, {"south": external_key(NORTH_LINK)}) == (asked.deal, asked.values)
    assert "it has the key of a deal that has another counterpart by now, as a copy of that one would" == asked.reason


def test_which_of_two_copies_was_made_for_a_deal_is_not_guessed() -> None:
    """So it is where the state is made anew: nobody knows any more which of them was linked."""
    origin, key = deal("1", "north", "Rollout", "c1"), external_key(NORTH_LINK)
    made, copy = deal("7", "south", "Rollout", key=key), deal("10", "south", "Rollout (copy)", key=key)
    matched = match(origin, made, copy)

    assert ({}, ()) == (matched.links, matched.single)
    assert {origin.ref: "10, 7", made.ref: "10", copy.ref: "7"} == {
        item.deal: item.values["south"] for item in matched.ambiguous
    }
    assert {"several have the same external_key; a person must say which belong together"} == {
        item.reason for item in matched.ambiguous
    }


def test_of_two_copies_for_a_place_in_a_link_it_is_said_whose_they_may_be() -> None:
    """None of them has the place, so none was told to have lost it; one that was told apart is nobody's."""
    origin, key = deal("1", "north", "Rollout"), external_key(NORTH_LINK)
    made, copy = deal("7", "south", "Rollout", key=key), deal("10", "south", "Rollout (copy)", key=key)
    asked = match(origin, made, copy, known={NORTH_LINK: (origin.ref,)}).ambiguous

    assert {made.ref: {"north": "1", "south": "10"}, copy.ref: {"north": "1", "south": "7"}} == {
        item.deal: dict(item.values) for item in asked
    }
    assert {"several have the same external_key; a person must say which belong together"} == {
        item.reason for item in asked
    }


def test_copies_keep_nobody_from_a_link_that_has_its_own() -> None:
    """Their place is taken, so they are asked about, and what was made for the link in a third CRM joins it."""
    key, refs = external_key(NORTH_LINK), (make_ref(1), make_ref(7, connection="south"))
    there = deal("1", "north", "Rollout"), deal("7", "south", "Rollout", key=key)
    copies = [deal(number, "south", "Rollout (copy)", key=key) for number in ("10", "11")]
    made = deal("3", "west", "Rollout", key=key)
    matched = match(*there, *copies, made, known={NORTH_LINK: refs})

    assert {NORTH_LINK: {*refs, made.ref}} == {link: set(members) for link, members in matched.links.items()}
    assert ([copy.ref for copy in copies], ()) == ([item.deal for item in matched.ambiguous], matched.single)


def test_a_link_whose_name_others_have_gets_another_one() -> None:
    """A deal that was merged away and is back finds its link with the one that stayed."""
    there = deal("5", "north", "Older"), deal("6", "south", "Older")
    known = {NORTH_LINK: (there[0].ref, there[1].ref)}
    one, other = deal("1", "north", "Rollout", "c1"), deal("2", "south", "Rollout", "c9")
    matched = match(one, other, *there, companies=FIRMS, known=known)

    assert {**known, link_id(one.ref, 1): (one.ref, other.ref)} == matched.links


def test_a_key_of_peoples_own_links_as_well() -> None:
    """The link is named after the deal of the connection that comes first in the settings, not in the alphabet."""
    east, north = deal("1", "east", "One", key="ERP-17"), deal("2", "north", "Two", key="ERP-17")
    alike = {Signature("external_key", "ERP-17"): (east.ref, north.ref)}
    around = Around(signatures={east.ref: alike, north.ref: alike}, alike=alike, links={}, present=())
    matched = match_around(around, BY_NAME, ("north", "east"))

    assert {link_id(north.ref): (north.ref, east.ref)} == matched.links


@given(st.lists(st.tuples(st.sampled_from(["north", "south", "west"]), st.sampled_from("abc")), max_size=9))
def test_a_link_never_has_two_deals_of_one_crm(drawn: list[tuple[str, str]]) -> None:
    """Whatever the names, links are between different CRMs, no deal is in two, and matching again changes nothing."""
    deals = [deal(str(n), connection, name, "c1") for n, (connection, name) in enumerate(drawn)]
    firms = tuple(company(connection, "c1", "acme.example") for connection in ("north", "south", "west"))
    matched = match(*deals, companies=firms)

    for refs in matched.links.values():
        assert len(refs) == len({ref.connection for ref in refs}) > 1
    linked = [ref for refs in matched.links.values() for ref in refs]
    assert len(linked) == len(set(linked))
    again = match(*deals, companies=firms, known=dict(matched.links))
    assert dict(matched.links) == dict(again.links)


def test_of_very_many_of_one_name_each_question_names_a_few() -> None:
    """All of them in each would be their number squared. Who was told apart leaves room for others."""
    crowd = [deal(str(number), "south", "New deal", "c9") for number in range(1_000, 1_200)]
    one = deal("1", "north", "New deal", "c1")
    first = match(one, *crowd, companies=FIRMS)
    asked = {item.deal: str(item.values["south"]).split(", ") for item in first.ambiguous}
    then = match(one, *crowd, companies=FIRMS, apart=tuple((one, other) for other in crowd[:MOST_NAMED]))
    left = {item.deal: str(item.values["south"]).split(", ") for item in then.ambiguous}

    assert 201 == len(asked)
    assert {MOST_NAMED} == {len(named) for named in asked.values()}
    assert [other.ref.id for other in crowd[:MOST_NAMED]] == asked[one.ref]
    assert [other.ref.id for other in crowd[MOST_NAMED : 2 * MOST_NAMED]] == left[one.ref]
