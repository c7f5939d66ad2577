"""Roles that services act in: a rule's actions, a provisioning template. Trust first, then the role's own policies."""

from collections.abc import Mapping
from typing import Any, Final

from hedgerow.core.policy import Dialect, Principal, compile_policies, decide_trust
from hedgerow.services.iam.entities import Kind
from hedgerow.services.iam.entity_policies import EntityPolicyReader
from hedgerow.services.iam.roles import RoleReader
from hedgerow.store import Run, Tx

IOT: Final = "iot.amazonaws.com"


class ServiceRoles:
    """Answers what a role lets a service do."""

    def __init__(self, *, run: Run, roles: RoleReader, policies: EntityPolicyReader) -> None:
        self._run = run
        self._roles = roles
        self._policies = policies

    def assumable(self, tx: Tx, account: str, role_arn: str, service: str) -> bool:
        """Tell whether the role is there and trusts the service."""
        role = self._roles.by_arn(tx, account, role_arn)
        return role is not None and trusts_service(role.trust, account, service)

    def role_allows(self, tx: Tx, account: str, role_arn: str, action: str, resource: str, service: str = IOT) -> bool:
        """Tell whether the role trusts the service and its policies allow the action."""
        role = self._roles.by_arn(tx, account, role_arn)
        if role is None or not trusts_service(role.trust, account, service):
            return False
        documents = [document for _, document in self._policies.documents(tx, account, Kind.ROLE, role.name)]
        boundary = self._policies.boundary(tx, account, Kind.ROLE, role.name)
        both = [documents] if boundary is None else [documents, [document for _, document in boundary]]
        return all(compile_policies(one, dialect=Dialect.IAM).decide(action, resource).allowed for one in both)

    async def allows(self, account: str, role_arn: str, service: str, action: str, resource: str) -> bool:
        """Tell the same, from outside of a transaction."""
        return await self._run.read(lambda tx: self.role_allows(tx, account, role_arn, action, resource, service))


def trusts_service(trust: str | Mapping[str, Any], account: str, service: str) -> bool:
    """Tell whether a trust policy lets a service act for something in the account; it may ask which account that is."""
    return decide_trust(trust, Principal(service=service), context={"aws:SourceAccount": account}).allowed
