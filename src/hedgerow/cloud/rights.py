"""Rights of a caller that an operation finds out about only while it runs.

What the request itself names stands in the operation's row (`Also`); this is for what lies deeper, as the S3 objects
in a recipe. For these the keys hold that AWS gives a call made on the caller's behalf: `aws:ViaAWSService`, no
`aws:SourceIp`. The operation's own right, and that to hand a role on, are asked with what is known of the request.
"""

from collections.abc import Awaitable, Callable, Mapping

from hedgerow.api import tag_conditions
from hedgerow.api.authorisation import demand, standing
from hedgerow.api.ports import Grants
from hedgerow.base.clock import Clock
from hedgerow.core.caller import Caller
from hedgerow.core.policy import Context

Facts = Callable[[str, str], Awaitable[Context]]
NO_TAGS: Mapping[str, str] = {}


async def nothing_known(account: str, resource: str) -> Context:
    """Nothing is known of any resource."""
    return {}


class CallerRights:
    """Asks for rights beyond those of the row. `facts` knows the condition keys that an account's resource gives."""

    def __init__(
        self, *, grants: Callable[[Caller], Awaitable[Grants]], clock: Clock, facts: Facts = nothing_known
    ) -> None:
        self._grants = grants
        self._clock = clock
        self._facts = facts

    async def demand(self, caller: Caller, action: str, resource: str) -> None:
        """Raise AccessDenied, with who, what and why, unless the caller may do it."""
        demand(await self._grants(caller), caller, action, resource, self._known(caller))

    async def pass_role(self, caller: Caller, role_arn: str, *, to: str) -> None:
        """Raise AccessDenied unless the caller may hand the role to the service."""
        known = {**await self._facts(caller.account, role_arn), **self._own(caller), "iam:PassedToService": to}
        demand(await self._grants(caller), caller, "iam:PassRole", role_arn, known)

    async def demand_itself(
        self, caller: Caller, action: str, resource: str, *, tags: Mapping[str, str] = NO_TAGS
    ) -> None:
        """Raise AccessDenied unless the caller may do what the request asks for; `tags` are those it puts on it."""
        known = {**tag_conditions.of_request({"tags": tags}), **self._own(caller)}
        demand(await self._grants(caller), caller, action, resource, known)

    async def may(self, caller: Caller) -> Callable[[str, str], bool]:
        """Answer what tells whether the caller may do an action to a resource, as things stand now."""
        grants, known = await self._grants(caller), self._known(caller)
        return lambda action, resource: grants.decide(action, resource, known).allowed

    def _own(self, caller: Caller) -> dict[str, str]:
        keys = {**standing(caller, self._clock.now()), "aws:SecureTransport": "true" if caller.secure else "false"}
        return keys if caller.source_ip is None else {**keys, "aws:SourceIp": caller.source_ip}

    def _known(self, caller: Caller) -> dict[str, str]:
        return {**standing(caller, self._clock.now()), "aws:ViaAWSService": "true"}
