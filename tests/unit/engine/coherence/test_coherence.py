"""Issues of a process and its settings as values: what tests of whole files can't show one by one."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crmbridge.engine.coherence import CODES, Issue, check_process, check_settings
from crmbridge.engine.nearest import nearest
from crmbridge.model.process import Process
from crmbridge.settings import Settings


def make_stage(stage_id: str, **changes: Any) -> dict[str, Any]:
    return {"id": stage_id, "name": stage_id, "purpose": "Sell.", "owner": "boss", **changes}


def make_process(*stages: dict[str, Any], **changes: Any) -> Process:
    usual = {"version": 1, "id": "p", "name": "P", "purpose": "Sell.", "leader": "boss"}
    roles = [{"id": "boss", "name": "Boss"}]
    return Process.model_validate({**usual, "roles": roles, "stages": stages or [make_stage("talk")], **changes})


def make_settings(**changes: Any) -> Settings:
    connections = {"one": {"adapter": "acme"}, "two": {"adapter": "acme"}}
    return Settings.model_validate({"version": 1, "process": "p.yaml", "connections": connections, **changes})


def told(issues: tuple[Issue, ...]) -> list[tuple[str, tuple[str | int, ...]]]:
    return [(issue.code, issue.path) for issue in issues]


def test_a_process_of_one_stage_is_fine() -> None:
    """The smallest process hangs together."""
    assert () == check_process(make_process())


@pytest.mark.parametrize(
    ("nexts", "expected"),
    [
        ({}, []),
        ({"a": ["c"]}, [("unreachable-stage", 1)]),
        ({"a": ["b", "c"]}, []),
        ({"b": ["a"]}, [("dead-end", 0), ("dead-end", 1), ("unreachable-stage", 2)]),
        ({"a": ["b", "c"], "b": []}, [("dead-end", 1)]),
        ({"c": ["a"]}, []),
    ],
)
def test_ways_through_the_stages(nexts: dict[str, list[str]], expected: list[tuple[str, int]]) -> None:
    """Every stage is on a way from the first to the won one."""
    stages = [make_stage(name, **({"next": nexts[name]} if name in nexts else {})) for name in "ab"]
    last = make_stage("c", status="won", **({"next": nexts["c"]} if "c" in nexts else {}))
    issues = check_process(make_process(*stages, last))

    assert expected == [(issue.code, issue.path[1]) for issue in issues]


def test_skipping_makes_later_stages_reachable() -> None:
    """Where the process allows a deal to pass over stages, no way needs to be named."""
    stages = [make_stage("a", next=["c"]), make_stage("b"), make_stage("c", status="won")]

    assert () == check_process(make_process(*stages, moves={"skip": True}))


def test_without_a_won_stage_the_end_is_where_nothing_follows() -> None:
    """A circle has no end."""
    circle = make_process(make_stage("a"), make_stage("b", next=["a"]))

    assert () == check_process(make_process(make_stage("a"), make_stage("b")))
    assert ["dead-end", "dead-end"] == [issue.code for issue in check_process(circle)]


@pytest.mark.parametrize(
    ("check", "field", "fits"),
    [
        ({"bounds": {"field": "x", "min": 1}}, "number", True),
        ({"bounds": {"field": "x", "min": 1}}, "money", True),
        ({"bounds": {"field": "x", "min": 1}}, "text", False),
        ({"dates": {"field": "x", "to_days": 0}}, "date", True),
        ({"dates": {"field": "x", "to_days": 0}}, "number", False),
        ({"one_of": {"field": "x", "values": ["a"]}}, "choice", True),
        ({"one_of": {"field": "x", "values": ["a"]}}, "bool", False),
        ({"approval": {"field": "x", "over": 1, "by": "name"}}, "number", True),
        ({"approval": {"field": "amount", "over": 1, "by": "x"}}, "text", True),
        ({"approval": {"field": "amount", "over": 1, "by": "x"}}, "bool", False),
        ({"required": ["x"]}, "bool", True),
    ],
)
def test_a_check_fits_its_field(check: dict[str, Any], field: str, fits: bool) -> None:  # noqa: FBT001  a table's column
    """Limits need numbers, dates need dates, approvals need somebody's name."""
    stage = make_stage("talk", exit=[{"id": "r", "check": check}])
    process = make_process(stage, fields=[{"id": "x", "name": "X", "type": field}])

    assert ([] if fits else ["wrong-field-type"]) == [issue.code for issue in check_process(process)]


