"""Doctor: what is wrong with a connection is said with what to do, and the rest is looked at all the same."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest

from crmbridge.errors import RetryLaterError
from crmbridge.model.records import Kind, Record, Ref
from crmbridge.model.replacing import replace
from crmbridge.model.values import FieldType
from crmbridge.ports import Adapter, Credential, Description
from crmbridge.services.accounts.examining import examine
from crmbridge.services.accounts.health import Check, Health
from crmbridge.services.answers.overview import sign_ins
from crmbridge.services.pull.pulling import pull
from crmbridge.services.runs.running import run_steps
from crmbridge.services.workspace import Workspace
from crmbridge.store.sql.store import SqlStore
from crmbridge.testing.factories import make_process, make_stage
from crmbridge.testing.fake_adapter import FakeAdapter
from crmbridge.testing.fake_records import STAGES
from crmbridge.testing.workspaces import MONDAY, Bench, fake_plugins, make_bench, usual_settings

BANT = ("bant.budget", "bant.authority", "bant.need", "bant.timeline")
BY_BANT = make_stage(STAGES[0], exit=[{"id": "bant", "check": {"required": list(BANT)}}])
SEVEN = make_process(stages=[make_stage(stage) for stage in STAGES[:-2]])


def benched(connection: dict[str, Any] | None = None, stages: dict[str, Any] | None = None, **settings: Any) -> Bench:
    """Make a healthy workspace, then lay other parts over those of `north`."""
    usual = usual_settings(SEVEN, ("north", "south"))
    usual["connections"]["north"].update(connection or {})
    usual["stages"]["north"].update(stages or {})
    parts = {"connections": usual["connections"], "stages": usual["stages"]}
    return make_bench(process=SEVEN, deals=1, **{**parts, **settings})


def told(workspace: Workspace, about: str = "north", *health: Health) -> list[Check]:
    """Give what is said of a connection, other than that things are good."""
    wanted = health or (Health.WEAK, Health.BAD)
    return [check for check in examine(workspace) if check.about == about and check.health in wanted]


def test_a_healthy_project_has_nothing_to_mend() -> None:
    """The state, both accounts, their stages, fields and keys."""
    checks = examine(benched().workspace)

    assert {Health.GOOD} == {check.health for check in checks}
    assert ["state", *["north"] * 4, *["south"] * 4] == [check.about for check in checks]
    assert [
        "signed in to north",
        "all 8 stages have their place",
        "all 4 fields are bound",
        "the external key is kept in key",
    ] == [check.message for check in checks if check.about == "north"]


def test_nothing_is_written_by_looking() -> None:
    """Neither to a CRM nor to the state."""
    bench = benched()
    examine(bench.workspace)

    assert [0, 0] == [crm.writes for crm in bench.crms.values()]
    assert () == bench.workspace.store.runs.runs(9)


def test_a_missing_pipeline_is_told_with_those_there_are() -> None:
    """Then its stages can't be looked for."""
    (check,) = told(benched(stages={"pipeline": "purchasing"}).workspace)

    assert (Health.BAD, 3) == (check.health, check.exit_code)
    assert "there is no pipeline 'purchasing'" == check.message
    assert "The account has: sales (Sales)." == check.advice


def test_an_account_without_any_pipeline_is_told_so(describing: Callable[..., Workspace]) -> None:
    """There is none to choose; the credential may just not see them."""
    workspace = describing(benched(), lambda description: replace(description, pipelines=()))
    (check,) = told(workspace, "north", Health.BAD)

    assert "there is no pipeline 'sales'" == check.message
    assert "It shows none at all to this credential: make one there, or let the credential see them." == check.advice


@pytest.mark.parametrize(
    ("native", "meant"),
    [
        ("qualificaton", "Did you mean 'qualification'? "),
        ("Qualification", "Did you mean 'qualification'? "),
        ("zz", ""),
    ],
    ids=["typo", "label", "unknown"],
)
def test_a_missing_stage_is_told_with_the_nearest(native: str, meant: str) -> None:
    """By its id, which is what the settings want, also when they have the label."""
    stages = {stage: stage for stage in STAGES if stage != "qualification"}
    bad = told(benched(stages={"map": {**stages, "qualification": native}}).workspace, "north", Health.BAD)

    assert [f"the pipeline has no stage {native!r}"] == [check.message for check in bad]
    assert bad[0].advice.startswith(f"{meant}The pipeline has: prospecting (Prospecting), ")


