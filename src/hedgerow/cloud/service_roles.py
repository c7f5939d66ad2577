"""Roles that services act in: a rule's actions, a provisioning template. Trust first, then the role's own policies.

Both are asked with the condition keys that a request of the service has: the time, the region, and whom the role is of.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from hedgerow.api.authorisation import about, moment, standing
from hedgerow.core.caller import Caller, Kind
from hedgerow.core.policy import Context, Dialect, Principal, compile_policies, decide_trust
from hedgerow.services.iam.entities import Kind as Entity
from hedgerow.services.iam.entity_policies import EntityPolicyReader
from hedgerow.services.iam.roles import Role, RoleReader
from hedgerow.services.sts.sessions import TAG
from hedgerow.store import Run, Tx

IOT: Final = "iot.amazonaws.com"


class ServiceRoles:
    """Answers what a role lets a service do."""

    def __init__(self, *, run: Run, roles: RoleReader, policies: EntityPolicyReader, region: str) -> None:
        self._run = run
        self._region = region
        self._roles = roles
        self._policies = policies

    def assumable(self, tx: Tx, account: str, role_arn: str, service: str, source: str) -> bool:
        """Tell whether the role is there and trusts the service, which acts for this resource."""
        role = self._roles.by_arn(tx, account, role_arn)
        return role is not None and trusts_service(role.trust, account, service, source=source, now=tx.now)

    def role_allows(self, tx: Tx, account: str, role_arn: str, action: str, resource: str, source: str) -> bool:
        """Tell whether the role trusts AWS IoT, which acts for `source`, and its policies allow the action."""
        return self.role_may(tx, account, role_arn, source)(action, resource)

    def role_may(self, tx: Tx, account: str, role_arn: str, source: str) -> Callable[[str, str], bool]:
        """Answer what tells that of an action and a resource, without reading again."""
        role = self._roles.by_arn(tx, account, role_arn)
        if role is None or not trusts_service(role.trust, account, IOT, source=source, now=tx.now):
            return lambda action, resource: False
        documents = [document for _, document in self._policies.documents(tx, account, Entity.ROLE, role.name)]
        boundary = self._policies.boundary(tx, account, Entity.ROLE, role.name)
        both = [documents] if boundary is None else [documents, [document for _, document in boundary]]
        grants = [compile_policies(one, dialect=Dialect.IAM) for one in both]

        def may(action: str, resource: str) -> bool:
            known = self._known(role, resource, tx.now)
            return all(each.decide(action, resource, known).allowed for each in grants)

        return may

    async def allows(self, account: str, role_arn: str, action: str, resource: str, source: str) -> bool:
        """Tell the same, from outside of a transaction."""
        return await self._run.read(lambda tx: self.role_allows(tx, account, role_arn, action, resource, source))

    def _known(self, role: Role, resource: str, now: float) -> Context:
        caller = Caller(
            account=role.account, region=self._region, principal=role.arn, kind=Kind.ROLE, request_id="", secure=True
        )
        return {
            **standing(caller, now),
            **about(resource, caller),
            **{f"{TAG}{key}": value for key, value in role.tags.items()},
            "aws:PrincipalType": "AssumedRole",
            "aws:SecureTransport": "true",
        }


def trusts_service(trust: str | Mapping[str, Any], account: str, service: str, *, source: str, now: float) -> bool:
    """Tell whether a trust policy lets a service act for a resource of the account; it may ask which that is."""
    context = {"aws:SourceAccount": account, "aws:SourceArn": source, **moment(now)}
    return decide_trust(trust, Principal(service=service), context=context).allowed