@pytest.mark.parametrize(
    ("handoff", "calendars", "expected"),
    [
        ({"calendar": "office"}, ["office", "night"], []),
        ({}, ["office"], []),
        ({}, ["office", "night"], ["missing-calendar"]),
        ({}, [], ["missing-calendar"]),
        ({"calendar": "night"}, ["office", "night"], ["never-open"]),
        ({"calendar": "nigth"}, ["office", "night"], ["unknown-calendar"]),
        ({"accept_within": "4h"}, [], []),
    ],
)
def test_business_time_needs_an_open_calendar(
    handoff: dict[str, Any], calendars: list[str], expected: list[str]
) -> None:
    """The calendar is found as the clocks find it: the hand-off's own, or the only one there is."""
    kinds = {"office": {"mon": ["09:00-17:00"]}, "night": {}}
    stage = make_stage("talk", handoff={"to": "boss", "accept_within": "4bh", "accepted": "name", **handoff})
    known = {name: {"timezone": "UTC", "hours": kinds[name]} for name in calendars}

    assert expected == [issue.code for issue in check_process(make_process(stage, calendars=known))]


@pytest.mark.parametrize(("count", "stage", "expected"), [(10, None, 0), (11, None, 1), (3, "talk", 0), (4, "talk", 1)])
def test_too_many_indicators_are_hard_to_manage(count: int, stage: str | None, expected: int) -> None:
    """A warning, not an error: the process works."""
    indicators = [{"id": f"i{n}", "name": "I", "measure": "time_in_stage", "stage": stage} for n in range(count)]
    issues = check_process(make_process(indicators=indicators))

    assert [("too-many-indicators", "warning")] * expected == [(issue.code, issue.severity) for issue in issues]


@pytest.mark.parametrize(
    ("measure", "target", "fits"),
    [
        ("win_rate", "30%", True),
        ("win_rate", "30", False),
        ("sla_attainment", "99.5 %", True),
        ("open_findings", "0", True),
        ("open_findings", "0%", False),
        ("time_in_stage", "5bd", True),
        ("time_in_stage", "5", False),
    ],
)
def test_a_target_is_written_as_its_measure_needs_it(measure: str, target: str, fits: bool) -> None:  # noqa: FBT001  a table's column
    """Nobody can compare a share with a count."""
    issues = check_process(make_process(indicators=[{"id": "i", "name": "I", "measure": measure, "target": target}]))

    assert ([] if fits else [("wrong-target", ("indicators", 0, "target"))]) == told(issues)


@pytest.mark.parametrize(
    ("unit", "target", "fits"),
    [
        ("share", "30%", True),
        ("share", "30", False),
        ("count", "5", True),
        ("count", "5d", False),
        ("d", "5d", True),
        ("d", "5%", False),
        ("money", "250000 EUR", True),
        ("money", "250000", True),
        ("money", "much", False),
    ],
)
def test_a_target_of_ones_own_is_written_as_its_unit_needs_it(unit: str, target: str, fits: bool) -> None:  # noqa: FBT001  a table's column
    """The unit says what it is compared with."""
    indicator = {"id": "i", "name": "I", "measure": "sql", "sql": "i.sql", "unit": unit, "target": target}

    issues = check_process(make_process(indicators=[indicator]))

    assert ([] if fits else [("wrong-target", ("indicators", 0, "target"))]) == told(issues)


def test_a_text_lacks_a_language_wherever_it_stands() -> None:
    """A text written once is for all languages; one written per language must have them all."""
    activity = {"id": "a", "name": {"en": "A", "pt": "A"}, "how": {"en": "Ask."}}
    process = make_process(make_stage("talk", activities=[activity]), languages=["en", "pt"])

    assert [("missing-translation", ("stages", 0, "activities", 0, "how"))] == told(check_process(process))


def test_rule_ids_are_what_bindings_name() -> None:
    """Exit rules, the two clocks of a stage, and moves."""
    stage = make_stage(
        "talk",
        exit=[{"id": "named", "check": {"required": ["name"]}}],
        sla={"goal": "5d", "calendar": "c"},
        handoff={"to": "boss"},
    )

    assert ("move", "talk.named", "talk.sla", "talk.handoff") == make_process(stage).rule_ids()


