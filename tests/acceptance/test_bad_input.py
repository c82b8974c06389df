"""Whatever is wrong, the command says what and what to do, ends with its documented code, and loses nothing."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

Shop = Any  # the fixture's own class lives in conftest


class Wrong(NamedTuple):
    """Something that is wrong, the exit code that it ends with, and words that must be said."""

    what: str
    do: Callable[[Shop], dict[str, str]]  # make it wrong; gives variables for the environment
    exit_code: int
    says: str


def _malformed(shop: Shop) -> dict[str, str]:
    shop.project.write("crmbridge.yaml", "version: 1\nprocess: [unclosed\n")
    return {}


def _duplicate(shop: Shop) -> dict[str, str]:
    shop.project.write("crmbridge.yaml", "version: 1\nprocess: processes/b2b.yaml\nprocess: other.yaml\n")
    return {}


def _unknown_stage(shop: Shop) -> dict[str, str]:
    stages = {"crm": {"pipeline": shop.spec.pipeline, "map": {"qualificaton": "x"}}}
    shop.write(shop.settings(stages=stages))
    return {}


def _no_variable(shop: Shop) -> dict[str, str]:
    shop.write(
        shop.settings(connections={"crm": shop.connection(**{shop.spec.credential: {"env": "NOT_SET_ANYWHERE"}})})
    )
    return {}


def _refused(_: Shop) -> dict[str, str]:
    return {"CRM_TOKEN": "wrong-token-a1b2c3"}


def _not_there(shop: Shop) -> dict[str, str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    shop.write(shop.settings(connections={"crm": shop.connection(base_url=f"http://127.0.0.1:{port}")}))
    return {}


def _no_adapter(shop: Shop) -> dict[str, str]:
    shop.write(shop.settings(connections={"crm": {"adapter": "hubsopt", "token": {"env": "CRM_TOKEN"}}}))
    return {}


FILES = [
    Wrong("malformed YAML", _malformed, 3, "crmbridge.yaml"),
    Wrong("a duplicate key", _duplicate, 3, "process"),
    Wrong("an unknown stage", _unknown_stage, 3, "qualificaton"),
    Wrong("a missing variable", _no_variable, 3, "NOT_SET_ANYWHERE"),
    Wrong("an adapter that isn't installed", _no_adapter, 3, "hubsopt"),
]
REFUSED = Wrong("a refused token", _refused, 4, "crm")
NOT_THERE = Wrong("a CRM that isn't there", _not_there, 5, "can't be reached")


def check_wrong(shop: Shop, wrong: Wrong) -> None:
    """Expect one clear message for people, one document for programs, no traceback, no secret, and no write."""
    environment = wrong.do(shop)
    told = shop.run("run", **environment).expect(wrong.exit_code)
    answered = shop.run("run", "--json", **environment).expect(wrong.exit_code)
    document = json.loads(answered.out)

    assert wrong.says in told.err + told.out
    assert wrong.says in json.dumps(document, ensure_ascii=False)
    assert (False, wrong.exit_code) == (document["ok"], document["exit_code"])
    assert "a1b2c3" not in told.err + told.out + answered.err + answered.out
    assert 0 == shop.written()


@pytest.mark.parametrize("wrong", FILES, ids=[wrong.what for wrong in FILES])
def test_a_wrong_file_is_said_clearly(some_shop: Shop, wrong: Wrong) -> None:
    """Nothing is connected before the files are right."""
    check_wrong(some_shop, wrong)

    assert () == some_shop.served.sandbox.log.all()


def test_a_refused_token_is_said_clearly(shop: Shop) -> None:
    """Each adapter says so in the same way."""
    check_wrong(shop, REFUSED)


def test_a_crm_that_is_not_there_is_said_clearly(some_shop: Shop) -> None:
    """After a few tries the run ends and says where it could not get through."""
    check_wrong(some_shop, NOT_THERE)


@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupted_run_loses_nothing(some_shop: Shop, number: signal.Signals, exit_code: int) -> None:
    """Stopped in the middle, it says so and ends; the next run does the rest, and nothing is there twice."""
    shop = some_shop
    shop.served.sandbox.faults.plan("timeout_before", times=1)  # something to be in the middle of
    process = subprocess.Popen(  # noqa: S603  the project's own command
        shop.project.command("run"),
        cwd=shop.project.folder,
        env={**os.environ, "CRM_TOKEN": shop.served.token},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 20
    while not shop.served.sandbox.log.all() and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    _, said = process.communicate(timeout=30)
    shop.served.sandbox.faults.clear()
    first = shop.run("run")
    second = shop.run("run", "--json")

    assert exit_code == process.returncode, said
    assert "Traceback" not in said
    assert first.exit_code in {0, 7}, first.err
    assert {} == second.document["result"]["summary"]["outcomes"]
