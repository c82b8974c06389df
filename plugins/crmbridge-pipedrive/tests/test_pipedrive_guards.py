"""Exit rules as required fields: from the stages after the one they are about, and only what Pipedrive can say."""

import json
from typing import Any

import httpx
import pytest

from crmbridge.model.replacing import replace
from crmbridge.model.values import FieldType
from crmbridge.ports import FieldBinding, GuardRequest, Guards
from crmbridge.sandbox import Served
from crmbridge.testing.factories import make_process, make_stage
from crmbridge_pipedrive import plugin
from crmbridge_pipedrive.guards import FILE, STEPS
from crmbridge_pipedrive.sandbox_account import PROCESS_FIELDS

CODES = {name: field.code for name, field in PROCESS_FIELDS.items()}
FIELDS = [
    {"id": "bant.budget", "name": "Budget", "type": "bool"},
    {"id": "pains", "name": "Pains"},
    {"id": "discount", "name": "Discount", "type": "number"},
    {"id": "presented_on", "name": "Presented on", "type": "date"},
    {"id": "proposal_link", "name": "Proposal"},
    {"id": "unbound", "name": "Nowhere"},
]
BOUND = ("bant.budget", "pains", "discount", "presented_on", "proposal_link")


def request(*rules: dict[str, Any], stage: str = "qualification", **more: Any) -> GuardRequest:
    """Ask for the guards of one stage's rules, in an account whose stages are 2, 3 and 4."""
    outputs = [{"id": "proposal", "name": "Proposal", "field": "proposal_link"}]
    names = ("qualification", "proposal", "closing")
    stages = [make_stage(s, **({"exit": list(rules), "outputs": outputs} if s == stage else {})) for s in names]
    care = make_stage("care", status="won", **({"exit": list(rules)} if stage == "care" else {}))
    usual = GuardRequest(
        connection="pd",
        process=make_process(fields=FIELDS, stages=[*stages, care]),
        stages={"qualification": ("2",), "proposal": ("3",), "closing": ("4", "5")},
        pipeline="1",
        fields=tuple(FieldBinding(name=n, native=CODES[n], type=FieldType.TEXT) for n in BOUND),
    )
    return replace(usual, **more)


def guards(asked: GuardRequest) -> Guards:
    spec = next(iter(plugin.crmbridge_adapters()))
    assert spec.guards
    return spec.guards(asked)


def sent(found: Guards) -> dict[str, Any]:
    """Give what the file requires of each field, by its path."""
    return {entry["path"]: entry["body"]["required_fields"] for entry in json.loads(found.files[FILE])}


def rule(check: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": "r", "check": check, **more}


def test_what_a_stage_needs_is_required_from_the_next_one_on() -> None:
    """Required at a stage means that no deal stands there without, so leaving A is asked for from B on, and to win."""
    found = guards(request(rule({"required": ["pains"]})))

    wanted = {"enabled": True, "stage_ids": [3, 4, 5], "statuses": {"1": ["won"]}}
    assert {f"/api/v2/dealFields/{CODES['pains']}": wanted} == sent(found)
    assert (("qualification.r",), ()) == (found.covered, found.left_out)


@pytest.mark.parametrize(
    "check",
    [{"bounds": {"field": "unbound", "min": 1}}, {"one_of": {"field": "unbound", "values": ["a"]}}],
    ids=lambda check: next(iter(check)),
)
def test_a_field_that_is_bound_to_nothing_is_not_called_required(check: dict[str, Any]) -> None:
    """Nothing asks for it anywhere."""
    found = guards(request(rule(check)))

    assert {} == found.files
    assert ["unbound can't be required: no field of Pipedrive's holds it"] == [each.why for each in found.left_out]


def test_two_rules_about_one_field_are_one_requirement() -> None:
    """The earlier one counts: later stages are among its own."""
    process = request(rule({"required": ["pains"]})).process
    stages = [
        s.model_copy(update={"exit": process.stages[0].exit}) if s.id == "proposal" else s for s in process.stages
    ]
    both = replace(request(rule({"required": ["pains"]})), process=process.model_copy(update={"stages": tuple(stages)}))

    assert [[3, 4, 5]] == [wanted["stage_ids"] for wanted in sent(guards(both)).values()]


@pytest.mark.parametrize(
    ("check", "required", "why"),
    [
        ({"required": ["pains", "discount"]}, {"pains", "discount"}, ""),
        ({"outputs": ["proposal"]}, {"proposal_link"}, ""),
        ({"at_least": 2, "of": ["pains", "discount"]}, {"pains", "discount"}, ""),
        ({"at_least": 1, "of": ["pains", "discount"]}, set(), "1 of 2"),
        ({"at_least": 1, "of": ["bant.budget"]}, {"bant.budget"}, "say yes"),
        ({"bounds": {"field": "discount", "max": 10}}, {"discount"}, "limits"),
        ({"dates": {"field": "presented_on", "to_days": 0}}, {"presented_on"}, "limits"),
        ({"one_of": {"field": "pains", "values": ["a"]}}, {"pains"}, "options"),
        ({"activities": {"at_least": 2}}, set(), "activities"),
        ({"approval": {"field": "discount", "over": 10, "by": "pains"}}, set(), "above a limit"),
        ({"expr": "discount > 10"}, set(), "an expression"),
        ({"required": ["unbound", "pains"]}, {"pains"}, "unbound"),
        ({"required": ["activities_done"]}, set(), "activities_done"),
    ],
)
def test_each_check_as_far_as_it_goes(check: dict[str, Any], required: set[str], why: str) -> None:
    """A rule is covered when all of it is required; otherwise what is missing is said, and what can be is required."""
    found = guards(request(rule(check)))
    paths = {f"/api/v2/dealFields/{CODES[name]}" for name in required}

    assert paths == (set(sent(found)) if FILE in found.files else set())
    assert (not why) == (found.covered == ("qualification.r",))
    assert all(why in left.why for left in found.left_out)
    assert len(found.covered) + len(found.left_out) == 1


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (request(rule({"required": ["pains"]}, when={"required": ["discount"]})), "some deals"),
        (request(rule({"bounds": {"field": "discount", "max": 9}}, on_unknown="skip")), "limits"),
        (request(rule({"required": ["pains"]}), stage="care"), "won"),
        (request(rule({"required": ["pains"]}), stages={"proposal": ("3",)}), "not mapped"),
    ],
)
def test_nothing_is_stricter_than_the_process(asked: GuardRequest, why: str) -> None:
    """A field is only required where the process would not let any deal go without."""
    found = guards(asked)

    assert ({}, ()) == (found.files, found.covered)
    assert why in found.left_out[0].why


