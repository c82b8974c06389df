"""Everything that only PostgreSQL needs: connecting, one moment for a reader, reading its errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, make_url, text
from sqlalchemy.exc import ArgumentError

from crmbridge.errors import ConfigurationError, CrmbridgeError, StateError

UPGRADING = 0x63726D62  # the advisory lock of whoever brings the schema up to date
_FULL = ("53", "54")  # insufficient resources, limits of the program
_DENIED = ("28", "42501", "3D", "3F", "25006")  # who signs in, who may write, which database and schema, read-only
_SLOW = ("55P03", "57014", "25P", "40")  # waited too long for a lock, took too long, was in another one's way
_GONE = ("08", "57P")  # the connection, a server that shuts down
_DAMAGED = ("42P01", "42703", "58", "XX")  # tables and columns that are not there, files of the server, its own faults


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
    """Make an engine. psycopg speaks to the server, and in UTF-8, whatever the URL or the server would have."""
    if url.get_backend_name() in {"postgresql", "postgres"}:
        _must_know(url.query)
        url = url.set(drivername="postgresql+psycopg")
    in_utf8 = {"client_encoding": "utf8"}
    return create_engine(url, hide_parameters=True, pool_pre_ping=True, max_overflow=-1, connect_args=in_utf8)


def _must_know(options: Mapping[str, Any]) -> None:
    """Raise ConfigurationError for what follows the question mark of a URL and is no option of PostgreSQL's."""
    from psycopg import ProgrammingError  # noqa: PLC0415  may not be installed, which whoever opens the store says
    from psycopg.conninfo import make_conninfo  # noqa: PLC0415  the same

    try:
        make_conninfo(**dict.fromkeys(options, "1"))
        float(options.get("connect_timeout", 1))
    except (ProgrammingError, ValueError, TypeError) as error:
        why = str(error).strip() if isinstance(error, ProgrammingError) else "connect_timeout is no number of seconds"
        if "password" in options:  # an & in it would have cut it in two
            why = "a part of a password, or an option that is none"
        raise ConfigurationError(
            f"The store can't be opened with what follows the ? in its URL: {why}.",
            advice="PostgreSQL's documentation lists the options under 'Parameter Key Words'. In a password, & is %26.",
        ) from None


def reading(opened: Engine) -> Engine:
    """Let each transaction see one moment, as SQLite's do."""
    return opened.execution_options(isolation_level="REPEATABLE READ")


def must_hold_any_text(connection: Connection, where: str) -> None:
    """Raise ConfigurationError for a database that can't keep what people write in every language."""
    driver: Any = connection.connection.driver_connection
    encoding = driver.info.parameter_status("server_encoding")
    if encoding not in {"UTF8", None}:
        raise ConfigurationError(
            f"The database {where} keeps text as {encoding}, which can't hold all that a CRM does.",
            advice="Make one with `createdb --encoding=UTF8 --template=template0 NAME`, and name it in `store`.",
        )


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
    if state.startswith(_SLOW):
        return StateError(
            f"The server took back what was done to the state {where}: {why}. Nothing of the last step was saved.",
            advice="Run it again. If it stays, see who else uses the tables, and how long the server lets a user wait.",
        )
    if state.startswith(_DAMAGED):
        return StateError(
            f"The state {where} can't be read: {why}.",
            advice="Restore it from a backup, or name an empty database; the next run then pulls everything again.",
        )
    if state.startswith(_GONE) or (not state and type(error).__name__ == "OperationalError"):
        return StateError(
            f"The state {where} can't be reached: {why}.",
            advice="See whether the server runs and lets the user of `store` into that database, then run it again.",
        )
    return None
