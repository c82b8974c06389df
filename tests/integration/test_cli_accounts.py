"""The commands around an account: its set-up, its rules, its webhooks."""

from __future__ import annotations

import json
import signal
import socket
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from crmbridge.app import open_workspace
from crmbridge.services.pull.first_use import FIRST_USED
from crmbridge.store import open_store

if TYPE_CHECKING:
    from tests.integration.shop import Shop


def test_a_set_up_that_the_api_cannot_do_is_told_step_by_step(shop: Shop) -> None:
    """What needs a person ends with 7, for a script too; nothing is asked, as nothing would be written."""
    said = shop.call("connections", "setup", "north")
    answer = shop.call("connections", "setup", "north", "--json").document

    assert 7 == said.code
    assert '! by hand "Decision maker"' in said.out
    assert "1. Make a deal field 'Decision maker' of the type text; its API name should be who." in said.out
    assert ["who"] == [one["name"] for one in answer["result"]["manual"]]
    assert ("some fields need a person", []) == (answer["error"]["message"], answer["result"]["plan"]["changes"])


def test_connections_are_listed_with_the_age_of_their_credentials(shop: Shop) -> None:
    """As a pull, `doctor` or `describe` noted it, without a network; of one that nobody looked at nothing is said."""
    store = open_store(f"sqlite:///{shop.folder / '.crmbridge' / 'state.db'}")
    since = datetime.now(UTC) - timedelta(days=12, hours=1)
    store.memory("north")[FIRST_USED] = json.dumps(["API token", "ann@acme.example", since.isoformat()])
    store.close()
    north, south = shop.call("connections", "--json").document["result"]["connections"]

    assert ("API token", 12) == (north["signed_in"]["way"], north["signed_in"]["days"])
    assert south["signed_in"] is None
    assert "API token, 12 days" in shop.call("connections").out


def test_connections_are_listed_with_when_they_were_last_pulled(shop: Shop) -> None:
    """Of a CRM that is down for long, that is what one asks first."""
    shop.trouble("south", "later")
    before = shop.call("connections")
    shop.call("pull")
    listed = shop.call("connections", "--json").document["result"]["connections"]
    now = datetime.now(UTC)

    assert before.out.count("never") == 2
    assert timedelta(0) <= now - datetime.fromisoformat(listed[0]["pulled_at"]) < timedelta(minutes=5)
    assert listed[1]["pulled_at"] is None
    assert f"{datetime.fromisoformat(listed[0]['pulled_at']):%Y-%m-%d %H:%M}" in shop.call("connections").out


def test_a_set_up_must_say_of_what(shop: Shop) -> None:
    """A connection, and one that there is."""
    assert [2, 3] == [shop.call("connections", "setup", *name).code for name in ([], ["east"])]


def test_doctor_says_how_to_mend_an_account(shop: Shop) -> None:
    """By the command that does it."""
    assert "`crmbridge connections setup north` makes it" in shop.call("doctor").out


def test_rules_are_exported_into_a_folder(shop: Shop, tmp_path: Path) -> None:
    """With what an admin does, and what could not be said; a file that was worked on is left alone."""
    said = shop.call("export-rules", "north", "--to", str(tmp_path / "out"))
    assert (0, "none\n") == (said.code, (tmp_path / "out" / "rules.txt").read_text("utf-8"))
    assert "1. Load rules.txt." in said.out
    assert "qualification.who  who can't be required" in said.out

    (tmp_path / "out" / "rules.txt").write_text("mine\n", "utf-8")
    answer = shop.call("export-rules", "north", "--to", str(tmp_path / "out"), "--json").document
    assert (3, "configuration") == (answer["exit_code"], answer["error"]["code"])
    forced = shop.call("export-rules", "north", "--to", str(tmp_path / "out"), "--force", "--json").document
    assert [str(tmp_path / "out" / "rules.txt")] == forced["result"]["files"]


def test_the_page_is_served_without_webhooks_too(shop: Shop) -> None:
    """The first time, with a token for each role; they are kept as digests alone, and shown once."""
    served = []
    for _ in range(2):
        with shop.start("serve", "--port", "0", "--json") as process:
            assert process.stdout is not None
            served.append(json.loads(process.stdout.readline()))
            assert 303 == httpx.get(f"{served[-1]['url']}/", trust_env=False).status_code
            process.send_signal(signal.SIGINT)
            assert 0 == process.wait(60)

    assert [["act", "read"], []] == [sorted(told["tokens"]) for told in served]
    kept = shop.folder / ".crmbridge" / "page.json"
    assert 0o600 == kept.stat().st_mode & 0o777
    assert [] == [token for token in served[0]["tokens"].values() if token in kept.read_text("utf-8")]


