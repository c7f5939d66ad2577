"""Temporary credentials: for roles, users and devices."""
