"""Wrong projects, one per line of the tables: what is changed in a good one, and what must be said, exactly where."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import pytest
from pydantic import BaseModel

from crmbridge.errors import ConfigurationError
from crmbridge.files.codes import CODES
from crmbridge.files.diagnostics import Diagnostic, InvalidFilesError
from crmbridge.files.display import columns
from crmbridge.services.projects.checking import CheckResult, check_project, find_settings, load_project
from crmbridge.settings import AdapterSettings, Secret

HERE = "▸"  # stands before the character that the diagnostic must point at; taken out before the file is written
PROCESS, SETTINGS = "process.yaml", "crmbridge.yaml"


class AcmeSettings(AdapterSettings):
    """An adapter's settings as a plugin would bring them."""

    token: Secret
    company: str


class PigeonSettings(BaseModel, extra="forbid"):
    """What a plugin's sink reads."""

    loft: str


ADAPTERS = {"acme": AcmeSettings}
SINKS = {"pigeon": PigeonSettings}

GOOD = {
    PROCESS: """\
version: 1
id: shop
name: {en: Shop, pt: Loja}
purpose: Sell.
leader: boss
languages: [en, pt]
roles:
  - {id: boss, name: Boss}
  - {id: seller, name: Seller}
touch_points:
  - {id: money, department: finance, name: Credit, agreement: Ask first.}
materials:
  - {id: script, name: Script}
fields:
  - {id: bant.budget, name: Budget, type: bool}
  - {id: pains, name: Pains}
  - {id: size, name: Size, type: choice, options: [small, large]}
calendars:
  office: {timezone: Europe/Berlin, hours: {mon: [09:00-17:00]}}
stages:
  - id: talk
    name: Talk
    purpose: Find out.
    owner: seller
    activities:
      - {id: call, name: Call, how: Listen., role: seller, materials: [script], outputs: [notes]}
    outputs:
      - {id: notes, name: Notes, field: pains}
    exit:
      - id: bant
        check: {at_least: 1, of: [bant.budget, size]}
      - id: big
        when: {bounds: {field: amount, min: 5000}}
        check: {one_of: {field: size, values: [large]}}
    sla: {goal: 5bd, calendar: office, warn_at: [80%]}
    handoff: {to: boss, accept_within: 4bh, accepted: pains}
    touch_points: [money]
  - id: offer
    name: Offer
    purpose: Propose.
    owner: seller
  - id: customer
    name: Customer
    purpose: Stay.
    owner: boss
    status: won
indicators:
  - {id: wins, name: Wins, measure: win_rate, target: 30%}
""",
    SETTINGS: """\
version: 1
process: process.yaml
connections:
  one: {adapter: acme, token: {env: ONE}, company: shop, fields: {pains: pains__c}}
  two:
    adapter: acme
    token: {env: TWO}
    company: shop
stages:
  one: {pipeline: 1, map: {talk: 10, offer: [11, 12], won: 13, lost: 14}}
  two: {pipeline: a, map: {talk: a, offer: b}}
sync:
  - name: main
    between: [one, two]
    create: [two]
    fields: {amount: {conflict: 'prefer: one'}, '*': {conflict: ask}}
enforce:
  - {rule: talk.*, action: audit}
  - {rule: talk.sla, action: task, on: [one]}
schedule:
  - {run: report, report: weekly, cron: '0 8 * * mon', timezone: Europe/Berlin}
reports:
  - name: weekly
    sinks: [{html: reports/}, {crm: {connection: one, company: acme.example}}]
""",
}


class Wrong(NamedTuple):
    """A project with one edit. `new` holds a mark before each place that must be pointed at, in order of `codes`."""

    old: str
    new: str
    codes: str  # separated by blanks
    says: str = ""  # part of what is shown


