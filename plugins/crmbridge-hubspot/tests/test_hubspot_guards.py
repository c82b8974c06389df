"""Exit rules become what HubSpot's stages require, as far as it can hold them, and the rest is named with a reason."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from crmbridge.files.reading import read_process
from crmbridge.files.shipped import shipped_folder
from crmbridge.model.process import ExitRule, Process
from crmbridge.model.records import Status
from crmbridge.model.replacing import replace
from crmbridge.model.values import FieldType
from crmbridge.ports import Description, FieldBinding, GuardRequest, Guards, NativeField, NativeStage, Pipeline
from crmbridge.sandbox import SandboxOptions, VirtualClock, serve
from crmbridge.testing.factories import NOON, make_process, make_stage
from crmbridge_hubspot import plugin
from crmbridge_hubspot.sandbox import build
from crmbridge_hubspot.sandbox_terms import FIELDS, PIPELINE, STAGES

FILE, STEPS = "hubspot-guards.json", "STEPS.md"


def export(request: GuardRequest) -> tuple[Guards, dict[str, Any]]:
    """Export through what the plugin offers; give the file's content beside it."""
    made = next(iter(plugin.crmbridge_adapters())).guards
    assert made is not None
    found = made(request)
    return found, json.loads(found.files[FILE])


def bind(process: Process, **natives: str) -> tuple[FieldBinding, ...]:
    """Bind fields of a process to properties."""
    types = {each.id: each.type for each in process.fields}
    return tuple(
        FieldBinding(name=name, native=native, type=types.get(name, FieldType.TEXT)) for name, native in natives.items()
    )


PROCESS_FIELDS = [
    {"id": "pains", "name": "Pains"},
    {"id": "agreed", "name": "Agreed", "type": "bool"},
    {"id": "discount", "name": "Discount", "type": "number"},
    {"id": "presented_on", "name": "Presented on", "type": "date"},
    {"id": "segment", "name": "Segment", "type": "choice", "options": ["small", "large"]},
    {"id": "approver", "name": "Approver"},
]


def make_request(*rules: dict[str, Any], **overrides: Any) -> GuardRequest:
    """Make a request for a process of three stages, with these rules on the second."""
    stages = [
        make_stage("first"),
        make_stage("second", exit=list(rules), outputs=[{"id": "survey", "name": "Survey", "field": "pains"}]),
        make_stage("third"),
    ]
    process = make_process(stages=stages, fields=PROCESS_FIELDS, **overrides.pop("process", {}))
    natives = {each["id"]: f"own_{each['id']}" for each in PROCESS_FIELDS}
    usual: dict[str, Any] = {
        "connection": "hs",
        "process": process,
        "stages": {"first": ("s1",), "second": ("s2",), "third": ("s3",), "won": ("sw",), "lost": ("sl",)},
        "pipeline": "p1",
        "fields": bind(process, **natives),
    }
    return GuardRequest(**{**usual, **overrides})


def make_rule(check: dict[str, Any], **more: Any) -> dict[str, Any]:
    """Make an exit rule."""
    return {"id": "rule", "check": check, **more}


def make_account(*fields: NativeField, stages: tuple[NativeStage, ...] = ()) -> Description:
    """Describe an account with these deal properties."""
    usual = stages or tuple(
        NativeStage(id=each, label=f"Stage {each}", status=status)
        for each, status in (("s1", Status.OPEN), ("s2", Status.OPEN), ("s3", Status.OPEN), ("sw", Status.WON))
    )
    pipeline = Pipeline(id="p1", label="Sales", stages=usual)
    return Description(account="42", pipelines=(pipeline,), fields=fields, users=())


def required(document: dict[str, Any]) -> dict[str, set[str]]:
    """Give the properties that each of HubSpot's stages requires."""
    return {stage["id"]: {row["property"] for row in stage["required"]} for stage in document["stages"]}


