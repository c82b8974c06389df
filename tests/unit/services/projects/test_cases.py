"""The cases that a process is tested by: what they can say, and that they can fail."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from crmbridge.files.reading import read_process
from crmbridge.files.shipped import shipped_folder
from crmbridge.model.checks import Required
from crmbridge.model.process import ExitRule, Stage
from crmbridge.services.projects.cases import CaseResults, run_cases
from crmbridge.services.projects.checking import digest_of
from crmbridge.testing.factories import make_process, make_settings, make_stage

SHIPPED = shipped_folder() / "processes"
RULES = [
    (file, stage, rule)
    for file in ("b2b.yaml", "meddicc.yaml")
    for stage in read_process(SHIPPED / file).model.stages
    for rule in stage.exit
]
ALWAYS, NEVER = Required(required=("name",)), Required(required=("lost_reason",))


def tried(folder: Path, cases: object, **process: object) -> CaseResults:
    """Run cases, written as JSON, which is YAML, in a file beside a process file."""
    (folder / "cases.yaml").write_text(json.dumps({"process_tests": cases}))
    (folder / "process.yaml").write_text("tests: [cases.yaml]")
    return run_cases(folder / "process.yaml", make_process(tests=("cases.yaml",), **process), make_settings())


def fault(folder: Path, case: dict[str, object], **process: object) -> str:
    """Run one case and give what is wrong with its outcome, or with itself."""
    results = tried(folder, [{"case": "one", **case}], **process)
    if results.results:
        return "; ".join(results.results[0].tried.faults)
    return results.diagnostics[0].sentence


def qualified(**deal: object) -> dict[str, object]:
    return {"stage": "qualification", **deal}


@pytest.mark.parametrize("file", ["b2b.yaml", "meddicc.yaml"])
def test_the_shipped_processes_pass_their_cases(file: str) -> None:
    """Else a new project would begin with an error."""
    results = run_cases(SHIPPED / file, read_process(SHIPPED / file).model, make_settings())

    assert () == results.diagnostics
    assert len(results.results) > 6
    assert 0 == results.failed


@pytest.mark.parametrize("check", [ALWAYS, NEVER], ids=["always", "never"])
@pytest.mark.parametrize(("file", "stage", "rule"), RULES, ids=[f"{s.id}.{r.id}" for _, s, r in RULES])
def test_a_shipped_rule_that_decides_nothing_any_more_is_noticed(
    file: str, stage: Stage, rule: ExitRule, check: Required
) -> None:
    """By a case: one that always holds, and one that never does."""
    process = read_process(SHIPPED / file).model
    other = rule.model_copy(update={"check": check, "when": None})
    exits = tuple(other if each is rule else each for each in stage.exit)
    changed_stage = stage.model_copy(update={"exit": exits})
    stages = tuple(changed_stage if each.id == stage.id else each for each in process.stages)
    changed = process.model_copy(update={"stages": stages})

    assert run_cases(SHIPPED / file, changed, make_settings()).failed


@pytest.mark.parametrize(
    ("expect", "says"),
    [
        ({"ready": True}, "it must be ready to leave its stage"),
        ({"ready": False}, ""),
        ({"rules": {"qualification.bant": "fail"}}, ""),
        ({"rules": {"qualification.bant": "pass"}}, "qualification.bant must be pass, and is fail"),
        ({"sla": {"qualification.sla": "breached"}}, ""),
        ({"sla": {"qualification.sla": "on_time"}}, "qualification.sla must be on_time, and is breached"),
        ({"sla": {"qualification.sla": "none"}}, "qualification.sla must be none, and is breached"),
        ({"findings": ["qualification.sla"]}, ""),
        ({"findings": []}, "there must be no finding, and there is qualification.sla"),
        ({"findings": ["move"]}, "there must be a finding of move, and there is qualification.sla"),
        ({"not": ["qualification.*"]}, "there must be no finding of qualification.sla"),
        ({"not": ["move"]}, ""),
    ],
)
def test_what_is_expected_is_held_against_what_is_said(tmp_path: Path, expect: dict[str, object], says: str) -> None:
    """A deal with too little of BANT, six business days in a stage of five."""
    deal = qualified(entered="6bd ago", fields={"bant.budget": "yes"})

    assert says == fault(tmp_path, {"deal": deal, "expect": expect})


@pytest.mark.parametrize(
    ("entered", "state"),
    [
        ("5bd ago", "at_risk"),  # exactly the goal is on time, and past the warning
        ("2bd ago", "on_time"),
        ("2026-06-03T12:00Z", "at_risk"),  # a week before, the weekend between
        ("2026-06-03T11:59Z", "breached"),
        ("7d ago", "at_risk"),
        ("2026-06-05", "on_time"),  # midnight: three days and three hours
    ],
)
def test_moments_can_be_written_in_many_ways(tmp_path: Path, entered: str, state: str) -> None:
    """Counted from Wednesday noon; the office is open from nine to five on five days."""
    case = {"deal": qualified(entered=entered), "expect": {"sla": {"qualification.sla": state}}}

    assert "" == fault(tmp_path, case)


def test_a_case_has_a_now_of_its_own(tmp_path: Path) -> None:
    """A deal that came on Friday evening has used up nothing on Monday morning."""
    case = {
        "now": "2026-06-15T09:00Z",
        "deal": qualified(entered="2026-06-12T17:00Z"),
        "expect": {"sla": {"qualification.sla": "on_time"}},
    }

    assert "" == fault(tmp_path, case)


@pytest.mark.parametrize(
    ("check", "fields", "ready"),
    [
        ({"bounds": {"field": "amount", "min": 10}}, {"amount": "10 EUR"}, True),
        ({"bounds": {"field": "amount", "min": 10}}, {"amount": 9.5}, False),
        ({"bounds": {"field": "amount", "max": 1000}}, {"amount": "1,200.50 EUR"}, False),
        ({"dates": {"field": "close_date", "from_days": 0}}, {"close_date": "in 2d"}, True),
        ({"dates": {"field": "close_date", "from_days": 0}}, {"close_date": "2026-06-09"}, False),
        ({"required": ["contacts", "company"]}, {}, False),
        ({"required": ["lost_reason"]}, {"lost_reason": None}, False),
    ],
)
def test_values_are_of_their_fields_types(
    tmp_path: Path, check: dict[str, object], fields: dict[str, object], *, ready: bool
) -> None:
    """Money, dates, numbers and what is empty, as a CRM would give them."""
    stage = make_stage(exit=[{"id": "one", "check": check}])
    case = {"deal": qualified(fields=fields), "expect": {"ready": ready}}

    assert "" == fault(tmp_path, case, stages=[stage])


def test_company_and_contacts_are_linked(tmp_path: Path) -> None:
    """As many as the case has."""
    stage = make_stage(exit=[{"id": "one", "check": {"required": ["contacts", "company"]}}])
    deal = qualified(company={"name": "Acme"}, contacts=[{"name": "Ana", "title": "CFO"}])

    assert "" == fault(tmp_path, {"deal": deal, "expect": {"ready": True}}, stages=[stage])
    assert "" == fault(tmp_path, {"deal": {**deal, "contacts": []}, "expect": {"ready": False}}, stages=[stage])


@pytest.mark.parametrize(
    ("activities", "judgement"),
    [(None, "unknown"), ([], "fail"), ([{"done": False, "at": "in 1d"}], "fail"), ([{}], "pass")],
)
def test_no_word_of_activities_is_not_none_of_them(tmp_path: Path, activities: object, judgement: str) -> None:
    """A CRM whose activities are not pulled leaves such a rule undecided."""
    stage = make_stage(exit=[{"id": "one", "check": {"activities": {"state": "done"}}}])
    case = {"deal": qualified(activities=activities), "expect": {"rules": {"qualification.one": judgement}}}

    assert "" == fault(tmp_path, case, stages=[stage])


@pytest.mark.parametrize(
    ("files", "judgement"),
    [
        (None, "unknown"),
        ([], "fail"),
        ([{"name": "Notes.txt"}], "fail"),
        ([{"name": "Proposal v2.PDF", "at": "20d ago"}], "fail"),
        ([{"name": "Notes.txt"}, {"name": "Proposal v2.PDF"}], "pass"),
    ],
)
def test_a_case_states_the_files_on_its_deal(tmp_path: Path, files: object, judgement: str) -> None:
    """By name, and when they were added; no word of them is not none of them."""
    check = {"attachments": {"files": {"name": "*proposal*", "kind": "pdf", "in_stage": True}}}
    stage = make_stage(exit=[{"id": "one", "check": check}])
    deal = {"stage": "qualification", "entered": "9d ago", "files": files}
    case = {"deal": deal, "expect": {"rules": {"qualification.one": judgement}}}

    assert "" == fault(tmp_path, case, stages=[stage])


@pytest.mark.parametrize(
    ("case", "says"),
    [
        ({"deal": {"stage": "qualfication"}, "expect": {"ready": True}}, "there is no stage 'qualfication'"),
        (
            {"deal": qualified(fields={"bant.bugdet": "x"}), "expect": {"ready": True}},
            "there is no field 'bant.bugdet'",
        ),
        (
            {"deal": qualified(), "expect": {"rules": {"qualification.bnat": "fail"}}},
            "there is no rule 'qualification.bnat'",
        ),
        (
            {"deal": qualified(fields={"amount": "much"}), "expect": {"ready": True}},
            "an amount must stand here, such as",
        ),
        ({"deal": qualified(entered="yesterday"), "expect": {"ready": True}}, "'yesterday' is no moment"),
        ({"deal": qualified(), "expect": {}}, "a case that expects nothing can't fail"),
        ({"deal": {}, "expect": {"ready": True}}, "give either stage"),
        ({"now": "3d ago", "deal": qualified(), "expect": {"ready": True}}, "now must be a day or a time"),
        ({"deal": qualified(entered="999999bd ago"), "expect": {"ready": True}}, "999999bd is more time than"),
    ],
)
def test_a_case_that_is_wrong_itself_is_said_to_be(tmp_path: Path, case: dict[str, object], says: str) -> None:
    """And not run: what came of it would mean nothing."""
    assert fault(tmp_path, case).startswith(says)


def test_a_pattern_finds_files_beside_the_process_and_nowhere_else(tmp_path: Path) -> None:
    """One that finds nothing is an error, as its cases would silently not be run."""
    (tmp_path / "secret.yaml").write_text("process_tests: []")
    folder = tmp_path / "processes"
    (folder / "tests").mkdir(parents=True)
    case = {"case": "one", "deal": qualified(), "expect": {"ready": False}}
    for name in ("b", "a"):
        (folder / "tests" / f"{name}.yaml").write_text(json.dumps({"process_tests": [{**case, "case": name}]}))
    (folder / "process.yaml").write_text("tests: ['tests/*.yaml', ../secret.yaml]")

    found = run_cases(folder / "process.yaml", make_process(tests=("tests/*.yaml",)), make_settings())
    outside = run_cases(
        folder / "process.yaml", make_process(tests=("tests/*.yaml", "../secret.yaml")), make_settings()
    )

    assert ["a", "b"] == [one.case for one in found.results]
    assert [("file-missing", 1)] == [(one.code, one.line) for one in outside.diagnostics]


def test_a_case_that_fails_is_an_error_at_its_line(tmp_path: Path) -> None:
    """So that editors show it where it stands."""
    (tmp_path / "cases.yaml").write_text(
        "process_tests:\n  - case: one\n    deal: {stage: qualification}\n    expect: {ready: true}\n"
    )
    (tmp_path / "process.yaml").write_text("tests: [cases.yaml]")
    results = run_cases(tmp_path / "process.yaml", make_process(tests=("cases.yaml",)), make_settings())

    assert [("case-failed", 4)] == [(one.code, one.line) for one in results.diagnostics]
    assert [2] == [one.line for one in results.results]


def test_cases_change_nothing_that_is_judged() -> None:
    """A new case makes no plan stale, and judges no deal anew."""
    case = {"case": "one", "deal": {"stage": "qualification"}, "expect": {"ready": False}}
    settings = make_settings()

    assert digest_of(settings, make_process()) == digest_of(settings, make_process(process_tests=[case]))
