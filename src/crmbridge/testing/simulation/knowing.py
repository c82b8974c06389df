"""What the state says is there: at rest, each deal that is, and none that is gone, whatever the CRM told of it."""

from __future__ import annotations

from crmbridge.model.records import Kind
from crmbridge.testing.simulation.witness import Witness


def judge_known(seen: Witness) -> None:
    """Check that the state has just the deals that the CRMs have; a CRM that is left out now tells of none."""
    deals = seen.deals()
    told = [connection for connection in seen.crms if connection not in seen.left_out.connections]
    known = {record.ref for each in told for record in seen.store.records.records(each, Kind.DEAL)}
    there = {ref for ref in deals if ref.connection in told}
    gone, unknown = sorted(known - there), sorted(there - known)
    assert not gone, f"P1: {gone} are gone, and count as if they were there"
    assert not unknown, f"P1: {unknown} are there, and count as if they were gone"
