"""Clients that neither a certificate nor a signature speaks for: whose they are, and what authorizers say of them.

The account is the one that the server name begins with (`<12 digits>.<host>`), else the first one of the cloud. Without
TLS there is no server name: then the Host header stands for it.
"""

import re
from dataclasses import dataclass
from typing import Final

from hedgerow.base.clock import Clock
from hedgerow.core.policy import Dialect
from hedgerow.gateway.ports import Admit, Admitted, NotAdmitted
from hedgerow.services.iot.authorizers import Attempt, CustomAuthentication, NotLetIn

_ACCOUNT_HOST: Final = re.compile(r"([0-9]{12})\.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Strangers:
    """Answers for them. It holds nothing of its own."""

    authentication: CustomAuthentication
    first_account: str
    clock: Clock

    def account(self, server_name: str | None) -> str:
        """Answer whose authorizers are asked about who comes to this name."""
        named = _ACCOUNT_HOST.match(server_name or "")
        return self.first_account if named is None else named[1]

    async def is_open(self, server_name: str | None) -> bool:
        """Tell whether anybody may come in there by an authorizer."""
        return await self.authentication.is_open(self.account(server_name))

    async def admit(self, question: Admit, variables: dict[str, str]) -> Admitted | NotAdmitted:
        """Answer a CONNECT; `variables` are those that every client of its kind has."""
        account = self.account(question.server_name)
        try:
            let_in = await self.authentication.ask(account, _attempt(question))
        except NotLetIn as error:
            return NotAdmitted(reason=error.word, detail=error.detail)
        now = self.clock.now()
        return Admitted(
            account=account,
            principal=let_in.principal,
            policies=let_in.policies,
            dialect=Dialect.IOT.value,
            variables=variables,
            ends_at=now + let_in.disconnect_after_s,
            fixed=True,
            refresh_at=None if let_in.refresh_after_s is None else now + let_in.refresh_after_s,
        )


def _attempt(question: Admit) -> Attempt:
    upgrade = question.upgrade
    return Attempt(
        connection_id=question.connection_id,
        secure=upgrade is None or upgrade.secure,
        server_name=question.server_name,
        headers=None if upgrade is None else upgrade.headers,
        query="" if upgrade is None else upgrade.query,
        client_id=question.client_id,
        username=question.username,
        password=question.password,
    )
