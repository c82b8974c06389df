"""A new state, made at once in its newest form; a test holds it equal to what the migrations lead to."""

from __future__ import annotations

from typing import Final

from sqlalchemy import Column, Connection, MetaData, PrimaryKeyConstraint, String, Table

from crmbridge.store import sqlite
from crmbridge.store.sql import schema
from crmbridge.store.version import VERSION

# alembic's own table: which steps were taken.
stamp = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)

# The journal only grows: its rows can't be changed or taken away, not even by hand.
_REFUSE = """
    CREATE FUNCTION journal_is_append_only() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'the journal is append-only'; END $$
"""
_KEEP_ALL = """
    CREATE TRIGGER journal_keeps_all BEFORE UPDATE OR DELETE OR TRUNCATE ON journal
    FOR EACH STATEMENT EXECUTE FUNCTION journal_is_append_only()
"""
_APPEND_ONLY: Final = (_REFUSE, _KEEP_ALL)


def make(connection: Connection) -> None:
    """Make everything in a database with nothing in it, inside the connection's own transaction."""
    if connection.dialect.name == "sqlite":
        for statement in sqlite.new_state():
            connection.exec_driver_sql(statement)
        return
    schema.metadata.create_all(connection, checkfirst=False)
    schema.rates.create(connection, checkfirst=False)
    for statement in _APPEND_ONLY:
        connection.exec_driver_sql(statement)
    connection.execute(schema.marks.insert().values(one=1, mark=0))
    stamp.create(connection, checkfirst=False)
    connection.execute(stamp.insert().values(version_num=VERSION))
