"""The checks on what a process says of people, companies and contacts, and of criteria."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from pydantic import BaseModel

from crmbridge.engine.issues import Issue, Path, duplicates, issue, listed, unknown
from crmbridge.engine.mapping import WON
from crmbridge.engine.people import OWNER
from crmbridge.model.checks import Approval, Company, Contacts
from crmbridge.model.process import Process
from crmbridge.model.records import STANDARD_FIELDS, Kind


def check_beside(process: Process) -> Iterator[Issue]:
    """Find fields that companies and contacts don't have."""
    for path, check in _checks(process):
        if isinstance(check, Company):
            named = listed((*path, "company", "required"), check.company.required)
            yield from unknown("field", named, STANDARD_FIELDS[Kind.COMPANY])
        elif isinstance(check, Contacts):
            named = listed((*path, "contacts", "required"), check.contacts.required)
            yield from unknown("field", named, STANDARD_FIELDS[Kind.CONTACT])


def check_approvers(process: Process) -> Iterator[Issue]:
    """Find roles that may approve and don't exist."""
    for path, check in _checks(process):
        if isinstance(check, Approval) and check.approval.who is not None:
            yield from _unknown_roles((*path, "approval", "who"), check.approval.who, process)


def check_movers(process: Process) -> Iterator[Issue]:
    """Find stages, roles and the field of a reason that `moves` names and that don't exist."""
    moves, stages = process.moves, [stage.id for stage in process.stages]
    allowed = stages if process.won_stage else [*stages, WON]
    yield from unknown("stage", [(("moves", "who", key), key) for key in moves.who], allowed, at_key=True)
    for key, words in moves.who.items():
        yield from _unknown_roles(("moves", "who", key), [word for word in words if word != OWNER], process)
    if moves.reason is not None:
        yield from unknown("field", [(("moves", "reason"), moves.reason)], _deal_fields(process))


def check_criteria(process: Process) -> Iterator[Issue]:
    """Find fields of criteria that don't exist or stand twice."""
    for i, criteria in enumerate(process.criteria):
        named = list(listed(("criteria", i, "fields"), criteria.fields))
        yield from unknown("field", named, _deal_fields(process))
        yield from duplicates("field", named)


def roles_named(process: Process) -> frozenset[str]:
    """Name the roles that may approve, or move a deal, by what the process says."""
    approvals = [check.approval.who or () for _, check in _checks(process) if isinstance(check, Approval)]
    words = {word for listed in (*approvals, *process.moves.who.values()) for word in listed}
    return frozenset(word for word in words if "@" not in word and word != OWNER)


def _unknown_roles(path: Path, words: Iterable[str], process: Process) -> Iterator[Issue]:
    roles = [role.id for role in process.roles]
    yield from unknown("role", [(path, word) for word in words if "@" not in word], roles)


def _deal_fields(process: Process) -> tuple[str, ...]:
    return (*(field.id for field in process.fields), *STANDARD_FIELDS[Kind.DEAL])


def _checks(process: Process) -> Iterator[tuple[Path, BaseModel]]:
    for i, stage in enumerate(process.stages):
        for part, j, rule in stage.placed():
            at: Path = ("stages", i, part, j)
            yield (*at, "check"), rule.check
            if rule.when is not None:
                yield (*at, "when"), rule.when


def check_names(process: Process) -> Iterator[Issue]:
    """Find stages or fields that have the same name in a language: lists, reports and CRMs show names."""
    for kind in ("fields", "stages"):
        seen: dict[tuple[str, str], str] = {}
        for i, thing in enumerate(getattr(process, kind)):
            for language in process.languages:
                name = " ".join(thing.name.in_language(language).split())
                first = seen.setdefault((language, name.casefold()), thing.id)
                if name and first != thing.id:
                    sentence = f"the {kind[:-1]}s {first!r} and {thing.id!r} are both called {name!r}"
                    yield issue((kind, i, "name"), "same-name", sentence)
                    break
