"""Rules over the files on a deal: which count, what shows an output, and what is unknown."""

from __future__ import annotations

import fnmatch
import re
import unicodedata
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pydantic import ValidationError

from crmbridge.engine.deals.checks import judge
from crmbridge.engine.deals.judging import known_of
from crmbridge.engine.evaluating.evaluate import evaluate
from crmbridge.engine.evaluating.hindsight import rewind
from crmbridge.engine.evaluating.remedies import remedy
from crmbridge.engine.rules.case import Beside, Case
from crmbridge.engine.rules.compiled import compiled_rule
from crmbridge.engine.rules.files import is_like
from crmbridge.engine.rules.rule_fields import looked_at
from crmbridge.model.checks import LONGEST_PATTERN, FileRule
from crmbridge.model.findings import FindingKind, Judgement, Verdict
from crmbridge.model.process import Output
from crmbridge.model.records import Kind, Record
from crmbridge.model.values import Value
from crmbridge.testing.factories import (
    NOON,
    make_deal,
    make_moves,
    make_position,
    make_process,
    make_record,
    make_stage,
    make_subject,
    make_visit,
)

DAY = timedelta(days=1)
PASS, FAIL, UNKNOWN = Judgement.PASS, Judgement.FAIL, Judgement.UNKNOWN
OUTPUTS = [
    {"id": "proposal", "name": "Proposal", "field": "proposal_link", "file": {"name": "*proposal*", "kind": "pdf"}},
    {"id": "contract", "name": "Contract", "file": "*contract*"},
    {"id": "dates", "name": "Dates", "field": "delivery"},
]
FIELDS = [{"id": name, "type": "text", "name": name.replace("_", " ")} for name in ("proposal_link", "delivery")]


def file(name: str = "Proposal v2.pdf", at: datetime | None = NOON - DAY, number: int = 1, **fields: Value) -> Record:
    """Make a file on the deal."""
    kind = name.rpartition(".")[2].lower() if "." in name else None
    told: dict[str, Value] = {"name": name, "type": kind, "at": at, **fields}
    return make_record(Kind.FILE, number, fields=told, created_at=at)


def beyond() -> Record:
    """Make a deal that has left qualification."""
    return make_deal(position=make_position("proposal"), created_at=NOON - 10 * DAY)


def said(
    check: Mapping[str, Any],
    *files: Record,
    fields: Mapping[str, Value] | None = None,
    message: str | None = None,
    **around: Any,
) -> Verdict:
    """Judge a deal with these files by one check, at noon, in a stage that it has been in for nine days."""
    rule = {"id": "rule", "check": check, **({"message": message} if message else {})}
    process = make_process(fields=FIELDS, stages=[make_stage(exit=[rule], outputs=OUTPUTS)])
    stage = process.stages[0]
    usual: dict[str, Any] = {"visit": make_visit(), "now": NOON, "zone": UTC, "beside": Beside(files=files)}
    case = Case(process=process, stage=stage, fields=fields or {}, **{**usual, **around})
    return judge(stage.exit[0], case)


def attached(wanted: Any, *files: Record, **around: Any) -> Verdict:
    """Judge by a check that asks for files."""
    return said({"attachments": {"files": wanted}}, *files, **around)


@pytest.mark.parametrize(
    ("wanted", "judgement"),
    [
        ({}, PASS),
        ("*proposal*", PASS),
        (["*offer*", "*PROPOSAL*.pdf"], PASS),
        ("proposal", FAIL),  # a pattern is of the whole name
        ("proposal v?.pdf", PASS),
        ({"kind": ".PDF"}, PASS),
        ({"kind": ["docx", "odt"]}, FAIL),
        ({"name": "*proposal*", "kind": "docx"}, FAIL),
        ({"at_least": 2}, PASS),
        ({"at_least": 3}, FAIL),
        ({"at_least": 2, "kind": "pdf"}, FAIL),
    ],
)
def test_files_count_by_name_and_kind(wanted: Any, judgement: Judgement) -> None:
    """In any case; a text or a list alone is of names."""
    assert judgement is attached(wanted, file(), file("notes.txt", number=2)).judgement


