"""Reading records by their ids."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from crmbridge.model.records import Kind, Record, Ref


def read_in_lots(
    refs: Sequence[Ref], fetch: Callable[[Kind, list[str]], Iterable[Record]], *, lot: int
) -> dict[Ref, Record]:
    """Read records of any kinds, at most `lot` ids of one kind at a time; what `fetch` leaves out is gone."""
    found: dict[Ref, Record] = {}
    for kind in dict.fromkeys(ref.kind for ref in refs):
        ids = [ref.id for ref in refs if ref.kind is kind]
        for start in range(0, len(ids), lot):
            found |= {record.ref: record for record in fetch(kind, ids[start : start + lot])}
    return found
