"""Creating deals together with their contacts: whole, or not at all.

A composite graph is carried out completely or taken back, each on its own ("Using Composite Graphs"). So one deal that
is refused costs no other, and no deal is left without the contacts that it was to have.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from crmbridge.errors import AuthenticationError, RefusedError, RetryLaterError, UnclearError
from crmbridge.model.changes import Outcome, Receipt
from crmbridge.model.records import Kind, Ref
from crmbridge_salesforce.contacts import drop_doubles
from crmbridge_salesforce.encode import Payload
from crmbridge_salesforce.ids import to_18
from crmbridge_salesforce.judge import said
from crmbridge_salesforce.org import Org
from crmbridge_salesforce.receipts import Answered, Item, all_alike, each_alone, receipt, refused

# What fits in one request. When 14 graphs have failed, the ones after the next that fails are not looked at, and say
# so ("Composite Graph Limits").
MOST_GRAPHS, MOST_NODES = 75, 500
HALTED = "PROCESSING_HALTED"
EXISTED = "it was there already and was brought up to date"
_UNSAID = "the answer does not say what became of this deal"


class WholeDeals:
    """Creates deals that have contacts. Thread-safe."""

    def __init__(self, org: Org, key_field: str) -> None:
        self._org = org
        self._key_field = key_field

    def write(self, items: Sequence[Item]) -> dict[str, Answered]:
        """Create the deals; raises AuthenticationError and RetryLaterError only while nothing was sent."""
        answers: dict[str, Answered] = {}
        words = f"Salesforce creates a deal with at most {MOST_NODES - 1} contacts"
        for item in items:
            if _nodes(item) > MOST_NODES:
                answers[item.change.id] = Answered(receipt(item.change, Outcome.REFUSED, words))
        waiting = [item for item in items if item.change.id not in answers]
        sent = False
        while waiting:
            part = next(_parts(waiting))
            found = self._quietly(part) if sent else self._send(part)
            sent = True
            answers.update(found)
            left_out = [item for item in part if item.change.id not in found]
            if len(left_out) == len(part):
                stopped = RetryLaterError("the org did not get to this deal")
                answers.update(all_alike(part, Outcome.FAILED, stopped))
                left_out = []
            waiting = left_out + waiting[len(part) :]
        return answers

    def _quietly(self, items: Sequence[Item]) -> dict[str, Answered]:
        """Send after something else was sent already: now nothing may be raised."""
        try:
            return self._send(items)
        except (AuthenticationError, RetryLaterError) as error:
            return all_alike(items, Outcome.FAILED, error)

    def _send(self, items: Sequence[Item]) -> dict[str, Answered]:
        """Send one request; deals that the org did not get to are left out of what is given."""
        graphs = [self._graph(number, item) for number, item in enumerate(items)]
        try:
            answer = self._org.write("POST", "composite/graph", body={"graphs": graphs})
        except UnclearError as error:
            return all_alike(items, Outcome.UNKNOWN, error)
        except RefusedError as error:
            if len(items) == 1:
                return all_alike(items, Outcome.REFUSED, error)
            return each_alone(items, self._send)
        told = _graphs(answer)
        read = ((item, self._read(item, told.get(f"g{number}"))) for number, item in enumerate(items))
        return {item.change.id: answered for item, answered in read if answered is not None}

    def _graph(self, number: int, item: Item) -> dict[str, Any]:
        deal = f"d{number}"
        nodes = [{**self._deal(item), "referenceId": deal}]
        for place, contact in enumerate(_contacts(item)):
            body = {"OpportunityId": f"@{{{deal}.id}}", "ContactId": contact}
            url = self._org.row_path("OpportunityContactRole", "")
            nodes.append({"method": "POST", "url": url, "referenceId": f"{deal}c{place}", "body": body})
        return {"graphId": f"g{number}", "compositeRequest": nodes}

    def _deal(self, item: Item) -> dict[str, Any]:
        key, left_out = item.change.key, {"attributes", self._key_field}
        if key is None:
            return {"method": "POST", "url": self._org.row_path("Opportunity", ""), "body": _without(item, left_out)}
        url = self._org.row_path(f"Opportunity/{self._key_field}", quote(key, safe=""))
        return {"method": "PATCH", "url": url, "body": _without(item, left_out)}

    def _read(self, item: Item, graph: Mapping[str, Any] | None) -> Answered | None:
        """Read what became of one deal; None when the org did not get to it."""
        nodes = _nodes_in(graph)
        if graph is None or not isinstance(graph.get("isSuccessful"), bool) or not nodes:
            return Answered(receipt(item.change, Outcome.UNKNOWN, _UNSAID))
        if not graph["isSuccessful"]:
            return self._failed(item, nodes)
        made, *roles = map(_id_in, nodes)
        if not made:
            return Answered(receipt(item.change, Outcome.UNKNOWN, _UNSAID))
        deal = to_18(made)
        existed = nodes[0]["body"].get("created") is False
        if existed:  # its contacts may have been there as well
            drop_doubles(self._org, deal, roles)
        ref = Ref(self._org.connection, Kind.DEAL, deal)
        words = EXISTED if existed else ""
        return Answered(Receipt(change=item.change.id, outcome=Outcome.APPLIED, ref=ref, message=words))

    def _failed(self, item: Item, nodes: Sequence[Mapping[str, Any]]) -> Answered | None:
        if any(not isinstance(status := node.get("httpStatusCode"), int) or status >= 500 for node in nodes):
            return Answered(receipt(item.change, Outcome.UNKNOWN, _UNSAID))
        bodies = [node.get("body") for node in nodes]
        errors = [error for body in bodies for error in _errors(body) if _code(error) != HALTED]
        return refused(item.change, errors) if errors else None


def _contacts(item: Item) -> list[str]:
    value = item.change.after.get("contacts")
    return list(dict.fromkeys(map(to_18, value))) if isinstance(value, tuple) else []


def _nodes(item: Item) -> int:
    return 1 + len(_contacts(item))


def _parts(items: Sequence[Item]) -> Iterator[list[Item]]:
    """Yield as many deals at a time as fit in a request."""
    part: list[Item] = []
    nodes = 0
    for item in items:
        if part and (len(part) == MOST_GRAPHS or nodes + _nodes(item) > MOST_NODES):
            yield part
            part, nodes = [], 0
        part.append(item)
        nodes += _nodes(item)
    yield part


def _without(item: Item, names: set[str]) -> Payload:
    return {name: value for name, value in item.row.items() if name not in names}


def _graphs(answer: Any) -> dict[str, Mapping[str, Any]]:
    graphs = answer.get("graphs") if isinstance(answer, Mapping) else None
    found = graphs if isinstance(graphs, list) else []
    return {str(one.get("graphId")): one for one in found if isinstance(one, Mapping)}


def _nodes_in(graph: Mapping[str, Any] | None) -> list[Mapping[str, Any]]:
    response = (graph or {}).get("graphResponse")
    nodes = response.get("compositeResponse") if isinstance(response, Mapping) else None
    return [node for node in nodes if isinstance(node, Mapping)] if isinstance(nodes, list) else []


def _id_in(node: Mapping[str, Any]) -> str:
    body = node.get("body")
    return str(body.get("id") or "") if isinstance(body, Mapping) else ""


def _errors(body: Any) -> list[Any]:
    return body if isinstance(body, list) else [body]


def _code(error: Any) -> str:
    found = said(error)
    return found[0].code if found else HALTED
