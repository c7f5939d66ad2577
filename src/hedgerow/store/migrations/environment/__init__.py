"""What Alembic runs a step in, and the form of a new one."""
