"""Checks of what stands beside a deal: its company, its contacts, its documents, and who approved."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from crmbridge.engine.expr.runtime import choices
from crmbridge.engine.people import email_of, listed
from crmbridge.engine.rules.activities import count_activities
from crmbridge.engine.rules.case import Answer, Case, quote, undecided
from crmbridge.engine.rules.files import FILES, Found, look_for
from crmbridge.engine.rules.outputs import answer_outputs
from crmbridge.model.checks import (
    Activities,
    ApprovalRule,
    AttachmentRule,
    Attachments,
    Company,
    CompanyRule,
    ContactRule,
    Contacts,
    Outputs,
)
from crmbridge.model.findings import Judgement
from crmbridge.model.records import Record
from crmbridge.model.values import Value, is_empty


def answer(check: Activities | Attachments | Outputs | Company | Contacts, case: Case) -> Answer:
    """Answer a check that looks at more than the deal's fields."""
    match check:
        case Activities():
            return count_activities(check.activities, case)
        case Attachments():
            return _attachments(check.attachments, case)
        case Outputs():
            return answer_outputs(check, case)
        case Company():
            return _company(check.company, case)
        case Contacts():
            return _contacts(check.contacts, case)


def _company(wanted: CompanyRule, case: Case) -> Answer:
    names = tuple(f"company.{name}" for name in wanted.required)
    if case.beside.companies is None:
        return undecided(names, "Companies are not pulled from this CRM, so this can't be decided.")
    if unseen := _unseen("company", case.beside.companies, case):
        return unseen
    if not case.beside.companies:
        return Answer(
            judgement=Judgement.FAIL, message="No company is linked.", looked_at=("company",), missing=("company",)
        )
    seen = {f"company.{name}": case.beside.companies[0].fields.get(name) for name in wanted.required}
    missing = tuple(name for name, value in seen.items() if is_empty(value))
    filled = f"Filled in: {case.names(names)}."
    return Answer(
        judgement=Judgement.FAIL if missing else Judgement.PASS,
        message=f"Still to be filled in: {case.names(missing)}." if missing else filled,
        missing=missing,
        passed=len(names) - len(missing),
        value=next(iter(seen.values())) if len(seen) == 1 else None,
        seen=seen,
    )


def _contacts(wanted: ContactRule, case: Case) -> Answer:
    if case.beside.contacts is None:
        return undecided(("contacts",), "Contacts are not pulled from this CRM, so this can't be decided.")
    unseen = _unseen("contacts", case.beside.contacts, case)
    known = [contact for contact in case.beside.contacts if not _lacks(contact, wanted)]
    fitting = [contact for contact in known if _has_title(contact, wanted)]
    untitled = sum(is_empty(contact.fields.get("title")) for contact in known) if wanted.title else 0
    holds = len(fitting) >= wanted.at_least
    if unseen and not holds:
        return unseen
    may_hold = len(fitting) + untitled >= wanted.at_least
    judgement = Judgement.PASS if holds else Judgement.UNKNOWN if may_hold else Judgement.FAIL
    why = f" {untitled} without a title, so this can't be decided." if judgement is Judgement.UNKNOWN else ""
    told = min(len(fitting), wanted.at_least)
    return Answer(
        judgement=judgement,
        message=f"{told} of the {wanted.at_least} {_contacts_in_words(wanted, case)} are linked.{why}",
        missing=() if holds else ("contacts",),
        passed=len(fitting),
        value=tuple(sorted(map(_name, fitting))),
        seen={"contacts": tuple(sorted(map(_titled, case.beside.contacts)))},
    )


def _unseen(name: str, found: Sequence[Record], case: Case) -> Answer | None:
    """Say that the deal names more than is known, or that it can't be read what it names; None where all is known."""
    if name in case.unreadable:
        return undecided((name,), f"The deal's {name} can't be read, so this can't be decided.")
    named = case.fields.get(name)
    count = len(set(named)) if isinstance(named, tuple) else int(not is_empty(named))
    if count <= len(found):
        return None
    return undecided((name,), f"The CRM does not show us the deal's {name}, so this can't be decided.")