def test_only_what_was_added_during_the_visit_is_new() -> None:
    """To the second of the deal's coming in; one of which nobody knows when it was added does not count."""
    visit = make_visit(entered_at=NOON - 9 * DAY)
    times = [NOON - 9 * DAY - timedelta(seconds=1), NOON - 9 * DAY, NOON - DAY, None]

    assert [FAIL, PASS, PASS, FAIL] == [attached({"in_stage": True}, file(at=at)).judgement for at in times]
    assert [FAIL] == [attached({"in_stage": True}, file(), visit=None).judgement]
    assert PASS is attached({"in_stage": True}, file(), visit=visit).judgement


def test_it_says_which_file_there_is_and_which_is_missing() -> None:
    """By its name and size, the first few of many; what is asked for otherwise."""
    found = attached("*proposal*", file(size=Decimal(48_123)), file("Proposal.docx", number=2, size=Decimal(12)))
    many = attached({"kind": "pdf"}, *(file(f"{number}.pdf", number=number) for number in range(6)))
    none = attached({"name": ["*offer*", "bid?"], "kind": ["pdf", "docx"], "in_stage": True}, file())
    few = attached({"at_least": 2, "kind": "pdf"}, file())

    assert "Attached: Proposal v2.pdf (48.1 kB), Proposal.docx (12 bytes)." == found.message
    assert "Attached: 0.pdf, 1.pdf, 2.pdf and 3 more." == many.message
    assert "No new file named *offer* or bid? (pdf or docx) is attached." == none.message
    assert "1 of the 2 files (pdf) that it needs are attached." == few.message
    assert (("files",), {"files": ("Proposal v2.pdf",)}) == (none.missing, dict(none.seen))


def test_what_a_file_is_called_harms_nobody() -> None:
    """No line ends, no direction marks, no end of it; a size that can't be is no reason to fail."""
    name = "proposal\n\x1b[31m\u202efdp.exe " + "x" * 5_000
    sizes: list[Value] = [Decimal("1E+999999"), Decimal("NaN"), Decimal(-1), Decimal(10**14), None, "big", True]
    for size in sizes:
        verdict = attached("*", file(name, size=size))

        assert PASS is verdict.judgement
        assert verdict.message.isprintable()
        assert len(verdict.message) < 200
        assert all(isinstance(each, str) and each.isprintable() for each in verdict.seen["files"])  # type: ignore[union-attr]


def test_without_files_nobody_can_tell() -> None:
    """The reason names the connection and what to grant, also where the rule has its own words."""
    reason = "hs does not let crmbridge read files: not allowed (403). Give the token the scope files"
    unread = attached("*proposal*", beside=Beside(no_files=reason))
    own = attached("*proposal*", beside=Beside(no_files=reason), message="No proposal: {missing}")
    bare = attached("*proposal*", beside=Beside())

    assert (UNKNOWN, f"{reason}, so this can't be decided.") == (unread.judgement, unread.message)
    assert f"No proposal: reading files ({reason}, so this can't be decided.)" == own.message
    assert (UNKNOWN, "Files are not pulled from this CRM, so this can't be decided.") == (bare.judgement, bare.message)
    assert "Let files be read; `crmbridge doctor` says how." == remedy(unread.missing, make_subject())


def test_links_notes_and_files_must_all_be_there() -> None:
    """What certainly lacks counts before what nobody can tell."""
    check = {"attachments": {"links": ["proposal_link"], "files": "*.pdf"}}
    link = {"proposal_link": "https://files.example/1"}
    note = make_record(Kind.NOTE, fields={"body": "the minutes"})
    both = {"attachments": {"note": "minutes", "files": "*.pdf"}}

    assert PASS is said(check, file(), fields=link).judgement
    assert (FAIL, ("proposal_link",)) == ((v := said(check, file())).judgement, v.missing)
    assert (FAIL, ("proposal_link", "files")) == ((v := said(check)).judgement, v.missing)
    assert (UNKNOWN, ("reading_files",)) == ((v := said(check, fields=link, beside=Beside())).judgement, v.missing)
    assert (FAIL, ("proposal_link", "reading_files")) == ((v := said(check, beside=Beside())).judgement, v.missing)
    assert PASS is said(both, beside=Beside(notes=[note], files=[file()])).judgement
    assert ("notes",) == said(both, beside=Beside(notes=[], files=[file()])).missing


