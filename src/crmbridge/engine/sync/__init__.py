"""Sync: which records are the same, what each side changed, and what to do about it, as one plan."""
