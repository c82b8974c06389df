"""Pipedrive's rows as canonical records and tombstones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, NamedTuple

from crmbridge.adapting import put_together, read_at_once
from crmbridge.model.records import Kind, Position, Problem, Record, Ref, Status, Tombstone
from crmbridge.model.values import Fields, Value
from crmbridge_pipedrive.account import DealFields
from crmbridge_pipedrive.api import Row, is_id
from crmbridge_pipedrive.layouts import Layout, Pick, Values, values_of
from crmbridge_pipedrive.own_fields import OwnFields
from crmbridge_pipedrive.prints import digest, version_of
from crmbridge_pipedrive.standard import (
    COUNTS,
    NOTHING,
    STANDARD,
    StandardFields,
    Surroundings,
    id_text,
    reference_in,
    text_in,
    text_of,
)
from crmbridge_pipedrive.values import moment

AROUND = (*COUNTS, "next_activity_id", "last_activity_id", "participants_count")
UNVERSIONED = frozenset({*AROUND, "custom_fields"})
A_PLACE = (int, int, str)
ALL_STATUSES = "open,won,lost,deleted"  # without being asked, a list leaves the deleted ones out
STATUSES = {status.value: status for status in Status}
NEVER = datetime(1970, 1, 1, tzinfo=UTC)


class DealReader:
    """Turns deal rows into records for one connection. How each field is read is settled once, not per deal.

    `currency` stands in where a deal says none; `company` is the company domain, for links into the account.
    """

    def __init__(self, *, connection: str, currency: str | None, fields: DealFields, company: str | None) -> None:
        self.fields = fields
        self._connection = connection
        self._link = f"https://{company}.pipedrive.com/deal/" if company else None
        self._standard = StandardFields(fields.channels, currency)
        self._own = OwnFields(fields.bound, currency)
        self._has_own = self._own.are_custom
        self._key = fields.key.code if fields.key else None
        self._arranged = _Arrangement.of(Layout.of({}, {}))
        self._positions: dict[tuple[Any, ...], Position] = {}

    def records(self, rows: Sequence[Row], around: Surroundings = NOTHING) -> list[Record]:
        """Read deals, all at once where that can be done."""
        return read_at_once(rows, partial(self._at_once, around=around), partial(self.record, around=around))

    def record(self, row: Row, around: Surroundings = NOTHING) -> Record:
        """Read one deal; values that can't be read become problems and are left out."""
        problems: list[Problem] = []
        custom = _custom(row)
        values = STANDARD.copy()
        self._standard.fill(values, row, around, problems)
        values |= self._own.one_by_one(row, custom if _has_custom(row) else None, problems)
        return self._record(row, self._arranged_as(row, custom), values_of(row, custom), values, problems)

    def _at_once(self, rows: Sequence[Row], around: Surroundings) -> list[Record]:
        if self._has_own and not all(map(_has_custom, rows)):
            raise ValueError("a row without its custom fields")
        customs = [_custom(row) for row in rows]
        arranged = self._arranged_as(rows[0], customs[0])
        if not all(map(arranged.layout.is_of, rows, customs)):
            raise ValueError("rows of several layouts")
        in_places = [*map(values_of, rows, customs)]
        columns = [*zip(*in_places, strict=True)]
        pieces, known = self._standard.columns(rows, around)
        pieces |= self._own.columns(arranged.layout, columns)
        known |= {name: own for name in known if (own := self._own.values(name, arranged.layout, columns)) is not None}
        written = put_together([pieces[name] for name in sorted(pieces)], known)
        each = zip(rows, in_places, written, strict=True)
        return [self._record(row, arranged, values, fields, []) for row, values, fields in each]

    def _record(
        self, row: Row, arranged: _Arrangement, in_places: Values, fields: Fields, problems: list[Problem]
    ) -> Record:
        updated = _updated(row, problems)
        number = str(row["id"])
        return Record(
            ref=Ref(self._connection, Kind.DEAL, number),
            fields=fields,
            version=version_of((arranged.named, arranged.counting(in_places)), updated),
            created_at=moment(row.get("add_time")),
            updated_at=updated,
            position=self._position(row, problems),
            key=(text_of(_custom(row).get(self._key)) or None) if self._key else None,
            url=self._link + number if self._link else None,
            problems=tuple(problems),
        )

    def _arranged_as(self, row: Row, custom: Row) -> _Arrangement:
        """Say how rows that are laid out like this one are read; most are like the one before."""
        arranged = self._arranged
        if not arranged.layout.is_of(row, custom):
            arranged = self._arranged = _Arrangement.of(Layout.of(row, custom))
        return arranged

    def _position(self, row: Row, problems: list[Problem]) -> Position | None:
        """Give where a deal stands; deals share few positions, so each is made once."""
        place = (row.get("pipeline_id"), row.get("stage_id"), row.get("status"))
        if tuple(map(type, place)) != A_PLACE:  # True equals 1, and is no id
            return _position(row, problems)
        found = self._positions.get(place)
        if found is None and (found := _position(row, problems)) is not None:
            self._positions[place] = found
        return found


