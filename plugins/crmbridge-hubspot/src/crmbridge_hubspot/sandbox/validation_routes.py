"""The sandbox's routes for property validations: limits of values that bind people and, in all versions, the API."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from starlette.responses import JSONResponse, Response

from crmbridge_hubspot.sandbox.call import Call, Routes
from crmbridge_hubspot.sandbox.objects import not_found
from crmbridge_hubspot.sandbox.replies import validation
from crmbridge_hubspot.sandbox.values import LIMITS, PropertyRules


def _rules_json(rules: PropertyRules) -> list[dict[str, Any]]:
    return [
        {"ruleType": kind, "ruleArguments": [argument], "shouldApplyNormalization": False}
        for kind, argument in rules.items()
    ]


def _list(call: Call) -> Response:
    found = call.state.validations[call.kind.name]
    rows = [{"propertyName": name, "propertyValidationRules": _rules_json(rules)} for name, rules in found.items()]
    return JSONResponse({"results": rows})


def _get(call: Call) -> Response:
    found = call.state.validations[call.kind.name].get(_property(call), {})
    return JSONResponse({"results": _rules_json(found)})


def _put(call: Call) -> Response:
    """Set a rule; one of the same type is replaced ("Property validations")."""
    name, kind = _property(call), call.request.path_params["rule"]
    if kind not in LIMITS:
        raise validation(f"The sandbox has no rule of type {kind[:60]}")
    arguments = call.body.get("ruleArguments")
    if not isinstance(arguments, list) or len(arguments) != 1 or not _is_number(arguments[0]):
        raise validation(f"A rule of type {kind} takes one number, as text")
    call.state.validations[call.kind.name].setdefault(name, {})[kind] = arguments[0]
    return Response(status_code=204)


def _is_number(argument: Any) -> bool:
    try:
        return isinstance(argument, str) and Decimal(argument).is_finite()
    except InvalidOperation:
        return False


def _property(call: Call) -> str:
    name = str(call.request.path_params["property"])
    if name not in call.state.properties[call.kind.name]:
        raise not_found(name)
    return name


VALIDATION_ROUTES: Routes = (
    ("property-validations", "/{kind}", "GET", _list),
    ("property-validations", "/{kind}/{property}", "GET", _get),
    ("property-validations", "/{kind}/{property}/rule-type/{rule}", "PUT", _put),
)