YAML = [
    Wrong("leader: boss", "leader: boss\n▸leader: seller", "yaml-duplicate-key", "the first is at 5:1"),
    Wrong("name: Offer", "name: Offer\n    ▸name: Deal", "yaml-duplicate-key", "the first is at 39:5"),
    Wrong("purpose: Sell.", "▸\tpurpose: Sell.", "yaml-tab", "Indent with spaces"),
    Wrong("purpose: Sell.", "purpose: Sell▸: cheap", "yaml-syntax", "a colon stands where no key can be"),
    Wrong("purpose: Sell.", "purpose: ▸@home", "yaml-syntax", "can't begin with '@'"),
    Wrong("purpose: Sell.", "purpose: ▸'Sell.", "yaml-syntax", "the quote that begins here is not closed"),
    Wrong("languages: [en, pt]", "languages: ▸[en, pt", "yaml-syntax", "not closed by ']'"),
    Wrong("name: {en: Shop, pt: Loja}", "name: ▸{en: Shop, pt: Loja", "yaml-syntax", "not closed by '}'"),
    Wrong("purpose: Sell.", "purpose: ▸*sell", "yaml-alias", "no finished anchor '&sell'"),
    Wrong("purpose: Sell.", "purpose: &a {en: ▸*a}", "yaml-alias"),
    Wrong("purpose: Sell.", "purpose: Sell.\n▸<<: {leader: boss}", "yaml-merge-key", "not part of YAML 1.2"),
    Wrong("purpose: Sell.", "? ▸[a, b]\n: Sell.", "yaml-key", "must be plain text"),
    Wrong("purpose: Sell.", "purpose: ▸!!python/name:os.system x", "yaml-tag", "Take the tag out"),
    Wrong("purpose: Sell.", "purpose: ▸.inf", "yaml-number", ".inf is no number"),
    Wrong("purpose: Sell.", "purpose: ▸" + "9" * 50, "yaml-number", "50 characters is too long"),
    Wrong("indicators:", "▸---\nindicators:", "yaml-documents", "one file holds one"),
    Wrong("purpose: Sell.", "purpose: Se▸\x07ll.", "control-character", "U+0007"),
    Wrong("purpose: Sell.", "purpose: 卖▸\x00东西", "control-character", "U+0000"),
]

SHAPE = [
    Wrong("leader: boss", "▸leadr: boss", "unknown-key", "did you mean 'leader'?"),
    Wrong("version: 1", "version: ▸2", "wrong-value", "2 is not one of 1"),
    Wrong("purpose: Propose.\n    ", "", "missing-key", "the key 'purpose' is missing here"),
    Wrong("    owner: seller\n  - id: customer", "    ▸ownr: seller\n  - id: customer", "unknown-key", "'owner'"),
    Wrong("{id: script, name: Script}", "{id: script, ▸nam: Script}", "unknown-key", "did you mean 'name'?"),
    Wrong("type: bool", "type: ▸boolean", "wrong-value", "did you mean 'bool'?"),
    Wrong("status: won", "status: ▸win", "wrong-value", "did you mean 'won'?"),
    Wrong("id: offer", "id: ▸Offer", "wrong-name", "small letters, digits and _"),
    Wrong("at_least: 1", "at_least: ▸one", "wrong-type", "a whole number must stand here, not 'one'"),
    Wrong("at_least: 1", "at_least: ▸0", "wrong-value", "it must be at least 1"),
    Wrong("min: 5000", "min: ▸many", "wrong-type", "a number must stand here"),
    Wrong("min: 5000", "▸minimum: 5000", "unknown-key", "did you mean 'min'?"),
    Wrong("of: [bant.budget, size]", "of: ▸[]", "empty-list", "at least 1 must be listed"),
    Wrong("{at_least: 1, of: [bant.budget, size]}", "▸{requird: [pains]}", "unknown-check", "did you mean 'required'?"),
    Wrong("{at_least: 1, of: [bant.budget, size]}", "▸5", "unknown-check", "A check is one of"),
    Wrong("goal: 5bd", "goal: ▸5 days", "wrong-value", "is no length of time"),
    Wrong("goal: 5bd", "goal: ▸0bd", "wrong-value", "a goal of no time at all can't be kept"),
    Wrong("warn_at: [80%]", "warn_at: [▸80]", "wrong-value", "write it as a percentage"),
    Wrong("warn_at: [80%]", "warn_at: [▸180%]", "wrong-value", "it must be at most 1"),
    Wrong("mon: [09:00-17:00]", "mon: [▸17:00-09:00]", "wrong-value", "ends before it starts"),
    Wrong("mon: [09:00-17:00]", "mon: [▸9-17]", "wrong-value", "write it as 09:00-18:00"),
    Wrong("name: Offer", "name: ▸2026", "wrong-type", "text or a mapping must stand here, not 2026"),
    Wrong(
        "name: {en: Shop, pt: Loja}", "name: {en: Shop, pt: ▸[Loja]}", "wrong-type", "text must stand here, not a list"
    ),
    Wrong("languages: [en, pt]", "languages: ▸en", "wrong-type", "A list is written as [en]"),
    Wrong("purpose: Stay.", "▸purpose:", "wrong-type", "not nothing"),
    Wrong("values: [large]", "values: [▸7]", "wrong-type", "Put it in quotes"),
    Wrong("target: 30%", "target: ▸30", "wrong-type", "Put it in quotes"),
]

