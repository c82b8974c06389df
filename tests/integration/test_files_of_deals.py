"""Files on deals from pull to verdict: read where a rule asks for them, and undecided where they may not be read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from crmbridge.errors import AuthenticationError, RetryLaterError
from crmbridge.model.findings import Judgement
from crmbridge.model.process import Process
from crmbridge.model.records import Kind, Ref
from crmbridge.model.replacing import replace
from crmbridge.ports import Credential, Description, Page
from crmbridge.services.accounts.examining import examine
from crmbridge.services.accounts.health import Health
from crmbridge.services.answers.explaining import explain
from crmbridge.services.answers.explanation import Asked
from crmbridge.services.enforce.awaiting import dealt
from crmbridge.services.enforce.evaluating import evaluate_all, judge_pending
from crmbridge.services.pull.pulling import ConnectionPull, pull
from crmbridge.services.workspace import Workspace
from crmbridge.testing.factories import make_process, make_stage
from crmbridge.testing.fake_adapter import FakeAdapter
from crmbridge.testing.fake_crm import FakeCrm
from crmbridge.testing.workspaces import Bench, fake_plugins, make_bench

PAPER = {"id": "paper", "check": {"attachments": {"files": "*proposal*"}}, "on_unknown": "warn"}


def process_of(*rules: dict[str, Any], **stage: Any) -> Process:
    """Make a process of three stages, the second with these exit rules."""
    stages = [
        make_stage("prospecting"),
        make_stage("qualification", exit=list(rules), **stage),
        make_stage("proposal"),
    ]
    return make_process(stages=stages)


def bench_of(process: Process, **settings: Any) -> tuple[Bench, FakeCrm, Ref]:
    """Give a CRM that tells of files, with a deal that went on from the stage that has the rules."""
    bench = make_bench(parts={"north": (0, 0)}, sync=[], process=process, **settings)
    crm = bench.crms["north"]
    crm.able = True
    deal = crm.create_deal("Bakery", stage="qualification")
    bench.clock.advance(timedelta(hours=1))
    crm.move_deal(deal.id, "proposal")
    return bench, crm, deal


def cycle(bench: Bench) -> list[tuple[str, str]]:
    """Pull and judge what changed; give the open findings, which are those that looking at everything finds."""
    (pulled,) = pull(bench.workspace)
    assert pulled.error is None
    dealt(bench.workspace, judge_pending(bench.workspace), ())
    stored = sorted((f.finding.rule, str(f.finding.kind)) for f in bench.workspace.store.findings.findings())
    whole = [f for each in evaluate_all(bench.workspace) for f in each.evaluation.findings]
    assert sorted((f.rule, str(f.kind)) for f in whole) == stored
    return stored


def test_a_file_clears_a_finding_and_its_deletion_brings_it_back() -> None:
    """Each time only the deal that the file hangs on is judged anew."""
    bench, crm, deal = bench_of(process_of(PAPER))
    assert [("qualification.paper", "exit_rule")] == cycle(bench)

    crm.add_file(deal.id, "notes.txt")
    wanted = crm.add_file(deal.id, "Our Proposal.pdf")
    assert [] == cycle(bench)
    crm.delete_file(wanted)
    assert [("qualification.paper", "exit_rule")] == cycle(bench)


def test_each_deal_has_its_own_files() -> None:
    """Deals that are judged together are not taken for one another."""
    bench, crm, deal = bench_of(process_of(PAPER))
    other = crm.create_deal("Butcher", stage="qualification")
    crm.move_deal(other.id, "proposal")
    crm.add_file(other.id, "Our Proposal.pdf")
    cycle(bench)

    assert [deal] == [each.finding.deal for each in bench.workspace.store.findings.findings()]


def test_explain_says_which_file_there_is() -> None:
    """By its name, with when files were last pulled; the very decision that was stored."""
    bench, crm, deal = bench_of(process_of(PAPER))
    crm.move_deal(deal.id, "qualification")
    crm.add_file(deal.id, "Our Proposal.pdf\u202e\n", size=48_123)
    cycle(bench)
    (rule,) = explain(bench.workspace, str(deal)).rules
    (seen,) = rule.seen

    assert (Judgement.PASS, "Attached: Our Proposal.pdf (48.1 kB).", "") == (
        rule.verdict.judgement,
        rule.verdict.message,
        rule.remedy,
    )
    assert ("files", ("Our Proposal.pdf",), bench.clock.now()) == (seen.name, seen.value, seen.pulled_at)
    assert seen.changed_at is None, "the deal's own time says nothing of its files"


def test_explain_says_what_would_clear_it() -> None:
    """Attach what is asked for."""
    bench, crm, deal = bench_of(process_of(PAPER))
    crm.move_deal(deal.id, "qualification")
    cycle(bench)
    (rule,) = explain(bench.workspace, str(deal)).rules

    assert ("No file named *proposal* is attached.", "Attach the file to the deal.") == (
        rule.verdict.message,
        rule.remedy,
    )


def test_explain_of_an_earlier_moment_leaves_out_what_came_later() -> None:
    """What it saw is of then; what is deleted by now, nobody can tell."""
    bench, crm, deal = bench_of(process_of(PAPER))
    crm.move_deal(deal.id, "qualification")
    crm.add_file(deal.id, "notes.txt", size=1)
    before = bench.clock.now()
    bench.clock.advance(timedelta(hours=1))
    crm.add_file(deal.id, "Our Proposal.pdf")
    cycle(bench)
    explained = explain(bench.workspace, str(deal), at=before)
    rule = next(rule for rule in explained.rules if rule.asked is Asked.TO_LEAVE)

    assert (Judgement.FAIL, ("notes.txt",)) == (rule.verdict.judgement, rule.verdict.seen["files"])
    assert ([True], ()) == ([seen.of_then for seen in rule.seen], explained.unknown_then)


def test_what_may_not_be_read_is_undecided_and_holds_up_nothing() -> None:
    """The reason names the connection and what to grant; all else is pulled and judged, run after run."""
    bench, crm, deal = bench_of(process_of(PAPER, {"id": "sum", "check": {"required": ["amount"]}}))
    crm.add_file(deal.id, "Our Proposal.pdf")
    crm.forbid_files()
    for _ in range(2):
        assert [("qualification.paper", "undecided"), ("qualification.sum", "exit_rule")] == cycle(bench)
    said = {f.finding.rule: f.finding.message for f in bench.workspace.store.findings.findings()}

    reason = "north does not let crmbridge read files: not allowed. Grant the scope files, so this can't be decided."
    assert said["qualification.paper"].startswith(reason)
    assert "Let files be read; `crmbridge doctor` says how." in said["qualification.paper"]


def test_a_right_that_is_given_or_taken_is_seen_by_the_next_run() -> None:
    """Files that were read once do not count for ever: without the right they may be others by now."""
    bench, crm, deal = bench_of(process_of(PAPER))
    crm.forbid_files()
    crm.add_file(deal.id, "Our Proposal.pdf")
    assert [("qualification.paper", "undecided")] == cycle(bench)
    crm.files_forbidden = False
    assert [] == cycle(bench)
    crm.forbid_files()
    assert [("qualification.paper", "undecided")] == cycle(bench)
    crm.files_forbidden = False
    assert [] == cycle(bench)


def test_files_that_may_not_be_read_any_more_are_not_looked_for_either() -> None:
    """When it is time to look for all that is known, files that can't be read are no more than that, and stay."""
    bench, crm, deal = bench_of(process_of(PAPER))
    crm.forgets = timedelta(days=15)
    crm.add_file(deal.id, "Our Proposal.pdf")
    assert [] == cycle(bench)
    crm.forbid_files()
    bench.clock.advance(timedelta(days=20))
    assert [("qualification.paper", "undecided")] == cycle(bench)
    crm.files_forbidden = False
    assert [] == cycle(bench)


