"""What people do in HubSpot's screens with deals, and with the companies and contacts that hang on them."""

from __future__ import annotations

from crmbridge_hubspot.sandbox.account import PRIMARY_TYPES
from crmbridge_hubspot.sandbox.merging import merge
from crmbridge_hubspot.sandbox.objects import HubSpotState, not_found
from crmbridge_hubspot.sandbox.records import Source

PRIMARY_COMPANY = 5  # the association type of a deal with it


class DealScreens(HubSpotState):
    """An account whose deals people work on."""

    def deal_ids(self) -> list[str]:
        """Give the ids of all deals that are there."""
        return [deal.id for deal in self.tables["deals"].values() if deal.archived_at is None]

    def edit_deal(self, native_id: str, /, **native_fields: object) -> None:
        """Change properties of a deal."""
        self.update(self.get("deals", native_id), native_fields, self._person())

    def delete_deal(self, native_id: str) -> None:
        """Delete a deal: it goes to the recycle bin."""
        self.archive(self.get("deals", native_id))

    def restore_deal(self, native_id: str) -> None:
        """Take a deal out of the recycle bin. Its modification time stays: nobody says that this changes it."""
        deal = self.tables["deals"].get(native_id)
        if deal is None or deal.archived_at is None or not self.keeps(deal):
            raise not_found(native_id)
        deal.archived_at = None

    def create_deal(self, **native_fields: object) -> str:
        """Make a deal and give its id."""
        return self.create("deals", native_fields, self._person()).id

    def create_company(self, **native_fields: object) -> str:
        """Make a company and give its id."""
        return self.create("companies", native_fields, self._person()).id

    def create_contact(self, **native_fields: object) -> str:
        """Make a contact and give its id."""
        return self.create("contacts", native_fields, self._person()).id

    def set_company(self, deal_id: str, company_id: str | None) -> None:
        """Give a deal another primary company instead of the one it has, or none."""
        deal = self.get("deals", deal_id)
        company = self.get("companies", company_id) if company_id is not None else None
        for known, types in self.links.of("deals", deal_id, "companies"):
            if types & PRIMARY_TYPES or company is None:
                self.links.unlink(deal, known)
        if company is not None:
            self.links.link(deal, company, [PRIMARY_COMPANY])
        self.touch(deal)

    def add_contact(self, deal_id: str, contact_id: str) -> None:
        """Associate a deal with a contact."""
        deal = self.get("deals", deal_id)
        self.links.link(deal, self.get("contacts", contact_id))
        self.touch(deal)

    def remove_contact(self, deal_id: str, contact_id: str) -> None:
        """Take a contact off a deal."""
        deal = self.get("deals", deal_id)
        self.links.unlink(deal, self.get("contacts", contact_id))
        self.touch(deal)

    def merge_deals(self, winner: str, loser: str) -> None:
        """Merge one deal into another."""
        merge(self, "deals", winner, loser)

    def _person(self) -> Source:
        return Source("CRM_UI", str(next(iter(self.owners.values())).user_id))
