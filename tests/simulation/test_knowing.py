"""What the oracle says of what the state takes for there, or for gone."""

from __future__ import annotations

from datetime import timedelta

import pytest

from crmbridge.services.pull.pulling import pull
from crmbridge.testing.simulation.fakes import sights_of
from crmbridge.testing.simulation.knowing import judge_known
from crmbridge.testing.simulation.witness import Witness
from crmbridge.testing.workspaces import Bench, make_bench

DAY = timedelta(days=1)


@pytest.fixture
def bench() -> Bench:
    """Two CRMs that tell of a deletion for three days."""
    bench = make_bench(deals=2)
    for crm in bench.crms.values():
        crm.forgets = 3 * DAY
    pull(bench.workspace)
    return bench


def _judge(bench: Bench) -> None:
    entry = bench.workspace.project.settings.sync[0]
    judge_known(Witness(bench.crms, sights_of(bench), lambda: bench.workspace.store, entry))


def test_what_a_crm_forgot_is_gone_when_a_run_was_at_rest(bench: Bench) -> None:
    """It is looked for by its id, as nothing tells of it any more."""
    bench.crms["north"].delete_deal(bench.crms["north"].deal_ids()[0])
    bench.clock.advance(4 * DAY)
    with pytest.raises(AssertionError, match="are gone, and count as if they were there"):
        _judge(bench)
    pull(bench.workspace)

    _judge(bench)


def test_what_is_there_is_not_to_be_taken_for_gone(bench: Bench) -> None:
    """Somebody made it, and no run has seen it yet."""
    bench.crms["north"].create_deal("Rollout")

    with pytest.raises(AssertionError, match="are there, and count as if they were gone"):
        _judge(bench)
