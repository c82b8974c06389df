"""Run by alembic for each command: takes the steps on the connection that `upgrade` was given."""

from alembic import context

from crmbridge.store.sql.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata, transactional_ddl=True)
with context.begin_transaction():
    context.run_migrations()