def test_the_last_stage_is_set_by_hand() -> None:
    """Enabled with no stages would mean everywhere ("DealFields: Update one deal field"), so no file says it."""
    found = guards(request(rule({"required": ["pains"]}), stage="closing"))

    assert FILE not in found.files
    assert "by hand" in found.files[STEPS]
    assert ("closing.r",) == found.covered


def test_built_in_fields_are_set_by_hand() -> None:
    """The API changes custom fields; amount and close date are told to an admin."""
    found = guards(request(rule({"required": ["amount", "close_date", "pains"]})))

    assert [f"/api/v2/dealFields/{CODES['pains']}"] == list(sent(found))
    assert all(f"| {code} |" in found.files[STEPS] for code in ("value", "expected_close_date"))
    assert any("by hand" in step for step in found.steps)


def test_it_is_said_that_the_api_is_not_held_back() -> None:
    """Required fields are enforced in the web UI only ("DealFields: Create one deal field")."""
    found = guards(request(rule({"required": ["pains"]})))

    assert "in its app only" in found.files[STEPS]
    assert "in its app only" in found.steps[-1]


def test_labels_become_codes_where_the_account_is_known(adapter: Any) -> None:
    """Bindings by name are looked up; without the account such a field is set by hand."""
    by_name = (FieldBinding(name="pains", native="Pains", type=FieldType.TEXT),)
    blind = guards(request(rule({"required": ["pains"]}), fields=by_name))
    seeing = guards(request(rule({"required": ["pains"]}), fields=by_name, account=adapter.describe()))

    assert FILE not in blind.files
    assert [f"/api/v2/dealFields/{CODES['pains']}"] == list(sent(seeing))
    assert "Proposal, Negotiation" not in blind.files[STEPS]
    assert "| Pains | Diagnosis, Proposal, Negotiation | yes |" in seeing.files[STEPS]


def test_all_options_are_no_limit(adapter: Any) -> None:
    """Where every option is right, being filled in is all there is to hold."""
    region = (FieldBinding(name="pains", native="Region", type=FieldType.CHOICE),)
    check = {"one_of": {"field": "pains", "values": ["EMEA", "Americas", "APAC"]}}

    assert guards(request(rule(check), fields=region, account=adapter.describe())).covered


def test_the_file_is_what_pipedrive_takes(served: Served) -> None:
    """Each entry is sent as it stands, and is required then."""
    found = guards(request(rule({"required": ["pains", "discount"]})))
    with httpx.Client(base_url=served.url, headers={"x-api-token": served.token}, trust_env=False) as client:
        answers = [client.request(e["method"], e["path"], json=e["body"]) for e in json.loads(found.files[FILE])]
        listed = client.get("/api/v2/dealFields?limit=500&include_fields=required_fields").json()["data"]

    assert [200, 200] == [answer.status_code for answer in answers]
    assert {CODES["pains"], CODES["discount"]} == {f["field_code"] for f in listed if f["required_fields"]["enabled"]}


def test_a_name_that_would_end_a_cell_stays_in_it() -> None:
    """Labels are people's own: one with a bar in it would push what is required to win under another heading."""
    bound = (FieldBinding(name="pains", native="Pains | needs", type=FieldType.TEXT),)
    page = guards(request(rule({"required": ["pains"]}), fields=bound)).files[STEPS]
    (row,) = [line for line in page.splitlines() if line.startswith("| Pains")]

    assert r"| Pains \| needs | 3, 4, 5 | yes | by hand |" == row
