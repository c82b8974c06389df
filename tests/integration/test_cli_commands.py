"""The commands on a project with two CRMs: what they say, what they write, what they answer to programs."""

from __future__ import annotations

import dataclasses
import json
import re
import stat
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import openpyxl
import pytest

from crmbridge.cli.plan_files import load_plan, save_plan
from crmbridge.model.records import Kind
from crmbridge.model.replacing import replace

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


def test_a_plan_shows_what_would_be_written_and_why(shop: Shop) -> None:
    """Grouped by connection, before and after per field, by the names people use, with one summary line."""
    said = shop.call("plan")

    assert 0 == said.code
    assert '~ update "Rollout"  south:d16' in said.out
    assert "amount   10,000 EUR  → 12,000 EUR" in said.out
    assert '+ create deal "Handover"' in said.out
    assert '+ task on "Handover"  north:d18' in said.out
    assert "because  north:d18 has no counterpart in south" in said.out
    assert "owner    rosa.wang@lumenworks.example" in said.out
    assert "stage    Closing" in said.out
    assert "Plan: 2 to create, 1 to update, 1 task." in said.out
    assert said.out.index("north  filecrm") < said.out.index("south  filecrm")


def test_planning_writes_nothing(shop: Shop) -> None:
    """Not to a CRM, whatever there is to do."""
    before = (shop.folder / "south.crm").read_bytes()
    shop.call("plan")

    assert before == (shop.folder / "south.crm").read_bytes()


def test_text_of_a_crm_can_drive_no_terminal(shop: Shop) -> None:
    """A deal's name with escape sequences, direction marks and line ends is one harmless line."""
    said = shop.call("plan")

    assert '"New one here"' in said.out
    assert set() == {"\x1b", "\u202e"} & set(said.out)


def test_a_value_that_both_sides_changed_needs_a_person(shop: Shop) -> None:
    """It stands in the plan with both values, and the exit code says so."""
    settings = shop.folder / "crmbridge.yaml"
    settings.write_text(settings.read_text("utf-8").replace("prefer: north", "ask"), "utf-8")
    said = shop.call("plan")

    assert 7 == said.code
    assert '! amount of "Rollout"' in said.out
    assert "north    12,000 EUR" in said.out
    assert "south    10,000 EUR" in said.out
    assert "1 needs a person." in said.out


def test_detailed_exit_codes_tell_changes_from_none(shop: Shop) -> None:
    """10 while changes are pending, 0 once they are made."""
    assert 10 == shop.call("plan", "--detailed-exitcode").code
    assert 0 == shop.call("apply", "--yes").code
    assert 0 == shop.call("plan", "--detailed-exitcode").code


def test_apply_without_a_terminal_must_be_told_yes(shop: Shop) -> None:
    """It ends before anything is read or written."""
    said = shop.call("apply")

    assert (13, "") == (said.code, said.out)
    assert "Give --yes" in said.err
    assert "No runs yet." in shop.call("history").out


def test_apply_writes_what_it_showed(shop: Shop) -> None:
    """The plan first, then what became of it; the CRM holds it."""
    said = shop.call("apply", "--yes")

    assert 0 == said.code
    assert "Plan: 2 to create, 1 to update, 1 task." in said.out
    assert "4 applied" in said.out
    assert 1 == len(shop.crm("south").named("Handover"))
    assert 1 == len(shop.crm("north").hanging_on("d18", Kind.TASK))


def test_a_second_run_writes_nothing(shop: Shop) -> None:
    """Two runs in a row: the second finds the CRMs in step."""
    first, second = shop.call("run"), shop.call("run", "--json")

    assert "4 applied" in first.out
    assert {} == second.document["result"]["summary"]["outcomes"]
    assert 0 == second.document["result"]["summary"]["planned"]


def test_secret_files_are_found_from_the_projects_folder(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the command is called."""
    settings = shop.folder / "crmbridge.yaml"
    settings.write_text(settings.read_text("utf-8").replace("{env: SHOP_TOKEN}", "{file: kept/token}"), "utf-8")
    (shop.folder / "kept").mkdir()
    (shop.folder / "kept" / "token").write_text("t0ken-in-a-file", "utf-8")
    monkeypatch.chdir(shop.folder.parent)

    assert 0 == dataclasses.replace(shop, folder=Path("shop")).call("pull").code


def test_a_saved_plan_is_what_is_applied(shop: Shop, tmp_path: Path) -> None:
    """The file is its owner's alone, and apply makes exactly its changes."""
    file = tmp_path / "plan.json"
    assert "Saved." in shop.call("plan", "--out", str(file)).out
    wanted = {change["id"] for change in json.loads(file.read_text("utf-8"))["changes"]}
    done = shop.call("apply", str(file), "--yes", "--json").document["result"]["applied"]

    assert 0o600 == stat.S_IMODE(file.stat().st_mode)
    assert wanted == {receipt["change"] for receipt in done["receipts"]}
    assert {"applied": 4} == done["outcomes"]


def test_a_plan_of_other_settings_is_stale(shop: Shop, tmp_path: Path) -> None:
    """Nothing is written, and the message says what to do."""
    file = tmp_path / "plan.json"
    shop.call("plan", "--out", str(file))
    shop.setting('reports: [{name: weekly, sinks: [{html: "reports/"}]}]\n')
    said = shop.call("apply", str(file), "--yes")

    assert 8 == said.code
    assert "other settings" in said.err
    assert [] == shop.crm("south").named("Handover")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("not json", "no JSON file"),
        ("{}", "no plan of crmbridge"),
        ('{"format": "terraform"}', "no plan of crmbridge"),
        ('{"format": "crmbridge plan", "version": 99}', "saved by another crmbridge"),
        ("[" * 100_000, "no JSON file"),
    ],
)
def test_a_file_that_is_no_plan_is_refused(shop: Shop, tmp_path: Path, text: str, says: str) -> None:
    """With what it is instead, and exit 3."""
    file = tmp_path / "plan.json"
    file.write_text(text, "utf-8")
    said = shop.call("apply", str(file), "--yes")

    assert 3 == said.code
    assert says in said.err


