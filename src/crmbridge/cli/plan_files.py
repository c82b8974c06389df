"""Plans on disk: written whole or not at all, read back with an error that says what the file is instead."""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from crmbridge.cli.output import cut
from crmbridge.errors import ConfigurationError, PlanStaleError
from crmbridge.model.changes import Plan
from crmbridge.model.codec import PLAN_VERSION, plan_from_json, plan_to_json

FORMAT = "crmbridge plan"
LARGEST = 256 * 1024 * 1024  # bytes
ADVICE = "Give a file that `crmbridge plan --out FILE` wrote."
ANEW = "Make a new one with `crmbridge plan --out FILE`."


def save_plan(plan: Plan, path: Path) -> None:
    """Save a plan, with a digest that tells when it was edited.

    It holds customer data, so only its owner can read it.
    """
    content = plan_to_json(plan)
    body = {"format": FORMAT, "digest": _digest(content), **content}
    write_file(path, json.dumps(body, ensure_ascii=False, indent=1) + "\n", mode=0o600)


def load_plan(path: Path) -> Plan:
    """Read a plan back.

    Raises ConfigurationError that says why a file is none, and PlanStaleError for one that is not as it was saved, or
    that would make a change twice.
    """
    data = _read(path)
    if not isinstance(data, dict) or data.pop("format", None) != FORMAT:
        raise ConfigurationError(f"{path} is no plan of crmbridge", advice=ADVICE)
    digest = data.pop("digest", None)
    if (version := data.get("version")) != PLAN_VERSION:
        raise ConfigurationError(
            f"{path} was saved by another crmbridge: it is a plan of version "
            f"{cut(str(version), 20)}, and this one reads version {PLAN_VERSION}",
            advice=ANEW,
        )
    try:
        plan = plan_from_json(data)
    except (ValueError, KeyError, TypeError) as error:
        raise ConfigurationError(f"{path} can't be read as a plan: {error}", advice=ANEW) from None
    if digest != _digest(data):
        raise PlanStaleError(f"The plan in {path} was edited after it was saved", advice=ANEW)
    counts = Counter(change.id for change in plan.changes)
    if twice := [change for change, count in counts.items() if count > 1]:
        raise PlanStaleError(f"The plan in {path} holds the change {twice[0]} twice", advice=ANEW)
    return plan


def _digest(content: Mapping[str, Any]) -> str:
    """Give what changes with whatever a plan says, however it is laid out: a guard against slips, and no signature."""
    text = json.dumps(content, ensure_ascii=True, separators=(",", ":"), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def write_file(path: Path, text: str, *, mode: int = 0o644) -> None:
    """Write a text file whole or not at all; raises ConfigurationError when that can't be done."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
                file.write(text)
            Path(name).chmod(mode)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigurationError(f"{path} can't be written: {reason}", advice="Name another file.") from None


def _read(path: Path) -> Any:
    try:
        if path.stat().st_size > LARGEST:
            raise ConfigurationError(f"{path} is larger than any plan", advice=ADVICE)
        return json.loads(path.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"{path} can't be read: {error.strerror or error}", advice=ADVICE) from None
    except (ValueError, RecursionError):
        raise ConfigurationError(f"{path} is no JSON file, so it is no plan", advice=ADVICE) from None
