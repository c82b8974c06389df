"""A shop: a project with two CRMs kept in files, and ways to call the command line in it."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from crmbridge.cli.main import commands
from crmbridge.clock import SystemClock
from crmbridge.model.values import Money
from crmbridge.sandbox import make_world
from crmbridge.testing.fake_crm import FakeCrm

SECRET = "s3cr3t-token-of-the-shop"


PROCESS = """\
version: 1
id: b2b
name: Selling
purpose: Sell well.
leader: seller
roles: [{id: seller, name: Seller}]
fields: [{id: decision_maker, name: Decision maker}]
calendars: {office: {timezone: UTC, hours: {mon: ["09:00-17:00"], wed: ["09:00-17:00"], fri: ["09:00-17:00"]}}}
stages:
  - {id: prospecting, name: Prospecting, purpose: Find., owner: seller, next: [qualification, closing]}
  - id: qualification
    name: Qualifying
    purpose: Ask.
    owner: seller
    exit: [{id: who, check: {required: [decision_maker]}, message: "missing {missing}"}]
    sla: {goal: 5bd, calendar: office}
  - {id: closing, name: Closing, purpose: Sign., owner: seller}
"""


STAGES = """{pipeline: sales, map: {prospecting: prospecting, qualification: qualification, closing: closing, \
won: won, lost: lost}}"""


SETTINGS = """\
version: 1
process: process.yaml
connections:
  north: {{adapter: filecrm, file: {folder}/north.crm, token: {{env: SHOP_TOKEN}}, fields: {{decision_maker: who}}}}
  south: {{adapter: filecrm, file: {folder}/south.crm, token: {{env: SHOP_TOKEN}}, fields: {{decision_maker: who}}}}
stages:
  north: {stages}
  south: {stages}
sync:
  - {{name: main, between: [north, south], create: [south], fields: {{"*": {{conflict: "prefer: north"}}}}}}
enforce:
  - {{rule: "*", action: audit}}
  - {{rule: qualification.who, action: task, severity: error}}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What one command line answered."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        """The one JSON document on stdout; anything beside it is an error."""
        found: dict[str, Any] = json.loads(self.out)
        assert self.code == found["exit_code"]
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """A project folder, and the ways to call the command line in it."""

    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)

    def call(self, *args: str) -> Answer:
        """Call the command line in this process."""
        done = CliRunner().invoke(commands, ["--project", str(self.folder), *args])
        return Answer(code=done.exit_code, out=done.stdout, err=done.stderr)

    @contextlib.contextmanager
    def start(self, *args: str, **options: Any) -> Iterator[subprocess.Popen[str]]:
        """Start the command line in a process of its own, with all its streams piped; it ends with the block."""
        pipes: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        usual = {**pipes, "text": True, "cwd": self.folder, "env": {**os.environ, **self.environment}}
        command = [sys.executable, "-m", "crmbridge.cli.main", *args]
        with subprocess.Popen(command, **{**usual, **options}) as process:  # noqa: S603  our own program
            try:
                yield process
            finally:
                process.kill()  # does nothing to one that has ended

    def spawn(self, *args: str, **options: Any) -> Answer:
        """Call the command line in a process of its own, without a terminal."""
        with self.start(*args, **options) as process:
            out, err = process.communicate("", timeout=60)
        return Answer(code=process.returncode, out=out or "", err=err or "")

    def look(self, columns: int, *args: str) -> Answer:
        """Call the command line at a terminal of so many columns, where nobody answers."""
        near, far = os.openpty()
        env = {**os.environ, **self.environment, "COLUMNS": str(columns)}
        with self.start(*args, stdout=far, stdin=subprocess.DEVNULL, env=env) as process:
            os.close(far)
            shown = b""
            with contextlib.suppress(OSError):  # which is how the end of what a terminal shows is told
                while piece := os.read(near, 65536):
                    shown += piece
            os.close(near)
            _, err = process.communicate(timeout=60)
        return Answer(code=process.returncode, out=shown.decode().replace("\r\n", "\n"), err=err or "")

    def crm(self, name: str) -> FakeCrm:
        """Give a CRM as it is now."""
        found: FakeCrm = pickle.loads((self.folder / f"{name}.crm").read_bytes())  # noqa: S301  we wrote it
        return found

    def keep(self, crm: FakeCrm) -> None:
        """Put a CRM back after people worked in it."""
        (self.folder / f"{crm.connection}.crm").write_bytes(pickle.dumps(crm))

    def trouble(self, name: str, what: str) -> None:
        """Let a CRM go wrong from now on."""
        (self.folder / f"{name}.trouble").write_text(what, "utf-8")

    def heal(self, name: str) -> None:
        """Let a CRM work again."""
        (self.folder / f"{name}.trouble").unlink()

    def setting(self, text: str) -> None:
        """Add to the settings file."""
        with (self.folder / "crmbridge.yaml").open("a", encoding="utf-8") as file:
            file.write(text)


def install_plugin(folder: Path) -> Path:
    """Install the plugin as pip would, but in a folder of its own."""
    info = folder / "filecrm-1.0.dist-info"
    info.mkdir(parents=True)
    shutil.copy(Path(__file__).with_name("filecrm.py"), folder / "filecrm.py")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: filecrm\nVersion: 1.0\n", "utf-8")
    (info / "entry_points.txt").write_text("[crmbridge]\nfilecrm = filecrm\n", "utf-8")
    return folder


def fill(shop: Shop) -> None:
    world = make_world(7, 1, datetime(2026, 1, 1, tzinfo=UTC))
    for name in ("north", "south"):
        crm = FakeCrm(name, SystemClock())
        crm.fill(world, ())
        amount = Money(Decimal(12000 if name == "north" else 10000), "EUR")
        crm.create_deal("Rollout", stage="qualification", company="1", owner="1", amount=amount)
        if name == "north":
            broken = crm.create_deal("Handover", stage="qualification", company="2", owner="1")
            crm.move_deal(broken.id, "closing")
            crm.create_deal("\x1b[31mNew\u202e one\nhere", stage="prospecting", company="3", owner="2")
        shop.keep(crm)
