"""Execution roles: which roles functions may have, and what an instance gets to act in one."""

from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from hedgerow.cloud.service_roles import trusts_service
from hedgerow.functions import Grant
from hedgerow.services.lambda_.functions import ServiceFailed
from hedgerow.services.sts.sessions import Mandate, SessionKind
from hedgerow.services.sts.sessions.model import assumed_role_arn
from hedgerow.store import Answer, Run, Tx

LAMBDA: Final = "lambda.amazonaws.com"
SESSION_S: Final = 6 * 3600.0  # an instance is replaced before its credentials end


class Role(Protocol):
    """What is needed of a role."""

    @property
    def name(self) -> str: ...

    @property
    def id(self) -> str: ...

    @property
    def trust(self) -> str: ...


class Roles(Protocol):
    """Reads roles."""

    def by_arn(self, tx: Tx, account: str, arn: str) -> Role | None:
        """Answer the account's role with this ARN, or None."""
        ...


class Mint(Protocol):
    """Makes sessions."""

    def create(self, tx: Tx, account: str, mandate: Mandate, duration_s: float) -> Any:
        """Make temporary credentials."""
        ...


class FunctionRoles:
    """Fills the port `Roles` of functions and `grant_for` of `CloudWorkers`.

    `surroundings` answers what every instance is told of the cloud itself: AWS_ENDPOINT_URL, AWS_CA_BUNDLE.
    """

    def __init__(self, *, run: Run, roles: Roles, mint: Mint, surroundings: Callable[[], Mapping[str, str]]) -> None:
        self._run = run
        self._roles = roles
        self._mint = mint
        self._surroundings = surroundings

    def assumable(self, tx: Tx, account: str, role_arn: str, service: str, source: str) -> bool:
        role = self._roles.by_arn(tx, account, role_arn)
        return role is not None and trusts_service(role.trust, account, service, source=source, now=tx.now)

    async def grant_for(self, account: str, role_arn: str, session_name: str, function_arn: str) -> Grant:
        """Answer credentials of the role for a function; raises ServiceFailed when it is gone or trusts it no more."""
        made: list[Any] = []

        def write(tx: Tx) -> Answer:
            role = self._roles.by_arn(tx, account, role_arn)
            if role is None or not trusts_service(role.trust, account, LAMBDA, source=function_arn, now=tx.now):
                raise ServiceFailed(f"the role {role_arn} cannot be assumed by Lambda any more")
            mandate = Mandate(
                kind=SessionKind.ROLE,
                principal=assumed_role_arn(account, role.name, session_name),
                name=role.name,
                identity=f"{role.id}:{session_name}",
            )
            made.append(self._mint.create(tx, account, mandate, SESSION_S))  # may run again: the last one counts
            return Answer()

        await self._run.write(write)
        session = made[-1]
        environment = {
            **self._surroundings(),
            "AWS_ACCESS_KEY_ID": session.access_key_id,
            "AWS_SECRET_ACCESS_KEY": session.secret,
            "AWS_SESSION_TOKEN": session.token,
        }
        return Grant(environment=environment, expires_at=session.expires_at)
