"""The state store on SQLAlchemy: SQLite and PostgreSQL, and all that is asked of a state."""

from crmbridge.store.sql.store import SqlStore

__all__ = ["SqlStore"]
