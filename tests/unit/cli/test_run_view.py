"""What is shown of a run."""

from __future__ import annotations

from crmbridge.cli.answers import answer_run
from crmbridge.cli.output import Tinted
from crmbridge.cli.run_view import error_lines
from crmbridge.errors import RetryLaterError
from crmbridge.services.runs.cycle import Cycle
from crmbridge.services.runs.running import Ran
from crmbridge.testing.factories import make_plan
from crmbridge.testing.stores.sync import make_blocked
from crmbridge.testing.workspaces import make_bench


def test_a_connection_is_named_once() -> None:
    """Errors of the wire name it themselves, as they are also shown alone."""
    found = list(error_lines("north", RetryLaterError("north: /deals: out of order (503)")))
    said = "".join(part.text if isinstance(part, Tinted) else part for part in found[0])

    assert "north: /deals: out of order (503)" == said


def test_what_a_set_up_leaves_to_a_person_is_sent_to_no_list_that_lacks_it() -> None:
    """It is of the account, and stands in the plan; `crmbridge conflicts` would say that nothing waits."""
    cycle = Cycle(run="r1", plan=make_plan(blocked=(make_blocked(),)))
    answer = answer_run(make_bench().workspace, Ran(command="setup", exit_code=7, cycle=cycle))
    said = " ".join(map(str, (*answer.lines, *answer.shown, answer.error)))

    assert "Do what is said of each under `!`" in said
    assert "crmbridge conflicts" not in said
