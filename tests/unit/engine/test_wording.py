"""What is translated is compared as text, and left out of a merge only where merging would say nothing of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmbridge.engine.glance import glance_at
from crmbridge.engine.mapping import StageMapper
from crmbridge.engine.merge import Merged, Side, merge
from crmbridge.engine.sameness import canonical, same
from crmbridge.engine.views import COMPANY, CONTACTS, OWNER, STAGE, Viewer
from crmbridge.engine.wording import TRANSLATED, Wording
from crmbridge.model.findings import Place
from crmbridge.model.records import Kind, Position, Record, Ref, Status
from crmbridge.model.values import Fields, Value, fields_from_text, fields_to_text
from crmbridge.settings import FieldSync
from crmbridge.testing.factories import make_deal

LookedAt = tuple[list[tuple[Position | None, Fields]], tuple[str, ...]]
NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)
SIDES = ("s0", "s1", "s2")
TEXTS = st.sampled_from([None, "", " ", "u1", "u2", 'q"\\', "é", "\ud800", "link", ("u1",), ("u2", "u1"), ()])
POSITIONS = st.none() | st.builds(
    Position, st.just("p"), st.sampled_from(["one", "two", "unmapped"]), st.sampled_from(Status)
)
DEALS = st.tuples(POSITIONS, st.dictionaries(st.sampled_from([*TRANSLATED, "name", "extra"]), TEXTS))
LOOKED_AT = st.tuples(st.lists(DEALS, min_size=2, max_size=3), st.sampled_from([("extra",), ("extra", COMPANY)]))
SAID = st.sampled_from([None, "first", "won", "lost", "a@x.example", "é@x.example", "lnk1", ("lnk1", "lnk2"), (), ""])
BASES = st.dictionaries(st.sampled_from([*TRANSLATED, "name", "extra"]), SAID)
POLICIES = st.sampled_from(["ask", "newest", "only_if_empty", "prefer: s1"])
LINKS = {"u1": "lnk1", "u2": "lnk2", 'q"\\': "\ud800"}
USERS = {"u1": "a@x.example", "é": "é@x.example", "u2": "a@x.example"}


def viewer(name: str, *bound: str) -> Viewer:
    """Make the viewer of a connection whose stages one and two stand for the first stage of the process."""
    places = dict.fromkeys(["one", "two"], Place("first", Status.OPEN))
    natives = {"first": ("one", "two")}
    mapper = StageMapper(
        connection=name, pipeline="p", natives=natives, places=places, won=Place(None, Status.WON), last_open="one"
    )
    kinds = (Kind.COMPANY, Kind.CONTACT)
    links = {Ref(name, kind, native): link for kind in kinds for native, link in LINKS.items()}
    ids = {email: user for user, email in USERS.items()}
    return Viewer(mapper=mapper, users=USERS, ids=ids, fields=bound, around=(COMPANY, CONTACTS), links=links)


def deal_of(name: str, position: Position | None, fields: Fields) -> Record:
    """Make a deal that holds just these fields, as they are kept."""
    return replace(make_deal(connection=name, position=position), fields=fields)


def written(fields: Fields) -> Fields:
    """Give fields as they come from the store."""
    return fields_from_text(fields_to_text(fields))


def merged(deals: Sequence[Record], now: Sequence[Mapping[str, Value]], bases: Sequence[Fields], how: str) -> Merged:
    """Merge what some deals show; the first of the bases is that of their link."""
    decided, *own = bases
    sides = [
        Side(ref=deal.ref, now=shown, base=base, updated_at=NOON, held=shown)
        for deal, shown, base in zip(deals, now, own, strict=True)
    ]
    return merge("link", sides, lambda _: FieldSync(conflict=how), decided)


@pytest.mark.parametrize("kept", [written, dict])
@given(data=st.data(), looked_at=LOOKED_AT, said=BASES, how=POLICIES)
def test_what_is_left_out_says_nothing(
    kept: type[dict[str, Value]], data: st.DataObject, looked_at: LookedAt, said: Fields, how: str
) -> None:
    """Merging what the texts differ in says all that merging whole views says, whatever hangs on the deals."""
    deals, bound = looked_at
    count = len(deals)
    views = {name: viewer(name, *(bound if place != 1 else ("extra",))) for place, name in enumerate(SIDES[:count])}
    records = [deal_of(name, each[0], kept(each[1])) for name, each in zip(views, deals, strict=True)]
    shown = [views[record.ref.connection].view(record) for record in records]
    known: Fields = said if data.draw(st.booleans()) else shown[0]
    others = [known if data.draw(st.booleans()) else data.draw(BASES) for _ in records]
    bases = [kept(base) for base in (known, *others)]
    glance = glance_at(list(views.values()), lambda _: FieldSync(conflict=how))
    cuts, cut_bases = [glance.cut(record.fields) for record in records], glance.bases(bases)
    assert cut_bases is not None
    words = [Wording(views[r.ref.connection]).words(r, cut) for r, cut in zip(records, cuts, strict=True)]
    only, translated = glance.unsettled(cuts, cut_bases), glance.speaks(words, cut_bases)
    seen = [(views[r.ref.connection], r, cut) for r, cut in zip(records, cuts, strict=True)]
    now = [each.view(r, only, cut.get) if translated else each.plain(only, cut.get) for each, r, cut in seen]

    assert merged(records, shown, bases, how) == merged(records, now, cut_bases, how)


def test_what_everybody_was_known_to_hold_is_not_looked_at_again() -> None:
    """Two owners of one e-mail and two stages of one name are the same, and what one side can't tell of is nobody's."""
    views = [viewer("s0"), viewer("s1")]
    fields = [{OWNER: "u1", COMPANY: "unknown", CONTACTS: ("u1",)}, {OWNER: "u2", COMPANY: "u1", CONTACTS: ("u1",)}]
    positions = [Position("p", "one", Status.OPEN), Position("p", "two", Status.OPEN)]
    deals = [deal_of(f"s{n}", positions[n], written(fields[n])) for n in range(2)]
    base = written({STAGE: "first", OWNER: "a@x.example", CONTACTS: ("lnk1",)})
    other = written({STAGE: "first", OWNER: None, CONTACTS: ("lnk1",)})
    glance = glance_at(views, lambda _: FieldSync())
    words = [Wording(views[n]).words(deals[n], glance.cut(deals[n].fields)) for n in range(2)]

    assert (False, True) == tuple(
        glance.speaks(words, glance.bases([base, base, each]) or []) for each in (base, other)
    )


def test_what_is_bound_as_well_is_looked_at_as_a_whole() -> None:
    """A view then shows what the CRM holds where no link stands for it."""
    views = [viewer("s0", COMPANY), viewer("s1")]
    deals = [deal_of("s0", None, written({COMPANY: "unknown"})), deal_of("s1", None, written({COMPANY: "u1"}))]
    glance = glance_at(views, lambda _: FieldSync())
    words = [Wording(views[n]).words(deals[n], glance.cut(deals[n].fields)) for n in range(2)]

    assert "unknown" == views[0].view(deals[0])[COMPANY]
    assert glance.speaks(words, glance.bases([written({OWNER: None, CONTACTS: None})] * 3) or [])


ASCII = st.text(st.sampled_from("ab \r\n\t\x1c"), max_size=6)


@given(one=ASCII | st.text(max_size=4), other=ASCII | st.text(max_size=4))
def test_texts_say_the_same_if_their_canonical_form_is_one(one: str, other: str) -> None:
    """Also those that are compared without it."""
    assert (canonical(one) == canonical(other)) == same(one, other)