COHERENCE = [
    Wrong("leader: boss", "leader: ▸bos", "unknown-role", "did you mean 'boss'?"),
    Wrong("role: seller", "role: ▸sellr", "unknown-role", "did you mean 'seller'?"),
    Wrong("to: boss", "to: ▸nobody", "unknown-role", "there is no role 'nobody'"),
    Wrong("materials: [script]", "materials: [▸scrypt]", "unknown-material", "did you mean 'script'?"),
    Wrong("outputs: [notes]", "outputs: [▸note]", "unknown-output", "did you mean 'notes'?"),
    Wrong("touch_points: [money]", "touch_points: [▸mony]", "unknown-touch-point", "did you mean 'money'?"),
    Wrong("of: [bant.budget, size]", "of: [bant.budget, size, ▸bant.bugdet]", "unknown-field", "'bant.budget'?"),
    Wrong("field: amount", "field: ▸source", "wrong-field-type", "needs a number or money field"),
    Wrong("values: [large]", "values: [▸lage]", "unknown-option", "did you mean 'large'?"),
    Wrong("at_least: 1", "at_least: ▸3", "impossible-count", "only 2 are listed"),
    Wrong("of: [bant.budget, size]", "of: [size, bant.budget, ▸size]", "duplicate-id", "two of the field 'size'"),
    Wrong("calendar: office", "calendar: ▸offic", "unknown-calendar", "did you mean 'office'?"),
    Wrong("Europe/Berlin", "▸Europe/Belin", "unknown-time-zone", "did you mean 'Europe/Berlin'?"),
    Wrong("hours: {mon: [09:00-17:00]}", "hours: {}", "never-open never-open", "has no opening hours"),
    Wrong("id: offer", "id: ▸talk", "duplicate-id unknown-stage unknown-stage", "two of the stage 'talk'"),
    Wrong(
        "id: offer", "id: ▸lost", "reserved-id unknown-stage unknown-stage uncovered-stage", "'lost' is a deal's status"
    ),
    Wrong(
        "{id: pains, name: Pains}",
        "{id: pains, name: Pains}\n  - {id: ▸amount, name: A, type: money}",
        "reserved-id",
        "standard",
    ),
    Wrong("- id: big", "- id: ▸sla", "reserved-id", "the stage's own sla rule"),
    Wrong("status: won", "status: won\n    next: [▸talks]", "unknown-stage", "did you mean 'talk'?"),
    Wrong("purpose: Find out.", "purpose: Find out.\n    next: [customer]", "unreachable-stage", "no deal can get to"),
    Wrong("purpose: Propose.", "purpose: Propose.\n    next: ▸[talk]", "dead-end dead-end unreachable-stage"),
    Wrong("purpose: Propose.", "purpose: Propose.\n    status: won", "several-won-stages", "there can be one"),
    Wrong("pt: Loja}", "de: Laden}", "missing-translation", "missing in pt"),
    Wrong("id: size,", "id: sizes,", "unknown-field unknown-field unused-field", "uses the field 'sizes'"),
    Wrong(
        "check: {at_least: 1, of: [bant.budget, size]}",
        'check: {expr: "amount > 9 && bant.budget && ▸amount < 5 && has(size)"}',
        "never-holds",
        "this can't hold where amount > 9 does, as it must here, so no deal ever passes",
    ),
    Wrong(
        "check: {at_least: 1, of: [bant.budget, size]}",
        'check: {expr: "amount > 9 && ▸amount < 5 || has(size) || has(bant.budget)"}',
        "never-holds",
        "this can't hold where amount > 9 does, as it must here, so this part never holds",
    ),
    Wrong("name: Offer", "name: ▸talk", "same-name", "the stages 'talk' and 'offer' are both called 'talk'"),
    Wrong("name: Pains}", "name: ▸{en: Budget, pt: Dores}}", "same-name", "are both called 'Budget'"),
    Wrong("accepted: pains}", "}", "unmeasured-handoff", "nothing shows when"),
    Wrong("target: 30%", "target: ▸5bd", "wrong-target", "a percentage, such as 30%"),
    Wrong(
        "target: 30%",
        "target: 30%}\n  - {id: own, name: Own, measure: sql, unit: count, sql: ▸no.sql",
        "file-unreadable",
        "no.sql can't be read",
    ),
    Wrong("measure: win_rate", "measure: win_rate, stage: ▸tak", "unknown-stage", "did you mean 'talk'?"),
    Wrong("owner: boss", "owner: boss\n    sla: {goal: 3bd, calendar: ▸night}", "unknown-calendar"),
]

