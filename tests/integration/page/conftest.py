"""The page of a bench of fake CRMs, served on a free port, and who visits it."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from crmbridge.model.records import Kind
from crmbridge.model.values import Money
from crmbridge.services.runs.running import run_plan, run_steps
from crmbridge.services.workspace import Progress, Workspace, silent
from crmbridge.store import open_store
from crmbridge.testing.workspaces import Bench, make_bench
from crmbridge.web.access import Access, Key, Role, digest_of
from crmbridge.web.board import Write
from crmbridge.web.gate import hosts_of
from crmbridge.web.opening import serving
from crmbridge.web.receiver import Reception, webhook_app
from crmbridge.web.routes import site_app
from crmbridge.web.server import listen, make_server
from crmbridge.web.site import Site

TOKENS = {"act": "token-of-who-may-act", "read": "token-of-who-may-look"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """A page that is being served, and the workspace and CRMs behind it. What is set to work begins once `may_work`."""

    bench: Bench
    site: Site
    url: str
    may_work: threading.Event

    @contextlib.contextmanager
    def visitor(self, role: str | None = "act") -> Iterator[httpx.Client]:
        """Give somebody at a browser, signed in with a token of a role."""
        with httpx.Client(base_url=self.url, trust_env=False, headers={"origin": self.url}) as client:
            if role:
                assert 303 == client.post("/sign-in", data={"token": TOKENS[role]}).status_code
            yield client

    def form(self, client: httpx.Client, **fields: str) -> dict[str, str]:
        """Give a form of that visitor's session."""
        session = self.site.access.session(client.cookies.get("crmbridge"))
        assert session is not None
        return {"form": session.form, **fields}

    def wait(self) -> None:
        """Wait until what was set to work is over."""
        ends = time.monotonic() + 60
        while self.site.desk.is_busy and time.monotonic() < ends:
            time.sleep(0.005)


Serve = Callable[..., Served]


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """Give a way to serve the page of a bench on a free port."""
    with contextlib.ExitStack() as stack:

        def start(
            deals: int = 0, fill: Callable[[Bench], None] = lambda _: None, write: Write = dict, **settings: Any
        ) -> Served:
            url = f"sqlite:///{tmp_path / 'state.db'}"
            bench = make_bench(deals=deals, store=open_store(url), folder=tmp_path, store_url=url, **settings)
            fill(bench)
            keys = [Key(name, Role(name), digest_of(token)) for name, token in TOKENS.items()]
            access = Access(keys, bench.clock.now)
            may_work = threading.Event()
            may_work.set()
            stack.callback(may_work.set)

            @contextlib.contextmanager
            def opens(_progress: Progress = silent) -> Iterator[Workspace]:
                may_work.wait(60)
                workspace = bench.again().workspace
                yield Workspace(
                    project=workspace.project, store=open_store(url), clock=bench.clock, plugins=workspace.plugins
                )

            hosts = hosts_of("127.0.0.1", None, [])
            site = stack.enter_context(serving(bench.workspace, opens, access, hosts, write=write))
            app = site_app(site, webhook_app(Reception(bench.workspace, {}, "http://127.0.0.1")))
            listener = stack.enter_context(contextlib.closing(listen("127.0.0.1", 0)))
            server = make_server(app)
            thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
            thread.start()
            stack.callback(thread.join, 10)
            stack.callback(setattr, server, "should_exit", True)
            while not server.started:
                time.sleep(0.005)
            address = f"http://127.0.0.1:{listener.getsockname()[1]}"
            return Served(bench=bench, site=site, url=address, may_work=may_work)

        yield start


def conflict(bench: Bench) -> None:
    """Let two sides change the amount of one deal to different values."""
    deal = bench.crms["north"].create_deal("Rollout", stage="qualification", amount=Money(Decimal(10000), "EUR"))
    run_steps(bench.workspace, "cycle")
    other = next(
        ref
        for refs in bench.workspace.store.links.links().values()
        for ref in refs
        if ref.kind is Kind.DEAL and ref != deal
    )
    bench.clock.advance(timedelta(hours=1))
    for ref, amount in ((deal, 11000), (other, 12000)):
        bench.crms[ref.connection].edit_deal(ref.id, amount=Money(Decimal(amount), "EUR"))
    bench.clock.advance(timedelta(hours=1))
    run_plan(bench.workspace)


ASKING = {
    "sync": [{"name": "main", "between": ["north", "south"], "create": ["south"], "fields": {"*": {"conflict": "ask"}}}]
}