def test_the_won_stage_and_won_are_two_names_for_one_thing() -> None:
    """The same native stage may stand for both, and `lost` for itself only."""
    process = make_process(make_stage("a"), make_stage("stay", status="won"))
    both = make_settings(stages={"one": {"pipeline": "x", "map": {"a": "1", "stay": "2", "won": "2"}}})
    mixed = make_settings(stages={"one": {"pipeline": "x", "map": {"a": "1", "won": "2", "lost": "2"}}})

    assert () == check_settings(both, process)
    assert [("ambiguous-stage", ("stages", "one", "map", "lost"))] == told(check_settings(mixed, process))


@pytest.mark.parametrize(
    ("match", "known"), [("external_key", True), ("amount", True), ("company.domain", True), ("company.dmain", False)]
)
def test_deals_are_matched_by_known_fields(match: str, known: bool) -> None:  # noqa: FBT001  a table's column
    """A misspelt match key would never match anything."""
    settings = make_settings(sync=[{"name": "s", "between": ["one", "two"], "match": {"deal": [["name", match]]}}])
    issues = check_settings(settings, make_process())

    assert ([] if known else [("unknown-field", ("sync", 0, "match", "deal", 0, 1))]) == told(issues)


@pytest.mark.parametrize(
    ("kind", "name", "known"),
    [
        ("company", "domain", True),
        ("company", "name", True),
        ("company", "email", False),
        ("contact", "email", True),
        ("contact", "emial", False),
        ("contact", "external_key", False),
    ],
)
def test_companies_and_contacts_are_matched_by_known_fields(kind: str, name: str, known: bool) -> None:  # noqa: FBT001
    """They have the fields of all CRMs, and no key."""
    settings = make_settings(sync=[{"name": "s", "between": ["one", "two"], "match": {kind: [name]}}])
    issues = check_settings(settings, make_process())

    assert ([] if known else [("unknown-field", ("sync", 0, "match", kind, 0))]) == told(issues)


def test_nobody_is_in_two_teams() -> None:
    """However the address is written: a deal counts in one team."""
    settings = make_settings(teams={"North": ["ann@acme.example", "bo@acme.example"], "South": ["Ann@Acme.example"]})

    assert [("duplicate-id", ("teams", "South", 0))] == told(check_settings(settings, make_process()))


def test_reports_are_by_team_where_there_are_teams() -> None:
    """Without any, and without a field of that name, nobody could be told apart."""
    report, teams = {"name": "weekly", "by": "team"}, {"North": ["ann@acme.example"]}

    assert () == check_settings(make_settings(reports=[report], teams=teams), make_process())
    issues = check_settings(make_settings(reports=[report]), make_process())
    assert [("unknown-field", ("reports", 0, "by"))] == told(issues)


@pytest.mark.parametrize(
    ("part", "path"),
    [
        ({"fields": {"*": {"direction": "from: three"}}}, ("fields", "*", "direction")),
        ({"fields": {"*": {"conflict": "prefer: three"}}}, ("fields", "*", "conflict")),
        ({"notes": "from: three"}, ("notes",)),
    ],
)
def test_who_wins_or_speaks_is_in_its_own_sync(part: dict[str, Any], path: tuple[str, ...]) -> None:
    """A connection that isn't part of the sync has no say in it; one that is part of it has."""
    connections = {name: {"adapter": "acme", "kinds": ["note"]} for name in ("one", "two", "three")}
    sync = {"name": "s", "between": ["one", "two"], **part}
    wider = {**sync, "between": ["one", "two", "three"]}

    issues = check_settings(make_settings(connections=connections, sync=[sync]), make_process())
    assert [("unknown-connection", ("sync", 0, *path))] == told(issues)
    assert () == check_settings(make_settings(connections=connections, sync=[wider]), make_process())


def test_what_a_connection_prefers_is_in_its_own_sync() -> None:
    """A connection that isn't part of the sync can't win in it."""
    connections = {name: {"adapter": "acme"} for name in ("one", "two", "three")}
    sync = {"name": "s", "between": ["one", "two"], "create": ["three"], "fields": {"*": {"conflict": "prefer: three"}}}
    issues = check_settings(make_settings(connections=connections, sync=[sync]), make_process())

    assert ["unknown-connection", "unknown-connection"] == [issue.code for issue in issues]
    assert {"'three' is not one of those that stand in `between`"} == {issue.sentence for issue in issues}


