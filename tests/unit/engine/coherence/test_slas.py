"""What is wrong with the SLAs and calendars of a process is said at its place in the file."""

from __future__ import annotations

from typing import Any

import pytest

from crmbridge.engine.coherence.process import PROCESS_CHECKS
from crmbridge.engine.deals.activities import asks_for_activities
from crmbridge.model.process import Process
from crmbridge.testing.factories import make_calendar, make_process, make_stage

TOUCH = {"id": "touch", "name": "Touch", "kind": "first_touch", "goal": "4bh", "calendar": "office"}
ANSWER = {"id": "answer", "name": "Answer", "kind": "response", "goal": "4h", "since": "asked_at", "until": "told_at"}
FIELDS = [
    {"id": "waiting", "name": "Waiting", "type": "choice", "options": ["us", "customer"]},
    {"id": "size", "name": "Size", "type": "number"},
    {"id": "asked_at", "name": "Asked", "type": "datetime"},
    {"id": "told_at", "name": "Told", "type": "datetime"},
]


def process_of(*slas: dict[str, Any], stage: Any = None, **parts: Any) -> Process:
    """Make a process with these SLAs of its own, and those of its first stage."""
    stages = [make_stage("qualification", **(stage or {})), make_stage("care", status="won")]
    return make_process(**{"slas": slas, "stages": stages, "fields": FIELDS, **parts})


def told(process: Process) -> list[tuple[str, tuple[str | int, ...]]]:
    """Give what is wrong, and where; fields that nothing uses are left out."""
    issues = (issue for check in PROCESS_CHECKS for issue in check(process))
    return [(issue.code, issue.path) for issue in issues if issue.code != "unused-field"]


def with_sla(**sla: Any) -> dict[str, Any]:
    """Lay out the stage's own SLA."""
    return {"sla": {"goal": "1bd", "calendar": "office", **sla}}


def test_slas_that_hang_together_are_fine() -> None:
    """With everything that can be said of them."""
    goals = [{"when": {"bounds": {"field": "size", "min": 9}}, "goal": "2bd", "calendar": "office"}]
    stage = {**with_sla(goals=goals, pause_when={"waiting": ["customer"]}, re_entry="resume"), "slas": [TOUCH]}

    assert [] == told(process_of(TOUCH, ANSWER, stage=stage))


@pytest.mark.parametrize(
    ("stage", "expected"),
    [
        (with_sla(pause_when={"witing": ["us"]}), ("unknown-field", ("pause_when", "witing"))),
        (with_sla(pause_when={"waiting": ["them"]}), ("unknown-option", ("pause_when", "waiting", 0))),
        (with_sla(pause_when={"size": ["9"]}), ("wrong-field-type", ("pause_when", "size"))),
        (with_sla(calendar="offic"), ("unknown-calendar", ("calendar",))),
        (
            with_sla(goals=[{"when": {"required": ["waiting"]}, "goal": "1bd", "calendar": "shop"}]),
            ("unknown-calendar", ("goals", 0, "calendar")),
        ),
        (
            with_sla(goals=[{"when": {"required": ["wating"]}, "goal": "1bd"}]),
            ("unknown-field", ("goals", 0, "when", "required", 0)),
        ),
        (
            with_sla(goals=[{"when": {"outputs": ["report"]}, "goal": "1bd"}]),
            ("unknown-output", ("goals", 0, "when", "outputs", 0)),
        ),
    ],
)
def test_what_the_sla_of_a_stage_names_is_there(stage: Any, expected: Any) -> None:
    """Fields, their options, outputs and calendars."""
    code, path = expected

    assert [(code, ("stages", 0, "sla", *path))] == told(process_of(stage=stage))


@pytest.mark.parametrize(
    ("sla", "expected"),
    [
        ({**ANSWER, "since": "askd_at"}, ("unknown-field", ("slas", 0, "since"))),
        ({**ANSWER, "until": "size"}, ("wrong-field-type", ("slas", 0, "until"))),
        ({**TOUCH, "when": {"required": ["wating"]}}, ("unknown-field", ("slas", 0, "when", "required", 0))),
        ({**TOUCH, "when": {"outputs": ["report"]}}, ("unknown-output", ("slas", 0, "when", "outputs", 0))),
    ],
)
def test_what_the_slas_of_the_process_name_is_there(sla: Any, expected: Any) -> None:
    """The two times of a response are times."""
    assert [expected] == told(process_of(sla))


def test_business_time_needs_a_calendar_that_opens() -> None:
    """Of several, one must be named; hours that begin later, or on one day only, are hours."""
    both = {"office": make_calendar(), "shop": make_calendar()}
    never = {"office": make_calendar(hours={})}
    once = {"office": make_calendar(hours={}, exceptions={"2026-06-13": ["10:00-14:00"]})}
    later = {"office": make_calendar(hours={}, hours_from={"2027-01-01": {"mon": ["10:00-14:00"]}})}
    unnamed = {key: value for key, value in TOUCH.items() if key != "calendar"}

    assert [("missing-calendar", ("slas", 0, "goal"))] == told(process_of(unnamed, calendars=both))
    assert [("never-open", ("slas", 0, "goal"))] == told(process_of(TOUCH, calendars=never))
    assert [] == told(process_of(unnamed)) == told(process_of(TOUCH, calendars=once))
    assert [] == told(process_of(TOUCH, calendars=later))


def test_ids_are_told_apart() -> None:
    """From other rules of the stage, from other SLAs of the process, and from what they would be mistaken for."""
    rule = {"id": "touch", "check": {"required": ["waiting"]}}

    assert [("duplicate-id", ("stages", 0, "slas", 0, "id"))] == told(
        process_of(stage={"exit": [rule], "slas": [TOUCH]})
    )
    assert [("duplicate-id", ("slas", 1, "id"))] == told(process_of(TOUCH, TOUCH))
    assert [("reserved-id", ("stages", 0, "slas", 0, "id"))] == told(
        process_of(stage={"slas": [{**TOUCH, "id": "sla"}]})
    )
    stages = [make_stage("sla"), make_stage("care", status="won")]
    assert [("reserved-id", ("stages", 0, "id"))] == told(process_of(TOUCH, stages=stages))
    assert [] == told(process_of(stages=stages))


@pytest.mark.parametrize(
    "sla",
    [
        {**TOUCH, "kind": "response"},
        {**TOUCH, "since": "asked_at", "until": "told_at"},
        {**ANSWER, "types": ["email"]},
        {**TOUCH, "goal": "soon"},
        {**TOUCH, "warn_at": ["180%"]},
        {**TOUCH, "pause_when": {"waiting": []}},
        {**TOUCH, "kind": "second_touch"},
    ],
)
def test_what_a_kind_can_not_say_is_refused(sla: dict[str, Any]) -> None:
    """While the file is read."""
    with pytest.raises(ValueError, match="validation error"):
        process_of(sla)


def test_every_sla_can_be_bound() -> None:
    """Those of the process begin with sla, those of a stage with the stage."""
    ids = process_of(TOUCH, stage={**with_sla(), "slas": [TOUCH]}).rule_ids()

    assert {"sla.touch", "qualification.sla", "qualification.touch"} < set(ids)


def test_activities_are_pulled_for_slas_that_look_at_them() -> None:
    """A response looks at two fields."""
    assert asks_for_activities(process_of(TOUCH))
    assert asks_for_activities(process_of(stage={"slas": [TOUCH]}))
    assert not asks_for_activities(process_of(ANSWER))
    assert asks_for_activities(process_of({**ANSWER, "when": {"activities": {"at_least": 1}}}))
