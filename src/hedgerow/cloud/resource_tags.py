"""The tags of resources, for policies that look at them: those of IAM and of the service iot.

Greengrass components, functions, buckets and log groups carry none that policies see.
"""

from collections.abc import Mapping
from typing import Protocol

from hedgerow.core.arn import Arn, parse
from hedgerow.services.iam.oidc_providers import OidcProviderReader
from hedgerow.services.iam.policies import ManagedPolicyReader
from hedgerow.services.iam.roles import RoleReader
from hedgerow.services.iam.users import UserReader
from hedgerow.services.iot.tags import TagStore
from hedgerow.store import Tx


class _Tagged(Protocol):
    @property
    def arn(self) -> str: ...
    @property
    def tags(self) -> Mapping[str, str]: ...


class ResourceTags:
    """Reads tags by ARN. It holds nothing; one serves every transaction."""

    def __init__(self, *, users: UserReader, roles: RoleReader) -> None:
        self._users = users
        self._roles = roles
        self._policies = ManagedPolicyReader()
        self._providers = OidcProviderReader()
        self._of_iot = TagStore()

    def of(self, tx: Tx, account: str, resource: str) -> Mapping[str, str]:
        """Answer the tags of what the account has under this ARN; nothing for all else."""
        parsed = parse(resource)
        if parsed is None or parsed.account != account:
            return {}
        if parsed.service == "iot":
            return self._of_iot.get(tx, account, parsed.resource)
        found = self._of_iam(tx, parsed, resource) if parsed.service == "iam" else None
        return found.tags if found is not None and found.arn == resource else {}

    def _of_iam(self, tx: Tx, parsed: Arn, resource: str) -> _Tagged | None:
        kind, _, name = parsed.resource.partition("/")
        name = name.rpartition("/")[2]
        match kind:
            case "user":
                return self._users.find(tx, parsed.account, name)
            case "role":
                return self._roles.find(tx, parsed.account, name)
            case "policy":
                return self._policies.get(tx, parsed.account, resource)
            case "oidc-provider":
                return self._providers.by_arn(tx, parsed.account, resource)
        return None
