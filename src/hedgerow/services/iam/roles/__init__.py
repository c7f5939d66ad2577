"""Roles: identities that services, users and devices take on for a while."""

from hedgerow.services.iam.roles.model import Role
from hedgerow.services.iam.roles.operations import RoleOperations
from hedgerow.services.iam.roles.store import RoleReader

__all__ = ["Role", "RoleOperations", "RoleReader"]