IN_SETTINGS = [
    Wrong("process.yaml", "▸proces.yaml", "file-missing", "did you mean 'process.yaml'?"),
    Wrong("process.yaml", "▸none.yml", "file-missing", "the process file 'none.yml' is not there"),
    Wrong("process.yaml", "▸elsewhere/process.yaml", "file-missing", "the folder 'elsewhere' is not there"),
    Wrong("process.yaml", "▸.", "file-unreadable", "the process file '.' can't be read: it is a folder"),
    Wrong("version: 1", "version: 1\nstore: ▸sqlite://.crmbridge/state.db", "wrong-name", "sqlite:///path/to/state.db"),
    Wrong("version: 1", "version: 1\nstore: ▸mysql://host/database", "wrong-name", "postgresql://host/database"),
    Wrong("version: 1", "version: 1\ncurrency: {report_in: EUR, rates: ▸no.csv}", "file-unreadable", "rates no.csv"),
    Wrong("version: 1", "version: 1\ncurrency: {report_in: ▸Euro}", "wrong-name"),
    Wrong("adapter: acme, ", "adapter: ▸acm, ", "unknown-adapter", "did you mean 'acme'?"),
    Wrong("    company: shop\n", "    ▸compny: shop\n", "unknown-key", "did you mean 'company'?"),
    Wrong("    token: {env: TWO}", "    token: ▸pat-12345", "wrong-type", "a mapping must stand here"),
    Wrong("    token: {env: TWO}", "    token: ▸pat-12345", "wrong-type", "Say where the secret is kept, not what it"),
    Wrong("{env: TWO}", "{env: ▸$TWO}", "wrong-name", "the name of an environment variable"),
    Wrong("{env: TWO}", "{env: ▸pat-12345}", "wrong-name", "Say where the secret is kept, not what it is"),
    Wrong("{env: TWO}", "▸{env: TWO, file: two}", "wrong-value", "give exactly one of env, file, command, keyring"),
    Wrong("{env: TWO}", "{▸evn: TWO}", "unknown-key", "did you mean 'env'?"),
    Wrong(
        "    adapter: acme\n    token: {env: TWO}\n    company: shop",
        "  adapter: ▸acme\n  token: ▸{env: TWO}\n  company: ▸shop",
        "wrong-type wrong-type missing-key wrong-type",
        "What belongs to it stands below, further to the right.",
    ),
    Wrong("  two:\n", "  two:\n    base_url: ▸ftp://host\n", "wrong-name", "begins with https:// or http://"),
    Wrong("  two:\n", "  two:\n    base_url: ▸http://crm.example\n", "wrong-value", "is for this machine only"),
    Wrong("  two:\n", "  two:\n    base_url: ▸https://anna@crm.example\n", "wrong-value", "no user can stand in it"),
    Wrong("fields: {pains:", "fields: {▸pain:", "unknown-field", "did you mean 'pains'?"),
    Wrong("{pains: pains__c}", "{pains: a, size: ▸a}", "shared-field", "'a' already stands for 'pains'"),
    Wrong("  two: {pipeline: a", "  ▸tow: {pipeline: a", "unknown-connection one-sided-sync", "did you mean 'two'?"),
    Wrong("map: {talk: a, offer: b}", "map: {talk: a, offer: b, ▸ofer: c}", "unknown-stage", "did you mean 'offer'?"),
    Wrong("map: {talk: a, offer: b}", "▸map: {talk: a}", "uncovered-stage", "no counterpart for offer"),
    Wrong("offer: [11, 12]", "offer: ▸[11, 10]", "ambiguous-stage", "'10' already stands for 'talk'"),
    Wrong("talk: 10", "talk: ▸010", "yaml-leading-zero", "010 is read as the number 10"),
    Wrong("between: [one, two]", "between: [one, two, ▸three]", "unknown-connection"),
    Wrong("sync:\n", "sync:\n  - {name: other, between: [one, ▸three]}\n", "shared-connection unknown-connection"),
    Wrong(
        "    create: [two]",
        "  - name: other\n    between: [▸one, ▸two]",
        "shared-connection shared-connection",
        "'main'",
    ),
    Wrong("create: [two]", "create: [▸tow]", "unknown-connection", "did you mean 'two'?"),
    Wrong("'prefer: one'", "▸'prefer: oen'", "unknown-connection", "did you mean 'one'?"),
    Wrong("'prefer: one'", "▸latest", "wrong-name", "newest, ask"),
    Wrong("conflict: ask", "direction: ▸'from: oen'", "unknown-connection", "did you mean 'one'?"),
    Wrong("conflict: ask", "direction: ▸to", "wrong-name"),
    Wrong("create: [two]", "notes: ▸'from: tow'", "unknown-connection", "did you mean 'two'?"),
    Wrong("create: [two]", "notes: ▸all", "wrong-name"),
    Wrong("create: [two]", "match: {contact: [▸emial]}", "unknown-field", "did you mean 'email'?"),
    Wrong("create: [two]", "match: {company: [[name, ▸domian]]}", "unknown-field", "did you mean 'domain'?"),
    Wrong("create: [two]", "companies: ▸make", "wrong-value", "'make' is not one of"),
    Wrong("create: [two]", "contacts: ▸make", "wrong-value", "'make' is not one of"),
    Wrong("create: [two]", "delete: ▸always", "wrong-value", "'always' is not one of"),
    Wrong("create: [two]", "delete_cap: {percent: ▸120}", "wrong-value", "at most 100"),
    Wrong("create: [two]", "delete_cap: {records: ▸-1}", "wrong-value", "at least 0"),
    Wrong("{amount: {", "{▸amont: {", "unknown-field", "did you mean 'amount'?"),
    Wrong("rule: talk.sla", "rule: ▸talk.slo", "unknown-rule", "did you mean 'talk.sla'?"),
    Wrong("on: [one]", "on: [▸on]", "unknown-connection", "did you mean 'one'?"),
    Wrong("action: audit", "action: ▸block", "wrong-value", "'block' is not one of"),
    Wrong("report: weekly", "report: ▸weakly", "unknown-report", "did you mean 'weekly'?"),
    Wrong("'0 8 * * mon'", "▸'0 8 * *'", "wrong-value", "is no cron expression"),
    Wrong("timezone: Europe/Berlin", "timezone: ▸Berlin", "wrong-value", "is no time zone"),
    Wrong("connection: one, company", "connection: ▸none, company", "unknown-connection", "did you mean 'one'?"),
    Wrong("{crm: {connection: one, company: acme.example}}", "{crm: ▸one}", "wrong-sink", "such as {connection: hs"),
    Wrong("{html: reports/}", "{html: ▸{path: x}}", "wrong-sink", "a folder or a file"),
    Wrong("{html: reports/}", "{slack: ▸https://hooks.example}", "wrong-sink", "where its URL is kept"),
    Wrong("{html: reports/}", "{crm: ▸{connection: one}}", "wrong-sink", "one of company, deal, user and rows"),
    Wrong("{html: reports/}", "{email: ▸{host: a.example, from: a@b.example}}", "wrong-sink", "to: Field required"),
    Wrong("{html: reports/}", "{▸slak: {env: SLACK_URL}}", "unknown-sink", "did you mean 'slack'?"),
    Wrong("{html: reports/}", "{▸post: {place: here}}", "unknown-sink", "There are: apprise, crm, csv"),
    Wrong("{html: reports/}", "{pigeon: {▸lofd: x}}", "unknown-key", "did you mean 'loft'?"),
    Wrong("enforce:", "notices: {chat: {▸slcak: {env: SLACK_URL}}}\nenforce:", "unknown-sink", "'slack'?"),
    Wrong("enforce:", "notices: {chat: {▸cvs: figures/}}\nenforce:", "unknown-sink", "There are: apprise, email"),
    Wrong("enforce:", "notices: {chat: ▸{csv: figures/}}\nenforce:", "wrong-sink", "no figures to put into"),
    Wrong("{html: reports/}", "▸{crm: one, html: x}", "wrong-sink", "one key with its settings"),
    Wrong("name: weekly", "name: weekly\n    language: ▸de", "unknown-language", "there is no language 'de'"),
]


