"""Role aliases."""

from hedgerow.services.iot.role_aliases.model import RoleAlias
from hedgerow.services.iot.role_aliases.operations import RoleAliasOperations
from hedgerow.services.iot.role_aliases.store import RoleAliasStore

__all__ = ["RoleAlias", "RoleAliasOperations", "RoleAliasStore"]
