"""Reading an org's set-up: what its objects look like, its stages and pipelines. Kept between runs, for an hour."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, MutableMapping, Sequence
from datetime import datetime, timedelta, tzinfo
from functools import partial
from typing import Any, TypeVar

from crmbridge.errors import RefusedError, RetryLaterError
from crmbridge.http import dump_json, load_json
from crmbridge.http.replies import UNREADABLE, tidy
from crmbridge.model.values import iso, parse_iso
from crmbridge.ports import Clock, Pipeline
from crmbridge_salesforce.days import zone_of
from crmbridge_salesforce.judge import UnknownColumnError
from crmbridge_salesforce.org import Org
from crmbridge_salesforce.schema import DEFAULT_PIPELINE, OrgStage, RecordType, Table, stage_of, stage_values
from crmbridge_salesforce.soql import select, text
from crmbridge_salesforce.values import read_moment

T = TypeVar("T")

KEPT_FOR, A_MOMENT = timedelta(hours=1), timedelta(minutes=1)
PREFIX = "set-up 1: "  # of what is kept, with the form that it has
_FIELD_PARTS = (
    "name",
    "label",
    "type",
    "createable",
    "updateable",
    "filterable",
    "unique",
    "externalId",
    "restrictedPicklist",
    "length",
    "precision",
    "scale",
    "referenceTo",
)
_STAGES = (
    "SELECT ApiName, MasterLabel, IsActive, IsClosed, IsWon, DefaultProbability"
    " FROM OpportunityStage ORDER BY SortOrder, Id"
)
_TRACKED = "SELECT Id FROM OpportunityFieldHistory WHERE Field = 'StageName' LIMIT 1"
_TRACKED_NOW = (
    "SELECT QualifiedApiName FROM FieldDefinition"
    " WHERE EntityDefinitionId = 'Opportunity' AND IsFieldHistoryTracked = true"
)
_OLDEST = "CreatedDate"
_ZONE = "SELECT TimeZoneSidKey FROM Organization LIMIT 1"
_STATUSES = "SELECT ApiName FROM TaskStatus WHERE IsClosed = {} ORDER BY SortOrder"


class Setup:
    """Reads what an org looks like, and remembers it in the connection's memory. Thread-safe.

    What is an hour old is read anew; so is everything after `forget`, which `describe` and an unknown column call for.
    """

    def __init__(self, org: Org, clock: Clock, memory: MutableMapping[str, str]) -> None:
        self._org = org
        self._clock = clock
        self._memory = memory
        self._lock = threading.Lock()  # never held while the org is asked, so that it can be asked several things
        self._turns: dict[str, threading.Lock] = {}
        self._seen: dict[str, Any] = {}
        self._oldest: datetime | None = None  # when the first of these was read
        self._forgotten = 0  # times; what was asked before the last of them is not kept

    def forget(self) -> None:
        """Read everything anew when it is next asked for."""
        with self._lock:
            self._drop()
            self._forgotten += 1
            for key in [key for key in self._memory if key.startswith(PREFIX)]:
                self._memory.pop(key, None)

    def forget_old(self) -> None:
        """Forget what was not read a moment ago. Whoever lacks something may look again."""
        with self._lock:
            is_old = self._oldest is not None and self._clock.now() - self._oldest > A_MOMENT
        if is_old:
            self.forget()

    def table(self, name: str) -> Table:
        """Describe an object; raises RefusedError when the org has none of that name."""
        found = self.table_if_there(name)
        if found is None:
            raise RefusedError(f"The org has no object {name}, or the user may not see it")
        return found

    def table_if_there(self, name: str) -> Table | None:
        """Describe an object; None where the org has none of that name, or the user may not see it."""
        return self._once(f"describe {name}", partial(self._describe, name), _table)

    def stages(self) -> Mapping[str, OrgStage]:
        """Give all stages of the org by their API name, in their order, inactive ones too."""
        return self._once("stages", lambda: [_plain(row) for row in self._org.query(_STAGES)], _stages)

    def task_status(self, *, done: bool) -> str:
        """Give the first status of tasks that are done, or are not; orgs may have renamed theirs."""
        query = _STATUSES.format("true" if done else "false")
        names = self._once(f"tasks {done}", lambda: [str(row["ApiName"]) for row in self._org.query(query)], list)
        if not names:
            raise RefusedError(f"The org has no task status that counts as {'closed' if done else 'open'}")
        return str(names[0])

    def zone(self) -> tzinfo:
        """Give the org's own time zone, in which the days of tasks are meant; UTC where the user may not see it."""
        return self._once("zone", lambda: [_plain(row) for row in _ask_if_there(self._org, _ZONE)], zone_of)

    def tracks_stages(self) -> bool:
        """Tell whether the org keeps a field history of stages, which is a choice of its people."""
        return self._once("tracked", lambda: [_plain(row) for row in _ask_if_there(self._org, _TRACKED)], bool)

    def tracked_since(self, names: Sequence[str]) -> datetime | None:
        """Give since when a deal's field is known to be tracked: the time of the oldest row that the org has of it.

        None where it has none. Since when people chose to track it, an integration can't ask.
        """
        asked = ",".join(map(text, names))
        query = select(["CreatedDate"], "OpportunityFieldHistory", where=f"Field IN ({asked})", order=_OLDEST, limit=1)
        rows = self._once(
            f"tracked {names[0]}", lambda: [str(row["CreatedDate"]) for row in _ask_if_there(self._org, query)], list
        )
        return read_moment(rows[0]) if rows else None

    def tracked(self) -> frozenset[str] | None:
        """Give the names of the deal fields that the org tracks now; None where the user may not see that.

        Rows stay when people stop to track a field, and then no row is no sign that nothing changed.
        """
        return self._once("tracks", partial(_ask_tracked, self._org), _tracked)

    def pipelines(self) -> tuple[Pipeline, ...]:
        """Give one pipeline per record type, and the default one for deals without."""
        active = [stage for stage in self.stages().values() if stage.active]
        table = self.table("Opportunity")
        found = [_pipeline(self._org, kind, active) for kind in table.record_types]
        if table.master_available or not found:
            everything = tuple(stage.native() for stage in active)
            found.insert(0, Pipeline(id=DEFAULT_PIPELINE, label="Opportunity", stages=everything))
        return tuple(found)

    def _once(self, key: str, read: Callable[[], Any], parse: Callable[[Any], T]) -> T:
        """Give what is known under a key, or read it; whoever asks for the same meanwhile waits for that."""
        with self._lock:
            turn = self._turns.setdefault(key, threading.Lock())
        with turn:
            with self._lock:
                # A process that runs for long lets go of what it has read an hour ago.
                if self._oldest is not None and not timedelta(0) <= self._clock.now() - self._oldest <= KEPT_FOR:
                    self._drop()
                if key in self._seen:
                    known: T = self._seen[key]
                    return known
                now, forgotten = self._clock.now(), self._forgotten
                at, kept = _remembered(self._memory, key, now)
            if kept is None:
                data, found = _parsed(f"{self._org.connection}: what the org answers to {key!r}", read, parse)
            else:
                data, found = kept, parse(kept)
            with self._lock:
                if forgotten == self._forgotten:
                    self._seen[key] = found
                    self._oldest = min(at, self._oldest or at)
                    if kept is None:
                        self._memory[PREFIX + key] = dump_json({"at": iso(now), "data": data}).decode()
            return found

    def _drop(self) -> None:
        self._seen.clear()
        self._oldest = None

    def _describe(self, name: str) -> dict[str, Any]:
        try:
            return _shortened(self._org.get(f"sobjects/{name}/describe"))
        except UnknownColumnError:  # the object is not there
            return {}