def project(folder: Path, edited: str, case: Wrong) -> tuple[CheckResult, list[tuple[int, int]]]:
    """Write the good project with one edit, check it, and give what was found and the places that were marked."""
    files = dict(GOOD)
    if case.old not in files[edited]:
        raise AssertionError(f"the good {edited} has no {case.old!r}")
    files[edited] = files[edited].replace(case.old, case.new, 1)
    for name, text in files.items():
        (folder / name).write_bytes(text.replace(HERE, "").encode())
    return check_project(folder / SETTINGS, ADAPTERS, sinks=SINKS), marks(files[edited])


def marks(text: str) -> list[tuple[int, int]]:
    """Give the line and column (from 1) of each mark, as if the marks were not there."""
    return [
        (number, column - before)
        for number, line in enumerate(text.split("\n"), start=1)
        for before, column in enumerate(i for i, char in enumerate(line, start=1) if char == HERE)
    ]


def shown(diagnostics: Iterable[Diagnostic]) -> str:
    return "\n".join(diagnostic.render() for diagnostic in diagnostics)


def names(cases: list[Wrong]) -> list[str]:
    return [f"{case.codes.split()[0]}-{number}" for number, case in enumerate(cases)]


def judge(folder: Path, edited: str, case: Wrong) -> None:
    """Hold what was found against what the table says."""
    result, places = project(folder, edited, case)
    found = result.diagnostics

    assert sorted(case.codes.split()) == sorted(diagnostic.code for diagnostic in found), shown(found)
    assert case.says in shown(found)
    for place in places:
        assert place in [(diagnostic.line, diagnostic.col) for diagnostic in found], shown(found)
    for diagnostic in found:
        assert CODES[diagnostic.code].severity == diagnostic.severity
        assert_carets(diagnostic)