def test_an_open_stage_that_stands_for_nothing_is_a_warning() -> None:
    """Its deals can't be placed. Won and lost need no entry: their status says it."""
    stages = {stage: stage for stage in STAGES if stage not in {"diagnosis", "won", "lost"}}
    (check,) = told(benched(stages={"map": stages}).workspace)

    assert (Health.WEAK, "the stage 'Diagnosis' (diagnosis)") == (check.health, check.message.split(" stands")[0])


def test_a_connection_without_stages_is_a_warning() -> None:
    """Its deals are not held against the process, which may be meant."""
    bench = benched()
    settings = bench.workspace.project.settings
    only_south = settings.model_copy(update={"stages": {"south": settings.stages["south"]}, "sync": ()})
    (check,) = told(bench.again(only_south).workspace)

    assert (Health.WEAK, "Add stages: north: to the settings.") == (check.health, check.advice)


def test_a_missing_field_is_told_with_the_nearest() -> None:
    """Or with how to go on without it."""
    fields = {"bant.budget": "bant.bugdet", "bant.need": "zz", "bant.authority": "bant.authority"}
    near, far, unbound = told(benched(connection={"fields": fields}).workspace)

    assert (Health.BAD, "Did you mean 'bant.budget'?") == (near.health, near.advice)
    assert (Health.BAD, "`crmbridge connections setup north` makes it; or unbind bant.need.") == (
        far.health,
        far.advice,
    )
    assert (Health.WEAK, "not bound to a field here: bant.timeline") == (unbound.health, unbound.message)


@pytest.fixture
def describing() -> Callable[[Bench, Callable[[Description], Description]], Workspace]:
    """Give the workspace of a bench whose `north` describes itself in another way."""

    def make(bench: Bench, change: Callable[[Description], Description]) -> Workspace:
        class Described(FakeAdapter):
            def describe(self) -> Description:
                return change(super().describe())

        def wrap(adapter: FakeAdapter, connection: str) -> Adapter:
            return Described(bench.crms["north"]) if connection == "north" else adapter

        return replace(bench.workspace, plugins=fake_plugins(bench.crms, wrap=wrap))

    return make


def test_a_stage_written_by_its_label_is_told_by_its_id(describing: Callable[..., Workspace]) -> None:
    """Labels are for people, and change."""

    def labelled(description: Description) -> Description:
        (pipeline,) = description.pipelines
        stages = tuple(replace(one, label="First talk") if one.id == "diagnosis" else one for one in pipeline.stages)
        return replace(description, pipelines=(replace(pipeline, stages=stages),))

    bench = benched(stages={"map": {**dict(zip(STAGES, STAGES, strict=True)), "diagnosis": "first talk"}})
    (check,) = told(describing(bench, labelled), "north", Health.BAD)

    assert check.advice.startswith("Did you mean 'diagnosis'? ")


def test_an_account_without_a_key_field_can_not_be_created_in(describing: Callable[..., Workspace]) -> None:
    """A creation whose answer is lost could never be found again; who creates nothing there needs no key."""
    without = describing(benched(), lambda description: replace(description, key_field=None))
    elsewhere = [{"name": "main", "between": ["north", "south"], "create": ["south"]}]
    (check,) = told(without)

    assert (Health.BAD, True) == (
        check.health,
        check.message.startswith("the account has no field for the external key"),
    )
    assert [] == told(describing(benched(sync=elsewhere), lambda description: replace(description, key_field=None)))


def test_the_version_of_the_api_is_told(describing: Callable[..., Workspace]) -> None:
    """Where the adapter knows it."""
    workspace = describing(benched(), lambda description: replace(description, api_version="v9"))

    assert "signed in to north, API v9" == told(workspace, "north", Health.GOOD)[0].message


def test_an_unreachable_crm_does_not_hide_the_others(describing: Callable[..., Workspace]) -> None:
    """It is told as its error tells it, with that error's exit code; the connection is named once."""

    def fail(_description: Description) -> Description:
        raise RetryLaterError("north: can't be reached", advice="Look at the network.")

    workspace = describing(benched(), fail)
    (check,) = told(workspace)

    assert (Health.BAD, 5) == (check.health, check.exit_code)
    assert ("can't be reached", "Look at the network.") == (check.message, check.advice)
    assert 4 == len(told(workspace, "south", Health.GOOD))


