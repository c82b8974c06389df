"""The first look at a link leaves out only what merging would say nothing of."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmbridge.engine.sync.glance import Glance
from crmbridge.engine.sync.merge import Merged, Side, decided_ref, merge
from crmbridge.model.cuts import Cut
from crmbridge.model.records import Ref
from crmbridge.model.values import Fields, Money, Value, fields_from_text, fields_to_text, is_empty
from crmbridge.settings import FieldSync
from crmbridge.testing.factories import make_ref

NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)
NAMES = ("a", "b", "c", "d")
NUMBERS = [Decimal(text) for text in ("1", "1.0", "1.00", "10", "1.50", "1.5", "-1.5", "-0", "0.00", "1E+1")]
AMOUNTS = [Money(Decimal(text), name) for text in ("1", "1.0", "10") for name in ("EUR", "USD", 'E"R', "X.0")]
PLAIN: list[Value] = [None, "", "p", "p ", "P", '{"decimal":"1"}', 1, True, ("x", "y"), (), NOON]
VALUES = st.sampled_from(PLAIN) | st.sampled_from(NUMBERS) | st.sampled_from(AMOUNTS)
MISSING: Mapping[str, Value] = {}
BASES = st.dictionaries(st.sampled_from(NAMES), VALUES)
DEALS = st.fixed_dictionaries({"a": VALUES}, optional=dict.fromkeys(NAMES[1:], VALUES))
LINKS = st.lists(st.tuples(DEALS, BASES), min_size=2, max_size=3)
POLICIES = st.sampled_from(["ask", "newest", "only_if_empty", "prefer: s1"])


def stored(fields: Fields) -> Fields:
    """Give fields as they come from the store."""
    return fields_from_text(fields_to_text(fields).encode())


def cut(glance: Glance, *bases: Fields) -> list[Cut]:
    """Give what a first look needs of bases that say nothing more than which values they have."""
    found = glance.bases(bases)
    assert found is not None
    return found


def merged(
    deals: Sequence[Fields], bases: Sequence[Fields], decided: Fields, conflict: str, only: Collection[str] = NAMES
) -> Merged:
    """Merge these fields of some deals; one that a deal lacks is empty."""
    sides = []
    for number, (deal, base) in enumerate(zip(deals, bases, strict=True)):
        now = {name: None if is_empty(value := deal.get(name)) else value for name in only}
        sides.append(Side(ref=make_ref(connection=f"s{number}"), now=now, base=base, updated_at=NOON, held=now))
    return merge("link", sides, lambda _: FieldSync(conflict=conflict), decided)


@pytest.mark.parametrize("kept", [stored, dict])
@given(links=LINKS, decided=BASES, like=st.booleans(), conflict=POLICIES)
def test_what_is_left_out_says_nothing(
    kept: type[dict[str, Value]], links: list[tuple[Fields, Fields]], decided: Fields, conflict: str, *, like: bool
) -> None:
    """Merging the fields that a first look names says all that merging every field says, whatever a store gives."""
    deals = [kept(deal) for deal, _ in links]
    bases = [kept(decided if like else base) for _, base in links]
    known = kept(decided)
    glance = Glance(NAMES, frozenset())
    only = glance.unsettled(map(glance.cut, deals), cut(glance, known, *bases))

    assert merged(deals, bases, known, conflict) == merged(deals, bases, known, conflict, only)


@pytest.mark.parametrize(
    ("one", "other", "differ"),
    [
        (Decimal("1.5"), Decimal("1.500"), False),
        (Decimal(1), Decimal("1.00"), False),
        (Money(Decimal("2.50"), "EUR"), Money(Decimal("2.5"), "EUR"), False),
        (Decimal(1), Decimal(10), True),
        (Decimal("1.5"), Decimal("-1.5"), True),
        (Money(Decimal(1), "EUR"), Money(Decimal("1.0"), "USD"), True),
        (Decimal(1), Money(Decimal(1), "EUR"), True),
    ],
)
def test_zeros_at_the_end_of_a_number_need_no_merging(one: Value, other: Value, differ: bool) -> None:  # noqa: FBT001
    """A number is told from itself with other zeros at its end without being read; from another one it differs."""
    glance = Glance(["a"], frozenset())
    deals = [glance.cut(stored({"a": value})) for value in (one, other)]

    assert ({"a"} if differ else set()) == glance.unsettled(
        deals, cut(glance, stored({"a": one}), stored({"a": other}))
    )


@given(deals=st.lists(DEALS, min_size=2, max_size=3), twins=st.booleans(), conflict=POLICIES)
def test_what_is_agreed_on_at_once_is_what_merging_agrees_on(
    deals: list[Fields], conflict: str, *, twins: bool
) -> None:
    """Of deals that were linked just now, the fields held alike are agreed on, and all others are merged."""
    held = [stored(deals[0] if twins else deal) for deal in deals]
    glance = Glance(NAMES, frozenset())
    settled, others = glance.settled([glance.cut(deal) for deal in held])
    rest = merged(held, [MISSING] * len(held), MISSING, conflict, others)
    whole = merged(held, [MISSING] * len(held), MISSING, conflict)
    refs = [decided_ref("link"), *(make_ref(connection=f"s{number}") for number in range(len(held)))]
    agreed: dict[Ref, dict[str, Value]] = {ref: {**settled, **rest.agreed.get(ref, {})} for ref in refs}

    assert whole.agreed == {ref: fields for ref, fields in agreed.items() if fields}
    assert (whole.edits, whole.blocked) == (rest.edits, rest.blocked)


@pytest.mark.parametrize("kept", [stored, dict])
@pytest.mark.parametrize(
    ("mark", "known"), [("@form:a", False), ("@sent:a", False), ("@had", False), ("@version", True)]
)
def test_a_base_that_says_more_is_looked_at_as_a_whole(kept: type[dict[str, Value]], mark: str, *, known: bool) -> None:
    """What a CRM made of a value, or that one of the deals is gone, can't be told by a first look."""
    plain = {"a": "p"}
    glance = Glance(("a",), frozenset())
    marked = kept({**plain, mark: "x"})
    found = glance.bases([kept(plain), marked, kept(plain)])

    assert known == (found is not None)


def test_equal_fields_are_left_out_and_others_are_not() -> None:
    """Also those that only some of the connections have."""
    glance = Glance(("a", "b", "c"), frozenset({"z"}))
    deals = [stored({"a": date(2026, 1, 1), "b": "p"}), stored({"a": date(2026, 1, 1), "b": "q", "c": None})]
    base = stored({"a": date(2026, 1, 1), "b": "p", "c": None})

    assert {"b", "z"} == glance.unsettled(map(glance.cut, deals), cut(glance, base, base, base))
