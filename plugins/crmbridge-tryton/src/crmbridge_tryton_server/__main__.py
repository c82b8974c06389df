"""The demo on a real server: Tryton and HubSpot's sandbox in step, with people at work in both.

python -m crmbridge_tryton_server [FOLDER]
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from crmbridge.plugins import load_plugins
from crmbridge.sandbox import SandboxOptions, make_world, serve
from crmbridge_tryton_server.client import decimal
from crmbridge_tryton_server.filling import fill, holds
from crmbridge_tryton_server.hands import DEAL, TrytonHands
from crmbridge_tryton_server.installing import PASSWORD, UnavailableError, cache_folder
from crmbridge_tryton_server.project import PASSWORD_VARIABLE, TOKEN_VARIABLE, write_project
from crmbridge_tryton_server.running import running

DEALS = 30
MARK = ".crmbridge-demo-tryton"


def main() -> int:
    """Play the demo, and give the worst exit code of its commands."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else ".demo-tryton")
    if folder.exists() and any(folder.iterdir()) and not (folder / MARK).exists():
        _say(f"{folder} is not empty, and no demo; name another folder.")
        return 3
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    (folder / MARK).touch()
    if not cache_folder().exists():
        _say("Installing Tryton in an environment of its own and preparing a database, once; that takes two minutes.")
    try:
        return _play(folder)
    except UnavailableError as error:
        _say(str(error))
        return 5


def _play(folder: Path) -> int:
    options = SandboxOptions(seed=7, deals=DEALS, now=datetime.now(UTC) - timedelta(minutes=5), limit="none")
    world = make_world(options.seed, options.deals, options.as_of)
    hubspot = (
        load_plugins()
        .sandboxes()["hubspot"]
        .build(SandboxOptions(seed=7, deals=DEALS, part=(0.3, 1.0), now=options.now, limit="none"))
    )
    with tempfile.TemporaryDirectory() as place, running(Path(place)) as server, serve(hubspot) as served:
        fill(server, world, [holds(deal) for deal in world.part((0.0, 0.7))])
        write_project(folder, server.url, served.url)
        tokens = {PASSWORD_VARIABLE: PASSWORD, TOKEN_VARIABLE: served.token}
        _say(f"A Tryton server at {server.url}, HubSpot's sandbox at {served.url}; they know some of the same deals.")
        codes = [
            _crmbridge("1. Pull both, link what is the same deal, and plan.", folder, tokens, "plan"),
            _crmbridge("2. Write it.", folder, tokens, "apply", "--yes"),
        ]
        _work(TrytonHands(server))
        codes += [
            _crmbridge("4. The next run brings both in step, and tells Tryton of the rule.", folder, tokens, "run"),
            _crmbridge("5. What the process does not allow.", folder, tokens, "findings"),
            _crmbridge("6. Once more: nothing to write.", folder, tokens, "run"),
        ]
    return max(codes)


def _work(hands: TrytonHands) -> None:
    """Let a person work in Tryton."""
    _say("\n3. Meanwhile people work in Tryton.")
    first, second = hands.client(DEAL, "search", [["state", "=", "opportunity"]], 0, 2, [["id", "DESC"]])
    hands.edit_deal(str(first), amount=decimal("4321.50"))
    _say(f"  opportunity {first}: the amount is now 4321.50")
    hands.move_deal(str(second), "lost")
    _say(f"  opportunity {second}: lost")
    (usual,) = hands.client(DEAL, "read", [first], ["party", "employee"])
    values = {"description": "Handed over too early", "party": usual["party"], "employee": usual["employee"]}
    (third,) = hands.client(DEAL, "create", [values])
    hands.move_deal(str(third), "opportunity")
    _say(f"  opportunity {third}: made, and moved on without its decision maker")


def _crmbridge(title: str, folder: Path, tokens: dict[str, str], *arguments: str) -> int:
    _say(f"\n{title}\n$ crmbridge {' '.join(arguments)}")
    command = [sys.executable, "-m", "crmbridge", *arguments]
    return subprocess.run(command, cwd=folder, env={**os.environ, **tokens}, check=False).returncode  # noqa: S603  ours


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201  it is a command


if __name__ == "__main__":
    sys.exit(main())
