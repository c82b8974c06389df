"""A project for one stand-in or two: settings and a process with 41 fields of its own, in a passing folder."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from vendors.columns import COLUMNS, CURRENCY, OPTIONS, STAGES

CONNECTION = "crm"
TOKEN = "BENCH_TOKEN"  # noqa: S105  the name of the variable; the stand-ins take any token
OPEN_STAGES = [stage for stage in STAGES if stage not in {"won", "lost"}]


def write_project(folder: Path, vendor: str, url: str, *, limited: bool) -> Path:
    """Write a project that pulls deals from a stand-in; without its limits, we have none of ours that matter."""
    return _write(folder, {CONNECTION: _connection(vendor, url, limited=limited)})


def write_pair(folder: Path, urls: Mapping[str, str], kinds: Sequence[str] | None = None) -> Path:
    """Write a project that keeps all fields of two stand-ins' deals in step, which are matched by their names.

    `urls` has the stand-in of each vendor, `kinds` what is pulled (the usual kinds when not said). Each stage has a
    rule, and where two people disagree, somebody is asked.
    """
    connections = {vendor: _connection(vendor, url, limited=False) for vendor, url in urls.items()}
    for connection in connections.values():
        connection["kinds"] = list(kinds) if kinds else None
    sync = {"name": "pair", "between": list(urls), "match": {"deal": ["name"]}, "fields": {"*": {"conflict": "ask"}}}
    return _write(folder, connections, RULES, sync=[sync])


RULES = {"exit": [{"id": "told", "check": {"required": ["text_1", "number_1"]}}]}


def _write(folder: Path, connections: Mapping[str, Any], rules: Mapping[str, Any] | None = None, **more: Any) -> Path:
    (folder / "process.yaml").write_text(json.dumps(_process(rules or {})), "utf-8")
    stages = {
        name: {"pipeline": _pipeline(each["adapter"]), "map": _stages(each["adapter"])}
        for name, each in connections.items()
    }
    settings = {
        "version": 1,
        "process": "process.yaml",
        "store": "sqlite:///state.db",
        "connections": connections,
        "stages": stages,
        **more,
    }
    # JSON is YAML, and needs no writer.
    path = folder / "crmbridge.yaml"
    path.write_text(json.dumps(settings), "utf-8")
    return path


def _connection(vendor: str, url: str, *, limited: bool) -> dict[str, Any]:
    return {
        "adapter": vendor,
        "base_url": url,
        "token": {"env": TOKEN},
        "currency": CURRENCY,
        "kinds": ["deal"],
        "share": 1.0,
        "day_share": 1.0,
        "fields": {column.name: _native(vendor, column.name, column.code) for column in COLUMNS},
        **_limits(vendor, limited=limited),
    }


def _process(rules: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "version": 1,
        "id": "bench",
        "name": "Benchmark",
        "purpose": "Measure a pull.",
        "leader": "sales",
        "roles": [{"id": "sales", "name": "Sales"}],
        "fields": [_field(column.name, column.type) for column in COLUMNS],
        "stages": [
            {"id": stage, "name": stage, "purpose": "Go on.", "owner": "sales", **rules} for stage in OPEN_STAGES
        ],
    }


def _stage(name: str) -> dict[str, Any]:
    return {"id": name, "name": name, "purpose": "Go on.", "owner": "sales"}


def _field(name: str, type_: str) -> dict[str, Any]:
    field = {"id": name, "name": name, "type": type_}
    return {**field, "options": list(OPTIONS)} if type_.startswith("choice") else field


def _limits(vendor: str, *, limited: bool) -> dict[str, Any]:
    if vendor == "hubspot":
        return {"requests_per_10s": 190 if limited else 1000}
    if vendor == "pipedrive":
        return {"burst": 20 if limited else 1000}
    return {}


def _native(vendor: str, name: str, code: str) -> str:
    return {"hubspot": name, "pipedrive": code}.get(vendor, f"{name}__c")


def _pipeline(vendor: str) -> str:
    return "1" if vendor == "pipedrive" else "default"


def _stages(vendor: str) -> dict[str, str]:
    if vendor == "pipedrive":
        return {stage: str(place + 1) for place, stage in enumerate(OPEN_STAGES)}
    if vendor == "hubspot":
        return {stage: stage for stage in STAGES}
    return {**{stage: stage.title() for stage in OPEN_STAGES}, "won": "Closed Won", "lost": "Closed Lost"}
