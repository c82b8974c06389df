"""A colleague who works in Tryton through proteus, its makers' own client, and knows nothing of crmbridge."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from crmbridge_tryton_server.client import SaidNoError
from crmbridge_tryton_server.installing import ADMIN, DATABASE, PASSWORD
from crmbridge_tryton_server.running import TrytonServer

DESK = Path(__file__).with_name("desk.py")


class Colleague:
    """Makes, edits and moves deals, once signed in: with the first piece of work.

    Amounts and days are given as text; the server's no is a SaidNoError. A database that is loaded after the sign-in
    does not know them.
    """

    def __init__(self, server: TrytonServer) -> None:
        self._server = server
        self._process: subprocess.Popen[str] | None = None

    def make_deal(self, **values: Any) -> str:
        """Make a deal, and give its id."""
        return self._asks(what="make", deal=None, values=values)

    def edit_deal(self, native_id: str, **values: Any) -> None:
        """Open a deal, change fields of it, and save it."""
        self._asks(what="edit", deal=int(native_id), values=values)

    def click(self, native_id: str, button: str) -> None:
        """Click a button of a deal: lead, opportunity, convert, lost or cancel."""
        self._asks(what="click", deal=int(native_id), values={}, button=button)

    def leave(self) -> None:
        """Go home."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()

    def _asks(self, **work: Any) -> str:
        self._process = self._process or _sit_down(self._server)
        if self._process.stdin is None or self._process.stdout is None:
            raise RuntimeError("a colleague is talked to through pipes")
        self._process.stdin.write(json.dumps(work) + "\n")
        self._process.stdin.flush()
        said = json.loads(self._process.stdout.readline() or '{"error": "proteus ended"}')
        if "error" in said:
            raise SaidNoError(said["error"])
        return str(said["deal"])


@contextlib.contextmanager
def colleague(server: TrytonServer) -> Iterator[Colleague]:
    """Give a colleague, who leaves at the end."""
    person = Colleague(server)
    try:
        yield person
    finally:
        person.leave()


def _sit_down(server: TrytonServer) -> subprocess.Popen[str]:
    told = {"DESK_URL": f"{server.url}/{DATABASE}/rpc/", "DESK_USER": ADMIN, "DESK_PASSWORD": PASSWORD}
    return subprocess.Popen(  # noqa: S603  our own command
        [str(server.env / "bin/python"), str(DESK)],
        env={**os.environ, "PYTHONPATH": "", **told},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