# ── Each check ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("check", "properties", "why"),
    [
        ({"required": ["pains", "amount"]}, {"own_pains", "amount"}, ""),
        ({"required": ["close_date", "owner", "name"]}, {"closedate", "hubspot_owner_id", "dealname"}, ""),
        ({"required": ["agreed"]}, {"own_agreed"}, ""),  # filled in is all it asks
        ({"required": ["pains", "contacts"]}, {"own_pains"}, "contacts is a link"),
        ({"required": ["lost_reason"]}, set(), "settings name"),
        ({"at_least": 2, "of": ["pains", "approver"]}, {"own_pains", "own_approver"}, ""),
        ({"at_least": 1, "of": ["pains", "approver"]}, set(), "1 of 2"),
        ({"at_least": 1, "of": ["agreed"]}, {"own_agreed"}, "a No as filled in"),
        ({"outputs": ["survey"]}, {"own_pains"}, ""),
        ({"activities": {"at_least": 2}}, set(), "activities"),
        ({"dates": {"field": "presented_on", "to_days": 0}}, {"own_presented_on"}, "on which the deal leaves"),
        ({"one_of": {"field": "segment", "values": ["large"]}}, {"own_segment"}, "certain options"),
        ({"approval": {"field": "discount", "over": 10, "by": "approver"}}, set(), "above a value"),
        ({"expr": "discount > 10"}, set(), "an expression"),
    ],
)
def test_each_check_is_held_or_named(check: dict[str, Any], properties: set[str], why: str) -> None:
    """What can be required is, in all stages after the rule's; a rule is covered in full or says what is not."""
    found, document = export(make_request(make_rule(check)))
    whys = {each.rule: each.why for each in found.left_out}

    assert ({"s3": properties, "sw": properties} if properties else {}) == required(document)
    assert (("second.rule",), {}) == (found.covered, whys) if not why else why in whys["second.rule"]
    assert bool(why) is not ("second.rule" in found.covered)


def test_bounds_are_a_limit_of_the_property() -> None:
    """Required, and with HubSpot's own limits, ready to be sent ("Property validations")."""
    rule = make_rule({"bounds": {"field": "discount", "min": 0, "max": "12.5"}})
    found, document = export(make_request(rule))
    base = "/crm/property-validations/2026-03/0-3/own_discount/rule-type"

    assert ("second.rule",) == found.covered
    assert {"s3": {"own_discount"}, "sw": {"own_discount"}} == required(document)
    assert [(f"{base}/MIN_NUMBER", ["0"]), (f"{base}/MAX_NUMBER", ["12.5"])] == [
        (each["path"], each["body"]["ruleArguments"]) for each in document["validations"]
    ]
    assert "every pipeline and in every stage" in found.files[STEPS]


@pytest.mark.parametrize("on_unknown", ["warn", "skip"])
def test_a_rule_that_an_empty_field_does_not_break_requires_none(on_unknown: str) -> None:
    """HubSpot would be stricter than the process."""
    checks = [
        {"bounds": {"field": "discount", "max": 10}},
        {"dates": {"field": "presented_on", "to_days": 0}},
        {"one_of": {"field": "segment", "values": ["large"]}},
    ]
    rules = [{"id": f"r{n}", "check": check, "on_unknown": on_unknown} for n, check in enumerate(checks)]
    found, document = export(make_request(*rules))

    assert {} == required(document)
    assert ("second.r0",) == found.covered


def test_two_limits_of_one_property_are_not_held() -> None:
    """HubSpot has one for all stages, so the stricter one would bind too early."""
    rules = [{"id": f"r{n}", "check": {"bounds": {"field": "amount", "min": n * 1000}}} for n in (1, 2)]
    found, document = export(make_request(*rules))

    assert ([], 2) == (document["validations"], len(found.left_out))
    assert {"amount"} == required(document)["s3"]


