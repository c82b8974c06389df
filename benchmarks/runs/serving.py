"""A stand-in in a process of its own, and what it counted."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request, urlopen

BENCHMARKS = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What a stand-in holds and how it behaves."""

    vendor: str
    deals: int
    latency: float = 0.0  # milliseconds that each answer takes
    limited: bool = False
    moved: float = 0.0  # share of the deals that have a history


class Serving:
    """A stand-in that runs."""

    def __init__(self, url: str) -> None:
        self.url = url

    def counts(self) -> dict[str, Any]:
        """Give what was asked since the last reset."""
        return self._call("stats")

    def reset(self) -> None:
        """Count anew."""
        self._call("reset")

    def touch(self, count: int) -> None:
        """Let so many deals have been changed now."""
        self._call(f"touch?count={count}")

    def edit(self, count: int, *, value: str, field: str, step: int = 1, offset: int = 0) -> None:
        """Let people have written a value in a field of so many deals now: every `step`th from `offset` on."""
        self._call(
            "edit?" + urlencode({"count": count, "step": step, "offset": offset, "field": field, "value": value})
        )

    def let_another_app_in(self) -> None:
        """From now on another app takes half of what the account may be sent."""
        self._call("other")

    def _call(self, what: str) -> dict[str, Any]:
        with urlopen(Request(f"{self.url}/_bench/{what}"), timeout=60) as answer:  # noqa: S310  our own server
            found: dict[str, Any] = json.load(answer)
        return found


@contextlib.contextmanager
def serving(account: Account) -> Iterator[Serving]:
    """Start a stand-in; it ends with the block, or with this process however that ends."""
    command = [sys.executable, "-m", "vendors", account.vendor, "--deals", str(account.deals)]
    command += ["--latency", str(account.latency), "--moved", str(account.moved)]
    command += ["--limited"] if account.limited else []
    with subprocess.Popen(  # noqa: S603  our own module
        command, cwd=BENCHMARKS, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None  # noqa: S101  it is a pipe
            yield Serving(process.stdout.readline().strip())
        finally:
            process.terminate()
