"""State stores: SQLAlchemy for real use, memory for tests; both pass the same suite."""
