"""Files in the sandbox's account: what people attach to deals, and what the Files API tells of it."""

from __future__ import annotations

from typing import Any

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from crmbridge_hubspot.sandbox.call import DATED, Call, endpoint
from crmbridge_hubspot.sandbox.objects import HubSpotState, not_found
from crmbridge_hubspot.sandbox.people import HubSpotAccount
from crmbridge_hubspot.sandbox.replies import VendorError, stamp

FILES, HIDDEN = "files", "files.ui_hidden.read"


class FilingAccount(HubSpotAccount):
    """An account whose people attach files to deals: each makes a note that holds it."""

    def add_file(self, deal_id: str, name: str, *, size: int) -> str:
        """Attach a file to a deal, as its owner, and give the ids of its note and its own."""
        deal, file_id = self.get("deals", deal_id), self.upload(name, size=size)
        owner = deal.properties.get("hubspot_owner_id", "")
        values = {"hs_attachment_ids": file_id, "hs_timestamp": stamp(self.now()), "hubspot_owner_id": owner}
        return f"note-{self._noted('notes', values, deal).id}-{file_id}"

    def upload(self, name: str, *, size: int) -> str:
        """Put a file where those that hang on records are: hidden from the files tool."""
        stem, _, ending = name.rpartition(".")
        file_id, now = str(174_000_000_001 + len(self.files)), stamp(self.now())
        about: dict[str, Any] = {"id": file_id, "name": stem or name, "extension": ending.lower() if stem else ""}
        about |= {"size": size, "type": "DOCUMENT", "access": "HIDDEN_PRIVATE", "archived": False}
        self.files[file_id] = {**about, "createdAt": now, "updatedAt": now}
        return file_id

    def detach_file(self, native_id: str) -> None:
        """Take a file off its note, which stays."""
        _, note_id, file_id = native_id.split("-")
        note = self.get("notes", note_id)
        left = [each for each in note.properties["hs_attachment_ids"].split(";") if each != file_id]
        self.update(note, {"hs_attachment_ids": ";".join(left)})

    def delete_file(self, native_id: str) -> None:
        """Delete the note that holds a file."""
        self.archive(self.get("notes", native_id.split("-")[1]))

    def forbid_files(self) -> None:
        """Take the scopes of files from the credential."""
        self.oauth.scopes -= {FILES, HIDDEN}


def file_routes(state: HubSpotState) -> list[Route]:
    """Serve what is told of a file under each version; never what stands in it."""
    return [
        Route(f"/files/{version}/files/{{file}}", endpoint(state, _file), methods=["GET"]) for version in ("v3", *DATED)
    ]


def _file(call: Call) -> Response:
    found = call.state.files.get(call.request.path_params["file"])
    if found is None:
        raise not_found(call.request.path_params["file"])
    if HIDDEN not in call.state.oauth.scopes:
        message = "This app hasn't been granted all required scopes to make this call."
        raise VendorError(403, "MISSING_SCOPES", message, context={"requiredGranularScopes": [HIDDEN]})
    return JSONResponse(found)
