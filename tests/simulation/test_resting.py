"""A simulated history rests once a run writes nothing; runs that write parts of what was refused go before."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from crmbridge.engine.sync.refusing import IN_PARTS
from crmbridge.model.changes import Plan
from crmbridge.testing.factories import make_change, make_plan
from crmbridge.testing.simulation.resting import MOST_RUNS, come_to_rest


def rests(*runs: str) -> bool:
    """Tell whether runs come to rest: one that `writes`, one that writes in `parts`, one that is `quiet`."""
    sent = [0]
    left: Iterator[str] = iter(runs)

    def run() -> Plan:
        kind = next(left)
        sent[0] += kind != "quiet"
        reason = IN_PARTS if kind == "parts" else "amount changed in north"
        return make_plan() if kind == "quiet" else make_plan(make_change(reason=reason))

    try:
        come_to_rest(run, lambda: sent[0])
    except AssertionError:
        return False
    return next(left, None) is None


@pytest.mark.parametrize(
    "runs",
    [
        ("quiet", "quiet"),
        ("writes", "quiet"),
        ("writes", "writes", "quiet"),
        ("parts", "parts", "writes", "writes", "quiet"),
    ],
)
def test_it_rests_once_a_run_is_quiet(runs: tuple[str, ...]) -> None:
    """The first one may be, as nothing is known before it."""
    assert rests(*runs)


@pytest.mark.parametrize("runs", [("writes",) * 3, ("parts", *("writes",) * 3), ("parts",) * MOST_RUNS])
def test_what_goes_on_writing_never_rests(runs: tuple[str, ...]) -> None:
    """Not even in parts."""
    assert not rests(*runs)
