"""The commands on a project with two CRMs: what they say of deals and findings, and what they answer to programs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.integration.shop import Shop

READING = (
    ["check"],
    ["connections"],
    ["connections", "describe", "north"],
    ["pull"],
    ["plan"],
    ["plan", "--no-pull"],
    ["findings"],
    ["explain", "north:d16"],
    ["slas"],
    ["report"],
    ["history"],
    ["schedule"],
    ["plugins"],
    ["schema", "process"],
    ["run", "--due"],
)


def test_enforce_keeps_nothing_in_step(shop: Shop) -> None:
    """It writes the task for the broken rule, and no deal is created or updated."""
    done = shop.call("enforce", "--json").document["result"]

    assert {"applied": 1} == done["summary"]["outcomes"]
    assert ["task"] == [change["action"] for change in done["plan"]["changes"]]


def test_explain_gives_the_verdict_first(shop: Shop) -> None:
    """Then each rule with the value that it saw and what would clear it, the SLA, and what was written."""
    shop.call("run")
    said = shop.call("explain", "handover").out

    assert said.startswith("Free to leave Closing: no rule of it applies.\n1 finding.")
    assert "✗  who  missing Decision maker" in said
    assert "Fill in or correct: Decision maker. Who can: Seller, rosa.wang@lumenworks.example." in said
    assert "saw Decision maker = (empty)" in said
    assert "process.yaml:15" in said
    assert "5 business days" in said
    assert "create  applied" in said


def test_explain_says_whether_the_deal_may_leave(shop: Shop) -> None:
    """Of how many rules, before anything else; the document says the same in numbers."""
    shop.call("pull")
    said, document = shop.call("explain", "north:d16"), shop.call("explain", "north:d16", "--json").document["result"]

    assert said.out.startswith("Not ready to leave Qualifying: 1 of 1 rule fails.\nNo finding.")
    assert (False, {"rules": 1, "failing": 1, "undecided": 0}) == (document["ready"], document["verdict"])
    assert ("to_leave", False, "process.yaml:15") == tuple(document["rules"][0][k] for k in ("asked", "holds", "place"))
    assert ("Seller", "north") == (document["rules"][0]["role"], document["rules"][0]["sources"][0]["connection"])


@pytest.mark.parametrize(
    ("at", "code", "says"),
    [
        ("2020-01-01", 3, "was not there yet on 2020-01-01"),
        ("in 3d", 2, "is still to come"),
        ("soon", 2, "'soon' is no moment"),
        ("0m", 0, "As of "),
    ],
)
def test_explain_can_look_back(shop: Shop, at: str, code: int, says: str) -> None:
    """To a moment when the deal was there; what can't be meant is said."""
    shop.call("pull")
    said = shop.call("explain", "north:d16", "--at", at)

    assert code == said.code
    assert says in said.out + said.err


def test_explain_shows_synced_fields_side_by_side(shop: Shop) -> None:
    """What each side holds, and what was last agreed."""
    shop.call("apply", "--yes")
    said = shop.call("explain", "--json", "rollout").document["result"]
    fields = {field["name"]: field for field in said["fields"]}

    assert "qualification" == said["stage"]
    assert {"north": {"money": ["12000", "EUR"]}, "south": {"money": ["12000", "EUR"]}} == fields["amount"]["now"]
    assert fields["amount"]["in_step"]


def test_a_name_that_fits_several_deals_is_not_guessed(shop: Shop) -> None:
    """Before they are linked, the same deal on two sides is two deals; both are named."""
    shop.call("pull")
    said = shop.call("explain", "rollout")

    assert 3 == said.code
    assert "north:d16 (Rollout), south:d16 (Rollout)" in said.err


def test_a_deal_that_is_not_there_is_said(shop: Shop) -> None:
    """With what to do."""
    said = shop.call("explain", "nothing like it")

    assert (3, "") == (said.code, said.out)
    assert "Pull first" in said.err


def test_findings_can_be_filtered(shop: Shop) -> None:
    """By owner, stage, rule and severity; what is filtered out is gone."""
    shop.call("plan")

    def count(*filters: str) -> int:
        return len(shop.call("findings", "--json", *filters).document["result"]["findings"])

    assert 1 == count()
    assert 1 == count("--owner", "ROSA") == count("--rule", "*.who") == count("--severity", "warning")
    assert 0 == count("--owner", "tereza") == count("--rule", "*.sla") == count("--stage", "prospecting")