def test_a_refused_credential_is_told() -> None:
    """With its own exit code."""
    bench = benched()
    bench.crms["north"].faults.append("revoked")
    (check,) = told(bench.workspace)

    assert (Health.BAD, 4, "Give the connection a valid one.") == (check.health, check.exit_code, check.advice)
    assert [] == told(bench.workspace, "south")


def test_changes_without_a_clear_outcome_are_a_warning() -> None:
    """The next run finds out; until then somebody may wonder."""
    bench = make_bench(deals=12, parts={"north": (0, 1)}, enforce=[{"rule": "*", "action": "note"}])
    bench.crms["north"].faults.append("drop_after")
    run_steps(bench.workspace, "cycle")
    (check,) = told(bench.workspace, "state")

    assert Health.WEAK is check.health
    assert check.message.endswith(" have no clear outcome yet")


def test_a_state_that_can_not_be_written_is_an_error(tmp_path: Path) -> None:
    """It can be read all the same, so nobody would know before the next run; what was tried leaves nothing behind."""
    store = SqlStore.open(f"sqlite:///{tmp_path / 'state.db'}")
    bench = make_bench(process=SEVEN, store=store)
    fine = told(bench.workspace, "state", *Health)
    left = dict(store.memory("state"))
    with store._database.write() as connection:  # as for a file that may only be read, or on a disk that is
        connection.exec_driver_sql("PRAGMA query_only = ON")
    (check,) = told(bench.workspace, "state", *Health)
    store.close()

    assert ([Health.GOOD], {}) == ([each.health for each in fine], left)
    assert (Health.BAD, 12) == (check.health, check.exit_code)
    assert "can't be opened for writing" in check.message


def test_a_project_without_connections_says_so() -> None:
    """A new one has none, and that is no error."""
    bench = benched()
    empty = bench.workspace.project.settings.model_copy(update={"connections": {}, "stages": {}, "sync": ()})

    assert ["state", "connections"] == [check.about for check in examine(bench.again(empty).workspace)]


NEEDED = frozenset({"deals.read", "deals.write"})


def signed_in(bench: Bench, describing: Callable[..., Workspace], **credential: Any) -> Workspace:
    """Give the workspace of a bench whose `north` is signed in by a service key with these properties."""
    key = Credential(**{"way": "service key", "needed": NEEDED, **credential})
    return describing(bench, lambda description: replace(description, credential=key))


def test_a_credential_is_told_with_its_age(describing: Callable[..., Workspace]) -> None:
    """From when it was issued; who it acts as, where the CRM says."""
    bench = benched()
    issued = bench.clock.now() - timedelta(days=200, hours=5)
    found = signed_in(bench, describing, user="rita@example.com", issued_at=issued, scopes=NEEDED)

    assert "signed in by service key as rita@example.com, issued 200 days ago" in [
        check.message for check in told(found, "north", Health.GOOD)
    ]
    assert [] == told(found)


def test_a_credential_of_unknown_age_counts_from_its_first_use(describing: Callable[..., Workspace]) -> None:
    """By way and user: with another one it starts anew. Nothing made from the secret is kept."""
    bench = benched()

    def age_of(**credential: Any) -> str:
        checks = told(signed_in(bench, describing, **credential), "north", Health.GOOD)
        return next(check.message for check in checks if "first used" in check.message).split("first used here ")[1]

    assert "today" == age_of(user="rita")
    bench.clock.sleep(40 * 86400)
    assert "40 days ago" == age_of(user="rita")
    assert "today" == age_of(user="paulo")
    assert ['["service key", "paulo", "2026-07-18T09:00:00+00:00"]'] == list(
        bench.workspace.store.memory("north").values()
    )


def test_a_pull_notes_when_a_credential_was_first_used(describing: Callable[..., Workspace]) -> None:
    """Who runs the cycle by cron never asks `doctor`, and is to hear of an old credential all the same."""
    bench = benched()
    workspace = signed_in(bench, describing, user="rita")
    began = workspace.clock.now()
    pull(workspace)
    bench.clock.sleep(40 * 86400)
    pull(workspace)

    assert [("north", "service key", began)] == list(sign_ins(workspace))


def test_scopes_that_are_missing_are_an_error_of_sign_in(describing: Callable[..., Workspace]) -> None:
    """And ones that nobody needs a warning; where the CRM does not say, neither is."""
    scopes = frozenset({"deals.read", "tickets", "admin"})
    missing, spare = told(signed_in(benched(), describing, scopes=scopes))

    assert (Health.BAD, 4, "the credential lacks scopes: deals.write") == (
        missing.health,
        missing.exit_code,
        missing.message,
    )
    assert (Health.WEAK, True) == (spare.health, spare.message.endswith("does not use: admin, tickets"))
    assert [] == told(signed_in(benched(), describing, scopes=None))


