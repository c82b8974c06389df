"""Plans on disk: written whole or not at all, read back with an error that says what the file is instead."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

import msgspec

from crmbridge.cli.output import cut
from crmbridge.errors import ConfigurationError, PlanStaleError
from crmbridge.model.changes import Plan
from crmbridge.model.codec import PLAN_VERSION, change_to_json, plan_from_json, plan_to_json
from crmbridge.model.replacing import replace

FORMAT = "crmbridge plan"
LARGEST = 256 * 1024 * 1024  # bytes
ADVICE = "Give a file that `crmbridge plan --out FILE` wrote."
ANEW = "Make a new one with `crmbridge plan --out FILE`."


def save_plan(plan: Plan, path: Path) -> None:
    """Save a plan, with a digest that tells when it was edited.

    It holds customer data, so only its owner can read it. It is written change by change, as plans can be long; the
    digest is known at the end, and put in the place that is left for it.
    """
    rest = plan_to_json(replace(plan, changes=()))
    head = {"format": FORMAT, "digest": "0" * 64, **{name: rest[name] for name in _BEFORE}}
    tail = {name: rest[name] for name in rest if name not in {*_BEFORE, "changes"}}
    digest = hashlib.sha256(f'{{"blocked":{_compact(rest["blocked"])},"changes":['.encode())
    with _whole(path, 0o600) as file:
        file.write(f'{_laid_out(head).removesuffix(_END)},\n "changes": ['.encode())
        for number, change in enumerate(plan.changes):
            said = change_to_json(change)
            digest.update(f"{',' if number else ''}{_compact(said)}".encode())
            file.write(f"{',' if number else ''}\n  {_deeper(_laid_out(said))}".encode())
        file.write(f"{_NEXT if plan.changes else ''}],{_laid_out(tail).removeprefix('{')}\n".encode())
        digest.update(f"],{_compact({n: rest[n] for n in rest if n not in _FIRST}).removeprefix('{')}".encode())
        file.seek(len(_laid_out({"format": FORMAT}).removesuffix(_END)) + len(_DIGEST))
        file.write(digest.hexdigest().encode())


_BEFORE = ("version", "id", "made_at", "settings")  # stand before the changes
_FIRST = ("blocked", "changes")  # in the order of the names
_END, _NEXT, _DIGEST = "\n}", "\n ", ',\n "digest": "'


def _laid_out(data: Mapping[str, Any]) -> str:
    """Write JSON with each part on its own line; as ASCII where half a surrogate pair is in it, which no file holds."""
    try:
        return msgspec.json.format(msgspec.json.encode(data), indent=1).decode()
    except (UnicodeEncodeError, OverflowError):
        return json.dumps(data, indent=1)


def _deeper(text: str) -> str:
    return text.replace("\n", "\n  ")


_compact = json.JSONEncoder(ensure_ascii=True, separators=(",", ":"), sort_keys=True).encode


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
    return hashlib.sha256(_compact(content).encode()).hexdigest()


def write_file(path: Path, text: str) -> None:
    """Write a text file whole or not at all; raises ConfigurationError when that can't be done."""
    with _whole(path, 0o644) as file:
        file.write(text.encode())


@contextlib.contextmanager
def _whole(path: Path, mode: int) -> Iterator[BinaryIO]:
    """Open a file that is there when the block ends well; what was there before stays if it does not."""
    if path.exists() and not path.is_file():  # a device such as /dev/stdout would be gone
        raise ConfigurationError(f"{path} is there and is no file", advice="Name another file.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                yield file
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
