"""Run by Alembic, with the connection and schema that `migrations.configuration` handed over."""

from alembic import context

attributes = context.config.attributes
schema = attributes["schema"]
context.configure(
    connection=attributes["connection"],
    target_metadata=schema.metadata,
    version_table=schema.version_table,
    render_as_batch=True,  # SQLite changes a table by rebuilding it
    include_name=lambda name, kind, _: kind != "table" or name in schema.metadata.tables,
)
with context.begin_transaction():
    context.run_migrations()
