"""The sandbox's routes for the account: details, pipelines, owners."""

from __future__ import annotations

from itertools import islice
from typing import Any

from starlette.responses import JSONResponse, Response

from crmbridge_hubspot.sandbox.account import (
    CURRENCIES,
    CURRENCY_CODE,
    PIPELINES,
    PORTAL,
    TIMEZONE,
    UI_DOMAIN,
    Pipeline,
    Stage,
)
from crmbridge_hubspot.sandbox.call import Call, Routes, integer
from crmbridge_hubspot.sandbox.objects import not_found
from crmbridge_hubspot.sandbox.records import Owner
from crmbridge_hubspot.sandbox.replies import stamp, validation

LARGEST_OWNER_PAGE = 500


def _details(call: Call) -> Response:
    more = CURRENCIES[1:] if CURRENCY_CODE in call.state.properties["deals"] else ()
    return JSONResponse(
        {
            "portalId": PORTAL,
            "accountType": "DEVELOPER_TEST",
            "timeZone": TIMEZONE,
            "companyCurrency": CURRENCIES[0],
            "additionalCurrencies": list(more),
            "utcOffset": "+01:00",
            "utcOffsetMilliseconds": 3_600_000,
            "uiDomain": UI_DOMAIN,
            "dataHostingLocation": "eu1",
        }
    )


def _stage_json(stage: Stage) -> dict[str, Any]:
    return {
        "label": stage.label,
        "displayOrder": stage.order,
        "metadata": {"isClosed": "true" if stage.closed else "false", "probability": stage.probability},
        "id": stage.id,
        "createdAt": "1970-01-01T00:00:00Z",
        "updatedAt": "1970-01-01T00:00:00Z",
        "archived": False,
        "writePermissions": "CRM_PERMISSIONS_ENFORCEMENT",
    }


def _pipeline_json(pipeline: Pipeline) -> dict[str, Any]:
    return {
        "label": pipeline.label,
        "displayOrder": pipeline.order,
        "id": pipeline.id,
        "stages": [_stage_json(stage) for stage in pipeline.stages],
        "createdAt": "1970-01-01T00:00:00Z",
        "updatedAt": "1970-01-01T00:00:00Z",
        "archived": False,
    }


def _pipelines(call: Call) -> Response:
    if call.kind.name != "deals":
        return JSONResponse({"results": []})
    return JSONResponse({"results": [_pipeline_json(pipeline) for pipeline in PIPELINES]})


def _pipeline(call: Call) -> Response:
    return JSONResponse(_pipeline_json(_named(call)))


def _stages(call: Call) -> Response:
    return JSONResponse({"results": [_stage_json(stage) for stage in _named(call).stages]})


def _named(call: Call) -> Pipeline:
    wanted = call.request.path_params["pipeline"]
    found = next((pipeline for pipeline in PIPELINES if pipeline.id == wanted), None)
    if found is None or call.kind.name != "deals":
        raise not_found(wanted)
    return found


def _owner_json(owner: Owner) -> dict[str, Any]:
    return {
        "id": owner.id,
        "email": owner.email,
        "type": "PERSON",
        "firstName": owner.first_name,
        "lastName": owner.last_name,
        "userId": None if owner.archived else owner.user_id,
        "userIdIncludingInactive": owner.user_id,
        "createdAt": stamp(owner.created_at),
        "updatedAt": stamp(owner.created_at),
        "archived": owner.archived,
    }


def _owners(call: Call) -> Response:
    query = call.request.query_params
    archived, email = call.archived, query.get("email")
    limit, after = integer(query.get("limit", "100")), integer(query.get("after") or "0")
    if not 0 < limit <= LARGEST_OWNER_PAGE:
        raise validation(f"The limit must be between 1 and {LARGEST_OWNER_PAGE}")
    there = [o for o in call.state.owners.values() if o.archived is archived and email in {None, o.email}]
    found = list(islice((owner for owner in there if int(owner.id) >= after), limit + 1))
    reply: dict[str, Any] = {"results": [_owner_json(owner) for owner in found[:limit]]}
    if len(found) > limit:
        reply["paging"] = {"next": {"after": found[limit].id, "link": f"?after={found[limit].id}"}}
    return JSONResponse(reply)


def _owner(call: Call) -> Response:
    wanted = call.request.path_params["owner"]
    by_user = call.request.query_params.get("idProperty") == "userId"
    there = call.state.owners.values()
    found = next((o for o in there if wanted == (str(o.user_id) if by_user else o.id)), None)
    if found is None:
        raise not_found(wanted)
    return JSONResponse(_owner_json(found))


ACCOUNT_ROUTES: Routes = (
    ("account-info", "/details", "GET", _details),
    ("pipelines", "/{kind}", "GET", _pipelines),
    ("pipelines", "/{kind}/{pipeline}", "GET", _pipeline),
    ("pipelines", "/{kind}/{pipeline}/stages", "GET", _stages),
    ("owners", "", "GET", _owners),
    ("owners", "/", "GET", _owners),  # as the Python client writes it
    ("owners", "/{owner}", "GET", _owner),
)
