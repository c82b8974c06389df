"""One connection that can't work, as its secret is missing: it is told with its fix, and the others do their work."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.integration.conftest import Shop

MISSING = "NOBODY_SET_THIS"


def take_secret(shop: Shop, connection: str) -> None:
    """Let one connection name a variable that isn't set."""
    settings = shop.folder / "crmbridge.yaml"
    lines = settings.read_text("utf-8").splitlines(keepends=True)
    hurt = [line.replace("SHOP_TOKEN", MISSING) if f"  {connection}: {{adapter" in line else line for line in lines]
    settings.write_text("".join(hurt), "utf-8")


def remote_tasks(shop: Shop, name: str) -> int:
    """Count the tasks in a CRM."""
    return sum(ref.kind == "task" for ref in shop.crm(name).records)


def test_a_missing_secret_of_one_connection_costs_only_that_one(shop: Shop) -> None:
    """The other is pulled, judged and written to, and the run ends with 3 and says what to do."""
    take_secret(shop, "south")
    said = shop.call("run")

    assert 3 == said.code
    assert f"south: The environment variable {MISSING} " in said.out
    assert "south: nothing was read, see below" in said.out
    assert "north: nothing" not in said.out
    assert remote_tasks(shop, "north") > 0
    assert [] == shop.crm("south").named("Handover")


@pytest.mark.parametrize("command", ["pull", "plan"])
def test_a_missing_secret_is_one_error_of_the_answer(shop: Shop, command: str) -> None:
    """A program is told as it is of a CRM out of reach."""
    take_secret(shop, "north")
    found = shop.call(command, "--json").document

    assert (3, "configuration") == (found["exit_code"], found["error"]["code"])
    assert MISSING in found["error"]["message"]
    assert found["error"]["advice"]


def test_the_worst_of_two_connections_gives_the_code(shop: Shop) -> None:
    """One is out of reach, which mends itself; the other needs a person, whichever the settings name first."""
    take_secret(shop, "south")
    shop.trouble("north", "later")
    said = shop.call("pull")

    assert 3 == said.code
    assert "north: The CRM can't be reached" in said.out
    assert MISSING in said.out


def test_a_plan_is_applied_where_it_can_be(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret went missing after the plan was made: the other connection's changes are made, and this one is named."""
    take_secret(shop, "south")
    monkeypatch.setenv(MISSING, "s3cr3t-token-of-the-south")
    plan = str(shop.folder / "plan.json")
    planned = shop.call("plan", "--out", plan)
    monkeypatch.delenv(MISSING)
    said = shop.call("apply", plan, "--yes")

    assert (0, 3) == (planned.code, said.code)
    assert MISSING in said.out
    assert remote_tasks(shop, "north") > 0


def test_a_name_that_the_settings_lack_stops_before_anything_is_read(shop: Shop) -> None:
    """That is how the command was typed, and no connection's trouble."""
    said = shop.call("pull", "north", "nowhere")

    assert 3 == said.code
    assert "There is no connection 'nowhere'" in said.err
    assert "records" not in said.out
