"""Which records are the same thing: found, gathered with what is known around them, and turned into each CRM's ids."""