def test_doctor_says_what_files_lack() -> None:
    """A warning with what to grant, and none once they can be read."""
    bench, crm, _ = bench_of(process_of(PAPER))
    crm.forbid_files()
    pull(bench.workspace)
    told = [check for check in examine(bench.workspace) if "read files" in check.message]
    crm.files_forbidden = False
    pull(bench.workspace)

    assert [(Health.WEAK, "Grant the scope files.")] == [
        (t.health, t.message.rpartition(": not allowed. ")[2]) for t in told
    ]
    assert [] == [check for check in examine(bench.workspace) if "files" in check.message]


@pytest.mark.parametrize(
    ("able", "kinds", "words"),
    [(False, None, "its adapter does not read"), (True, ["deal", "user"], "its `kinds` leave out")],
)
def test_doctor_says_why_files_are_not_read(able: bool, kinds: list[str] | None, words: str) -> None:  # noqa: FBT001  a case of the table
    """The adapter knows none, or the settings leave them out; the rules are undecided then."""
    named = {"kinds": kinds} if kinds else {}
    bench, crm, deal = bench_of(process_of(PAPER), connections={"north": {"adapter": "fake", **named}})
    crm.able = able
    crm.add_file(deal.id, "Our Proposal.pdf")

    assert [("qualification.paper", "undecided")] == cycle(bench)
    assert [True] == [words in check.message for check in examine(bench.workspace) if "rules look" in check.message]
    (finding,) = bench.workspace.store.findings.findings()
    assert finding.finding.message.startswith("Files are not pulled from north, so this can't be decided.")