def test_a_rule_for_some_deals_requires_nothing() -> None:
    """Or every small deal would be asked for what only a large one needs."""
    rule = make_rule({"required": ["pains"]}, when={"bounds": {"field": "amount", "min": 50000}})
    found, document = export(make_request(rule))

    assert ({}, ()) == (required(document), found.covered)
    assert "some deals only" in found.left_out[0].why


def test_a_choice_with_only_the_right_options_is_held() -> None:
    """Then any value is a right one; the account must have been asked for that."""
    rule = make_rule({"one_of": {"field": "segment", "values": ["small", "large", "huge"]}})
    known = NativeField(name="own_segment", label="Segment", type=FieldType.CHOICE, options=("small", "large"))
    found, _ = export(make_request(rule, account=make_account(known)))
    more, _ = export(
        make_request(
            rule,
            account=make_account(
                NativeField(name="own_segment", label="Segment", type=FieldType.CHOICE, options=("small", "other"))
            ),
        )
    )

    assert (("second.rule",), ()) == (found.covered, more.covered)


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ((), "the account has no deal property for discount"),
        ((NativeField(name="own_discount", label="D", type=FieldType.NUMBER, writable=False),), "by itself"),
        ((NativeField(name="own_discount", label="D", type=FieldType.TEXT),), "not a number"),
    ],
)
def test_the_account_is_believed(fields: tuple[NativeField, ...], why: str) -> None:
    """A property that is not there, is calculated or is of another type can't be limited."""
    rule = make_rule({"bounds": {"field": "discount", "max": 10}})
    found, document = export(make_request(rule, account=make_account(*fields)))

    assert ([], ()) == (document["validations"], found.covered)
    assert why in found.left_out[0].why


def test_a_field_that_is_bound_by_its_label_is_found() -> None:
    """The adapter takes labels for names; whoever loads the export needs the name."""
    rule, label = make_rule({"required": ["pains"]}), "What hurts"
    request = make_request(rule, fields=bind(make_request().process, pains=label))
    one, two = (NativeField(name=name, label=label, type=FieldType.TEXT) for name in ("own_pains", "twin"))
    _, document = export(replace(request, account=make_account(one)))
    unclear, _ = export(replace(request, account=make_account(one, two)))

    assert {("own_pains", label)} == {
        (each["property"], each["label"]) for stage in document["stages"] for each in stage["required"]
    }
    assert () == unclear.covered


# ── Stages and moves ────────────────────────────────────────────────────────────────────────────────────


def test_what_leaves_a_stage_is_required_in_all_after_it() -> None:
    """HubSpot asks on entering, so a deal that skips a stage is asked too; a lost one is not."""
    stages = {"first": ("s1",), "second": ("s2", "s2b"), "third": ("s3", "s3b"), "won": ("sw",), "lost": ("sl",)}
    _, document = export(make_request(make_rule({"required": ["pains"]}), stages=stages))

    assert {"s3", "s3b", "sw"} == set(required(document))


def test_a_stage_that_stands_for_two_is_not_asked_at() -> None:
    """A deal that only gets there has not left the first of them."""
    stages = {"first": ("s1",), "second": ("s2",), "third": ("s2", "s3"), "won": ("sw",)}
    _, document = export(make_request(make_rule({"required": ["pains"]}), stages=stages))

    assert {"s3", "sw"} == set(required(document))


@pytest.mark.parametrize(
    ("stages", "why"),
    [
        ({"first": ("s1",), "third": ("s3",), "won": ("sw",)}, "not mapped"),
        ({"first": ("s1",), "second": ("s2",)}, "no stage is mapped"),
    ],
)
def test_without_stages_there_is_nothing_to_ask_at(stages: dict[str, tuple[str, ...]], why: str) -> None:
    """The rule is named, and nothing is required."""
    found, document = export(make_request(make_rule({"required": ["pains"]}), stages=stages))

    assert {} == required(document)
    assert why in found.left_out[0].why