def _pipeline(org: Org, kind: RecordType, active: Sequence[OrgStage]) -> Pipeline:
    values = stage_values(org.get(f"sobjects/Opportunity/describe/layouts/{kind.id}"))
    stages = tuple(stage.native() for stage in active if not values or stage.id in values)
    return Pipeline(id=kind.id, label=kind.name, stages=stages)


def _parsed(what: str, read: Callable[[], Any], parse: Callable[[Any], T]) -> tuple[Any, T]:
    """Ask the org, and read what it says; raises RetryLaterError where that has not the shape that it should."""
    try:
        data = read()
        return data, parse(data)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        said = tidy(f"{what} can't be read ({type(error).__name__}: {error})", 300)
        raise RetryLaterError(said, advice=UNREADABLE) from error


def _remembered(memory: Mapping[str, str], key: str, now: datetime) -> tuple[datetime, Any]:
    try:
        found = load_json(memory[PREFIX + key])
        at = parse_iso(found["at"])
        return (at, found["data"]) if now - KEPT_FOR <= at <= now else (now, None)
    except (KeyError, ValueError, TypeError):
        return now, None


def _ask_if_there(org: Org, statement: str) -> Sequence[Mapping[str, Any]]:
    try:
        return org.query(statement)
    except RefusedError:  # no such object, or none that the user may see
        return ()


def _table(data: Mapping[str, Any]) -> Table | None:
    return Table.parse(data) if data else None


def _ask_tracked(org: Org) -> dict[str, list[str] | None]:
    try:
        return {"names": [str(row["QualifiedApiName"]) for row in org.query(_TRACKED_NOW)]}
    except RefusedError:
        return {"names": None}


def _tracked(data: Mapping[str, Any]) -> frozenset[str] | None:
    return None if data["names"] is None else frozenset(data["names"])


def _stages(rows: Sequence[Mapping[str, Any]]) -> Mapping[str, OrgStage]:
    return {stage.id: stage for stage in map(stage_of, rows)}


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "attributes"}


def _shortened(data: Mapping[str, Any]) -> dict[str, Any]:
    """Keep of a describe answer what is used of it: the whole one of a big object has megabytes."""
    fields = [
        {
            **{part: item[part] for part in _FIELD_PARTS if part in item},
            "picklistValues": [
                {part: option[part] for part in ("value", "label", "active") if part in option}
                for option in item.get("picklistValues") or ()
            ],
        }
        for item in data["fields"]
    ]
    parts = ("recordTypeId", "name", "available", "active", "master")
    kinds = [{part: info[part] for part in parts if part in info} for info in data.get("recordTypeInfos") or ()]
    urls = {"uiDetailTemplate": (data.get("urls") or {}).get("uiDetailTemplate")}
    return {"name": data["name"], "fields": fields, "recordTypeInfos": kinds, "urls": urls}