def _attachments(wanted: AttachmentRule, case: Case) -> Answer:
    if wanted.note is not None and case.beside.notes is None:
        return undecided(("notes",), "Notes are not pulled from this CRM, so this can't be decided.")
    missing = [name for name in wanted.links if not _is_link(case.fields.get(name))]
    passed = len(wanted.links) - len(missing)
    said = f"Without a link to the document: {case.names(missing)}." if missing else ""
    if wanted.note is not None:
        found = any(wanted.note.casefold() in str(note.fields.get("body") or "").casefold() for note in _notes(case))
        passed += found
        missing += [] if found else ["notes"]
        said = said if found else f"{said} No note speaks of {wanted.note}.".strip()
    answer = Answer(
        judgement=Judgement.FAIL if missing else Judgement.PASS,
        message=said or "The documents are there.",
        looked_at=wanted.links,
        missing=missing,
        passed=passed,
        value=case.fields.get(wanted.links[0]) if len(wanted.links) == 1 else None,
    )
    return answer if wanted.files is None else _with_files(answer, look_for(wanted.files, case))


def _with_files(answer: Answer, found: Found) -> Answer:
    """Add what files say to what links and notes say: the worse of both counts."""
    fails = Judgement.FAIL in {answer.judgement, found.judgement}
    said = answer.message if answer.judgement is Judgement.FAIL else ""
    return Answer(
        judgement=Judgement.FAIL if fails else found.judgement,
        message=f"{said} {found.message}".strip(),
        looked_at=answer.looked_at,
        missing=[*answer.missing, *([found.lacks] if found.lacks else [])],
        passed=answer.passed + found.passed,
        value=answer.value if answer.looked_at else found.value,
        seen={} if found.seen is None else {FILES: found.value},
    )


def approver_misfit(rule: ApprovalRule, case: Case) -> Answer | None:
    """Say why who approved may not, or that nobody can tell; None where they may, or anybody may."""
    if rule.who is None and not rule.not_owner:
        return None
    named = case.fields.get(rule.by)
    approver = email_of(named, case.beside.users or ())
    if approver is None:
        return _undecided_approval(rule, f"It is not known who {quote(named)} is")
    outside = _stands_outside(rule, approver, case) if rule.who is not None else None
    return outside or (_is_owner(rule, approver, case) if rule.not_owner else None)


def _stands_outside(rule: ApprovalRule, approver: str, case: Case) -> Answer | None:
    allowed, nobody = listed(rule.who or (), case.beside.people)
    if approver in allowed:
        return None
    if nobody:
        return _undecided_approval(rule, f"The settings list nobody as {', '.join(nobody)}")
    return _refused(rule, f"{quote(case.fields.get(rule.by))} may not approve this.", case)


def _is_owner(rule: ApprovalRule, approver: str, case: Case) -> Answer | None:
    owner = email_of(case.fields.get("owner"), case.beside.users or ())
    if owner is None:
        return _undecided_approval(rule, "The deal's owner is not known")
    return _refused(rule, f"{quote(case.fields.get(rule.by))} owns the deal.", case) if owner == approver else None


def _undecided_approval(rule: ApprovalRule, why: str) -> Answer:
    return undecided((rule.field, rule.by), f"{why}, so this can't be decided.")


def _refused(rule: ApprovalRule, why: str, case: Case) -> Answer:
    return Answer(
        judgement=Judgement.FAIL,
        message=f"{why} Somebody else must approve.",
        looked_at=(rule.field, rule.by, *(("owner",) if rule.not_owner else ())),
        missing=(rule.by,),
        value=case.fields.get(rule.field),
    )


def _lacks(contact: Record, wanted: ContactRule) -> bool:
    return any(is_empty(contact.fields.get(name)) for name in wanted.required)


def _has_title(contact: Record, wanted: ContactRule) -> bool:
    title = str(contact.fields.get("title") or "").casefold()
    return wanted.title is None or any(word.strip().casefold() in title for word in wanted.title)


def _contacts_in_words(wanted: ContactRule, case: Case) -> str:
    titled = f" whose title says {' or '.join(wanted.title)}" if wanted.title else ""
    filled = f" with {case.names(wanted.required)}" if wanted.required else ""
    return f"contacts{titled}{filled}"


def _name(contact: Record) -> str:
    return str(contact.fields.get("name") or contact.ref.id)


def _titled(contact: Record) -> str:
    title = contact.fields.get("title")
    return f"{_name(contact)} ({title})" if title else _name(contact)


def _notes(case: Case) -> Sequence[Record]:
    return case.beside.notes or ()


def _is_link(value: Value) -> bool:
    """Tell whether a value is an address somewhere: a scheme and a host, or a share of files."""
    return not is_empty(value) and all(map(_is_address, choices(value)))


def _is_address(text: str) -> bool:
    stripped = text.strip()
    if stripped.startswith("\\\\"):
        return len(stripped) > 2
    try:
        parts = urlsplit(stripped)
    except ValueError:
        return False
    return bool(parts.scheme and (parts.netloc or parts.scheme == "file"))
