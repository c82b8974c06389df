"""An answer in another shape than a vendor documents is read, or said in words: it never looks like a bug."""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple, cast

import httpx
import pytest

import crmbridge_hubspot.plugin
import crmbridge_pipedrive.plugin
import crmbridge_salesforce.plugin
from crmbridge.errors import AdapterBugError, CrmbridgeError
from crmbridge.http.wires import instead_of_network
from crmbridge.model.records import Kind, Ref
from crmbridge.plugins import AdapterSpec, SandboxSpec
from crmbridge.ports import AdapterContext
from crmbridge.sandbox import Sandbox, SandboxOptions, VirtualClock
from crmbridge.services.containing import Contained
from crmbridge.testing.adapters.workbench import field_bindings
from crmbridge.testing.factories import NOON
from crmbridge.testing.simulation.wire import Wire
from crmbridge.threads import one_at_a_time

DRAWN = int(os.environ.get("CRMBRIDGE_ODD_ANSWERS", "15"))  # for each adapter
URL, TOKEN = "http://127.0.0.1:9", "tok-sandbox"
LEFT_OUT = object()
INSTEAD: tuple[Any, ...] = (None, [], {}, "odd", 7, True, "", LEFT_OUT)
KINDS = (Kind.USER, Kind.COMPANY, Kind.CONTACT, Kind.DEAL, Kind.ACTIVITY, Kind.NOTE)
Path_ = tuple[Any, ...]


class Bend(NamedTuple):
    """What stands in answers to one call, and what shall stand there."""

    call: str
    path: Path_
    value: Any


class Bent(httpx.BaseTransport):
    """Passes answers on, with one part of some of them replaced; keeps the largest answer to each call."""

    def __init__(self, inner: httpx.BaseTransport, bend: Bend | None) -> None:
        self._inner, self._bend = inner, bend
        self.seen: dict[str, bytes] = {}

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer, call = self._inner.handle_request(request), named(request)
        if answer.status_code >= 300 or "json" not in answer.headers.get("content-type", ""):
            return answer
        said = answer.read()
        self.seen[call] = max(self.seen.get(call, b""), said, key=len)
        if self._bend is None or self._bend.call != call:
            return answer
        body = bent(json.loads(said), self._bend.path, self._bend.value)
        headers = [(name, value) for name, value in answer.headers.items() if name != "content-length"]
        return httpx.Response(answer.status_code, headers=headers, content=json.dumps(body).encode())

    def close(self) -> None:
        """Leave the sandbox to the next client."""


def named(request: httpx.Request) -> str:
    """Name a call without ids, and a query by what it asks for."""
    path = re.sub(r"/([0-9a-zA-Z]{15,18}|\d+)(?=/|$)", "/ID", request.url.path)
    asked = re.search(r"FROM (\w+)", request.url.params.get("q", ""))
    return f"{request.method} {path} {asked[1] if asked else request.url.params.get('archived', '')}"


def parts(body: Any, path: Path_ = ()) -> Iterator[Path_]:
    """Give the paths of all parts of a body; of a list, those of its second item, so that there is one before it."""
    keys: list[Any] = list(body) if isinstance(body, dict) else []
    if isinstance(body, list) and body:
        keys = [min(1, len(body) - 1)]
    for key in keys:
        yield (*path, key)
        yield from parts(body[key], (*path, key))


def bent(body: Any, path: Path_, value: Any) -> Any:
    """Replace a part of a body where it has that."""
    at = body
    try:
        for key in path[:-1]:
            at = at[key]
        at[path[-1]]
    except (KeyError, IndexError, TypeError):
        return body
    if value is LEFT_OUT:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return body


class Account(NamedTuple):
    """A plugin's adapter and sandbox, and where its credential lies."""

    plugin: ModuleType
    credential: Path
    loop: asyncio.AbstractEventLoop

    def pulled(self, bend: Bend | None) -> tuple[dict[str, bytes], list[str]]:
        """Describe, pull and read with such answers; give the answers, and the bugs that were met."""
        spec = cast("AdapterSpec", next(iter(self.plugin.crmbridge_adapters())))
        box = cast("SandboxSpec", next(iter(self.plugin.crmbridge_sandboxes())))
        clock = VirtualClock(NOON)
        sandbox = box.build(SandboxOptions(seed=3, deals=14, clock=clock, now=NOON, token=TOKEN))
        transport = Bent(Wire(sandbox.app, sandbox, clock, None, self.loop), bend)
        with instead_of_network({URL: transport}), one_at_a_time():
            settings = {"base_url": URL, "currency": "EUR", box.credential: {"file": str(self.credential)}}
            context = AdapterContext(connection="bench", clock=clock, fields=field_bindings(box.fields))
            adapter = Contained("bench", spec.open(spec.settings.model_validate(settings), context))
            bugs = list(self._met(adapter, sandbox, clock))
            adapter.close()
        return transport.seen, bugs

    def _met(self, adapter: Contained, sandbox: Sandbox, clock: VirtualClock) -> Iterator[str]:
        cursors: dict[Kind, str] = {}

        def pull(kind: Kind) -> None:
            for page in adapter.pull(kind, cursors.get(kind)):
                cursors[kind] = page.cursor

        yield from met(adapter.describe)
        for kind in KINDS:
            yield from met(partial(pull, kind))
        clock.advance(timedelta(days=1))
        deals = cast("Any", sandbox.state).deal_ids()[:3]
        yield from met(lambda: adapter.read([Ref("bench", Kind.DEAL, each) for each in deals]))
        yield from met(lambda: pull(Kind.DEAL))


def met(call: Callable[[], Any]) -> Iterator[str]:
    """Carry something out, and give the bug that it met; whatever else is said about an answer is in order."""
    try:
        call()
    except AdapterBugError as bug:
        yield bug.message
    except CrmbridgeError:
        return


@pytest.fixture
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    made = asyncio.new_event_loop()
    yield made
    made.close()


@pytest.mark.parametrize(
    "plugin",
    [crmbridge_hubspot.plugin, crmbridge_pipedrive.plugin, crmbridge_salesforce.plugin],
    ids=lambda plugin: plugin.__name__,
)
def test_no_shape_of_an_answer_is_a_bug(plugin: ModuleType, tmp_path: Path, loop: asyncio.AbstractEventLoop) -> None:
    """Whatever stands where, or is missing: the pull goes on, or ends with what to do about it."""
    (tmp_path / "token").write_text(TOKEN)
    account = Account(plugin, tmp_path / "token", loop)
    answers, none = account.pulled(None)
    places = [(call, path) for call, body in sorted(answers.items()) for path in parts(json.loads(body))]
    drawn = random.Random(DRAWN)
    bends = [Bend(*drawn.choice(places), drawn.choice(INSTEAD)) for _ in range(DRAWN)]

    assert [] == none
    assert [] == [(bend, bugs) for bend in bends if (bugs := account.pulled(bend)[1])]