class _Arrangement(NamedTuple):
    """How rows of one layout are read."""

    layout: Layout
    named: str  # a fingerprint of the names whose values count: made once, as most rows have the same
    counting: Pick

    @classmethod
    def of(cls, layout: Layout) -> _Arrangement:
        """Settle it for a layout."""
        names, counting = layout.counting(UNVERSIONED)
        return cls(layout, digest(names), counting)


def _has_custom(row: Row) -> bool:
    """Tell whether a row has custom fields, filled in or not; null for all of them says nothing of each."""
    return isinstance(row.get("custom_fields"), dict)


def _custom(row: Row) -> Row:
    custom = row.get("custom_fields")
    return custom if isinstance(custom, dict) else {}


def tombstone(row: Row, connection: str) -> Tombstone:
    """Read a deal that is deleted or archived; which deal it was merged into is nowhere to be read."""
    at = moment(row.get("archive_time")) or moment(row.get("update_time")) or NEVER
    return Tombstone(ref=Ref(connection, Kind.DEAL, str(row["id"])), at=at)


def person_record(row: Row, connection: str) -> Record:
    """Read a contact. The job title is only sent by companies that use contact sync."""
    fields, problems = _read(row, PERSON)
    return plain_record(row, Ref(connection, Kind.CONTACT, str(row["id"])), fields, problems)


def organization_record(row: Row, connection: str) -> Record:
    """Read a company; its domain is taken from its website, which people write in many ways."""
    fields, problems = _read(row, ORGANIZATION)
    return plain_record(row, Ref(connection, Kind.COMPANY, str(row["id"])), fields, problems)


def user_record(row: Row, connection: str) -> Record:
    """Read a user; the ones who left stay listed, not active."""
    fields, problems = _read(row, USER)
    fields["active"] = row.get("active_flag") is True and row.get("is_deleted") is not True
    as_v2 = {**row, "add_time": row.get("created"), "update_time": row.get("modified") or row.get("created")}
    return plain_record(as_v2, Ref(connection, Kind.USER, str(row["id"])), fields, problems)


def _read(row: Row, plan: Plan) -> tuple[dict[str, Value], list[Problem]]:
    """Read fields; one that can't be read is left out, as if it were empty it would be taken for another record's."""
    fields: dict[str, Value] = {}
    problems: list[Problem] = []
    for name, native, read in plan:
        try:
            fields[name] = read(row.get(native))
        except ValueError as error:
            problems.append(Problem(native, str(error), name))
    return fields, problems


def plain_record(row: Row, ref: Ref, fields: dict[str, Value], problems: Sequence[Problem] = ()) -> Record:
    """Make the record of anything but a deal. Only notes tell who changed them last ("Notes: Get all notes")."""
    problems = [*problems]
    updated = _updated(row, problems)
    return Record(
        ref=ref,
        fields=fields,
        version=version_of(row, updated),
        created_at=moment(row.get("add_time")),
        updated_at=updated,
        updated_by=id_text(row.get("last_update_user_id")),
        problems=tuple(problems),
    )


def _updated(row: Row, problems: list[Problem]) -> datetime:
    updated = moment(row.get("update_time")) or moment(row.get("add_time"))
    if updated is None:
        problems.append(Problem("update_time", "there is no time of the last change"))
    return updated or NEVER


def _position(row: Row, problems: list[Problem]) -> Position | None:
    pipeline, stage = row.get("pipeline_id"), row.get("stage_id")
    status = STATUSES.get(str(row.get("status")))
    if status is None:
        problems.append(Problem("status", f"{row.get('status')!r} is no status that crmbridge knows"))
        return None
    if not is_id(pipeline) or not is_id(stage):
        problems.append(Problem("stage_id", "the deal stands in no stage"))
        return None
    return Position(str(pipeline), str(stage), status)


def _primary(raw: Any) -> str | None:
    """Give the primary one of a person's addresses, else the first; raises ValueError."""
    items = [] if raw is None else raw
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise ValueError(f"{raw!r:.80} is no list of addresses")
    chosen = next((item for item in items if item.get("primary") is True), items[0] if items else {})
    return text_in(chosen.get("value")) or None


def _domain(raw: Any) -> str | None:
    text = text_in(raw)
    if not text:
        return None
    host = text.strip().casefold().partition("://")[2] or text.strip().casefold()
    return host.partition("/")[0].partition("?")[0].partition(":")[0].removeprefix("www.") or None


Plan = Sequence[tuple[str, str, Callable[[Any], str | None]]]  # fields, where they stand, and what reads them
PERSON: Plan = (
    ("name", "name", text_in),
    ("email", "emails", _primary),
    ("title", "job_title", text_in),
    ("company", "org_id", reference_in),
)
ORGANIZATION: Plan = (("name", "name", text_in), ("domain", "website", _domain))
USER: Plan = (("name", "name", text_in), ("email", "email", text_in))
