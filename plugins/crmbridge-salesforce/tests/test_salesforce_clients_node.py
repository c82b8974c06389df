"""npm's `jsforce`, unchanged, works against the sandbox; skipped where Node or the package can't be had."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from crmbridge.sandbox import SandboxOptions, serve
from crmbridge_salesforce.sandbox import State, build_org

VERSION = "3.10.16"  # the newest that runs on Node 18 and 20; later ones want 22
SCRIPT = Path(__file__).with_name("jsforce_session.js")
TASKS = 2100  # more than a page


@pytest.fixture(scope="module")
def modules() -> str:
    """Give the folder that holds the package: kept outside the repository, and filled by npm when it is missing."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("jsforce is not tried: node and npm are not here")
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "crmbridge-tests"
    folder = cache / f"jsforce-{VERSION}"
    if not (folder / "node_modules/jsforce").is_dir():
        _install(cache, folder)
    return str(folder / "node_modules")


def _install(cache: Path, folder: Path) -> None:
    """Fill a folder aside and put it in place whole, as another worker may do the same at this moment."""
    cache.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(dir=cache))
    command = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(aside)]
    command.append(f"jsforce@{VERSION}")
    try:
        subprocess.run(command, capture_output=True, timeout=300, check=True)  # noqa: S603  the command is ours
    except (subprocess.CalledProcessError, subprocess.TimeoutExpired):
        shutil.rmtree(aside, ignore_errors=True)
        pytest.skip("jsforce is not tried: npm could not install it")
    try:
        aside.rename(folder)
    except OSError:  # the other worker was first
        shutil.rmtree(aside, ignore_errors=True)


@pytest.fixture(scope="module")
def told(modules: str) -> dict[str, Any]:
    """Run the script once and give what it printed."""
    sandbox = build_org(SandboxOptions(seed=3, deals=20), multi_currency=False)
    state: State = sandbox.state
    state.jobs.takes = timedelta(0)
    for number in range(TASKS):
        state.add_task(state.deal_ids()[0], Subject=f"Task {number}")
    with serve(sandbox) as org:
        command = ["node", str(SCRIPT), org.url, org.token]
        environment = {"PATH": os.environ["PATH"], "NODE_PATH": modules, "HOME": str(Path.home())}
        done = subprocess.run(  # noqa: S603  the script is ours
            command, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
    assert 0 == done.returncode, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_paging_and_finding(told: dict[str, Any]) -> None:
    """autoFetch goes through all pages once, and the query builder's own SOQL is understood."""
    assert told["paged"]["total"] == told["paged"]["seen"] == told["paged"]["different"] > TASKS
    assert ([], 20) == (told["found"], told["count"])


def test_rows(told: dict[str, Any]) -> None:
    """Create, update, retrieve, upsert, several at once, destroy."""
    assert (True, True, {"Name": "Bolts", "Amount": 12.5}) == (told["made"], told["updated"], told["row"])
    assert ([True, False], ["ok", "REQUIRED_FIELD_MISSING"]) == (told["upserted"], told["several"])
    assert [True, True] == told["destroyed"]
    assert ["ENTITY_IS_DELETED", "NOT_FOUND"] == told["gone"]


def test_composite_requests(told: dict[str, Any]) -> None:
    """What fails takes back the whole of which it is part: the request with allOrNone, or its graph."""
    assert ["PROCESSING_HALTED", "PROCESSING_HALTED", "INVALID_CROSS_REFERENCE_KEY"] == told["composite"]
    assert [True, False] == told["graphs"]


def test_describing_and_limits(told: dict[str, Any]) -> None:
    """The client reads the usage from the header of every answer."""
    assert (True, 100_000, 100_000) == (told["described"], told["limits"], told["usage"])


def test_bulk(told: dict[str, Any]) -> None:
    """A query job is read to its end; a load, sent in chunks, gives its rows' results."""
    assert 22 == told["bulk"]
    assert {"good": 1, "bad": ["REQUIRED_FIELD_MISSING:Required fields are missing: [Name]:Name --"]} == told["loaded"]


def test_errors_are_what_the_client_knows(told: dict[str, Any]) -> None:
    """Each refusal has its code and its words."""
    expected = ["INVALID_FIELD", "REQUIRED_FIELD_MISSING", "NOT_FOUND", "INVALID_SESSION_ID"]

    assert expected == [refusal["code"] for refusal in told["refused"]]
    assert "Session expired or invalid" == told["refused"][3]["message"]
