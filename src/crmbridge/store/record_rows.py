"""Records as they are read from their rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from crmbridge.model.codec import problems_from_json
from crmbridge.model.records import Position, Record, Ref, Status
from crmbridge.model.values import fields_from_text
from crmbridge.store.refs import ref_of

READ_NAMES = (
    "connection", "kind", "id", "key", "version", "created_at", "updated_at", "pipeline", "stage", "status", "url",
    "updated_by", "fields", "problems",
)  # fmt: skip
_STATUSES = {each.value: each for each in Status}


def record_of(row: Sequence[Any]) -> Record:
    """Read a row of `READ_NAMES`, of values as they are stored: SQLAlchemy's look at each costs more than the rest."""
    return record_at(ref_of(*row[:3]), row[3:])


def record_at(ref: Ref, row: Sequence[Any]) -> Record:
    """Read what stands in a row of `READ_NAMES` beside the ref."""
    key, version, created, updated, pipeline, stage, status, url, by, fields, problems = row
    return Record(
        ref=ref,
        fields=fields_from_text(fields),
        version=version,
        created_at=datetime.fromisoformat(created) if created else None,
        updated_at=datetime.fromisoformat(updated),
        position=None if status is None else position_of(pipeline, stage, status),
        key=key,
        url=url,
        updated_by=by,
        problems=() if problems == "[]" else problems_from_json(json.loads(problems)),
    )


@lru_cache(maxsize=1000)  # an account has a few stages, and each of them very many deals
def position_of(pipeline: str, stage: str, status: str) -> Position:
    """Read a position."""
    return Position(pipeline, stage, _STATUSES[status])
