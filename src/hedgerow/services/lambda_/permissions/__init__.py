"""Who besides its account may invoke a function."""

from hedgerow.services.lambda_.permissions.operations import FunctionQualifiers, PermissionOperations
from hedgerow.services.lambda_.permissions.store import PermissionStore

__all__ = ["FunctionQualifiers", "PermissionOperations", "PermissionStore"]