def test_a_plan_file_of_another_version_is_refused(shop: Shop, tmp_path: Path) -> None:
    """A newer crmbridge may mean something else by the same words."""
    file = tmp_path / "plan.json"
    shop.call("plan", "--out", str(file))
    body = {**json.loads(file.read_text("utf-8")), "version": 1}
    file.write_text(json.dumps(body), "utf-8")

    assert "version 1" in shop.call("apply", str(file), "--yes").err


def raise_amount(body: dict[str, Any]) -> None:
    """Write another value than was shown."""
    update = next(change for change in body["changes"] if change["action"] == "update")
    update["edits"][0][2] = {"money": ["999999", "EUR"]}


def leave_one_out(body: dict[str, Any]) -> None:
    """Take a change out."""
    body["changes"].pop()


def take_digest(body: dict[str, Any]) -> None:
    """Take away what would tell."""
    del body["digest"]


@pytest.mark.parametrize("edit", [raise_amount, leave_one_out, take_digest])
def test_an_edited_plan_file_is_refused(shop: Shop, tmp_path: Path, edit: Callable[[dict[str, Any]], None]) -> None:
    """What somebody agreed to is what is written, or nothing."""
    file = tmp_path / "plan.json"
    shop.call("plan", "--out", str(file))
    body = json.loads(file.read_text("utf-8"))
    edit(body)
    file.write_text(json.dumps(body), "utf-8")
    found = shop.call("apply", str(file), "--yes", "--json").document

    assert (8, "plan_stale") == (found["exit_code"], found["error"]["code"])
    assert "was edited" in found["error"]["message"]
    assert [] == shop.crm("south").named("Handover")


def test_a_plan_file_may_be_laid_out_anew(shop: Shop, tmp_path: Path) -> None:
    """An editor that formats it on saving changes nothing of what it says."""
    file = tmp_path / "plan.json"
    shop.call("plan", "--out", str(file))
    body = json.loads(file.read_text("utf-8"))
    file.write_text(json.dumps(dict(reversed(body.items())), indent=8), "utf-8")

    assert 0 == shop.call("apply", str(file), "--yes").code


def test_a_plan_file_with_the_same_change_twice_is_refused(shop: Shop, tmp_path: Path) -> None:
    """It would create a deal twice, however the file came about."""
    file = tmp_path / "plan.json"
    shop.call("plan", "--out", str(file))
    plan = load_plan(file)
    save_plan(replace(plan, changes=(*plan.changes, plan.changes[0])), file)
    found = shop.call("apply", str(file), "--yes", "--json").document

    assert (8, "plan_stale") == (found["exit_code"], found["error"]["code"])
    assert f"{plan.changes[0].id} twice" in found["error"]["message"]
    assert [] == shop.crm("south").named("Handover")


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


def test_a_report_is_saved_where_it_is_wanted(shop: Shop, tmp_path: Path) -> None:
    """As HTML and as Markdown."""
    shop.call("run")
    said = shop.call("report", "--out", str(tmp_path / "here"))

    assert 0 == said.code
    assert {"indicators.html", "indicators.md"} == {path.name for path in (tmp_path / "here").iterdir()}


@pytest.mark.parametrize(
    ("form", "begins"), [("html", "<!DOCTYPE html>"), ("markdown", "# Indicators"), ("json", "{"), ("csv", "part,id,")]
)
def test_a_report_is_written_in_the_form_asked_for(shop: Shop, tmp_path: Path, form: str, begins: str) -> None:
    """What is printed is what is saved, but for the time that went by, and the mark of UTF-8 before a CSV."""
    shop.call("run")
    printed = shop.call("report", "--format", form).out
    shop.call("report", "--format", form, "--out", str(tmp_path / "here"))

    (saved,) = (tmp_path / "here").iterdir()
    steady = re.compile(r"[0-9.]+(?:e-[0-9]+)?")
    assert printed.startswith(begins)
    assert [steady.sub("0", line.rstrip()) for line in saved.read_text("utf-8-sig").splitlines()] == [
        steady.sub("0", line) for line in printed.splitlines()
    ]


