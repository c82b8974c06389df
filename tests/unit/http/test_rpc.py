"""JSON-RPC: what is asked, what comes back, and answers that are none."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest
import respx

from crmbridge.errors import CrmbridgeError, RefusedError, RetryLaterError, UnclearError
from crmbridge.http import Dialect, JsonRpc, Reply, open_client, rewrite, rpc_failed
from crmbridge.ports import AdapterContext
from crmbridge.sandbox.clock import VirtualClock
from crmbridge.settings import AdapterSettings
from crmbridge.testing.factories import NOON

URL = "https://crm.example"


@pytest.fixture
def rpc() -> Iterator[JsonRpc]:
    """Give the methods of a CRM that refuses with words."""

    def judge(reply: Reply) -> CrmbridgeError | None:
        return RefusedError(str(reply.body["error"])) if rpc_failed(reply) else None

    context = AdapterContext(connection="ty", clock=VirtualClock(NOON))
    client = open_client(AdapterSettings(), context, base_url=URL, dialect=Dialect(judge=judge, failed=rpc_failed))
    yield JsonRpc(client, "rpc/", pack=lambda value: "<set>" if value is ... else value)
    client.close()


@respx.mock
def test_a_call_is_packed_and_its_result_given(rpc: JsonRpc) -> None:
    """The method, its parameters in their order and no word more."""
    route = respx.post(f"{URL}/rpc/").respond(json={"id": 0, "result": [1], "error": None})

    assert [1] == rpc.read("read", "deal", ...)
    assert {"id": 0, "method": "read", "params": ["deal", "<set>"]} == json.loads(route.calls.last.request.content)


@respx.mock
def test_the_version_is_said_where_there_is_one(rpc: JsonRpc) -> None:
    """JSON-RPC 2.0 asks for it ("JSON-RPC 2.0 Specification", Request object)."""
    route = respx.post(f"{URL}/rpc/").respond(json={"jsonrpc": "2.0", "id": 0, "result": True})
    JsonRpc(rpc.client, "rpc/", version="2.0").write("write")

    assert "2.0" == json.loads(route.calls.last.request.content)["jsonrpc"]


@respx.mock
def test_an_error_that_comes_with_200_is_one(rpc: JsonRpc) -> None:
    """It is judged as any other, and a write that it answers was not made."""
    respx.post(f"{URL}/rpc/").respond(json={"id": 0, "error": "no such deal"})

    with pytest.raises(RefusedError, match="no such deal"):
        rpc.write("write")


@respx.mock
@pytest.mark.parametrize("body", [{}, {"id": 0}, []])
def test_an_answer_without_a_result_is_none(rpc: JsonRpc, body: object) -> None:
    """Of a read it is asked for again; of a write nobody knows whether it was made."""
    respx.post(f"{URL}/rpc/").mock(return_value=httpx.Response(200, json=body))

    with pytest.raises(RetryLaterError, match="ty: "):
        rpc.read("read")
    with pytest.raises(UnclearError, match="ty: "):
        rpc.write("write")


def test_values_are_changed_from_the_inside() -> None:
    """An object is changed after what is in it, so that a marked value may hold another."""
    assert {"a": [2, {"b": 3}]} == rewrite({"a": (1, {"b": 2})}, lambda one: one + 1 if isinstance(one, int) else one)
