"""A process's exit rules as Salesforce validation rules: metadata to deploy, steps, and what can't be said."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from xml.sax.saxutils import escape

from msgspec import Struct

from crmbridge.model.process import ExitRule, OnUnknown, Stage
from crmbridge.ports import GuardRequest, Guards, LeftOut, rule_name
from crmbridge_salesforce.formulas import FALSE, TRUE, UNWRITABLE, UnsayableError, all_of, any_of, literal, not_, said
from crmbridge_salesforce.ids import is_id
from crmbridge_salesforce.stage_moves import forbidden, leaves

MOVE = "move"  # what findings call the rule about forbidden moves
LONGEST_FORMULA, LONGEST_MESSAGE, LONGEST_NAME = 3900, 255, 40
API_VERSION = "67.0"
PERMISSION, SET = "CrmBridge_Past_Exit_Rules", "CrmBridge_Integration"
STEPS = (
    "Look at objects/Opportunity.object: each rule has its formula and its message.",
    "Try them in a sandbox org first: sf project deploy start --metadata-dir . --target-org SANDBOX",
    "Deploy to production with the same command and the other org.",
    f"Give the permission set {SET} to the user that crmbridge signs in as, in both orgs: STEPS.md says why.",
)
NOTES = """## What to know

- A rule looks at a deal when its stage is changed forward, on the screen and through the API alike. A deal that is
  created in a late stage, or comes back from lost, is judged by crmbridge only.
- Placeholders of a message can't be counted by a validation rule: {missing} names every field that the rule looks at,
  {passed} and {value} become an ellipsis.
- The permission set lets crmbridge's own user pass: a move that it carries over was checked where somebody made it.
  Without the set, Salesforce refuses such a move as it would a seller's, and crmbridge shows the rule's words.
- A formula that does not fit its field, such as a comparison with a long text area, makes the deployment fail and
  changes nothing. Take that rule out of objects/Opportunity.object and package.xml; crmbridge goes on checking it.
- TODAY() is the day where the user is; crmbridge counts days where the stage's calendar is.
- To take the rules back, switch them off under Object Manager, Opportunity, Validation Rules.
"""
UNASKED = (
    "- The org was not asked: yes/no fields are taken for checkboxes and choices for picklists. Where that is wrong,\n"
    "  the deployment fails and changes nothing; export with --ask then."
)
BACK = "going back is allowed where it takes back the last move, and a validation rule does not see that one"
_NAMESPACE = 'xmlns="http://soap.sforce.com/2006/04/metadata"'
_HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'


class Rule(Struct, frozen=True, kw_only=True):
    """A validation rule: it refuses a deal for which the formula is true."""

    name: str
    formula: str
    message: str
    about: str


def guards(request: GuardRequest) -> Guards:
    """Write the exit rules and the forbidden moves as validation rules (Metadata API, "ValidationRule").

    A rule whose formula would be more than 3,900 characters long is left out.
    """
    rules: list[Rule] = []
    covered: list[str] = []
    left: list[LeftOut] = []
    for stage, rule in request.rules():
        name = rule_name(stage, rule)
        try:
            rules += _exit_rule(stage, rule, request)
            covered.append(name)
        except UnsayableError as why:
            left.append(LeftOut(rule=name, why=str(why)))
    try:
        found = _move_rule(request)
        rules += found
        covered += [MOVE] * len(found)
    except UnsayableError as why:
        left.append(LeftOut(rule=MOVE, why=str(why)))
    if not request.process.moves.back:
        left.append(LeftOut(rule=MOVE, why=BACK))
    if not rules:
        return Guards(covered=tuple(covered), left_out=tuple(left))
    files = _files(rules, left, request)
    return Guards(files=files, steps=STEPS, covered=tuple(covered), left_out=tuple(left))


def _exit_rule(stage: Stage, rule: ExitRule, request: GuardRequest) -> list[Rule]:
    """Write one exit rule; nothing for one that can never be broken, such as a checkbox that must be filled in."""
    check = said(rule.check, stage, request)
    fine = check.holds if rule.on_unknown is OnUnknown.FAIL else any_of([check.holds, check.unknown])
    applies = said(rule.when, stage, request).holds if rule.when is not None else TRUE
    broken = all_of([applies, not_(fine)])
    if broken == FALSE:
        return []
    name = rule_name(stage, rule)
    formula = _formula([leaves(stage.id, request), broken], request)
    return [Rule(name=_api_name(name), formula=formula, message=_message(stage, rule, request), about=name)]


def _move_rule(request: GuardRequest) -> list[Rule]:
    move = forbidden(request)
    if move is None:
        return []
    formula = _formula([move], request)
    message = "The sales process does not allow this move between stages."
    return [Rule(name=_api_name(MOVE), formula=formula, message=message, about=MOVE)]


def _formula(parts: Sequence[str], request: GuardRequest) -> str:
    """Put a rule's formula together: it looks at changes of stage in one pipeline, not at crmbridge's own writes."""
    exempt = f"NOT($Permission.{PERMISSION})"
    formula = all_of([exempt, "ISCHANGED(StageName)", _in_pipeline(request), *parts])
    if len(formula) > LONGEST_FORMULA:
        raise UnsayableError(f"its formula would have {len(formula)} characters, and {LONGEST_FORMULA} is the most")
    return formula


def _in_pipeline(request: GuardRequest) -> str:
    if is_id(request.pipeline):
        # A formula gives record ids in their short form.
        return f"LEFT(RecordTypeId, 15) = {literal(request.pipeline[:15])}"
    several = request.account is not None and len(request.account.pipelines) > 1
    return "ISBLANK(RecordTypeId)" if several else TRUE


def _message(stage: Stage, rule: ExitRule, request: GuardRequest) -> str:
    """Give the rule's own words, else the checks' fields; what a message counts can't be counted here."""
    names = ", ".join(_label(name, request) for name in _fields(rule, stage)) or rule.id
    label = stage.name.in_language(request.language)
    template = rule.message.in_language(request.language) if rule.message else f"{label}: {{missing}}"
    filled = template.replace("{passed}", "…").replace("{value}", "…").replace("{missing}", names)
    line = " ".join(UNWRITABLE.sub(" ", filled).split()) or rule.id
    return line if len(line) <= LONGEST_MESSAGE else line[: LONGEST_MESSAGE - 1] + "…"


