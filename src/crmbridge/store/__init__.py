"""State stores: SQLAlchemy for real use, memory for tests; all pass the same suite."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crmbridge.ports import StateStore


def open_store(url: str) -> StateStore:
    """Open the state at a URL such as `sqlite:///.crmbridge/state.db`, making it or bringing it up to date first.

    Raises ConfigurationError for a URL that can't be used, and StateError for a state that is damaged, written by a
    newer crmbridge, or can't be written. Close it when done.
    """
    from crmbridge.store.quiet.store import QuietStore  # noqa: PLC0415  SQLite, which many commands do without

    quiet = QuietStore.open(url)
    if quiet is not None:
        return quiet
    from crmbridge.store.sql.store import SqlStore  # noqa: PLC0415  SQLAlchemy takes a third of a second to import

    return SqlStore.open(url)
