"""A project that connects Tryton and HubSpot's sandbox, by a process that has as many open stages as Tryton."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from crmbridge_tryton_server.filling import PIPELINE
from crmbridge_tryton_server.installing import DATABASE, USER

PASSWORD_VARIABLE, TOKEN_VARIABLE = "TRYTON_PASSWORD", "HUBSPOT_TOKEN"
PROCESS = """\
version: 1
id: sales
name: Selling
purpose: Sell well.
leader: seller
roles: [{id: seller, name: Seller}]
fields: [{id: decision_maker, name: Decision maker}]
calendars: {office: {timezone: UTC, hours: {mon: ["09:00-17:00"], wed: ["09:00-17:00"], fri: ["09:00-17:00"]}}}
stages:
  - id: lead
    name: Lead
    purpose: Find.
    owner: seller
    exit: [{id: who, check: {required: [decision_maker]}, message: "missing {missing}"}]
  - {id: opportunity, name: Opportunity, purpose: Convince., owner: seller, sla: {goal: 5bd, calendar: office}}
  - {id: sale, name: Sale, purpose: Sign., owner: seller}
"""
WORKING = ["qualifiedtobuy", "presentationscheduled", "decisionmakerboughtin", "contractsent"]
STAGES = {
    "tryton": {
        "lead": "lead",
        "opportunity": "opportunity",
        "sale": "converted",
        "won": "won",
        "lost": ["lost", "cancelled"],
    },
    "hubspot": {
        "lead": "appointmentscheduled",
        "opportunity": WORKING,
        "sale": "9567449",
        "won": "closedwon",
        "lost": "closedlost",
    },
}


def write_project(folder: Path, tryton: str, hubspot: str) -> None:
    """Write the process and the settings for the two at these addresses."""
    (folder / "process.yaml").write_text(PROCESS, "utf-8")
    (folder / "crmbridge.yaml").write_text(yaml.safe_dump(_settings(tryton, hubspot), sort_keys=False), "utf-8")


def _settings(tryton: str, hubspot: str) -> dict[str, Any]:
    fields = {"decision_maker": "decision_maker"}
    signed = {"user": USER, "password": {"env": PASSWORD_VARIABLE}, "database": DATABASE}
    return {
        "version": 1,
        "process": "process.yaml",
        "connections": {
            "tryton": {"adapter": "tryton", "base_url": tryton, **signed, "fields": fields},
            "hubspot": {"adapter": "hubspot", "base_url": hubspot, "token": {"env": TOKEN_VARIABLE}, "fields": fields},
        },
        "stages": {
            "tryton": {"pipeline": PIPELINE, "map": STAGES["tryton"]},
            "hubspot": {"pipeline": "default", "map": STAGES["hubspot"]},
        },
        "sync": [
            {
                "name": "main",
                "between": ["tryton", "hubspot"],
                "create": ["tryton"],
                "fields": {"*": {"conflict": "prefer: tryton"}},
            }
        ],
        "enforce": [{"rule": "*", "action": "audit"}, {"rule": "lead.who", "action": "note", "on": ["tryton"]}],
    }
