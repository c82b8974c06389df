"""Files in the sandbox's account: what the API tells of them, and what people do with them."""

from __future__ import annotations

from typing import Any

from starlette.requests import Request

from crmbridge_pipedrive.sandbox.people import PeopledState
from crmbridge_pipedrive.sandbox.replies import RefusalError, Row, missing
from crmbridge_pipedrive.sandbox.routing import Router, number_in
from crmbridge_pipedrive.sandbox.state import PipedriveState
from crmbridge_pipedrive.sandbox.tables import Table, next_id, row_of, v1_stamp
from crmbridge_pipedrive.sandbox.v1 import ROOTS, paged

SORTS = ("id", "update_time")
MOST = 100


class FilingState(PeopledState):
    """A Pipedrive account whose people attach files to deals."""

    def add_file(self, deal_id: str, name: str, *, size: int) -> str:
        """Attach a file to a deal as its owner would, and give its id."""
        deal, number = row_of(self.tables.deals, int(deal_id), "Deal"), next_id(self.tables.files)
        now, ending = v1_stamp(self.now()), name.rpartition(".")[2].lower()
        about: Row = {"id": number, "user_id": deal["owner_id"], "deal_id": deal["id"], "deal_name": deal["title"]}
        about |= dict.fromkeys(("person_id", "product_id", "activity_id", "lead_id", "remote_id", "cid"))
        named: Row = {"name": name, "file_name": f"{number}_{name}", "file_type": ending, "file_size": size}
        flags: Row = {"active_flag": True, "inline_flag": False, "remote_location": "s3", "description": ""}
        self.tables.files[number] = {**about, **named, **flags, "add_time": now, "update_time": now}
        return str(number)

    def delete_file(self, native_id: str) -> None:
        """Delete a file; it is in no list any more."""
        self.tables.files[int(native_id)].update(active_flag=False, update_time=v1_stamp(self.now()))

    def forbid_files(self) -> None:
        """Take the right to see files from the user, and leave all others."""
        self.files_forbidden = True


def add_routes(router: Router) -> None:
    """Serve what is told of files under both roots of v1; never what stands in them."""
    for root in ROOTS:
        router.add("GET", f"{root}/files", 20, _files)
        router.add("GET", f"{root}/files/{{id}}", 2, _file)


def _files(state: PipedriveState, request: Request, _body: Any) -> Row:
    rows = [row for row in _table(state).values() if row["active_flag"]]
    by, _, direction = request.query_params.get("sort", "id").partition(" ")
    if by not in SORTS:
        raise RefusalError(400, "sort is not valid")
    order = sorted(rows, key=lambda row: (row[by], int(row["id"])), reverse=direction.lower() == "desc")
    return paged(order, request, most=MOST)


def _file(state: PipedriveState, request: Request, _body: Any) -> Row:
    row = row_of(_table(state), number_in(request), "File")
    if not row["active_flag"]:
        raise missing("File")
    return {"success": True, "data": row}


def _table(state: PipedriveState) -> Table:
    if state.files_forbidden:
        raise RefusalError(403, "Scope and URL mismatch")
    return state.tables.files
