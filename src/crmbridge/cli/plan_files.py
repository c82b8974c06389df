"""Plans on disk: written whole or not at all, read back with an error that says what the file is instead."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from crmbridge.errors import ConfigurationError
from crmbridge.model.changes import Plan
from crmbridge.model.codec import plan_from_json, plan_to_json

FORMAT = "crmbridge plan"
LARGEST = 256 * 1024 * 1024  # bytes
ADVICE = "Give a file that `crmbridge plan --out FILE` wrote."


def save_plan(plan: Plan, path: Path) -> None:
    """Save a plan; it holds customer data, so only its owner can read it."""
    body = {"format": FORMAT, **plan_to_json(plan)}
    write_file(path, json.dumps(body, ensure_ascii=False, indent=1) + "\n", mode=0o600)


def load_plan(path: Path) -> Plan:
    """Read a plan back; raises ConfigurationError that says why a file is none."""
    data = _read(path)
    if not isinstance(data, dict) or data.pop("format", None) != FORMAT:
        raise ConfigurationError(f"{path} is no plan of crmbridge", advice=ADVICE)
    try:
        return plan_from_json(data)
    except (ValueError, KeyError, TypeError) as error:
        message = f"{path} can't be read as a plan: {error}"
        raise ConfigurationError(message, advice="Make a new one with `crmbridge plan --out FILE`.") from None


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