def assert_carets(diagnostic: Diagnostic) -> None:
    """The first caret stands in the column of the terminal where the wrong thing begins."""
    if "\n" in (text := diagnostic.render()) and "^" in text:
        before = diagnostic.source[: diagnostic.col - 1].replace("\t", "    ")

        assert columns(before) + 2 == text.split("\n")[2].index("^")


def test_the_good_project_has_nothing_to_say(tmp_path: Path) -> None:
    """What the tables start from is right, so all that is found comes from the edit."""
    result, _ = project(tmp_path, PROCESS, Wrong("id: shop", "id: shop", ""))

    assert () == result.diagnostics
    assert result.passed


@pytest.mark.parametrize("case", YAML, ids=names(YAML))
def test_yaml_that_is_wrong(case: Wrong, tmp_path: Path) -> None:
    """Text that is no YAML, or YAML that means something else than it seems to."""
    judge(tmp_path, PROCESS, case)


@pytest.mark.parametrize("case", SHAPE, ids=names(SHAPE))
def test_a_process_of_the_wrong_shape(case: Wrong, tmp_path: Path) -> None:
    """Keys, types and values that the process file can't have."""
    judge(tmp_path, PROCESS, case)


@pytest.mark.parametrize("case", COHERENCE, ids=names(COHERENCE))
def test_a_process_that_does_not_hang_together(case: Wrong, tmp_path: Path) -> None:
    """Every part is right by itself, but not with the others."""
    judge(tmp_path, PROCESS, case)


@pytest.mark.parametrize("case", IN_SETTINGS, ids=names(IN_SETTINGS))
def test_settings_that_are_wrong(case: Wrong, tmp_path: Path) -> None:
    """Settings that are wrong by themselves, for their adapter, or for the process."""
    judge(tmp_path, SETTINGS, case)


def test_several_errors_are_told_in_one_run(tmp_path: Path) -> None:
    """Both files are read to their ends, and everything is told in the order of the lines."""
    text = GOOD[PROCESS].replace("leader: boss", "leader: bos").replace("goal: 5bd", "goal: 5bd, gaols: 1")
    (tmp_path / PROCESS).write_text(text.replace("status: won", "status: win"))
    (tmp_path / SETTINGS).write_text(GOOD[SETTINGS].replace("adapter: acme, ", "adapter: acm, "))
    found = check_project(tmp_path / SETTINGS, ADAPTERS).diagnostics

    assert ["unknown-adapter", "unknown-key", "wrong-value"] == [diagnostic.code for diagnostic in found]
    assert ["crmbridge.yaml", "process.yaml", "process.yaml"] == [Path(diagnostic.file).name for diagnostic in found]