@pytest.mark.parametrize(
    ("kind", "match", "known"),
    [
        ("deal", "external_key", True),
        ("deal", "amount", True),
        ("deal", "company.domain", True),
        ("deal", "company.dmain", False),
        ("deal", "contact.email", False),
        ("company", "domain", True),
        ("company", "external_key", False),
        ("company", "email", False),
        ("contact", "email", True),
        ("contact", "company.name", True),
        ("contact", "company", False),
    ],
)
def test_records_are_matched_by_what_their_kind_has(kind: str, match: str, known: bool) -> None:  # noqa: FBT001  a table's column
    """A match key that this kind doesn't have would never match anything."""
    settings = make_settings(sync=[{"name": "s", "between": ["one", "two"], "match": {kind: [["name", match]]}}])
    issues = check_settings(settings, make_process())

    assert ([] if known else [("unknown-field", ("sync", 0, "match", kind, 0, 1))]) == told(issues)


@pytest.mark.parametrize(
    ("said", "path", "advice"),
    [
        (
            {"fields": {"amount": {"direction": "from: one", "conflict": "ask"}}},
            ("fields", "amount", "conflict"),
            "leave out",
        ),
        ({"fields": {"amount": {"direction": "from: one"}}}, None, ""),
        ({"fields": {"stage": {"conflict": "only_if_empty"}}}, ("fields", "stage", "conflict"), "write newest"),
        ({"fields": {"amount": {"conflict": "only_if_empty"}}}, None, ""),
        ({"companies": "create"}, ("companies",), "add `create:"),
        ({"contacts": "create"}, ("contacts",), "add `create:"),
        ({"contacts": "create", "create": ["two"]}, None, ""),
        ({"delete_cap": {"records": 3}}, ("delete_cap",), "write `delete: archive`"),
        ({"delete": "unlink", "delete_cap": {"records": 3}}, ("delete_cap",), "write `delete: archive`"),
        ({"delete": "archive", "delete_cap": {"records": 3}}, None, ""),
        ({"notes": "from: one"}, ("notes",), "write `kinds:"),
        ({"notes": "from: two"}, None, ""),
    ],
)
def test_what_a_sync_says_in_vain_is_told(said: dict[str, Any], path: tuple[str, ...] | None, advice: str) -> None:
    """Somebody wrote it to have an effect, and would wait for it."""
    connections = {"one": {"adapter": "acme"}, "two": {"adapter": "acme", "kinds": ["company", "deal", "note"]}}
    sync = {"name": "s", "between": ["one", "two"], **said}
    issues = check_settings(make_settings(connections=connections, sync=[sync]), make_process())

    assert ([("idle-setting", ("sync", 0, *path))] if path else []) == told(issues)
    assert all(advice in issue.sentence for issue in issues)


@pytest.mark.parametrize(
    ("kinds", "said", "warns"),
    [
        (["user", "deal"], {"create": ["one"]}, True),
        (["user", "deal"], {"create": ["one"], "match": {"deal": [["name", "company.name"]]}}, True),
        (["user", "deal"], {"create": ["one"], "match": {"company": ["name"]}}, True),
        (["user", "deal"], {}, False),
        (["user", "deal"], {"create": ["one"], "match": {"deal": ["external_key"]}}, False),
        (["user", "deal"], {"create": ["one"], "match": {"deal": [["name", "company.domain"], "name"]}}, False),
        (["user", "company", "deal"], {"create": ["one"]}, False),
        (None, {"create": ["one"]}, False),
    ],
)
def test_a_sync_that_would_make_every_deal_twice_is_told(
    kinds: list[str] | None, said: dict[str, Any], *, warns: bool
) -> None:
    """Without its company no deal is found by its name; with `create` each would be made again."""
    connections = {"one": {"adapter": "acme"}, "two": {"adapter": "acme", "kinds": kinds}}
    sync = {"name": "s", "between": ["one", "two"], **said}
    issues = check_settings(make_settings(connections=connections, sync=[sync]), make_process())

    assert ([("blind-match", ("sync", 0, "create"))] if warns else []) == told(issues)