def _fields(rule: ExitRule, stage: Stage) -> list[str]:
    """Name the fields that a rule's check looks at."""
    outputs = {output.id: output.field for output in stage.outputs}
    found: list[str] = []
    for key, value in rule.check.model_dump().items():
        if isinstance(value, dict):
            found += [str(value[part]) for part in ("field", "by") if part in value]
        elif isinstance(value, list | tuple):
            found += [str(outputs.get(name, name) if key == "outputs" else name) for name in value]
    return list(dict.fromkeys(found))


def _label(name: str, request: GuardRequest) -> str:
    declared = next((field for field in request.process.fields if field.id == name), None)
    return declared.name.in_language(request.language) if declared else name.replace("_", " ").replace(".", " ")


def _api_name(name: str) -> str:
    """Make a name that Salesforce takes, the same each time; a hash keeps apart what would else look the same."""
    plain = f"CB_{name}".replace(".", "_")
    if "_" not in name and len(plain) <= LONGEST_NAME:
        return plain
    tail = hashlib.sha256(name.encode()).hexdigest()[:6]
    short = re.sub(r"_+", "_", plain)[: LONGEST_NAME - len(tail) - 1]
    return f"{short.rstrip('_')}_{tail}"


def _files(rules: Sequence[Rule], left: Sequence[LeftOut], request: GuardRequest) -> dict[str, str]:
    return {
        "package.xml": _package(rules),
        "objects/Opportunity.object": _element("CustomObject", "".join(map(_xml, rules))),
        f"customPermissions/{PERMISSION}.customPermission": _element(
            "CustomPermission",
            "    <description>Its holder may move deals past exit rules; crmbridge checks them itself.</description>\n"
            "    <isLicensed>false</isLicensed>\n    <label>Past exit rules (crmbridge)</label>\n",
        ),
        f"permissionsets/{SET}.permissionset": _element(
            "PermissionSet",
            f"    <customPermissions>\n        <enabled>true</enabled>\n        <name>{PERMISSION}</name>\n"
            "    </customPermissions>\n    <hasActivationRequired>false</hasActivationRequired>\n"
            "    <label>crmbridge integration</label>\n",
        ),
        "STEPS.md": _steps(rules, left, request),
    }


def _element(name: str, inside: str) -> str:
    return f"{_HEAD}<{name} {_NAMESPACE}>\n{inside}</{name}>\n"


def _xml(rule: Rule) -> str:
    return (
        "    <validationRules>\n"
        f"        <fullName>{rule.name}</fullName>\n"
        "        <active>true</active>\n"
        f"        <description>{escape(f'crmbridge: {rule.about}')}</description>\n"
        f"        <errorConditionFormula>{escape(rule.formula)}</errorConditionFormula>\n"
        f"        <errorMessage>{escape(rule.message)}</errorMessage>\n"
        "    </validationRules>\n"
    )


def _package(rules: Sequence[Rule]) -> str:
    kinds = {
        "CustomPermission": [PERMISSION],
        "PermissionSet": [SET],
        "ValidationRule": [f"Opportunity.{rule.name}" for rule in rules],
    }
    types = (
        "    <types>\n"
        + "".join(f"        <members>{member}</members>\n" for member in members)
        + f"        <name>{kind}</name>\n    </types>\n"
        for kind, members in kinds.items()
    )
    return _element("Package", "".join(types) + f"    <version>{API_VERSION}</version>\n")


def _steps(rules: Sequence[Rule], left: Sequence[LeftOut], request: GuardRequest) -> str:
    lines = [f"# Validation rules for {request.connection}", ""]
    lines += [f"{number}. {step}" for number, step in enumerate(STEPS, start=1)]
    lines += ["", NOTES.rstrip(), *([] if request.account else [UNASKED]), "", "## The rules", ""]
    lines += [f"- `{rule.name}` holds {rule.about}" for rule in rules]
    if left:
        lines += ["", "## What crmbridge alone goes on checking", "", *(f"- {one.rule}: {one.why}" for one in left)]
    return "\n".join(lines) + "\n"
