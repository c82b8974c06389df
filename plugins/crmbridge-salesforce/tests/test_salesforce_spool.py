"""What lies beside all deals is put down in any order, and given back deal by deal."""

from __future__ import annotations

from contextlib import closing

from hypothesis import given
from hypothesis import strategies as st

from crmbridge_salesforce.moves import in_order
from crmbridge_salesforce.spool import Spool

DEALS = ("", "006A", "006B", "006C")
CONTACTS = st.tuples(st.sampled_from(DEALS), st.sampled_from(("", "003A", "003B", "003C")))
TIMES = st.sampled_from(("2026-06-10T12:00:00.000Z", "2026-06-10T12:00:01.000Z", "2026-06-11T12:00:00.000Z"))
ROWS = st.tuples(st.sampled_from(DEALS), TIMES, st.sampled_from(("008A", "008B", "017A")))
LOTS = st.lists(st.lists(ROWS, max_size=6), max_size=3)


@given(LOTS, st.lists(st.lists(CONTACTS, max_size=6), max_size=3), st.sets(st.sampled_from(DEALS[1:])))
def test_what_was_put_down_is_given_back_once(
    history: list[list[tuple[str, str, str]]], roles: list[list[tuple[str, str]]], asked: set[str]
) -> None:
    """Each row once, however often a job gave it, as where the org is asked; only of the deals that are asked for."""
    with closing(Spool()) as spool:
        for rows in history:
            spool.add_history((*row, f"stage of {row[2]}", "005A") for row in rows)
        for pairs in roles:
            spool.add_roles(pairs)
        spool.seal()
        contacts, snapshots = spool.contacts(sorted(asked)), spool.history(sorted(asked))

    put_down = {row for rows in history for row in rows if row[0] in asked}
    told = {deal: {(at, i, f"stage of {i}", "005A") for of, at, i in put_down if of == deal} for deal, _, _ in put_down}
    on_deals = {pair for pairs in roles for pair in pairs if pair[0] in asked and pair[1]}
    assert on_deals == {(deal, contact) for deal, found in contacts.items() for contact in found}
    assert all(list(found) == sorted(set(found)) for found in contacts.values())
    assert {deal: in_order(found) for deal, found in told.items()} == snapshots
