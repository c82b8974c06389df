"""A project for one stand-in: settings and a process with 41 fields of its own, in a folder that is thrown away."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from vendors.columns import COLUMNS, CURRENCY, OPTIONS, STAGES

CONNECTION = "crm"
TOKEN = "BENCH_TOKEN"  # noqa: S105  the name of the variable; the stand-ins take any token
OPEN_STAGES = [stage for stage in STAGES if stage not in {"won", "lost"}]


def write_project(folder: Path, vendor: str, url: str, *, limited: bool) -> Path:
    """Write a project that pulls deals from a stand-in; without its limits, we have none of ours that matter."""
    (folder / "process.yaml").write_text(json.dumps(_process()), "utf-8")
    connection = {
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
    settings = {
        "version": 1,
        "process": "process.yaml",
        "store": "sqlite:///state.db",
        "connections": {CONNECTION: connection},
        "stages": {CONNECTION: {"pipeline": _pipeline(vendor), "map": _stages(vendor)}},
    }
    # JSON is YAML, and needs no writer.
    path = folder / "crmbridge.yaml"
    path.write_text(json.dumps(settings), "utf-8")
    return path


def _process() -> dict[str, Any]:
    return {
        "version": 1,
        "id": "bench",
        "name": "Benchmark",
        "purpose": "Measure a pull.",
        "leader": "sales",
        "roles": [{"id": "sales", "name": "Sales"}],
        "fields": [_field(column.name, column.type) for column in COLUMNS],
        "stages": [{"id": stage, "name": stage, "purpose": "Go on.", "owner": "sales"} for stage in OPEN_STAGES],
    }


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
