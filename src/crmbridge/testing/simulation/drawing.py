"""What the settings of a play say of sync, drawn from its seed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

POLICIES = ("newest", "newest", "newest", "ask", "prefer")


def draw_entry(rng: random.Random, names: Sequence[str], *, lean: bool) -> dict[str, Any]:
    """Draw what the settings say of sync."""
    fields: dict[str, Any] = {"*": _policy(rng, names)}
    for name in rng.sample(("amount", "decision_maker", "pains", "stage", "name"), rng.choice((0, 0, 1, 2))):
        fields[name] = _policy(rng, names) if rng.random() < 0.5 else _policy_of_its_own(rng, names)
    entry = {"name": "main", "between": list(names), "create": list(names), "fields": fields}
    entry["delete"] = rng.choice(("never", "never", "archive", "unlink"))
    if rng.random() < 0.2:
        entry["delete_cap"] = {"records": rng.choice((0, 1)), "percent": 0}
    if lean:
        return {**entry, "match": {"deal": ["external_key", "name"]}}
    return {**entry, "companies": rng.choice(("match", "create")), "contacts": rng.choice(("match", "create"))}


def draw_change(rng: random.Random, names: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """Draw what the settings say from now on of one field, or of all others."""
    name = rng.choice(("*", "*", "amount", "amount", "decision_maker", "pains", "stage", "name", "objections"))
    if name == "*" or (drawn := rng.random()) < 0.5:
        return name, dict(_policy(rng, names))
    if name not in {"name", "stage"} and drawn < 0.65:
        return name, {"sync": False}
    return name, dict(_policy_of_its_own(rng, names))


def _policy(rng: random.Random, names: Sequence[str]) -> dict[str, str]:
    policy = rng.choice(POLICIES)
    return {"conflict": policy if policy != "prefer" else f"prefer: {rng.choice(names)}"}


def _policy_of_its_own(rng: random.Random, names: Sequence[str]) -> dict[str, str]:
    if rng.random() < 0.5:
        return {"conflict": "only_if_empty"}
    return {"direction": f"from: {rng.choice(names)}"}