def test_a_start_that_fails_costs_no_tokens(shop: Shop) -> None:
    """They are made once it can show them; later starts say what to do without them."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert 3 == shop.call("serve", "--port", str(taken.getsockname()[1])).code
    said = []
    for _ in range(2):
        with shop.start("serve", "--port", "0") as process:
            assert process.stdout is not None
            said.append("".join(iter(process.stdout.readline, "Ctrl-C ends it.\n")))
            assert 303 == httpx.get(said[-1].split()[1], trust_env=False).status_code
            process.send_signal(signal.SIGINT)
            assert 0 == process.wait(60)

    assert [True, False] == ["token: act" in text for text in said]
    assert [True, True] == ["--new-tokens" in text for text in said]


def test_others_reach_the_page_only_where_the_settings_say_who(shop: Shop) -> None:
    """Without tokens or a name that it is called by, it is not served on an address that others reach."""
    open_to_all = shop.call("serve", "--host", "0.0.0.0", "--port", "0")  # noqa: S104  it is refused
    shop.setting("serve: {tokens: [{name: anna, role: act, token: {env: SHOP_TOKEN}}]}\n")
    nameless = shop.call("serve", "--host", "0.0.0.0", "--port", "0")  # noqa: S104  the same

    assert (3, True) == (open_to_all.code, "say nothing of who may sign in" in open_to_all.err)
    assert (3, True) == (nameless.code, "Give --public-url" in nameless.err)


def test_files_of_secrets_count_from_the_project_wherever_they_are_named(shop: Shop) -> None:
    """Of connections, notices and reports, also deep within a sink's settings; a home is left for later."""
    mail = "{host: mail, from: a@x.example, to: b@x.example, user: u, password: {file: mail}}"
    shop.setting(f"notices: {{chat: {{slack: {{file: hook}}}}, mail: {{email: {mail}}}}}\n")
    shop.setting("reports: [{name: weekly, sinks: [{webhook: {url: https://x.example, secret: {file: ~/key}}}]}]\n")
    with open_workspace(shop.folder) as workspace:
        settings = workspace.project.settings

    folder = shop.folder.resolve()
    assert str(folder / "hook") == settings.notices["chat"]["slack"]["file"]
    assert str(folder / "mail") == settings.notices["mail"]["email"]["password"]["file"]
    assert "~/key" == settings.reports[0].sinks[0]["webhook"]["secret"]["file"]


@pytest.mark.parametrize(
    "url",
    [
        "crm.example.com",
        "ftp://crm.example.com",
        "https://",
        "https://x/?a=b",
        "https://x:no",
        "https://[x",
        "https://a@x",
    ],
)
def test_an_address_that_is_none_is_a_typing_error(shop: Shop, url: str) -> None:
    """Signatures cover it, so it must be right."""
    assert 2 == shop.call("serve", "--public-url", url).code


def test_an_address_with_a_path_is_a_typing_error(shop: Shop) -> None:
    """The page would lead nowhere behind it; a slash at the end is none."""
    said = shop.call("serve", "--public-url", "https://crm.example.com/bridge/")

    assert 2 == said.code
    assert "without the path /bridge" in said.err


def hook_up(shop: Shop) -> None:
    """Let north have webhooks, and its deals be known."""
    file = shop.folder / "crmbridge.yaml"
    text = file.read_text("utf-8")
    file.write_text(
        text.replace("north: {adapter: filecrm,", "north: {adapter: filecrm, webhook: {word: {file: word}},")
    )
    (shop.folder / "word").write_text("open-sesame", "utf-8")


def test_webhooks_that_nothing_can_be_checked_of_are_not_received(shop: Shop) -> None:
    """Each delivery would be turned away, and only a log would say why."""
    hook_up(shop)
    (shop.folder / "word").unlink()
    said = shop.call("serve", "--port", "0")

    assert (3, True) == (said.code, "word" in said.err)


def test_webhooks_are_received_until_a_signal(shop: Shop) -> None:
    """What a CRM says has changed is re-read by a quick pull, from a state that both use."""
    hook_up(shop)
    assert 0 == shop.call("pull").code
    with shop.start("serve", "--port", "0", "--json") as process:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        address = told["webhooks"]["north"]
        crm = shop.crm("north")
        crm.edit_deal("d16", name="Renamed")
        shop.keep(crm)
        answers = [httpx.post(address, content="d16", headers={"x-word": word}) for word in ("wrong", "open-sesame")]
        process.send_signal(signal.SIGINT)
        assert (0, "") == (process.wait(60), process.stdout.read())

    assert [401, 200] == [answer.status_code for answer in answers]
    pulled = shop.call("pull", "--hinted", "--json").document["result"]["pulled"]
    assert [("north", 1), ("south", 0)] == [(one["connection"], one["records"]) for one in pulled]
    assert "Renamed" in shop.call("explain", "north:d16").out


def test_a_webhook_part_is_checked_with_the_file(shop: Shop) -> None:
    """With its place, before anything runs."""
    file = shop.folder / "crmbridge.yaml"
    text = file.read_text("utf-8")
    file.write_text(text.replace("north: {adapter: filecrm,", "north: {adapter: filecrm, webhook: {wrod: {env: X}},"))
    said = shop.call("check")

    assert (3, True, True) == (said.code, "wrod" in said.out, "missing-key" in said.out)
