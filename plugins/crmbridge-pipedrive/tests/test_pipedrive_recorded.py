"""Real replies go through the adapter's own decoding; they are read where they are, and never copied here."""

import json
import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from crmbridge.errors import AuthenticationError, RefusedError
from crmbridge.http import Reply, load_json
from crmbridge.model.records import Position, Status
from crmbridge.model.values import Money
from crmbridge_pipedrive.account import DealFields
from crmbridge_pipedrive.api import data_of, next_cursor, rows_of
from crmbridge_pipedrive.history import changelog_steps, flow_steps
from crmbridge_pipedrive.mapping import DealReader, person_record
from crmbridge_pipedrive.standard import Surroundings
from crmbridge_pipedrive.verdicts import judge

BESIDE = Path(__file__).parents[4] / "shared" / "recorded"
FOLDER = Path(os.environ.get("CRMBRIDGE_RECORDED") or BESIDE) / "pipedrive"
pytestmark = pytest.mark.skipif(not FOLDER.is_dir(), reason="the recorded replies are not here (CRMBRIDGE_RECORDED)")

TRIMMED = {"owner_id", "lost_reason", "expected_close_date", "participants", "update_time"}  # by who recorded them
READER = DealReader(
    connection="pd",
    currency="EUR",
    fields=DealFields(definitions=(), bound={}, key=None, channels={}),
    company="acme",
)


def reply(name: str) -> Reply:
    """Give a recorded answer as the HTTP client would."""
    recorded = load_json((FOLDER / f"{name}.json").read_bytes())["response"]
    text = json.dumps(recorded["body"], default=str)
    return Reply(recorded["status"], httpx.Headers(recorded.get("headers") or {}), recorded["body"], text)


@pytest.mark.parametrize("name", ["v2_deals_list_trimmed_2026", "v2_deal_get_include_labels_trimmed_2026"])
def test_deals(name: str) -> None:
    """Recorded deals are read; what was trimmed from them is a problem, not a failure."""
    answer = reply(name)
    rows = rows_of(answer) if isinstance(data_of(answer), list) else [data_of(answer)]
    records = [READER.record(row, Surroundings()) for row in rows]

    for row, record in zip(rows, records, strict=True):
        assert Money(Decimal(row["value"]), row["currency"]) == record.fields["amount"]
        assert Position(str(row["pipeline_id"]), str(row["stage_id"]), Status.OPEN) == record.position
        assert TRIMMED == {problem.path for problem in record.problems}
    assert None is next_cursor(answer)


def test_a_person() -> None:
    """A recorded person has a name and its primary address."""
    record = person_record(data_of(reply("v2_person_create_trimmed_2026")), "pd")

    assert ("Skill Doc Test Person", "skilldoc@example.com") == (record.fields["name"], record.fields["email"])
    assert () == record.problems


def test_a_flow_with_a_stage_move() -> None:
    """Activities, planned ones first, notes and stage names in the feed do not disturb the one move in it."""
    steps = flow_steps(rows_of(reply("v1_deal_flow_stage_move_2026")))

    assert [("stage_id", "10", "11")] == [(step.field, step.before, step.after) for step in steps]
    assert "2026-07-28T08:05:56+00:00" == steps[0].at.isoformat()


@pytest.mark.parametrize("name", ["v1_deal_flow_2017", "v1_deal_flow_deleted_2017"])
def test_a_flow_of_a_deleted_deal(name: str) -> None:
    """Going to `deleted` is no move, and other fields are none either."""
    rows = rows_of(reply(name))

    assert rows
    assert [] == flow_steps(rows)
    assert [] == changelog_steps(rows)


def test_an_empty_list_is_null() -> None:
    """v1 says null where a list is empty."""
    assert [] == rows_of(reply("v1_empty_list_data_null_2017"))


@pytest.mark.parametrize(
    "name",
    [
        "v1_deal_get_404_2017",
        "v1_deal_update_404_2017",
        "v1_deal_delete_repeat_410_2017",
        "v1_activity_create_400_2017",
    ],
)
def test_refusals(name: str) -> None:
    """Recorded refusals are refused, in the vendor's words."""
    answer = reply(name)
    error = judge(answer)

    assert isinstance(error, RefusedError)
    assert str(answer.body.get("error", answer.status)) in error.message


def test_errors_of_v2() -> None:
    """Errors from public threads: a bad token is a sign-in problem, the rest are refusals."""
    recorded: list[dict[str, Any]] = load_json((FOLDER / "v2_errors.json").read_bytes())["errors"]
    bodies = [(entry["status"] or 400, entry["body"]) for entry in recorded if "body" in entry]
    errors = [judge(Reply(status, httpx.Headers(), body, "")) for status, body in bodies]

    assert len(recorded) - 1 == len(errors)
    for (status, body), error in zip(bodies, errors, strict=True):
        assert isinstance(error, AuthenticationError if status == 401 else RefusedError)
        assert body["error"][:60] in error.message