class Watched(FakeAdapter):
    """The fake adapter, noting which kinds are pulled; with a credential that lacks what files need."""

    busy = False

    def __init__(self, crm: FakeCrm, pulled: list[Kind]) -> None:
        super().__init__(crm)
        self._pulled = pulled

    def pull(self, kind: Kind, since: str | None) -> Iterator[Page]:
        self._pulled.append(kind)
        if kind is Kind.DEAL and self._crm.blind:
            raise AuthenticationError("north: the credential was refused")
        if kind is Kind.FILE and self.busy:
            raise RetryLaterError("north: too many requests")
        return super().pull(kind, since)

    def describe(self) -> Description:
        scopes = frozenset({"deals", "files"})
        files = frozenset({"files", "files.hidden"})
        signed = Credential(way="OAuth", scopes=scopes, needed=frozenset({"deals"}), needed_for={Kind.FILE: files})
        return replace(super().describe(), credential=signed)


def watched(process: Process) -> tuple[Workspace, FakeCrm, list[Kind]]:
    """Give a workspace with what is pulled in it."""
    bench, crm, _ = bench_of(process)
    pulled: list[Kind] = []
    plugins = fake_plugins(bench.crms, wrap=lambda _adapter, name: Watched(bench.crms[name], pulled))
    workspace = Workspace(
        project=bench.workspace.project, store=bench.workspace.store, clock=bench.clock, plugins=plugins
    )
    return workspace, crm, pulled


@pytest.mark.parametrize(
    ("rules", "stage", "asks"),
    [
        ([], {}, False),
        ([{"id": "minutes", "check": {"attachments": {"note": "minutes"}}}], {}, False),
        ([PAPER], {}, True),
        ([{**PAPER, "check": {"required": ["amount"]}, "when": PAPER["check"]}], {}, True),
        ([], {"outputs": [{"id": "paper", "name": "Paper", "file": {}}]}, True),
        ([], {"outputs": [{"id": "paper", "name": "Paper", "field": "source"}]}, False),
    ],
)
def test_files_are_only_asked_for_where_something_looks_at_them(
    rules: list[dict[str, Any]],
    stage: dict[str, Any],
    asks: bool,  # noqa: FBT001  a case of the table
) -> None:
    """A rule, what narrows one, or an output; else nobody pays for them."""
    workspace, _, pulled = watched(process_of(*rules, **stage))
    pull(workspace)

    assert asks == (Kind.FILE in pulled)