@pytest.mark.parametrize(
    ("filters", "says"),
    [
        (("--rule", "qualification.whu"), "Did you mean 'qualification.who'?"),
        (("--rule", "nothing*"), "There is no rule 'nothing*'"),
        (("--stage", "qualificaton"), "Did you mean 'qualification'?"),
        (("--connection", "nort"), "Did you mean 'north'?"),
    ],
)
def test_a_filter_that_names_nothing_is_no_good_news(shop: Shop, filters: tuple[str, str], says: str) -> None:
    """A slip would end with `No findings.` and 0, also in a script that asks with --fail-on."""
    shop.call("plan")
    said = shop.call("findings", *filters, "--fail-on", "error")

    assert (3, "") == (said.code, said.out)
    assert says in said.err


def test_nothing_found_is_told_from_nothing_looked_at(shop: Shop) -> None:
    """Deals must have been judged, not only pulled."""
    shop.call("pull")
    assert "No deal was looked at yet" in shop.call("findings").out

    shop.call("plan")
    assert "No findings." in shop.call("findings", "--owner", "tereza").out


def test_nothing_found_is_no_good_news_where_no_deal_could_be_read(shop: Shop) -> None:
    """The run did all it could with none."""
    for name in ("north", "south"):
        shop.trouble(name, "revoked")

    assert 4 == shop.call("run").code
    assert "No deal was looked at yet" in shop.call("findings").out


def test_a_run_ends_with_one_advice(shop: Shop) -> None:
    """That of what went wrong; what is said of its exit code in general may be another, and wrong here."""
    shop.trouble("north", "revoked")
    said = shop.call("run")

    assert "Make a new one." in said.out
    assert "crmbridge: a CRM refused the credential, or it lacks a scope (exit 4).\n" == said.err


def test_without_connections_runs_say_what_is_missing(shop: Shop) -> None:
    """They did nothing, which is no news to somebody who has just begun, and well done to a script."""
    (shop.folder / "crmbridge.yaml").write_text("version: 1\nprocess: process.yaml\n", "utf-8")
    for command in ("pull", "run", "enforce"):
        said = shop.call(command)

        assert (0, "") == (said.code, said.err)
        assert said.out.startswith("There are no connections, so nothing was pulled: write them into crmbridge.yaml.")
        assert "" == shop.call(command, "--quiet").out
    assert "write it under `connections:` first" in shop.call("connections", "describe", "north").err


def test_findings_can_fail_a_script(shop: Shop) -> None:
    """With --fail-on, findings that are as grave end with 9."""
    shop.call("plan")

    assert 9 == shop.call("findings", "--fail-on", "error").code
    assert 0 == shop.call("findings", "--fail-on", "error", "--owner", "tereza").code


def test_slas_say_how_they_were_kept(shop: Shop) -> None:
    """As it was judged when they ended, and as it would be by the process of today, for people and for programs."""
    assert "No SLA cycle has ended so far." in shop.call("slas").out
    shop.call("run")
    said, document = shop.call("slas"), shop.call("slas", "--json").document["result"]
    path = shop.folder / "process.yaml"
    path.write_text(path.read_text("utf-8").replace("goal: 5bd", "goal: 2h"), "utf-8")
    changed = shop.call("slas", "--json").document["result"]

    assert 0 == said.code
    assert "kept, as judged then" in said.out
    assert "Judged by the process and the calendars of today, every one would end the same." in said.out
    assert ["qualification.sla"] == [each["sla"] for each in document["slas"]]
    assert document["slas"][0]["closed"] == changed["slas"][0]["closed"] > 0


def test_history_has_every_write_of_a_run(shop: Shop) -> None:
    """An intent before and an outcome after each, under the run that made them."""
    shop.call("apply", "--yes")
    runs = shop.call("history", "--json").document["result"]["runs"]
    rows = shop.call("history", runs[0]["id"], "--json").document["result"]["journal"]

    assert ["apply", "plan"] == [run["command"] for run in runs]
    assert 8 == len(rows)
    assert 4 == sum(row.get("outcome") == "applied" for row in rows)
    assert "applied" in shop.call("history", runs[0]["id"]).out
    assert 3 == shop.call("history", "nothing").code


def test_history_shows_the_values_that_a_run_wrote(shop: Shop) -> None:
    """Before and after each, and why: nobody has to look into the journal for what was written over."""
    shop.call("apply", "--yes")
    run = shop.call("history", "--json").document["result"]["runs"][0]["id"]
    said = shop.call("history", run).out

    assert re.search(r"update  +\S+ +intended  amount: [\d,]+ EUR → [\d,]+ EUR; amount ", said), said
    assert re.search(r'south  create  south:\S+ +applied +"Handover"', said)