@pytest.mark.parametrize(
    ("moves", "stages", "account", "expected"),
    [
        ({}, {}, None, (True, False)),
        ({"skip": True}, {}, None, (False, False)),
        ({"back": False}, {}, None, (True, True)),
        ({}, {"second": ("s2", "s2b")}, None, (False, False)),  # a deal would have to pass through both
        ({}, {}, make_account(), (True, False)),
        (
            {},
            {},
            make_account(
                stages=tuple(NativeStage(id=i, label=i, status=Status.OPEN) for i in ("s1", "extra", "s2", "s3"))
            ),
            (False, False),
        ),
    ],
)
def test_moves_are_limited_only_where_hubspot_would_limit_the_same(
    moves: dict[str, bool], stages: dict[str, Any], account: Description | None, expected: tuple[bool, bool]
) -> None:
    """Its rule about skipping counts every stage of the pipeline ("Set up rules for deal pipelines")."""
    usual = make_request(make_rule({"required": ["pains"]}), process={"moves": moves})
    request = make_request(
        make_rule({"required": ["pains"]}),
        process={"moves": moves},
        stages={**usual.stages, **stages},
        account=account,
    )
    rules = export(request)[1]["pipeline_rules"]

    assert expected == (rules["restrict_skipping"], rules["restrict_backwards"])


# ── In an account ───────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def loaded() -> Iterator[tuple[Any, httpx.Client]]:
    """Serve an account into which the guard rails of the bundled process were loaded, with a limit of discounts."""
    request = make_bundled()
    closing = next(stage for stage in request.process.stages if stage.id == "closing")
    limit = ExitRule.model_validate({"id": "limit", "check": {"bounds": {"field": "discount", "max": 20}}})
    stages = [
        s if s is not closing else s.model_copy(update={"exit": (limit, *s.exit)}) for s in request.process.stages
    ]
    process = request.process.model_copy(update={"stages": tuple(stages)})
    _, document = export(replace(request, process=process))
    with serve(build(SandboxOptions(deals=6, clock=VirtualClock(NOON)))) as served:
        state, headers = served.sandbox.state, {"Authorization": f"Bearer {served.token}"}
        state.required_in = {s: tuple(names) for s, names in required(document).items()}
        with httpx.Client(base_url=served.url, headers=headers) as client:
            for each in document["validations"]:
                client.request(each["method"], each["path"], json=each["body"]).raise_for_status()
            yield state, client


def test_an_account_with_the_guard_rails_refuses(loaded: tuple[Any, httpx.Client]) -> None:
    """Moves without what the stage requires from 2026-09 on, and values past a limit in every version."""
    state, client = loaded
    deal = state.create("deals", {"dealname": "Guarded", "dealstage": "presentationscheduled"}).id

    def write(version: str, **values: str) -> int:
        return client.patch(f"/crm/objects/{version}/deals/{deal}", json={"properties": values}).status_code

    assert 400 == write("2026-09", dealstage="decisionmakerboughtin")
    assert 400 == write("2026-03", discount="21")
    needed = {"icp_match": "true", "decision_maker": "A", "pains": "B", "technical_requirements": "C"}
    assert 200 == write("2026-09", dealstage="decisionmakerboughtin", scope_agreed="true", discount="20", **needed)
    assert 200 == write("2026-09", dealstage="closedlost")


# ── The bundled process, and the page ───────────────────────────────────────────────────────────────────


def make_bundled() -> GuardRequest:
    """Make a request for the bundled process, in the sandbox's terms."""
    process = read_process(shipped_folder() / "processes" / "b2b.yaml").model
    assert process is not None
    stages = {stage: (native,) for stage, native in STAGES.items()}
    return GuardRequest(
        connection="hs", process=process, stages=stages, pipeline=PIPELINE, fields=bind(process, **FIELDS)
    )


