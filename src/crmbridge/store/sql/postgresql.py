"""Everything that only PostgreSQL needs: connecting, one moment for a reader, reading its errors."""

from __future__ import annotations

from sqlalchemy import URL, Connection, Engine, create_engine, make_url, text
from sqlalchemy.exc import ArgumentError

from crmbridge.errors import ConfigurationError, CrmbridgeError, StateError

UPGRADING = 0x63726D62  # the advisory lock of whoever brings the schema up to date
_FULL = ("53",)  # insufficient resources
_DENIED = ("28", "42501", "3D", "25006")  # who signs in, who may write, which database, read-only
_GONE = ("08", "57P")  # the connection, a server that shuts down


def parts_of(url: str) -> tuple[URL, str]:
    """Give the parts of a store's URL, and how messages show it: what follows a question mark may be a password, too.

    Raises ArgumentError for one that can't be read, without a word of it: a password with an @ is cut in two there,
    and its second part would be taken for a host or a port, and shown as such.
    """
    try:
        parts = make_url(url)
    except ValueError:  # of the port
        raise ArgumentError(_UNREADABLE) from None
    if "@" in f"{parts.host}{parts.database}" and parts.get_backend_name() != "sqlite":
        raise ArgumentError(_UNREADABLE)
    return parts, parts.set(query={}).render_as_string()


_UNREADABLE = "its URL can't be read. In a password, @ is written %40, and % is written %25"


def engine(url: URL) -> Engine:
    """Make an engine; psycopg speaks to the server unless the URL names another driver."""
    if url.drivername in {"postgresql", "postgres"}:
        url = url.set(drivername="postgresql+psycopg")
    return create_engine(url, hide_parameters=True, pool_pre_ping=True, max_overflow=-1)


def reading(opened: Engine) -> Engine:
    """Let each transaction see one moment, as SQLite's do."""
    return opened.execution_options(isolation_level="REPEATABLE READ")


def take_turn(connection: Connection) -> None:
    """Wait until no other process is bringing the schema up to date; until this transaction ends."""
    connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": UPGRADING})


def not_installed(error: ModuleNotFoundError) -> ConfigurationError:
    """Say that what speaks to PostgreSQL is missing."""
    return ConfigurationError(
        f"The store can't be opened: {error}.", advice="pip install 'crmbridge[postgresql]', which brings psycopg."
    )


def trouble(error: BaseException, where: str) -> CrmbridgeError | None:
    """Say what an error of PostgreSQL means for a person; None when it means a bug in crmbridge."""
    state = str(getattr(error, "sqlstate", None) or "")
    why = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    if state.startswith(_FULL):
        return StateError(
            f"The state {where} could not be written: {why}. Nothing of the last step was saved.",
            advice="Give the server room and run it again.",
        )
    if state.startswith(_DENIED):
        return StateError(
            f"The state {where} can't be opened for writing: {why}.",
            advice="Check the user and the database in `store`, and what that user may do.",
        )
    if state.startswith(_GONE) or (not state and type(error).__name__ == "OperationalError"):
        return StateError(
            f"The state {where} can't be reached: {why}.", advice="See whether the server runs, then run it again."
        )
    return None
