"""What policies may know of a resource: its tags, and the boundary of a user or role.

Tags are those of IAM, of the service iot, of Greengrass and of functions: of everything here that can be tagged.
"""

from collections.abc import Mapping
from typing import Final, Protocol

from hedgerow.api.tag_conditions import of_resource
from hedgerow.core.arn import Arn, parse
from hedgerow.core.policy import Context
from hedgerow.services.greengrassv2.components import ComponentStore
from hedgerow.services.greengrassv2.core_devices import CoreDeviceStore
from hedgerow.services.greengrassv2.deployments import DeploymentStore
from hedgerow.services.greengrassv2.tags import Tagged
from hedgerow.services.iam.entities import Kind
from hedgerow.services.iam.entity_policies import BoundaryStore
from hedgerow.services.iam.oidc_providers import OidcProviderReader
from hedgerow.services.iam.policies import ManagedPolicyReader
from hedgerow.services.iam.roles import RoleReader
from hedgerow.services.iam.users import UserReader
from hedgerow.services.iot.tags import TagStore, kind_and_name
from hedgerow.services.lambda_.functions import FunctionStore
from hedgerow.store import Tx

_BOUNDED: Final = {"user": Kind.USER, "role": Kind.ROLE}


class _Tagged(Protocol):
    @property
    def arn(self) -> str: ...
    @property
    def tags(self) -> Mapping[str, str]: ...


class ResourceFacts:
    """Reads condition keys by ARN. It holds nothing; one serves every transaction."""

    def __init__(self, *, users: UserReader, roles: RoleReader) -> None:
        self._users = users
        self._roles = roles
        self._policies = ManagedPolicyReader()
        self._providers = OidcProviderReader()
        self._boundaries = BoundaryStore()
        self._of_iot = TagStore()
        self._of_greengrass: Mapping[str, Tagged] = {
            "components": ComponentStore(),
            "deployments": DeploymentStore(),
            "coreDevices": CoreDeviceStore(),
        }
        self._functions = FunctionStore()

    def of(self, tx: Tx, account: str, resource: str) -> Context:
        """Answer the condition keys that what the account has under this ARN gives; nothing for all else."""
        parsed = parse(resource)
        if parsed is None or parsed.account != account:
            return {}
        if parsed.service != "iam":
            return of_resource(resource, self._tags(tx, parsed))
        found = self._of_iam(tx, parsed, resource)
        if found is None or found.arn != resource:
            return {}
        return {**of_resource(resource, found.tags), **self._bound(tx, parsed)}

    def _tags(self, tx: Tx, parsed: Arn) -> Mapping[str, str]:
        match parsed.service:
            case "iot":
                kind, name = kind_and_name(parsed.resource) or ("", "")
                return self._of_iot.get(tx, parsed.account, f"{kind}/{name}")
            case "greengrass":
                kind, _, name = parsed.resource.partition(":")
                tagged = self._of_greengrass.get(kind)
                return (tagged.maybe_tags(tx, parsed.account, name) if tagged is not None else None) or {}
            case "lambda":  # a version and an alias have the function's
                kind, _, name = parsed.resource.partition(":")
                function = self._functions.get(tx, parsed.account, name.partition(":")[0])
                return function.tags if kind == "function" and function is not None else {}
        return {}

    def _bound(self, tx: Tx, parsed: Arn) -> Context:
        kind, _, name = parsed.resource.partition("/")
        if kind not in _BOUNDED:
            return {}
        arn = self._boundaries.get(tx, parsed.account, _BOUNDED[kind], name.rpartition("/")[2])
        return {} if arn is None else {"iam:PermissionsBoundary": arn}

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
