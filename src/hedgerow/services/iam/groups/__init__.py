"""Groups of users, whose policies count for every member."""

from hedgerow.services.iam.groups.model import GROUPS_OF_A_USER
from hedgerow.services.iam.groups.operations import GroupOperations
from hedgerow.services.iam.groups.store import GroupReader

__all__ = ["GROUPS_OF_A_USER", "GroupOperations", "GroupReader"]