@pytest.mark.parametrize(
    "line",
    [
        "    token: hunter2hunter2",
        "    tokn: hunter2hunter2",
        "    token: [hunter2hunter2",
        "    token: {env: TWO, value: hunter2hunter2}",
        "    token: {env: hunter2-hunter2}",
        "    token: [hunter2hunter2]",
        '    token: "hunter2hunter2',
        "    token: {env: TWO}\n    base_url: ftp://user:hunter2hunter2@host",
        "    token: {env: TWO}\n    base_url: http://user:hunter2hunter2@host",
        "    token: {env: TWO}\n    base_url: http://host/hunter2hunter2",
    ],
)
def test_a_secret_in_the_wrong_place_is_not_shown(line: str, tmp_path: Path) -> None:
    """A token typed into the settings is an error, and the error does not repeat it."""
    settings = GOOD[SETTINGS].replace("    token: {env: TWO}", line)
    (tmp_path / PROCESS).write_text(GOOD[PROCESS])
    (tmp_path / SETTINGS).write_text(settings)
    result = check_project(tmp_path / SETTINGS, ADAPTERS)

    assert not result.passed
    assert "hunter2" not in shown(result.diagnostics)
    assert "hunter2" not in str([diagnostic.to_json() for diagnostic in result.diagnostics])


def test_the_password_of_a_store_that_is_none_is_not_shown(tmp_path: Path) -> None:
    """It may stand in the URL, and other databases have such URLs, too."""
    wrong = "version: 1\nstore: ▸mysql://user:hunter2hunter2@host/database"
    result, _ = project(tmp_path, SETTINGS, Wrong("version: 1", wrong, ""))

    assert ["wrong-name"] == [diagnostic.code for diagnostic in result.diagnostics]
    assert "hunter2" not in str([diagnostic.to_json() for diagnostic in result.diagnostics])


@pytest.mark.parametrize(
    "url", ["https://proxy.example", "http://localhost:8700", "http://127.0.0.1", "http://[::1]:80"]
)
def test_an_address_on_this_machine_needs_no_encryption(url: str, tmp_path: Path) -> None:
    """Sandboxes speak plain http; anywhere else it is https."""
    result, _ = project(tmp_path, SETTINGS, Wrong("  two:\n", f'  two:\n    base_url: "{url}"\n', ""))

    assert () == result.diagnostics


def test_a_file_of_another_version_says_what_the_version_is(tmp_path: Path) -> None:
    """It is not the company's own count of its changes."""
    result, _ = project(tmp_path, SETTINGS, Wrong("version: 1", "version: 7", ""))

    assert ["this crmbridge reads form 1" in one.advice for one in result.diagnostics] == [True]


def test_a_folder_without_settings_says_how_to_make_them(tmp_path: Path) -> None:
    """The one thing to do is to start a project."""
    with pytest.raises(ConfigurationError) as caught:
        find_settings(tmp_path)

    assert "crmbridge init" in caught.value.advice


def test_a_folder_within_a_project_says_where_the_project_is(tmp_path: Path) -> None:
    """Somebody who stands in `processes/` need not make a second project there."""
    (tmp_path / SETTINGS).write_text("version: 1\n", "utf-8")
    (tmp_path / "processes").mkdir()
    with pytest.raises(ConfigurationError) as caught:
        find_settings(tmp_path / "processes")

    assert f"say --project {tmp_path}." in caught.value.advice


def test_loading_a_wrong_project_carries_the_diagnostics(tmp_path: Path) -> None:
    """Commands stop with one error; `check` shows the rest of them."""
    project(tmp_path, PROCESS, Wrong("leader: boss", "leader: bos", ""))
    with pytest.raises(InvalidFilesError) as caught:
        load_project(tmp_path, ADAPTERS)

    assert ["unknown-role"] == [diagnostic.code for diagnostic in caught.value.diagnostics]
    assert 3 == caught.value.exit_code
    assert "process.yaml:5:9: error[unknown-role]" in str(caught.value)
