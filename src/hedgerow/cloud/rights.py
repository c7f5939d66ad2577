"""Further rights of a caller that an operation finds out about only while it runs.

What the request itself names stands in the operation's row (`Also`); this is for what lies deeper, as the S3 objects
in a recipe. The keys that AWS gives a call made on the caller's behalf hold: `aws:ViaAWSService`, no `aws:SourceIp`.
"""

from collections.abc import Awaitable, Callable

from hedgerow.api.authorisation import demand, standing
from hedgerow.api.ports import Grants
from hedgerow.base.clock import Clock
from hedgerow.core.caller import Caller


class CallerRights:
    """Asks for rights beyond those of the row."""

    def __init__(self, *, grants: Callable[[Caller], Awaitable[Grants]], clock: Clock) -> None:
        self._grants = grants
        self._clock = clock

    async def demand(self, caller: Caller, action: str, resource: str) -> None:
        """Raise AccessDenied, with who, what and why, unless the caller may do it."""
        demand(await self._grants(caller), caller, action, resource, self._known(caller))

    async def pass_role(self, caller: Caller, role_arn: str, *, to: str) -> None:
        """Raise AccessDenied unless the caller may hand the role to the service."""
        known = {**self._known(caller), "iam:PassedToService": to}
        demand(await self._grants(caller), caller, "iam:PassRole", role_arn, known)

    async def may(self, caller: Caller) -> Callable[[str, str], bool]:
        """Answer what tells whether the caller may do an action to a resource, as things stand now."""
        grants, known = await self._grants(caller), self._known(caller)
        return lambda action, resource: grants.decide(action, resource, known).allowed

    def _known(self, caller: Caller) -> dict[str, str]:
        return {**standing(caller, self._clock.now()), "aws:ViaAWSService": "true"}