def test_scopes_for_figures_are_needed_where_a_report_writes_some(describing: Callable[..., Workspace]) -> None:
    """Into fields of that connection; elsewhere they are as spare as any."""
    figures = {"needed_for": {Kind.FIELD: frozenset({"schemas.write"})}}
    sink = {"crm": {"connection": "north", "company": "acme.example", "fields": {"win_rate": "win_rate"}}}
    reports = [{"name": "weekly", "sinks": [sink]}]
    lacking = told(signed_in(benched(reports=reports), describing, scopes=NEEDED, **figures))
    spare = told(signed_in(benched(), describing, scopes=NEEDED | {"schemas.write"}, **figures))
    right = told(signed_in(benched(reports=reports), describing, scopes=NEEDED | {"schemas.write"}, **figures))

    assert ["the credential lacks scopes that writing a report's figures needs: schemas.write"] == [
        check.message for check in lacking
    ]
    assert [Health.WEAK] == [check.health for check in spare]
    assert [] == right


@pytest.mark.parametrize(
    ("days", "health", "said"),
    [
        (0, [Health.BAD], ["the credential expired at 2026-06-08 09:00 UTC"]),
        (14, [Health.WEAK], ["the credential expires at 2026-06-22 09:00 UTC"]),
        (15, [], []),
    ],
)
def test_a_credential_that_ends_is_told(
    describing: Callable[..., Workspace], days: int, health: list[Health], said: list[str]
) -> None:
    """Two weeks before, and once it did."""
    bench = benched()
    found = told(signed_in(bench, describing, expires_at=bench.clock.now() + timedelta(days=days)))

    assert (health, said) == ([check.health for check in found], [check.message for check in found])
    assert {4} >= {check.exit_code for check in found if check.health is Health.BAD}


@pytest.mark.parametrize(
    ("until", "health", "said"),
    [
        (date(2026, 6, 7), [Health.BAD], ["API v9 is no longer supported by the vendor since 2026-06-07"]),
        (date(2026, 6, 8), [Health.WEAK], ["API v9 is supported by the vendor until 2026-06-08"]),
        (date(2026, 12, 5), [Health.WEAK], ["API v9 is supported by the vendor until 2026-12-05"]),
        (date(2026, 12, 6), [], []),
    ],
)
def test_the_end_of_a_versions_support_is_told(
    describing: Callable[..., Workspace], until: date, health: list[Health], said: list[str]
) -> None:
    """From 180 days before, by the workspace's clock."""
    workspace = describing(benched(), lambda d: replace(d, api_version="v9", api_supported_until=until))
    found = told(workspace)

    assert (health, said) == ([check.health for check in found], [check.message for check in found])


def other_need(**native: Any) -> Callable[[Description], Description]:
    """Let the account's field for the need be another one."""

    def change(known: Description) -> Description:
        fields = [replace(each, **native) if each.name == "bant.need" else each for each in known.fields]
        return replace(known, fields=tuple(fields))

    return change


def bench_of(**declared: Any) -> Bench:
    """Make a workspace whose process declares the parts of BANT so, and asks for them."""
    fields = [{"id": name, "name": name, **declared} for name in BANT]
    return make_bench(process=make_process(stages=[BY_BANT, *map(make_stage, STAGES[1:-2])], fields=fields), deals=1)


@pytest.mark.parametrize(
    ("declared", "there", "message"),
    [
        ("number", FieldType.TEXT, "bant.need is a number in the process, and bant.need is a text field here"),
        ("date", FieldType.BOOL, "bant.need is a date in the process, and bant.need is a bool field here"),
        (
            "bool",
            None,
            "bant.need is a bool in the process, and bant.need is of a type that crmbridge does not read here",
        ),
        ("number", FieldType.MONEY, None),
        ("datetime", FieldType.DATE, None),
        ("text", FieldType.NUMBER, None),
    ],
)
def test_a_field_of_another_type_than_rules_take_it_for(
    describing: Callable[..., Workspace], declared: str, there: FieldType | None, message: str | None
) -> None:
    """Told with the rules that look at it; what can be read all the same is fine."""
    workspace = describing(bench_of(type=declared), other_need(type=there))
    found = [check for check in told(workspace) if check.message.startswith("bant.need")]

    assert ([message] if message else []) == [check.message for check in found]
    assert all("leave rules undecided: prospecting.bant." in check.advice for check in found)