def test_a_report_is_saved_as_sheets_and_never_printed_so(shop: Shop, tmp_path: Path) -> None:
    """XLSX and Parquet are files; without a folder the command says what is missing."""
    shop.call("run")
    for form in ("xlsx", "parquet"):
        assert 2 == shop.call("report", "--format", form).code
        assert 0 == shop.call("report", "--format", form, "--out", str(tmp_path / "new" / "here")).code

    sheets = openpyxl.load_workbook(tmp_path / "new" / "here" / "indicators.xlsx").sheetnames
    assert len(sheets) > 10
    assert (tmp_path / "new" / "here" / "indicators.parquet").read_bytes().startswith(b"PAR1")
    assert {0o644} == {each.stat().st_mode & 0o777 for each in (tmp_path / "new" / "here").iterdir()}


def test_a_report_is_of_the_measures_asked_for(shop: Shop) -> None:
    """Only these are shown; one that is not there is named with those that are."""
    shop.call("run")
    (only,) = shop.call("report", "--measure", "win_rate", "--json").document["result"]["reports"]
    wrong = shop.call("report", "--measure", "luck")

    assert ["win_rate"] == [measure["id"] for measure in only["facts"]["measures"]]
    assert 3 == wrong.code
    assert "no measure 'luck'" in wrong.err
    assert "win_rate" in wrong.err


def test_a_report_is_by_segment_and_period_as_asked(shop: Shop) -> None:
    """The rows say what they are of; the settings' report is asked the same, and the command has the last word."""
    shop.setting("reports: [{name: weekly, by: owner, measures: [win_rate, time_in_stage]}]\n")
    shop.call("run")
    asked = ("report", "weekly", "--by", "connection", "--period", "year", "--measure", "time_in_stage", "--json")
    (set_up,) = shop.call("report", "weekly", "--json").document["result"]["reports"]
    (wanted,) = shop.call(*asked).document["result"]["reports"]

    assert ["win_rate", "time_in_stage"] == [measure["id"] for measure in set_up["facts"]["measures"]]
    (measure,) = wanted["facts"]["measures"]
    assert {("north", True)} <= {(row["segment"], row["period"].isdigit()) for row in measure["rows"]}


def test_a_run_pushes_the_reports_that_have_no_time(shop: Shop) -> None:
    """The summary names the files."""
    shop.setting('reports: [{name: weekly, sinks: [{html: "reports/"}]}]\n')
    said = shop.call("run")

    assert 0 == said.code, said.err
    assert "report weekly" in said.out
    assert [] != list((shop.folder / "reports").iterdir())


@pytest.fixture
def chat(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[bytes]]:
    """Give what a chat's webhook was sent."""
    sent: list[bytes] = []

    class Webhook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"ok")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Webhook) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("CHAT", f"http://127.0.0.1:{server.server_port}/hook")
        yield sent
        server.shutdown()


def test_people_are_told_once_a_day_and_files_are_kept_up_to_date(shop: Shop, chat: list[bytes]) -> None:
    """However often the report is pushed; the answer says which."""
    shop.setting("reports: [{name: weekly, sinks: [{slack: {env: CHAT}}, {html: reports/}]}]\n")
    first, second = shop.call("report", "--push"), shop.call("report", "weekly", "--push")

    assert (0, 0) == (first.code, second.code), first.out
    assert 1 == len(chat)
    assert "1:slack" in second.out
    assert "nothing new since it was last told" in second.out
    assert f"{shop.folder}/reports/weekly.html" in second.out


@pytest.mark.parametrize("other", [("--format", "csv"), ("--by", "owner"), ("--measure", "win_rate"), ("--out", "x")])
def test_a_push_takes_no_other_options(shop: Shop, other: tuple[str, str]) -> None:
    """What would be left out of the report that is sent is not taken."""
    said = shop.call("report", "--push", *other)

    assert 2 == said.code
    assert "--push sends reports as the settings have them" in said.out + said.err


def test_a_sink_that_fails_costs_only_itself(shop: Shop) -> None:
    """The others have the report; the exit code and the message are the sink's."""
    shop.setting("reports: [{name: weekly, sinks: [{slack: {env: NOBODY_SET_THIS}}, {html: reports/}]}]\n")
    said = shop.call("report", "--push")

    assert 3 == said.code
    assert "NOBODY_SET_THIS" in said.out
    assert "reports/weekly.html" in said.out


def test_what_is_due_runs_once(shop: Shop) -> None:
    """Each thing under its own name; right after, nothing is due."""
    shop.setting('schedule: [{run: cycle, cron: "0 0 1 1 *"}, {run: pull, cron: "0 0 1 1 *"}]\n')
    shop.setting('reports: [{name: weekly, sinks: [{html: "reports/"}], cron: "0 0 1 1 *"}]\n')
    assert "due now" in shop.call("schedule").out
    done = shop.call("run", "--due", "--json").document["result"]["runs"]

    assert ["cycle", "pull", "report weekly"] == [run["command"] for run in done]
    assert "Nothing is due." in shop.call("run", "--due").out
    assert "due now" not in shop.call("schedule").out


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
