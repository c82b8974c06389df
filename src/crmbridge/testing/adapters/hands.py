"""What the AdapterSuite asks of a sandbox's `state`: to do at the clock's time what a person would do in the CRM.

Every sandbox has the `HumanHands`. The others are needed only where an adapter declares what they prove, and a
declaration whose hand is missing fails. Ids are the native ones, as a `Ref` holds them.
"""

from __future__ import annotations

from datetime import datetime
from typing import Protocol, runtime_checkable


class HumanHands(Protocol):
    """What a person does to deals.

    `native_fields` are the CRM's own names with values as the CRM takes them; the suite only edits text fields.
    """

    def deal_ids(self) -> list[str]:
        """Give the native ids of all deals that are there."""
        ...

    def edit_deal(self, native_id: str, /, **native_fields: object) -> None:
        """Change fields of a deal."""
        ...

    def delete_deal(self, native_id: str) -> None:
        """Delete a deal."""
        ...


@runtime_checkable
class DealMergingHands(Protocol):
    """For `merges`, where the CRM merges deals."""

    def merge_deals(self, *, winner: str, loser: str) -> None:
        """Merge one deal into another, which stays."""
        ...


@runtime_checkable
class CompanyMergingHands(Protocol):
    """For `merges`, where the CRM merges companies and no deals."""

    def merge_companies(self, *, winner: str, loser: str) -> None:
        """Merge one company into another, which stays."""
        ...


@runtime_checkable
class RestoringHands(Protocol):
    """For the action `archive`."""

    def restore_deal(self, native_id: str) -> None:
        """Take back a deal that was archived, as the CRM's own screens would."""
        ...


@runtime_checkable
class AssociatingHands(Protocol):
    """For `associates`: what a person does to what hangs on a deal."""

    def set_company(self, deal_id: str, company_id: str | None) -> None:
        """Give a deal another company instead of the one it has, or none."""
        ...

    def add_contact(self, deal_id: str, contact_id: str) -> None:
        """Put a contact on a deal, beside those that are there."""
        ...

    def remove_contact(self, deal_id: str, contact_id: str) -> None:
        """Take a contact off a deal; the others stay."""
        ...


@runtime_checkable
class ActivityHands(Protocol):
    """For the kind `activity`; the sandbox is filled with the world's activities as well."""

    def add_activity(self, deal_id: str, *, type: str, subject: str, at: datetime, done: bool) -> str:  # noqa: A002  the standard field's name
        """Note a call, meeting, email or task on a deal, for the deal's owner, and give its id."""
        ...

    def delete_activity(self, native_id: str) -> None:
        """Delete an activity."""
        ...


@runtime_checkable
class NoteHands(Protocol):
    """For the kind `note`."""

    def add_note(self, deal_id: str, body: str) -> str:
        """Write a note of plain text on a deal, kept as the CRM's app would keep it, and give its id."""
        ...

    def delete_note(self, native_id: str) -> None:
        """Delete a note."""
        ...


@runtime_checkable
class TrackingHands(Protocol):
    """For `field_history`, where it is an account's choice which fields have one."""

    def track_fields(self, *names: str) -> None:
        """Let a history be kept of these fields of deals from now on; they are the CRM's own names."""
        ...


@runtime_checkable
class SessionHands(Protocol):
    """For adapters that sign in and get sessions which end."""

    def expire_session(self) -> None:
        """Let every session that was given out have expired; signing in anew works at once."""
        ...


@runtime_checkable
class FileHands(Protocol):
    """For the kind `file`."""

    def add_file(self, deal_id: str, name: str, *, size: int) -> str:
        """Attach a file of so many bytes to a deal as its owner would in the CRM's app, and give its id."""
        ...

    def delete_file(self, native_id: str) -> None:
        """Take a file off its deal, or delete it; others on the deal stay."""
        ...

    def forbid_files(self) -> None:
        """Take the right to read files from the credential, and leave it all others."""
        ...
