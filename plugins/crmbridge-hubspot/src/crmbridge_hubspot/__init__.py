"""HubSpot for crmbridge: an adapter and a sandbox."""
