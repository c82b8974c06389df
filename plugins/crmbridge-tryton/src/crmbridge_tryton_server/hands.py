"""What a person does in Tryton, through a client of their own."""

from __future__ import annotations

import contextlib
import sqlite3

from crmbridge_tryton_server.client import Client
from crmbridge_tryton_server.running import TrytonServer

DEAL = "sale.opportunity"
TIMES = ("create_date", "write_date")


class TrytonHands:
    """The hands that the AdapterSuite asks for, on a real server: everything happens at the server's own time."""

    def __init__(self, server: TrytonServer) -> None:
        self._server = server
        self.client: Client = server.client()

    def deal_ids(self) -> list[str]:
        """Give the ids of all deals."""
        return [str(deal) for deal in self.client(DEAL, "search", [], 0, None, [["id", "ASC"]])]

    def edit_deal(self, native_id: str, /, **native_fields: object) -> None:
        """Change fields of a deal."""
        self.client(DEAL, "write", [int(native_id)], native_fields)

    def move_deal(self, native_id: str, button: str) -> None:
        """Click a button of a deal: lead, opportunity, convert, lost or cancel."""
        self.client(DEAL, button, [int(native_id)])

    def delete_deal(self, native_id: str) -> None:
        """Delete a deal, which Tryton takes of cancelled ones only; a lost one is opened again first."""
        deal = int(native_id)
        (row,) = self.client(DEAL, "read", [deal], ["state"])
        for button in {"lost": ["lead", "cancel"], "cancelled": []}.get(row["state"], ["cancel"]):
            self.client(DEAL, button, [deal])
        self.client(DEAL, "delete", [deal])

    def set_company(self, deal_id: str, company_id: str | None) -> None:
        """Give a deal another party, or none, which a lead may have."""
        self.client(DEAL, "write", [int(deal_id)], {"party": int(company_id) if company_id else None})

    def add_contact(self, deal_id: str, contact_id: str) -> None:
        """Give a deal a contact, the only one that it can have."""
        self.client(DEAL, "write", [int(deal_id)], {"contact": int(contact_id)})

    def remove_contact(self, deal_id: str, contact_id: str) -> None:
        """Take the contact off a deal, if it is this one."""
        (row,) = self.client(DEAL, "read", [int(deal_id)], ["contact"])
        if row["contact"] == int(contact_id):
            self.client(DEAL, "write", [int(deal_id)], {"contact": None})

    def add_note(self, deal_id: str, body: str) -> str:
        """Write a note on a deal."""
        (note,) = self.client("ir.note", "create", [{"resource": f"{DEAL},{deal_id}", "message": body}])
        return str(note)

    def delete_note(self, native_id: str) -> None:
        """Delete a note."""
        self.client("ir.note", "delete", [int(native_id)])

    def let_days_pass(self, native_id: str, days: int) -> None:
        """Let everything that happened to a deal have happened so many days earlier."""
        self._shift(native_id, f"-{days} days")

    def let_seconds_pass(self, native_id: str, seconds: int) -> None:
        """Let it have happened so many seconds earlier."""
        self._shift(native_id, f"-{seconds} seconds")

    def _shift(self, native_id: str, by: str) -> None:
        with contextlib.closing(sqlite3.connect(self._server.file, timeout=30)) as tables, tables:
            for table in ("sale_opportunity", "sale_opportunity__history"):
                times = ", ".join(f"{name} = strftime('%Y-%m-%d %H:%M:%f', {name}, ?) || '001'" for name in TIMES)
                tables.execute(f"UPDATE {table} SET {times} WHERE id = ?", (by, by, int(native_id)))  # noqa: S608  ours

    def expire_session(self) -> None:
        """Let every session that was given out have expired."""
        with contextlib.closing(sqlite3.connect(self._server.file, timeout=30)) as tables, tables:
            tables.execute("DELETE FROM ir_session")
