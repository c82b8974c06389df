"""What is told of files on deals: they hang on notes and e-mails, which name them, and each is looked up by its id."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from functools import partial
from types import MappingProxyType
from typing import Any

from crmbridge.errors import NotGrantedError
from crmbridge.http import together
from crmbridge.model.files import extension, with_extension
from crmbridge.model.records import Kind, Move, Record, Tombstone
from crmbridge.model.replacing import replace
from crmbridge.model.values import Value
from crmbridge_hubspot.api import HISTORY_BATCH, HubSpotApi
from crmbridge_hubspot.mapping import archived
from crmbridge_hubspot.objects import ATTACHED
from crmbridge_hubspot.reading import Found, Raw, Reader
from crmbridge_hubspot.replies import NoneFoundError, NotAllowedError
from crmbridge_hubspot.signing import NEEDED_FOR
from crmbridge_hubspot.values import moment

NO_MOVES: Mapping[str, Move | None] = MappingProxyType({})


class HolderReader(Reader, frozen=True, kw_only=True):
    """Reads the files of one type of what holds them.

    A file's id is that of its holder and its own, as one may hang on several. Which were taken off is told by the
    history of the property that lists them.
    """

    def listed_archived(self, after: str | None) -> tuple[list[Raw], str | None]:
        """Read a page of the list of holders that were deleted, with the files that they ever had."""
        names = f"{self.type.modified},{ATTACHED}"
        more = {"properties": names, "propertiesWithHistory": ATTACHED, "archived": "true"}
        return self.api.list_page(self.type.name, after, HISTORY_BATCH, **more)

    def archived(self, raw: Raw) -> Iterator[Tombstone]:
        """Give the files of a holder that was deleted."""
        gone = archived(self.type, raw, self.connection)
        return (replace(gone, ref=gone.ref._replace(id=_id(gone.ref.id, each))) for each in _ever(raw))

    def whole(self, listed: Sequence[Raw]) -> Found:
        """Complete the holders of a list that have files."""
        return self.by_id([str(raw["id"]) for raw in listed if raw["properties"].get(ATTACHED)])

    def read_whole(self, ids: Sequence[str]) -> list[Raw]:
        """Read holders by id, with all the files that they ever had."""
        names = self.setup.terms().words.properties(self.type)
        return self.api.read(self.type.name, ids, names, propertiesWithHistory=[ATTACHED]) if ids else []

    def found(
        self, raws: Sequence[Raw], made: Mapping[str, Move | None] = NO_MOVES, fields: Collection[str] | None = None
    ) -> Found:
        """Turn holders into their files; of those on no deal nothing is looked up."""
        held = [raw for raw in raws if _ever(raw)]
        holders = super().found(held, made, fields).records
        wanted = {
            each: None
            for raw, holder in zip(held, holders, strict=True)
            if holder.fields.get("deals")
            for each in _now(raw)
        }
        told = read_files(self.api, list(wanted))
        records: list[Record] = []
        gone: list[Tombstone] = []
        for raw, holder in zip(held, holders, strict=True):
            there = [each for each in _now(raw) if each in told or each not in wanted]
            records += [_file(holder, raw, each, told.get(each)) for each in there]
            gone += [
                Tombstone(ref=holder.ref._replace(id=_id(holder.ref.id, each)), at=holder.updated_at)
                for each in _ever(raw)
                if each not in there
            ]
        return Found(tuple(records), (), tuple(gone))


@contextmanager
def granted(connection: str, kind: Kind) -> Iterator[None]:
    """Say what must be granted where files, or what they hang on, may not be read: a pull goes on without files."""
    try:
        yield
    except NotAllowedError as error:
        if kind is not Kind.FILE:
            raise
        message = error.message.removeprefix(f"{connection}: ")
        advice = f"Give the connection's token the scopes {', '.join(sorted(NEEDED_FOR[Kind.FILE]))}."
        raise NotGrantedError(f"{connection}: {message}", advice=advice) from error


def read_files(api: HubSpotApi, ids: Sequence[str]) -> dict[str, Mapping[str, Any]]:
    """Read what is told of files, one request each: hidden ones come in no list ("The v3 Files API")."""
    answers = together([partial(_told, api, each) for each in ids])
    return {each: told for each, told in zip(ids, answers, strict=True) if told is not None}


def holder_of(file_id: str) -> str:
    """Give the id of a file's holder, with the prefix of its type."""
    return file_id.rpartition("-")[0]


def _told(api: HubSpotApi, file_id: str) -> Mapping[str, Any] | None:
    try:
        body = api.get(f"{api.paths.files}/{file_id}")
    except NoneFoundError:
        return None
    return None if body.get("archived") else body


def _file(holder: Record, raw: Raw, file_id: str, told: Mapping[str, Any] | None) -> Record:
    """Make the record of a file from what holds it and what is told of it."""
    at = _added(raw, file_id) or holder.created_at
    fields: dict[str, Value] = {"at": at, "owner": holder.fields.get("owner"), "deals": holder.fields.get("deals", ())}
    if told is not None:
        ending, size = str(told.get("extension") or ""), told.get("size")
        name = with_extension(str(told.get("name") or ""), ending)
        size = Decimal(size) if isinstance(size, int | Decimal) and not isinstance(size, bool) else None
        fields |= {"name": name or None, "type": ending.lower() or extension(name), "size": size}
    return replace(
        holder, ref=holder.ref._replace(id=_id(holder.ref.id, file_id)), fields=fields, created_at=at, problems=()
    )


def _id(holder: str, file_id: str) -> str:
    return f"{holder}-{file_id}"


def _now(raw: Raw) -> list[str]:
    return _listed(raw["properties"].get(ATTACHED))


def _ever(raw: Raw) -> list[str]:
    """Give the files that a holder has or had, each once."""
    return list(
        dict.fromkeys([*_now(raw), *(each for version in _versions(raw) for each in _listed(version["value"]))])
    )


def _added(raw: Raw, file_id: str) -> datetime | None:
    """Give when a file was put on its holder the last time, by the history, which has the newest version first."""
    at: datetime | None = None
    for version in _versions(raw):
        if file_id not in _listed(version.get("value")):
            break
        at = moment(str(version["timestamp"]))
    return at


def _versions(raw: Raw) -> Sequence[Mapping[str, Any]]:
    return (raw.get("propertiesWithHistory") or {}).get(ATTACHED) or ()


def _listed(text: Any) -> list[str]:
    """Read a list of ids, which are numbers; anything else would lead somewhere else."""
    return [each for part in str(text or "").split(";") if (each := part.strip()).isdecimal()]
