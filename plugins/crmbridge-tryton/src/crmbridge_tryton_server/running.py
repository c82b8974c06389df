"""Starts a server on a copy of the prepared database, on a free loopback port, and stops it."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import sqlite3
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from crmbridge_tryton_server.client import Client
from crmbridge_tryton_server.installing import ADMIN, DATABASE, PASSWORD, UnavailableError, prepared, write_config

READY_WITHIN = 60.0  # seconds


@dataclass
class TrytonServer:
    """A server of one database in a folder of its own. `restart` lets it go away and come back on the same port."""

    folder: Path
    env: Path
    empty: Path  # the database that it began with
    port: int
    options: tuple[str, ...] = ()
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://localhost:{self.port}"

    @property
    def file(self) -> Path:
        """The database."""
        return self.folder / f"{DATABASE}.sqlite"

    def client(self) -> Client:
        """Give another client of the administrator's."""
        return Client(self.url, DATABASE, ADMIN, PASSWORD)

    def load(self, database: Path) -> None:
        """Put the contents of another database in place of this one's, while the server runs."""
        with (
            contextlib.closing(sqlite3.connect(database)) as source,
            contextlib.closing(sqlite3.connect(self.file, timeout=30)) as here,
        ):
            source.backup(here)

    def save(self, database: Path) -> None:
        """Keep a copy of this database; it is whole or not there."""
        unfinished = database.with_name(f"{database.name}.{os.getpid()}")
        with (
            contextlib.closing(sqlite3.connect(self.file, timeout=30)) as here,
            contextlib.closing(sqlite3.connect(unfinished)) as target,
        ):
            here.backup(target)
        unfinished.replace(database)

    def start(self) -> None:
        """Start it and wait until it answers."""
        config = str(write_config(self.folder, self.port))
        command = [str(self.env / "bin/trytond"), "-c", config, "-d", DATABASE, *self.options]
        with (self.folder / "trytond.log").open("ab") as log:
            self.process = subprocess.Popen(  # noqa: S603  our own command
                command, env={**os.environ, "PYTHONPATH": ""}, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        latest = time.monotonic() + READY_WITHIN
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > latest:
                self.stop()
                raise UnavailableError(f"Tryton's server does not start; see {self.folder}/trytond.log")
            time.sleep(0.05)

    def stop(self) -> None:
        """Stop it."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(self.url, timeout=1):  # noqa: S310  our own server
                return True
        except urllib.error.HTTPError:
            return True
        except OSError:
            return False


@contextlib.contextmanager
def running(folder: Path, *options: str) -> Iterator[TrytonServer]:
    """Run a server on a copy of the prepared database in this folder; raises UnavailableError where there is none.

    `options` are more of its command line's.
    """
    env, empty = prepared()
    shutil.copy(empty, folder / f"{DATABASE}.sqlite")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    server = TrytonServer(folder=folder, env=env, empty=empty, port=port, options=options)
    server.start()
    try:
        yield server
    finally:
        server.stop()
