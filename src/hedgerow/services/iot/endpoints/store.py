"""Endpoints have no rows: they are settings, given when the cloud is built."""
