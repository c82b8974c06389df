"""TinyCRM for crmbridge: the adapter of the guide, for a CRM that does not exist."""