@given(st.text(max_size=80), st.lists(st.text(max_size=20)))
def test_the_nearest_name_is_always_one_of_the_allowed(name: str, allowed: list[str]) -> None:
    """A guess that doesn't exist would send people in circles."""
    assert nearest(name, allowed) in [*allowed, None]


def test_an_issue_has_the_severity_of_its_code() -> None:
    """Codes and severities are documented together."""
    issues = check_process(make_process(leader="bos", fields=[{"id": "x", "name": "X"}]))

    assert [("unknown-role", "error"), ("unused-field", "warning")] == [(i.code, i.severity) for i in issues]
    assert all(CODES[issue.code][0] == issue.severity for issue in issues)


ACTING = make_stage("ask", exit=[{"id": "who", "check": {"required": ["name"]}}])


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"enforce": [{"rule": "*", "stages": ["asking"]}]}, ("unknown-stage", ("enforce", 0, "stages", 0))),
        (
            {"enforce": [{"rule": "*", "when": {"bounds": {"field": "name", "min": 1}}}]},
            ("wrong-field-type", ("enforce", 0, "when", "bounds", "field")),
        ),
        (
            {"enforce": [{"rule": "*", "when": {"required": ["nam"]}}]},
            ("unknown-field", ("enforce", 0, "when", "required", 0)),
        ),
        ({"enforce": [{"rule": "*", "action": "task", "to": "boss"}]}, ("unknown-person", ("enforce", 0, "to"))),
        (
            {"enforce": [{"rule": "*", "escalate": [{"after": "1d", "to": "leader", "action": "task"}]}]},
            ("unknown-person", ("enforce", 0, "escalate", 0, "to")),
        ),
        (
            {"people": {"boss": {"three": "a@acme.example"}}},
            ("unknown-connection", ("people", "boss", "three")),
        ),
        ({"enforce": [{"rule": "*", "action": "notify"}]}, ("unknown-sink", ("enforce", 0, "action"))),
        (
            {
                "enforce": [{"rule": "*", "action": "notify", "sinks": ["teem"]}],
                "notices": {"team": {"html": "notices/"}},
            },
            ("unknown-sink", ("enforce", 0, "sinks", 0)),
        ),
        ({"notices": {"team": {"html": "x", "slack": {}}}}, ("wrong-sink", ("notices", "team"))),
        ({"notices": {"team": {"crm": {"connection": "one", "deal": "7"}}}}, ("wrong-sink", ("notices", "team"))),
        (
            {"enforce": [{"rule": "*", "escalate": [{"after": "1bd", "action": "task"}]}]},
            ("missing-calendar", ("enforce", 0, "escalate", 0, "after")),
        ),
        ({"thresholds": [{"rule": "aks.*", "warn_if": {"count": 1}}]}, ("unknown-rule", ("thresholds", 0, "rule"))),
    ],
)
def test_what_is_done_about_findings_hangs_together(changes: dict[str, Any], expected: tuple[str, object]) -> None:
    """Who is told, where, when, and for which deals, is there."""
    assert [expected] == told(check_settings(make_settings(**changes), make_process(ACTING)))


def test_a_role_stands_for_whoever_people_says() -> None:
    """The leader is whoever leads the process, or is named as such; an e-mail stands for itself."""
    step = {"after": "1d", "action": "task"}
    steps = [{**step, "to": to} for to in ("owner", "leader", "manager", "ann@acme.example")]
    people = {"boss": "boss@acme.example", "manager": {"one": "m@acme.example"}}
    settings = make_settings(enforce=[{"rule": "*", "escalate": steps}], people=people)

    assert () == check_settings(settings, make_process(ACTING))


def test_an_approval_names_fields_that_are_there() -> None:
    """And its last day is one; a field that only approves is used."""
    rule = {"id": "who", "check": {"required": ["name"]}, "waived_by": {"field": "by", "until": "till"}}
    fields = [{"id": "by", "name": "By"}, {"id": "till", "name": "Till"}]
    issues = check_process(make_process(make_stage("ask", exit=[rule]), fields=fields))
    assert [("wrong-field-type", ("stages", 0, "exit", 0, "waived_by", "until"))] == told(issues)

    issues = check_process(make_process(make_stage("ask", exit=[rule]), fields=[{**fields[1], "type": "date"}]))
    assert [("unknown-field", ("stages", 0, "exit", 0, "waived_by", "field"))] == told(issues)
