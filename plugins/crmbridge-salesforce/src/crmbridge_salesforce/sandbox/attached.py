"""Files in the sandbox's org: what its people attach to deals. Nobody puts anything in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from crmbridge_salesforce.sandbox.tables import Tables

FILES = ("Attachment", "ContentDocument", "ContentDocumentLink")


class FileHands:
    """What people do with files on deals."""

    if TYPE_CHECKING:  # what the state has
        tables: Tables

        def insert(self, table: str, sent: Mapping[str, Any], *, by: str = "") -> str:
            """Create a row."""

        def delete(self, table: str, row_id: str, *, by: str = "") -> None:
            """Put a row into the recycle bin."""

    def add_file(self, deal_id: str, name: str, *, size: int) -> str:
        """Attach a file to a deal as its owner: a document, and the tie between both, whose id it gives."""
        owner, now = self.tables.present("Opportunity", deal_id)["OwnerId"], self.tables.now()
        title, _, ending = name.rpartition(".")
        told: dict[str, Any] = {
            "Title": title or name,
            "FileExtension": ending if title else None,
            "FileType": ending.upper(),
        }
        told |= {"ContentSize": size, "OwnerId": owner}
        document = self.tables.plant("ContentDocument", told, created=now, changed=now, by=owner)
        return self.tie_file(document, deal_id, by=owner)

    def tie_file(self, document: str, deal_id: str, *, by: str = "") -> str:
        """Tie a document that is there to a deal, and give the id of the tie."""
        tie = {"ContentDocumentId": document, "LinkedEntityId": deal_id, "ShareType": "V"}
        return self.insert("ContentDocumentLink", tie, by=by)

    def add_attachment(self, deal_id: str, name: str, *, size: int) -> str:
        """Attach a file in the way of before Salesforce Files, and give its id."""
        owner, now = self.tables.present("Opportunity", deal_id)["OwnerId"], self.tables.now()
        told = {"Name": name, "BodyLength": size, "ParentId": deal_id, "OwnerId": owner}
        return self.tables.plant("Attachment", told, created=now, changed=now, by=owner)

    def delete_file(self, native_id: str) -> None:
        """Delete the document of a tie, or an attachment."""
        if native_id.startswith("00P"):
            self.delete("Attachment", native_id)
        else:
            self.delete("ContentDocument", self.tables.present("ContentDocumentLink", native_id)["ContentDocumentId"])

    def forbid_files(self) -> None:
        """Hide all objects of files from the user."""
        self.hide(FILES)

    def hide(self, names: Iterable[str]) -> None:
        """Hide some objects from the user; their rows stay."""
        for name in names:
            self.tables.visible.pop(name.lower(), None)