@pytest.mark.parametrize(
    ("outputs", "fields", "files", "judgement", "missing"),
    [
        (["proposal"], {}, ["My Proposal.pdf"], PASS, ()),
        (["proposal"], {"proposal_link": "https://files.example/1"}, [], PASS, ()),
        (["proposal"], {"proposal_link": "https://files.example/1"}, None, PASS, ()),
        (["proposal"], {}, ["My Proposal.docx"], FAIL, ("proposal_link",)),
        (["proposal", "dates"], {"proposal_link": " ", "delivery": False}, [], FAIL, ("proposal_link", "delivery")),
        (["proposal"], {}, None, UNKNOWN, ("proposal_link", "reading_files")),
        (["contract"], {}, ["Contract.odt"], PASS, ()),
        (["contract"], {}, [], FAIL, ("files",)),
        (["contract"], {}, None, UNKNOWN, ("reading_files",)),
        (["proposal", "dates"], {}, None, FAIL, ("proposal_link", "reading_files", "delivery")),
        (["proposal", "dates"], {"delivery": "May"}, None, UNKNOWN, ("proposal_link", "reading_files")),
        (["proposal", "contract", "dates"], {"delivery": "May"}, ["proposal contract.pdf"], PASS, ()),
    ],
)
def test_a_field_or_a_file_shows_an_output(
    outputs: list[str],
    fields: Mapping[str, Value],
    files: Sequence[str] | None,
    judgement: Judgement,
    missing: tuple[str, ...],
) -> None:
    """One of both is enough; without the right to look, a field still says yes, and nothing says no."""
    beside = Beside(files=None if files is None else [file(name) for name in files])
    verdict = said({"outputs": outputs}, fields=fields, beside=beside)

    assert (judgement, missing) == (verdict.judgement, verdict.missing)


def test_an_output_says_what_showed_it() -> None:
    """The file by its name; a field that could, too."""
    there = said({"outputs": ["proposal", "dates"]}, file(), fields={"delivery": "May"})
    lacking = said({"outputs": ["proposal", "contract"]}, file())

    assert "There: Proposal, Dates. Attached: Proposal v2.pdf." == there.message
    assert "There: Proposal. Attached: Proposal v2.pdf. Not shown: Contract. No file named *contract* is attached." == (
        lacking.message
    )
    assert said({"outputs": ["proposal"]}).message.endswith("is attached. proposal link can show it, too.")


def test_an_output_must_be_seen_somehow() -> None:
    """By a field, by a file, or by both."""
    with pytest.raises(ValidationError, match="give the field that shows it, the file, or both"):
        Output.model_validate({"id": "x", "name": "X"})


@pytest.mark.parametrize(
    "wrong",
    [
        7,
        {"at_least": 0},
        {"at_least": 1001},
        {"name": []},
        {"name": " "},
        {"name": "x" * (LONGEST_PATTERN + 1)},
        {"kind": ["pdf"] * 21},
        {"size": 1},
    ],
)
def test_a_rule_over_files_that_makes_no_sense_is_refused(wrong: Any) -> None:
    """Before anything is judged."""
    with pytest.raises(ValidationError):
        FileRule.model_validate(wrong)