def test_an_option_that_the_account_does_not_have(describing: Callable[..., Workspace]) -> None:
    """No deal can hold it there, under its own name or the one that people see."""
    has = other_need(type=FieldType.CHOICE, options=("1", "no"), option_labels={"1": "yes"})
    (found,) = told(describing(bench_of(type="choice", options=["yes", "no", "maybe"]), has))

    assert "bant.need has no option maybe here, which bant.need has in the process" == found.message
    assert "No deal can hold it: prospecting.bant. Add it there, or take it out." == found.advice


def seat(bench: Bench, connection: str, email: str) -> None:
    """Let an account have a user."""
    user = Record(ref=Ref(connection, Kind.USER, "u9"), version="1", updated_at=MONDAY, fields={"email": email})
    bench.crms[connection].records[user.ref] = user


def test_an_address_in_a_team_that_no_crm_knows_is_named_once() -> None:
    """Whoever one of the CRMs knows is fine, however the address is written."""
    bench = benched(teams={"North": ["  ANA@acme.example ", "bo@acme.exampel"], "South": ["cy@acme.exampel"]})
    seat(bench, "north", "dee@acme.example")
    seat(bench, "south", "ana@acme.example")
    (said,) = told(bench.workspace, "teams")

    assert (Health.WEAK, "no CRM has a user with these addresses: bo@acme.exampel, cy@acme.exampel") == (
        said.health,
        said.message,
    )
    assert "`teams:`" in said.advice


@pytest.mark.parametrize(
    ("to", "people", "says"),
    [
        ("bo@acme.exampel", {}, "has no user with the e-mail bo@acme.exampel"),
        ("boss", {"boss": "bo@acme.exampel"}, "has no user with the e-mail bo@acme.exampel"),
        ("boss", {"boss": {"south": "bo@acme.example"}}, "nobody is boss in `people:`"),
    ],
)
def test_somebody_whom_bindings_give_deals_to_and_whom_a_crm_does_not_know_is_named_once(
    to: str, people: dict[str, Any], says: str
) -> None:
    """With the places in the settings. Notices are for anybody, and elsewhere others are meant."""
    enforce = [
        {"rule": "*", "action": "task", "to": to, "on": ["north"]},
        {"rule": "*", "action": "notify", "to": "cy@acme.exampel", "on": ["north"]},
        {"rule": "*", "action": "reassign", "to": to, "on": ["north"]},
        {"rule": "*", "escalate": [{"after": "1d", "severity": "error"}, {"after": "2d", "action": "task", "to": to}]},
    ]
    bench = benched(enforce=enforce, people=people)
    seat(bench, "north", "Bo@acme.example")
    seat(bench, "south", "bo@acme.exampel")
    (said,) = [one for one in told(bench.workspace, "north") if "bindings" in one.message]

    places = "`enforce` 1; `enforce` 3; `enforce` 4, `escalate` 2"
    assert (Health.WEAK, f"{says}, to whom bindings give tasks or deals ({places})") == (said.health, said.message)
    assert ("Did you mean bo@acme.example?" in said.advice) == ("e-mail" in says)


def test_of_bound_people_nothing_is_said_where_a_crm_tells_of_no_users() -> None:
    """It may not let us read them."""
    bench = benched(enforce=[{"rule": "*", "action": "task", "to": "bo@acme.example"}])
    records = bench.crms["north"].records
    for ref in [ref for ref in records if ref.kind is Kind.USER]:
        del records[ref]

    assert not [one for one in told(bench.workspace, "north") if "bindings" in one.message]


def test_of_teams_nothing_is_said_while_a_crm_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """It may be the one that knows them."""
    bench = benched(teams={"North": ["bo@acme.example"]})
    records = bench.crms["south"].records
    for ref in [ref for ref in records if ref.kind is Kind.USER]:
        del records[ref]
    assert [] == told(bench.workspace, "teams")  # it names no user: it may not let us read them
    seat(bench, "south", "ana@acme.example")
    assert 1 == len(told(bench.workspace, "teams"))

    def silent(_self: FakeAdapter) -> Description:
        raise RetryLaterError("south: no answer")

    monkeypatch.setattr(type(bench.workspace.adapter("south")), "describe", silent)
    assert [] == told(bench.workspace, "teams")