def test_a_credential_that_is_refused_still_ends_the_pull() -> None:
    """Only the right to read files is gone without."""
    workspace, crm, pulled = watched(process_of(PAPER))
    crm.blind = 1
    (result,) = pull(workspace)

    assert isinstance(result, ConnectionPull)
    assert "the credential was refused" in str(result.error)
    assert Kind.FILE not in pulled


def test_a_crm_that_is_busy_with_files_is_not_one_that_forbids_them(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pull ends there and goes on later."""
    monkeypatch.setattr(Watched, "busy", True)
    workspace, _, _ = watched(process_of(PAPER))
    (result,) = pull(workspace)

    assert "too many requests" in str(result.error)
    assert [] == [check for check in examine(workspace) if "let crmbridge read files" in check.message]


def test_notes_of_which_some_are_not_read_yet_miss_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """As with files; the first pull that goes on to the end has the deals judged anew."""
    rule = {"id": "paper", "check": {"attachments": {"note": "proposal"}}, "on_unknown": "warn"}
    bench, _, _ = bench_of(process_of(rule))
    usual = FakeAdapter.pull

    def pull_a_page(self: FakeAdapter, kind: Kind, since: str | None) -> Iterator[Page]:
        yield next(usual(self, kind, since))
        if kind is Kind.NOTE:
            raise RetryLaterError("north: too many requests")

    monkeypatch.setattr(FakeAdapter, "pull", pull_a_page)
    pull(bench.workspace)
    dealt(bench.workspace, judge_pending(bench.workspace), ())
    (found,) = [each.finding for each in bench.workspace.store.findings.findings()]
    monkeypatch.undo()

    assert "undecided" == found.kind
    assert [("qualification.paper", "exit_rule")] == cycle(bench)


def test_files_of_which_some_are_not_read_yet_miss_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """A first pull that ends in the middle knows of a part: that a file is not among those says nothing."""
    bench, crm, deal = bench_of(process_of(PAPER))
    for number in range(60):
        crm.add_file(deal.id, f"notes {number}.txt")
    crm.add_file(deal.id, "Our Proposal.pdf")
    usual = FakeAdapter.pull

    def pull_a_page(self: FakeAdapter, kind: Kind, since: str | None) -> Iterator[Page]:
        pages = usual(self, kind, since)
        if kind is not Kind.FILE:
            yield from pages
            return
        yield next(pages)
        raise RetryLaterError("north: too many requests")

    monkeypatch.setattr(FakeAdapter, "pull", pull_a_page)
    (cut,) = pull(bench.workspace)
    dealt(bench.workspace, judge_pending(bench.workspace), ())
    (found,) = [each.finding for each in bench.workspace.store.findings.findings()]
    doctor = [check.message for check in examine(bench.workspace) if "read yet" in check.message]
    monkeypatch.undo()

    assert cut.error is not None
    assert ("undecided", True) == (found.kind, "Not all files of north are read yet" in found.message)
    assert 1 == len(doctor)
    assert [] == cycle(bench)


@pytest.mark.parametrize(
    ("process", "said"),
    [
        (process_of(PAPER), ["the credential lacks scopes that rules of the process need: files.hidden"]),
        (process_of(), ["the credential has scopes that crmbridge does not use: files"]),
    ],
)
def test_doctor_asks_for_the_scopes_of_files_where_they_are_needed(process: Process, said: list[str]) -> None:
    """And says where they are there for nothing."""
    workspace, _, _ = watched(process)

    assert said == [check.message for check in examine(workspace) if "scopes" in check.message]
