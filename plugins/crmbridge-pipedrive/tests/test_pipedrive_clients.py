"""Pipedrive's own client for Node, unchanged, does its usual work against the sandbox."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from crmbridge.sandbox import SandboxOptions, Served, VirtualClock, serve
from crmbridge_pipedrive.sandbox import build

CLIENT = "pipedrive@33.7.0"
SCRIPT = Path(__file__).with_name("usual_work.cjs")
SECONDS = 180


@pytest.fixture(scope="module")
def client(request: pytest.FixtureRequest) -> Path:
    """Give a folder that has the client, kept between runs of the tests; skip where it can't be had."""
    node, npm = shutil.which("node"), shutil.which("npm")
    if node is None or npm is None:
        pytest.skip("Node and npm are not installed here")
    folder = request.config.cache.mkdir(f"node-{CLIENT}")
    if not (folder / "node_modules" / "pipedrive" / "package.json").is_file():
        command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(folder), CLIENT]
        try:
            subprocess.run(command, check=True, capture_output=True, timeout=SECONDS)  # noqa: S603  both are our own words
        except subprocess.SubprocessError:
            pytest.skip(f"npm can't fetch {CLIENT} here")
    return folder


@pytest.fixture(scope="module")
def found(client: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Let the client do its work once, and give what it got."""
    clock = VirtualClock(datetime(2026, 6, 10, 12, tzinfo=UTC))
    options = SandboxOptions(seed=5, deals=12, clock=clock, limit="none")
    with serve(build(options)) as served:
        yield work(client, served)


def work(client: Path, served: Served) -> dict[str, Any]:
    """Run the script; its complaint is the test's."""
    command = [str(shutil.which("node")), str(SCRIPT), str(client), served.url, served.token]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=SECONDS)  # noqa: S603  the same
    assert "" == done.stderr
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def test_lists_are_walked_by_their_cursors(found: dict[str, Any]) -> None:
    """Three pages of five come to an end and hold every deal once."""
    assert list(range(1, 13)) == found["deals"]["ids"]


def test_deals_are_made_moved_read_and_searched(found: dict[str, Any]) -> None:
    """What was written is in the answers, with numbers as numbers."""
    deals = found["deals"]
    made = deals["made"]["id"]

    assert ("By their client", 12.5, 2, "open") == tuple(
        deals["made"][n] for n in ("title", "value", "stage_id", "status")
    )
    assert (3, "won") == (deals["moved"]["stage_id"], deals["moved"]["status"])
    assert (made, 0) == (deals["read"]["id"], deals["read"]["activities_count"])
    assert ([made], {"id": made}) == (deals["search"], deals["removed"])
    assert made in deals["since"]


def test_errors_reach_the_client_as_bodies(found: dict[str, Any]) -> None:
    """The client hands over what the vendor said, and nothing else (client-nodejs #725)."""
    wrong, missing, bad = found["deals"]["wrong"], found["deals"]["missing"], found["unauthorized"]

    assert (False, "ERR_SCHEMA_VALIDATION_FAILED") == (wrong["success"], wrong["code"])
    assert (False, "ERR_NOT_FOUND") == (missing["success"], missing["code"])
    assert (False, 401) == (bad["success"], bad["errorCode"])


def test_activities_and_notes(found: dict[str, Any]) -> None:
    """A task is made and done; a note is on the deal; the flow tells of the deal's changes."""
    around = found["around"]

    assert ("task", False) == (around["task"]["type"], around["task"]["done"])
    assert around["done"]["done"] is True
    assert around["task"]["id"] not in around["open"]
    assert "Hello<br>there" in around["kept"]
    assert {"dealChange"} == set(around["log"])


def test_what_hangs_on_a_deal(found: dict[str, Any]) -> None:
    """Company and people are made, a participant comes and goes, the main contact stays; all is taken away again."""
    work = found["hanging"]
    main, other = work["main"]["id"], work["other"]["id"]

    assert ("acme.example", work["company"]["id"]) == (work["company"]["website"], work["main"]["org_id"])
    assert ([main, other], [main], False) == (work["both"], work["left"], work["kept"]["success"])
    assert (True, "open") == (work["archived"]["is_archived"], work["archived"]["status"])
    assert work["archived"]["id"] in work["archive"]
    assert (True, {"id": other}, {"id": work["company"]["id"]}) == (work["unwritten"], work["removed"], work["closed"])


def test_fields_and_the_account(found: dict[str, Any]) -> None:
    """A field is made and required at a stage; stages, fields and the user are there."""
    setup = found["setup"]

    assert (40, ["A", "B"]) == (len(setup["made"]["field_code"]), [o["label"] for o in setup["made"]["options"]])
    assert {"enabled": True, "stage_ids": [3], "statuses": {"1": ["won"]}} == setup["read"]["required_fields"]
    assert "By client" in setup["named"]
    assert [1, 2, 3, 4, 5, 6] == setup["stages"]
    assert "lumenworks" == setup["me"]["company_domain"]