def test_a_file_that_came_after_the_move_does_not_clear_what_went_before() -> None:
    """It clears it now; asked about then, it was not there."""
    stages = [
        make_stage("prospecting"),
        make_stage("qualification", exit=[{"id": "paper", "check": {"attachments": {"files": {}}}}]),
        make_stage("proposal"),
    ]
    moves = make_moves((NOON - 9 * DAY, "qualification"), (NOON - 2 * DAY, "proposal"))
    late, none = (
        make_subject(deal=beyond(), process=make_process(stages=stages), moves=moves, beside=Beside(files=files))
        for files in ([file(at=NOON - DAY)], [])
    )
    before = rewind(late, NOON - 2 * DAY)
    assert before is not None

    assert [] == [finding.rule for finding in evaluate(late, NOON).findings]
    assert ["qualification.paper"] == [finding.rule for finding in evaluate(none, NOON).findings]
    assert ["qualification.paper"] == [finding.rule for finding in evaluate(before, NOON - 2 * DAY).findings]
    assert evaluate(none, NOON).findings[0].message.endswith("Attach the file to the deal.")


def test_a_file_that_was_there_then_and_is_gone_now_is_not_known() -> None:
    """Only what is there now is, so the deal is judged by that; nothing crashes."""
    rule = {"id": "paper", "check": {"outputs": ["contract"]}}
    process = make_process(fields=FIELDS, stages=[make_stage(exit=[rule], outputs=OUTPUTS)])
    stage = process.stages[0]

    assert known_of(compiled_rule(stage.exit[0], stage, process), NOON, make_subject(process=process))
    assert frozenset() == looked_at(stage.exit[0], stage)


def test_undecided_is_a_finding_of_its_own() -> None:
    """With `on_unknown: warn`; with skip there is none, so an account without the right is not held up."""
    for on_unknown, kinds in (("warn", [FindingKind.UNDECIDED]), ("skip", []), ("fail", [FindingKind.EXIT_RULE])):
        rule = {"id": "paper", "check": {"attachments": {"files": {}}}, "on_unknown": on_unknown}
        stages = [make_stage("prospecting"), make_stage("qualification", exit=[rule]), make_stage("proposal")]
        moves = make_moves((NOON - 9 * DAY, "qualification"), (NOON - 2 * DAY, "proposal"))
        subject = make_subject(deal=beyond(), process=make_process(stages=stages), moves=moves)

        assert kinds == [finding.kind for finding in evaluate(subject, NOON).findings]


# ── Patterns ────────────────────────────────────────────────────────────────────────────────────────────


@given(st.text("aA.b-İß", max_size=12), st.text("aA.b*?İ", min_size=1, max_size=8))
@example("", "*")
@example("aa", "a*a*a")
@example("aaa", "aa*aa")
@example("aba", "a*?b*a")
@example("a.b", "*?*")
def test_patterns_mean_what_shells_mean_by_them(name: str, pattern: str) -> None:
    """Of `*` and `?`, over whole names in small letters."""
    expected = re.fullmatch(fnmatch.translate(pattern.casefold()), name.casefold())

    assert (expected is not None) == is_like(name, pattern)


def test_a_pattern_that_tries_everything_is_soon_done() -> None:
    """What would keep a backtracking matcher busy for years; the work is the product of both lengths at the most."""
    assert not is_like("a" * 1_000, "*a" * 99 + "?b")
    assert not is_like("a" * 1_000, "*?a?" * 49 + "b")


def test_a_sign_that_means_something_elsewhere_means_itself() -> None:
    """Brackets, dots and plus signs stand for themselves."""
    assert is_like("a[1]+.pdf", "a[1]+.pdf")
    assert not is_like("a1.pdf", "a[1]*")


@pytest.mark.parametrize(("name", "pattern"), [("NFC", "NFD"), ("NFD", "NFC")])
def test_accents_count_however_they_are_written(name: Any, pattern: Any) -> None:
    """A Mac gives names with the accent as a sign of its own; on the screen both are the same."""
    there, wanted = (unicodedata.normalize(form, "reunião") for form in (name, pattern))

    assert is_like(f"Ata da {there}.pdf", f"*{wanted}*")
    assert is_like(there, f"{wanted[:4]}???")
