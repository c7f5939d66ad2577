"""Alembic migrations of the telemetry database."""
