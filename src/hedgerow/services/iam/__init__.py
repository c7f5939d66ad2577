"""Identities and their policies: roles, users, access keys, managed and inline policies."""
