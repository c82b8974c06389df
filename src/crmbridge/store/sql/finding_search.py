"""The conditions under which findings are looked for, in SQL."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import ColumnElement, Select, case, or_

from crmbridge.model.findings import Severity
from crmbridge.model.lives import RANK
from crmbridge.ports import FindingQuery
from crmbridge.store.sql import schema

_findings = schema.findings
_IS = {
    "open": _findings.c.cleared_at.is_(None) & _findings.c.waived_by.is_(None),
    "waived": _findings.c.cleared_at.is_(None) & _findings.c.waived_by.is_not(None),
    "cleared": _findings.c.cleared_at.is_not(None),
}
_ESCAPE = "\\"


def narrowed(asked: Select[Any], query: FindingQuery) -> Select[Any]:
    """Leave what is not looked for out of what is asked."""
    return asked.where(*_conditions(query))


def ranked(asked: Select[Any]) -> Select[Any]:
    """Put the gravest first, then what was found first, of that what has been wrong for longest."""
    rank = case({severity.value: -RANK[severity] for severity in Severity}, value=_findings.c.severity)
    return asked.order_by(rank, _findings.c.opened_at, _findings.c.since, _findings.c.id)


def _conditions(query: FindingQuery) -> Iterator[ColumnElement[bool]]:
    yield or_(*(_IS[state] for state in sorted(query.states)))
    if query.connection is not None:
        yield _findings.c.connection == query.connection
    if query.stage is not None:
        yield _findings.c.stage == query.stage
    if query.rule is not None:
        yield _findings.c.rule.like(_pattern(query.rule), escape=_ESCAPE)
    if query.severity is not None:
        yield _findings.c.severity.in_([s.value for s in Severity if RANK[s] >= RANK[query.severity]])
    if query.id_begins is not None:
        yield _findings.c.id.startswith(query.id_begins.lower(), autoescape=True)
    if query.opened_before is not None:
        yield _findings.c.opened_at <= query.opened_before


def _pattern(text: str) -> str:
    """Write a pattern with stars as LIKE takes it; the other characters stand for themselves. Rules are lower case."""
    plain = "".join(f"{_ESCAPE}{c}" if c in {"%", "_", _ESCAPE} else c for c in text.lower())
    return plain.replace("*", "%").replace("?", "_")
