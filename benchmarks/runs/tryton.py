"""Pulls from a real Tryton server: no stand-in, so its own speed is measured beside ours."""

from __future__ import annotations

import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from crmbridge.sandbox import make_world
from crmbridge_tryton_server.filling import FIELDS, PIPELINE, filled, holds
from crmbridge_tryton_server.hands import DEAL, TrytonHands
from crmbridge_tryton_server.installing import DATABASE, PASSWORD, USER, UnavailableError
from crmbridge_tryton_server.running import TrytonServer, running
from runs.measuring import run_child, stored_deals
from runs.projects import CONNECTION

AS_OF = datetime(2026, 6, 10, 12, tzinfo=UTC)
CHANGES, TRIED = 10, 50
BARS = "bars: 2,000 deals with their history in 60 s; 10 changes in 2 s; memory that does not grow with the deals"
HEAD = "pull         deals   moves       s  CPU s  peak MB    calls  server CPU s  ms a call"
CALLED = b'"POST /crm/rpc/ HTTP/1.1" 200'
STATES = ("lead", "opportunity", "converted")


def measure_tryton(deals: list[int]) -> list[dict[str, Any]]:
    """Measure whole pulls and pulls of a few changes, and how fast the server answers by itself; print all of it."""
    print(BARS)
    print(HEAD)
    found: list[dict[str, Any]] = []
    try:
        with tempfile.TemporaryDirectory() as folder, _verbose(Path(folder)) as server:
            for count in deals:
                found += _measure(server, count)
            found.append(_alone(server))
    except UnavailableError as error:
        print(f"not measured: {error}")
    return found


@contextmanager
def _verbose(folder: Path) -> Iterator[TrytonServer]:
    """Run a server that logs each call."""
    with running(folder, "-v") as server:
        yield server


def _measure(server: TrytonServer, count: int) -> Iterator[dict[str, Any]]:
    world = make_world(7, count, AS_OF)
    filled(server, world, [holds(deal) for deal in world.deals], f"bench-{count}")
    hands = TrytonHands(server)
    hands.deal_ids()  # the session of this client is not what is measured
    with tempfile.TemporaryDirectory() as folder:
        _write_project(Path(folder), server.url)
        (Path(folder) / "password").write_text(PASSWORD, "utf-8")
        yield _pull("all", server, Path(folder))
        for deal in hands.deal_ids()[:CHANGES]:
            hands.edit_deal(deal, decision_maker="Somebody else")
        yield _pull(f"{CHANGES} changes", server, Path(folder))


def _pull(name: str, server: TrytonServer, folder: Path) -> dict[str, Any]:
    log = server.folder / "trytond.log"
    before, worked = log.stat().st_size, _cpu_seconds(server)
    said = run_child("pull", folder)
    calls = log.read_bytes()[before:].count(CALLED)
    figures = {**said, "pull": name, "deals": stored_deals(folder), "calls": calls}
    figures["server_cpu_s"] = _cpu_seconds(server) - worked
    each = 1000 * said["seconds"] / max(1, calls)
    print(
        f"{name:<11} {figures['deals']:>6,} {said['moves']:>7,} {said['seconds']:>7.1f} {said['cpu_s']:>6.1f} "
        f"{said['peak_mb']:>8.0f} {calls:>8,} {figures['server_cpu_s']:>13.1f} {each:>10.1f}",
        flush=True,
    )
    for error in said["errors"]:
        print(f"  trouble: {error}")
    return figures


def _cpu_seconds(server: TrytonServer) -> float:
    """Tell how long the server has worked so far."""
    assert server.process is not None  # noqa: S101  it is running
    parts = Path(f"/proc/{server.process.pid}/stat").read_text("ascii").rpartition(")")[2].split()
    return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")


def _alone(server: TrytonServer) -> dict[str, Any]:
    """Tell how many calls of each kind the server answers in a second when it is asked by one client."""
    client = TrytonHands(server).client
    ids = client(DEAL, "search", [["state", "=", "lead"]], 0, TRIED, None)
    (usual,) = client(DEAL, "search_read", [["party", "!=", None]], 0, 1, None, ["party", "employee"])
    values = {"description": "One more", "party": usual["party"], "employee": usual["employee"]}
    speeds = {
        "reads of one deal": _per_second(lambda _: client(DEAL, "read", [ids[0]], ["state"])),
        "reads of 100": _per_second(lambda _: client(DEAL, "search_read", [], 0, 100, None, ["state"])),
        "creations": _per_second(lambda _: client(DEAL, "create", [values])),
        "clicks": _per_second(lambda n: client(DEAL, "lead" if n % 2 else "opportunity", [ids[1]])),
    }
    print("the server by itself, calls a second: " + ", ".join(f"{speeds[name]:.0f} {name}" for name in speeds))
    return {"alone": speeds}


def _per_second(call: Callable[[int], Any]) -> float:
    start = time.perf_counter()
    for number in range(TRIED):
        call(number)
    return TRIED / (time.perf_counter() - start)


def _write_project(folder: Path, url: str) -> None:
    stages = [{"id": state, "name": state, "purpose": "Go on.", "owner": "sales"} for state in STATES]
    process = {
        "version": 1,
        "id": "bench",
        "name": "Benchmark",
        "purpose": "Measure a pull.",
        "leader": "sales",
        "roles": [{"id": "sales", "name": "Sales"}],
        "fields": [{"id": "decision_maker", "name": "Decision maker", "type": "text"}],
        "stages": stages,
    }
    connection = {
        "adapter": "tryton",
        "base_url": url,
        "database": DATABASE,
        "user": USER,
        "password": {"file": "password"},
        "kinds": ["deal"],
        "share": 1.0,
        "requests_per_second": 1000,
        "fields": {"decision_maker": FIELDS["decision_maker"]},
    }
    settings = {
        "version": 1,
        "process": "process.yaml",
        "store": "sqlite:///state.db",
        "connections": {CONNECTION: connection},
        "stages": {CONNECTION: {"pipeline": PIPELINE, "map": {state: state for state in STATES}}},
    }
    (folder / "process.yaml").write_text(json.dumps(process), "utf-8")
    (folder / "crmbridge.yaml").write_text(json.dumps(settings), "utf-8")
