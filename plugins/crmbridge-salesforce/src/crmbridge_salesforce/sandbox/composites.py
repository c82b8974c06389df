"""Several requests in one: composite, and composite graphs, each of which is done whole or not at all."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any
from urllib.parse import unquote, urlsplit

from starlette.responses import Response
from starlette.types import ASGIApp

from crmbridge.http import dump_json, load_json
from crmbridge_salesforce.sandbox.answers import ApiError, answer
from crmbridge_salesforce.sandbox.batch import PARTIAL, spoiled
from crmbridge_salesforce.sandbox.routes import Call, Handler

MOST_REQUESTS = 25
MOST_QUERIES = 5  # and collections, of these
# What graphs may be ("Composite Graph Limits"). Nodes are of one sort when method and object are the same.
MOST_GRAPHS, MOST_NODES, MOST_SORTS, MOST_FAILURES = 75, 500, 15, 14
_ROLLED_BACK = "The transaction was rolled back since another operation in the same transaction failed."
_HALTED = "The request was not processed: too many graphs before it failed."
# What a node may be asked for ("Using Composite Graphs"): rows, by their id or an external one.
_NODE = re.compile(r"/services/data/v\d+\.0/sobjects/(\w+)(?:/[^/?]+){0,2}/?")
Results = list[dict[str, Any]]


def composite(app: ASGIApp) -> Handler:
    """Make the handler that runs several requests against the same routes; with allOrNone they are done all or none."""

    async def handler(call: Call) -> Response:
        body = await call.row()
        requests = body.get("compositeRequest")
        if not isinstance(requests, list) or not 0 < len(requests) <= MOST_REQUESTS:
            raise ApiError("JSON_PARSER_ERROR", f"compositeRequest holds 1 to {MOST_REQUESTS} requests")
        if sum("/query" in one["url"] or "/composite/sobjects" in one["url"] for one in requests) > MOST_QUERIES:
            raise ApiError("JSON_PARSER_ERROR", f"at most {MOST_QUERIES} queries and collections fit in one request")
        whole = body.get("allOrNone") is True
        results = await _run(app, call, requests, whole=whole, unlucky=spoiled(call, len(requests)))
        return answer({"compositeResponse": results})

    return handler


def graph(app: ASGIApp) -> Handler:
    """Make the handler that runs graphs of requests; one that fails costs only itself, until too many have failed."""

    async def handler(call: Call) -> Response:
        graphs = _graphs((await call.row()).get("graphs"))
        unlucky, failures = spoiled(call, len(graphs)), 0
        told = []
        for number, one in enumerate(graphs):
            requests = one["compositeRequest"]
            if failures > MOST_FAILURES:
                results = [_result(request, 400, [_halted(_HALTED)]) for request in requests]
            else:
                results = await _run(app, call, requests, whole=True, unlucky=0 if number == unlucky else -1)
            fine = all(result["httpStatusCode"] < 300 for result in results)
            failures += not fine
            response = {"compositeResponse": results}
            told.append({"graphId": one["graphId"], "graphResponse": response, "isSuccessful": fine})
        return answer({"graphs": told})

    return handler


def _graphs(graphs: Any) -> Sequence[Mapping[str, Any]]:
    if not isinstance(graphs, list) or not 0 < len(graphs) <= MOST_GRAPHS:
        raise ApiError("JSON_PARSER_ERROR", f"graphs holds 1 to {MOST_GRAPHS} graphs")
    nodes = [node for one in graphs for node in one["compositeRequest"]]
    found = [_NODE.fullmatch(node["url"]) for node in nodes]
    if not all(found):
        raise ApiError("JSON_PARSER_ERROR", "A node of a graph asks for something that is no row")
    sorts = {(node["method"], match[1].lower()) for node, match in zip(nodes, found, strict=True) if match}
    if len(nodes) > MOST_NODES or len(sorts) > MOST_SORTS:
        raise ApiError("LIMIT_EXCEEDED", f"at most {MOST_NODES} nodes of {MOST_SORTS} sorts fit in one request")
    return graphs


async def _run(app: ASGIApp, call: Call, requests: Sequence[Any], *, whole: bool, unlucky: int) -> Results:
    """Run requests in their order; when they are one whole, one that fails takes back the others."""
    call.state.tables.begin()
    done: dict[str, Any] = {}
    results: Results = []
    for number, one in enumerate(requests):
        failed = whole and any(result["httpStatusCode"] >= 300 for result in results)
        if failed:
            status, body = 400, [_halted(_ROLLED_BACK)]
        elif number == unlucky:
            status, body = 400, [ApiError("FIELD_CUSTOM_VALIDATION_EXCEPTION", PARTIAL).whole()]
        else:
            status, body = await _one(app, one, done)
        done[one["referenceId"]] = body
        results.append(_result(one, status, body))
    spoilt = whole and any(result["httpStatusCode"] >= 300 for result in results)
    call.state.tables.end(keep=not spoilt)
    if not spoilt:
        return results
    return [
        _result(one, 400, [_halted(_ROLLED_BACK)]) if result["httpStatusCode"] < 300 else result
        for one, result in zip(requests, results, strict=True)
    ]


async def _one(app: ASGIApp, one: Mapping[str, Any], done: Mapping[str, Any]) -> tuple[int, Any]:
    try:
        url, content = _filled(one["url"], done), _filled(one.get("body"), done)
        return await _inside(app, one["method"], url, content, one.get("httpHeaders") or {})
    except ApiError as error:
        return error.status, [error.whole()]


def _result(request: Mapping[str, Any], status: int, body: Any) -> dict[str, Any]:
    return {"body": body, "httpHeaders": {}, "httpStatusCode": status, "referenceId": request["referenceId"]}


def _halted(words: str) -> dict[str, Any]:
    return ApiError("PROCESSING_HALTED", words).whole()


def _filled(value: Any, done: Mapping[str, Any]) -> Any:
    """Put the results of earlier requests where `@{ref.field}` stands."""

    def found(match: re.Match[str]) -> str:
        body = done.get(match[1])
        if not isinstance(body, dict) or match[2] not in body:
            raise ApiError("PROCESSING_HALTED", f"Invalid reference specified: {match[0]}")
        return str(body[match[2]])

    if isinstance(value, str):
        return re.sub(r"@\{(\w+)\.(\w+)\}", found, value)
    return json.loads(re.sub(r"@\{(\w+)\.(\w+)\}", found, json.dumps(value, default=str))) if value else value


async def _inside(
    app: ASGIApp, method: str, url: str, body: Any, headers: Mapping[str, str] = MappingProxyType({})
) -> tuple[int, Any]:
    """Run one request against the routes, and give its status and decoded body.

    It may have headers of its own, but for those that say who asks, and in which form ("Composite Subrequest").
    """
    own = [(name.lower().encode(), str(value).encode()) for name, value in headers.items()]
    if {name for name, _ in own} & {b"accept", b"authorization", b"content-type"}:
        raise ApiError("JSON_PARSER_ERROR", "A request inside a composite one has a header that it must not have")
    parts = urlsplit(url)
    sent: list[Any] = []
    content = dump_json(body) if body is not None else b""
    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": unquote(parts.path).rstrip("/"),
        "raw_path": parts.path.encode(),
        "query_string": parts.query.replace(" ", "+").encode(),
        "headers": [(b"host", b"localhost"), (b"content-type", b"application/json"), *own],
        "root_path": "",
    }

    async def receive() -> Any:
        return {"type": "http.request", "body": content, "more_body": False}

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    text = b"".join(message.get("body", b"") for message in sent[1:])
    return int(sent[0]["status"]), load_json(text) if text else None
