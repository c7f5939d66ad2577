"""Users: people and programs with access keys of their own."""

from hedgerow.services.iam.users.model import User
from hedgerow.services.iam.users.operations import UserOperations
from hedgerow.services.iam.users.store import UserReader

__all__ = ["User", "UserOperations", "UserReader"]
