"""What happens to the sandbox's account when somebody edits it, in the app or through the API."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from crmbridge.ports import Clock
from crmbridge.sandbox import Faults
from crmbridge_pipedrive.sandbox.replies import Limits, Row, invalid, missing
from crmbridge_pipedrive.sandbox.schema import check_custom
from crmbridge_pipedrive.sandbox.signing import Sessions
from crmbridge_pipedrive.sandbox.tables import (
    Table,
    Tables,
    empty_activity,
    empty_company,
    empty_deal,
    empty_person,
    log_change,
    next_id,
    row_of,
    stamp,
    v1_stamp,
)

CLOSING = ("won_time", "lost_time", "close_time", "local_won_date", "local_lost_date", "local_close_date")
UNLOGGED = frozenset({*CLOSING, "stage_change_time", "update_time", "first_won_time", "custom_fields"})
SINGLY = frozenset({"pipeline_id", "stage_id", "custom_fields", "status", "is_deleted", "is_archived"})
_EMPTY: Mapping[str, Callable[..., Row]] = {
    "organizations": empty_company,
    "persons": empty_person,
    "activities": empty_activity,
}


class PipedriveState:
    """A Pipedrive account, with what happens to its deals and notes whoever changes them."""

    def __init__(self, clock: Clock, tables: Tables, me: int, limits: Limits, sessions: Sessions) -> None:
        self.clock = clock
        self.limits = limits
        self.sessions = sessions
        self.tables = tables
        self.contact_sync = True  # without it persons have no job title
        self.files_forbidden = False
        self.me = me  # the user whose token the sandbox takes
        self.faults = Faults({}, 0)  # the kit's own, once the sandbox is assembled

    def delete_deal(self, native_id: str) -> None:
        """Delete a deal; it stays in the list of deleted ones."""
        deal = row_of(self.tables.deals, int(native_id), "Deal")
        log_change(self.tables, deal["id"], "status", (deal["status"], "deleted"), at=self.now(), by=deal["owner_id"])
        deal.update(is_deleted=True, status="deleted", update_time=self.now())

    def merge_deals(self, *, winner: str, loser: str) -> None:
        """Merge one deal into another; nothing left tells which it was merged into."""
        kept = row_of(self.tables.deals, int(winner), "Deal")
        self.delete_deal(loser)
        kept["update_time"] = self.now()

    def create_note(self, given: Row, *, by: int) -> Row:
        """Make a note."""
        number, now = next_id(self.tables.notes), v1_stamp(self.now())
        links = dict.fromkeys(("deal_id", "org_id", "person_id", "lead_id", "project_id"))
        about: Row = {"id": number, "active_flag": True, "user_id": by, "last_update_user_id": by}
        about |= {"add_time": now, "update_time": now}
        self.tables.notes[number] = {**about, **links, **given}
        return self.tables.notes[number]

    def now(self) -> str:
        """Give the clock's time as v2 writes it."""
        return stamp(self.clock.now())

    def make_deal(self, body: Row, *, by: int) -> Row:
        """Make a deal; it stands in the first stage of the first pipeline unless it says otherwise."""
        deal = empty_deal(next_id(self.tables.deals), self.tables.fields, at=self.now(), owner=by)
        deal["pipeline_id"], deal["stage_id"] = self._place(body, None)
        self._put(deal, body)
        self.tables.deals[deal["id"]] = deal
        log_change(self.tables, deal["id"], "add_time", (None, v1_stamp(deal["add_time"])), at=self.now(), by=by)
        self._main_contact(deal)
        return deal

    def make_row(self, name: str, given: Row, *, by: int) -> Row:
        """Make an organization, a person or an activity of checked values."""
        table: Table = getattr(self.tables, name)
        number, now = next_id(table), self.now()
        row = {**_EMPTY[name](number, owner=by, at=now), **given, "update_time": now}
        if name == "persons":
            first, _, last = str(row["name"] or "").partition(" ")
            row.update(first_name=first, last_name=last or None)
        table[number] = row
        return row

    def add_participant(self, number: int, person: int) -> None:
        """Add a participant to a deal; that this counts as an edit of the deal is our guess."""
        people = self.tables.participants.setdefault(number, [])
        if person not in people:
            people.append(person)
            self.tables.deals[number]["update_time"] = self.now()

    def drop_participant(self, number: int, person: int) -> None:
        """Take a participant off a deal."""
        self.tables.participants[number].remove(person)
        self.tables.deals[number]["update_time"] = self.now()

    def change_deal(self, number: int, changes: Row, *, by: int, source: str = "app") -> Row:
        """Change a deal and write its history; nothing at all happens when a part of it is refused."""
        deal = row_of(self.tables.deals, number, "Deal")
        if deal["is_archived"]:
            raise invalid("id: Archived deals can't be edited")
        after = {**deal}
        if number in self.tables.products and "value" in changes:
            # That it is left out without a word, and counts as an edit, is our guess.
            changes = {name: value for name, value in changes.items() if name != "value"}
            after["update_time"] = self.now()
        if "stage_id" in changes or "pipeline_id" in changes:
            after["pipeline_id"], after["stage_id"] = self._place(changes, deal)
        self._put(after, changes)
        if after["stage_id"] != deal["stage_id"]:
            after["stage_change_time"] = self.now()
        if after != deal:
            self._log_differences(deal, after, by, source)
            deal.update(after, update_time=self.now())
        self._main_contact(deal)
        return deal

    def _place(self, body: Row, deal: Row | None) -> tuple[int, int]:
        """Say where a deal goes; the stage must be one of the pipeline's."""
        stage = self.tables.stages.get(body["stage_id"]) if "stage_id" in body else None
        if "stage_id" in body and stage is None:
            raise invalid("stage_id: Stage not found")
        first = min(self.tables.pipelines.values(), key=lambda row: int(row["order_nr"]))
        usual = deal["pipeline_id"] if deal else stage["pipeline_id"] if stage else first["id"]
        pipeline = body.get("pipeline_id", usual)
        if pipeline not in self.tables.pipelines:
            raise invalid("pipeline_id: Pipeline not found")
        if stage is None:
            stages = [row for row in self.tables.stages.values() if row["pipeline_id"] == pipeline]
            stage = min(stages, key=lambda row: int(row["order_nr"]))
        if stage["pipeline_id"] != pipeline:
            raise invalid("stage_id: Stage does not belong to the pipeline of the deal")
        return pipeline, stage["id"]

    def _put(self, deal: Row, changes: Row) -> None:
        """Put checked values into a deal."""
        for name, table in (
            ("owner_id", self.tables.users),
            ("person_id", self.tables.persons),
            ("org_id", self.tables.organizations),
        ):
            number = changes.get(name)
            if number is not None and (number not in table or table[number].get("is_deleted")):
                raise invalid(f"{name}: Not found")
        custom = changes.get("custom_fields") or {}
        check_custom(custom, self.tables.fields)
        self._close(deal, str(changes.get("status", deal["status"])), changes)
        for name, value in changes.items():
            if name not in SINGLY:
                deal[name] = 0 if name == "value" and value is None else value
        deal["custom_fields"] = {**deal["custom_fields"], **custom}
        if changes.get("is_archived") is True:
            deal.update(is_archived=True, archive_time=self.now())
        if changes.get("is_deleted") is True:
            raise invalid("is_deleted: Use DELETE")

    def _close(self, deal: Row, status: str, changes: Row) -> None:
        """Set what belongs to being won, lost or open; the reason for losing is only taken on lost deals.

        That null is not taken for it either is our guess: it is no error on a lost deal ("Update a deal").
        """
        if "lost_reason" in changes and status != "lost":
            raise invalid("lost_reason: Allowed only when the status is lost")
        for name, needed in (("won_time", {"won"}), ("lost_time", {"lost"}), ("close_time", {"won", "lost"})):
            if changes.get(name) and status not in needed:
                raise invalid(f"{name}: Not allowed when the status is {status}")
        if status == deal["status"]:
            return
        deal.update(dict.fromkeys(CLOSING), status=status)
        if status == "open":
            deal["lost_reason"] = None
        else:
            deal.update(closing(status, self.now()))
        if status == "won" and not deal["first_won_time"]:
            deal["first_won_time"] = self.now()

    def _main_contact(self, deal: Row) -> None:
        people = self.tables.participants.setdefault(deal["id"], [])
        if deal["person_id"] is not None and deal["person_id"] not in people:
            people.append(deal["person_id"])

    def _log_differences(self, before: Row, after: Row, by: int, source: str) -> None:
        old, new = before["custom_fields"], after["custom_fields"]
        pairs = {name: (before[name], after[name]) for name in after if name not in UNLOGGED}
        pairs |= {code: (old.get(code), new[code]) for code in new}
        for name, (was, is_now) in sorted(pairs.items()):
            if was != is_now:
                log_change(self.tables, before["id"], name, (was, is_now), at=self.now(), by=by, source=source)


def closing(status: str, at: str) -> Row:
    """Give the fields that being won or lost sets."""
    times = {f"{status}_time": at, "close_time": at}
    return {**times, f"local_{status}_date": at[:10], "local_close_date": at[:10]}


def require(table: dict[int, Row], number: Any, what: str) -> None:
    """Refuse a reference to something that is not there."""
    if number is not None and (number not in table or table[number].get("is_deleted")):
        raise missing(what)
