"""The state store on SQLAlchemy: SQLite and PostgreSQL, and all that is asked of a state."""