def test_history_says_why_a_run_did_not_do_all(shop: Shop) -> None:
    """Which connection failed, and how, named once; the list says it of the run that ended by it."""
    shop.trouble("north", "revoked")
    shop.call("pull")
    run = shop.call("history", "--json").document["result"]["runs"][0]["id"]
    said = shop.call("history", run).out

    assert "north: The credential is refused" in said
    assert 1 == said.count("north")
    assert "north failed" in shop.call("history").out


def test_doctor_ends_as_its_worst_check(shop: Shop) -> None:
    """A field that the account doesn't have is an error of the settings, a refused credential one of its own."""
    assert 3 == shop.call("doctor").code
    shop.trouble("north", "revoked")
    said = shop.call("doctor", "--json").document

    assert 3 == said["exit_code"]
    assert {"error"} == {c["health"] for c in said["result"]["checks"] if "refused" in c["message"]}


def test_what_is_due_runs_once(shop: Shop) -> None:
    """Each thing under its own name; right after, nothing is due."""
    shop.setting('schedule: [{run: cycle, cron: "0 0 1 1 *"}, {run: pull, cron: "0 0 1 1 *"}]\n')
    shop.setting('reports: [{name: weekly, sinks: [{html: "reports/"}], cron: "0 0 1 1 *"}]\n')
    assert "due now" in shop.call("schedule").out
    done = shop.call("run", "--due", "--json").document["result"]["runs"]

    assert ["cycle", "pull", "report weekly"] == [run["command"] for run in done]
    assert "Nothing is due." in shop.call("run", "--due").out
    assert "due now" not in shop.call("schedule").out


def test_what_was_due_says_when_it_ran(shop: Shop) -> None:
    """What cron appends to a log can be told apart by its day and minute."""
    shop.setting('schedule: [{run: cycle, cron: "0 0 1 1 *"}]\n')

    assert re.match(r"cycle  \d{4}-\d\d-\d\d \d\d:\d\d UTC\n", shop.call("run", "--due").out)


def test_one_due_thing_that_fails_does_not_stop_the_next(shop: Shop) -> None:
    """The exit code is the worst, and the report is still made."""
    shop.setting('schedule: [{run: pull, cron: "0 0 1 1 *"}]\n')
    shop.setting('reports: [{name: weekly, sinks: [{html: "reports/"}], cron: "0 0 1 1 *"}]\n')
    shop.trouble("north", "later")
    said = shop.call("run", "--due", "--json").document

    assert [("pull", 5), ("report weekly", 0)] == [(r["command"], r["exit_code"]) for r in said["result"]["runs"]]
    assert (5, "retry_later") == (said["exit_code"], said["error"]["code"])


def test_a_connection_that_fails_is_named_and_the_others_go_on(shop: Shop) -> None:
    """Its deals are left alone, those of the other are pulled."""
    shop.trouble("south", "later")
    said = shop.call("run", "--json").document

    assert (5, "retry_later") == (said["exit_code"], said["error"]["code"])
    assert {"south": "The CRM can't be reached"} == said["result"]["summary"]["errors"]
    assert {"applied": 1} == said["result"]["summary"]["outcomes"]  # the task in north
    shop.heal("south")
    assert 0 == shop.call("run").code


def test_the_crontab_line_works_from_anywhere(shop: Shop) -> None:
    """It names the program and the project by their whole paths."""
    line = shop.call("schedule", "--json").document["result"]["crontab"]

    assert line.startswith("*/5 * * * * /")
    assert line.endswith(f" run --due --quiet --project {shop.folder}")


def test_secret_files_count_from_the_project(shop: Shop) -> None:
    """So that cron, which starts elsewhere, finds them."""
    settings = shop.folder / "crmbridge.yaml"
    settings.write_text(settings.read_text("utf-8").replace("{env: SHOP_TOKEN}", "{file: token}"), "utf-8")
    (shop.folder / "token").write_text("abcdef", "utf-8")

    assert 0 == shop.call("pull").code


@pytest.mark.parametrize("args", READING, ids=" ".join)
def test_every_command_answers_one_json_document(shop: Shop, args: list[str]) -> None:
    """Success: ok, the command, its result and the exit code, and nothing else on stdout."""
    shop.call("pull")
    found = shop.call(*args, "--json").document

    assert {"ok": True, "command": args[0], "exit_code": 0} == {k: found[k] for k in ("ok", "command", "exit_code")}
    assert "result" in found
    assert "error" not in found


@pytest.mark.parametrize("args", READING, ids=" ".join)
def test_quiet_says_nothing_when_all_is_well(shop: Shop, args: list[str]) -> None:
    """Neither on stdout nor on stderr."""
    shop.call("pull")
    said = shop.call(*args, "--quiet")

    assert (0, "", "") == (said.code, said.out, said.err)
