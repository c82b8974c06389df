"""The settings' models: what they take, what they refuse, and which entry counts."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from crmbridge.settings import Binding, FieldSync, NativeIds, Report, ScheduleEntry, Secret, StageMap, Sync
from crmbridge.testing.factories import make_settings


class Ids(BaseModel):
    """One value of the type that native ids are read by."""

    ids: NativeIds


def refusal(model: type[BaseModel], **values: Any) -> str:
    with pytest.raises(ValidationError) as caught:
        model.model_validate(values)
    return str(caught.value)


# ── Bindings ────────────────────────────────────────────────────────────────────────────────────────────


def counting(rule: str, connection: str, *bindings: dict[str, Any]) -> str | None:
    """Give the action of the binding that counts."""
    found = make_settings(enforce=list(bindings)).binding(rule, connection)
    return found.action if found else None


def test_of_several_bindings_the_last_that_matches_counts() -> None:
    """So the general ones stand first, and the exceptions after them."""
    rules = [{"rule": "*", "action": "warn"}, {"rule": "qualification.*", "action": "task"}]

    assert "task" == counting("qualification.bant", "north", *rules)
    assert "warn" == counting("proposal.sla", "north", *rules)
    assert "warn" == counting("qualification.bant", "north", *reversed(rules))
    assert counting("qualification.bant", "north") is None


def test_a_binding_speaks_of_its_connections() -> None:
    """Of all, when it names none."""
    rules = [{"rule": "*", "action": "audit"}, {"rule": "*", "on": ["south"], "action": "note"}]

    assert ["audit", "note"] == [counting("move", name, *rules) for name in ("north", "south")]


@pytest.mark.parametrize(
    ("pattern", "rule", "matches"),
    [
        ("qualification.bant", "qualification.bant", True),
        ("qualification.bant", "qualification.bant2", False),
        ("qualification.*", "qualification.sla", True),
        ("qualification.*", "requalification.sla", False),
        ("*.sla", "proposal.sla", True),
        ("*.sla", "proposal.slack", False),
        ("*.sla", "proposal_sla", False),  # a dot is a dot
        ("*", "move", True),
        ("q*n.*t", "qualification.bant", True),
        ("qualification", "qualification.bant", False),
        ("(a+)+$", "aaaa", False),  # no regular expression
    ],
)
def test_a_star_stands_for_any_run_of_characters(pattern: str, rule: str, matches: bool) -> None:  # noqa: FBT001  a column of the table
    """And every other character for itself, from the beginning to the end."""
    assert matches is Binding(rule=pattern).matches(rule, "north")


def test_only_the_action_field_takes_a_field() -> None:
    """Either without the other would do nothing."""
    assert "flag" == Binding(rule="*", action="field", field="flag", value="{rule}").field
    assert "action: field needs `field`" in refusal(Binding, rule="*", action="field")
    assert "action: field needs `field`" in refusal(Binding, rule="*", action="task", field="flag")


# ── How fields are kept in step ─────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "preferred"),
    [("newest", None), ("ask", None), ("prefer: north", "north"), ("prefer:north_2", "north_2"), ("prefer:   n", "n")],
)
def test_a_conflict_has_a_policy(text: str, preferred: str | None) -> None:
    """The newest edit, a connection that wins, or a person who is asked."""
    assert preferred == FieldSync(conflict=text).preferred


@pytest.mark.parametrize("text", ["oldest", "prefer", "prefer:", "prefer: North", "prefer north", "newest ", ""])
def test_other_policies_are_refused(text: str) -> None:
    """A typo must not turn into the usual policy."""
    assert "conflict" in refusal(FieldSync, conflict=text)


def test_a_field_has_its_own_policy_or_the_stars() -> None:
    """And where neither is set, a person is asked."""
    fields = {"amount": {"conflict": "newest"}, "*": {"conflict": "prefer: north"}}
    sync = Sync.model_validate({"name": "main", "between": ["north", "south"], "fields": fields})
    bare = sync.model_copy(update={"fields": {}})

    assert ["newest", "prefer: north"] == [sync.policy(name).conflict for name in ("amount", "name")]
    assert "ask" == bare.policy("amount").conflict


def test_a_sync_is_between_two_at_least() -> None:
    """One connection is always in step with itself; and nothing is ever deleted."""
    assert "between" in refusal(Sync, name="main", between=["north"])
    assert "delete" in refusal(Sync, name="main", between=["north", "south"], delete="always")


# ── Native ids ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("written", "ids"),
    [(7, ("7",)), ("7", ("7",)), ([7, "8"], ("7", "8")), ("a b", ("a b",))],
)
def test_native_ids_are_text(written: Any, ids: tuple[str, ...]) -> None:
    """However they are written: one or several, with quotes or as numbers."""
    assert ids == Ids(ids=written).ids


@pytest.mark.parametrize("written", [[], True, [True], 1.5, None, {"id": 7}])
def test_what_is_no_id_is_refused(written: Any) -> None:
    """YAML's `yes` is no id, and none at all is too few."""
    refusal(Ids, ids=written)


def test_a_pipeline_can_be_a_number() -> None:
    """Pipedrive's are."""
    assert "1" == StageMap.model_validate({"pipeline": 1, "map": {"won": 5}}).pipeline
    refusal(StageMap, pipeline=True, map={})


# ── Times ───────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("cron", ["*/15 8-19 * * mon-fri", "0 9 L * *", "0 0 29 2 *", "30 7 * * 1#1"])
def test_a_cron_expression_is_taken(cron: str) -> None:
    """As crontab knows them, and the last day of a month."""
    assert cron == ScheduleEntry(run="cycle", cron=cron).cron


@pytest.mark.parametrize(
    "cron", ["", "hourly", "* * * *", "61 * * * *", "0 25 * * *", "*/0 * * * *", "0 0 5L/2 * *", "0 0 31 2 *"]
)
def test_a_cron_expression_that_is_none_is_refused(cron: str) -> None:
    """With what is wrong with it."""
    assert "cron" in refusal(ScheduleEntry, run="cycle", cron=cron)
    assert "cron" in refusal(Report, name="weekly", cron=cron)


def test_a_schedule_that_never_comes_round_is_refused() -> None:
    """Here the second Monday of a month that has to be its 1st, 15th or 29th day."""
    assert "never comes round" in refusal(ScheduleEntry, run="cycle", cron="0 0 */14 * MON#2")


@pytest.mark.parametrize("zone", ["Mars/Base", "", "/etc/passwd", "../UTC", "Europe", "GMT+25:00"])
def test_a_zone_that_is_none_is_refused(zone: str) -> None:
    """With how to write one."""
    said = refusal(ScheduleEntry, run="cycle", cron="0 9 * * *", timezone=zone)

    assert f"{zone!r} is no time zone; write it as Europe/Berlin" in said


# ── Secrets ─────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("sources", [{}, {"env": "A", "file": "b"}, {"command": "pass", "keyring": "a/b", "env": "C"}])
def test_a_secret_has_one_source(sources: dict[str, str]) -> None:
    """Neither none nor several: nobody should have to guess which one counts."""
    assert "give exactly one of env, file, command, keyring" in refusal(Secret, **sources)


def test_a_secret_itself_is_refused() -> None:
    """A token in the settings file is an unknown key."""
    assert "extra_forbidden" in refusal(Secret, env="A", value="x")
    assert "extra_forbidden" in refusal(Secret, token="x")