def test_the_bundled_process() -> None:
    """Every rule is covered or named once, and what is covered is required in every later stage."""
    request = make_bundled()
    found, document = export(request)
    rules = [f"{stage.id}.{rule.id}" for stage in request.process.stages for rule in stage.exit]
    left = [each.rule for each in found.left_out]

    assert sorted(rules) == sorted([*found.covered, *left])
    assert {
        "diagnosis.survey",
        "proposal.document",
        "proposal.figures",
        "negotiation.objections",
        "closing.contract",
        "closing.expectations",
    } == set(found.covered)
    assert {"pains", "technical_requirements"} <= required(document)["decisionmakerboughtin"]
    assert {"contract_link", "amount", "closedate", "pains"} <= required(document)["closedwon"]
    assert "closedlost" not in required(document)
    assert "appointmentscheduled" not in required(document)


def test_the_export_is_the_same_each_time() -> None:
    """So that a change in the process shows as a change in the files."""
    assert export(make_bundled())[0] == export(make_bundled())[0]


def test_the_page_says_what_to_do_in_order() -> None:
    """Pipeline, stages with label and id, properties with label and name, and what binds crmbridge itself."""
    field = NativeField(name="own_pains", label="Pains of the customer", type=FieldType.TEXT)
    page = export(make_request(make_rule({"required": ["pains"]}), account=make_account(field)))[0].files[STEPS]
    steps = [line for line in page.splitlines() if line[:1].isdigit()]

    assert "2. Select the pipeline **Sales** (`p1`)." == steps[1]
    assert steps[2].startswith("3. In the row of the stage **Stage s3** (`s3`)")
    assert "   - **Pains of the customer** (`own_pains`), for `second.rule`" in page.splitlines()
    assert "2026-09" in page
    assert "crmbridge's own" in page


def test_nothing_to_export_is_said() -> None:
    """Without a rule that HubSpot can hold there are no steps; the page still names what is left."""
    found, _ = export(make_request(make_rule({"activities": {"at_least": 1}}), process={"moves": {"skip": True}}))

    assert () == found.steps
    assert "`second.rule`: HubSpot can't require activities" in found.files[STEPS]


@pytest.mark.parametrize(
    "label",
    [
        "**bold** [a](https://evil.example) <script>x</script>",
        "# Heading\n\n1. Delete everything",
        "`code` | cell | ![i](x)",
        "https://evil.example and www.evil.example and a@b.example",
        "turn\u202earound \u0000 \ud800 ~~gone~~ &amp; \\",
    ],
)
def test_labels_of_an_account_stay_text(label: str) -> None:
    """Markdown shows them letter by letter, on one line: no link, heading, step, image or code comes from them."""
    markdown = pytest.importorskip("markdown_it").MarkdownIt("gfm-like", {"linkify": False})
    field = NativeField(name="own_pains", label=label, type=FieldType.TEXT)
    stage = NativeStage(id="s3", label=label, status=Status.OPEN)
    account = make_account(field, stages=(stage,))
    usual = make_account(NativeField(name="own_pains", label="L", type=FieldType.TEXT), stages=(stage,))
    page = export(make_request(make_rule({"required": ["pains"]}), account=account))[0].files[STEPS]
    plain = export(make_request(make_rule({"required": ["pains"]}), account=usual))[0].files[STEPS]

    def shape(text: str) -> list[str]:
        return [f"{t.type} {[c.type for c in t.children or ()]}" for t in markdown.parse(text)]

    assert shape(plain) == shape(page)
    assert page.encode()
    assert "\u202e" not in page


def test_ids_of_an_account_stay_code() -> None:
    """A backtick can't end the code that an id stands in."""
    process = make_request().process
    fields = bind(process, pains="own`pains` **x**\n# y")
    page = export(make_request(make_rule({"required": ["pains"]}), fields=fields))[0].files[STEPS]

    assert "   - `ownpains **x** # y`, for `second.rule`" in page.splitlines()
