"""Groups of users, whose policies count for every member."""

from hedgerow.services.iam.groups.operations import GroupOperations
from hedgerow.services.iam.groups.store import GroupReader

__all__ = ["GroupOperations", "GroupReader"]
