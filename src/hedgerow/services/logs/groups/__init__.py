"""Log groups with their streams and events."""

from hedgerow.services.logs.groups.operations import LogOperations

__all__ = ["LogOperations"]
