"""Claims that connect: with no more rights than a claim has, and under nobody else's name.

A claim may not use a client id that is a thing's name, or that another principal's live or stored session has: with it
the bearer of a stolen claim could cut off a device, or take its messages.
"""

import dataclasses
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from hedgerow.base.clock import Clock
from hedgerow.cloud.directory import Readers
from hedgerow.core.policy import Dialect
from hedgerow.gateway.ports import Admit, Admitted, NotAdmitted
from hedgerow.services.iot.claims import Claim
from hedgerow.store import Tx

REFUSED: Final = "CLAIM_REFUSED"
_ACCOUNT_HOST: Final = re.compile(r"([0-9]{12})\.")

Holder = Callable[[str, str], str | None]
"""Whose session (account, client id) is: a principal, "" when that is not known, None when there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimants:
    """Answers for claims. It holds nothing of its own."""

    readers: Readers
    holder: Holder
    region: str
    clock: Clock

    def temporary(self, tx: Tx, question: Admit, certificate_id: str) -> Admitted | NotAdmitted | None:
        """Answer for a certificate that is in no registry; None when it is no claim of a trusted user."""
        found = self.readers.claims.temporary(tx, certificate_id)
        if found is None:
            return None
        account, claim = found
        named = _ACCOUNT_HOST.match(question.server_name or "")
        if named is not None and named[1] != account:
            detail = f"the server name {question.server_name} is of another account than the claim {certificate_id}"
            return NotAdmitted(reason="SNI_MISUSED", detail=detail, account=account, principal=certificate_id)
        why = self._objection(tx, question, account, claim)
        if why is not None:
            return NotAdmitted(reason=REFUSED, detail=why, account=account, principal=certificate_id)
        return Admitted(
            account=account,
            principal=certificate_id,
            policies=(claim.policy(self.region, account),),
            dialect=Dialect.IOT.value,
            variables=network(question),
            ends_at=claim.not_after,
            claim=True,
        )

    def limited(self, tx: Tx, question: Admit, admitted: Admitted) -> Admitted | NotAdmitted:
        """Answer what was admitted by its certificate, unless that is a claim: then with a claim's rights at most."""
        claim = self.readers.claims.of(tx, admitted.account, admitted.principal, admitted.policies)
        if claim is None:
            return admitted
        why = self._objection(tx, question, admitted.account, claim)
        if why is not None:
            return NotAdmitted(reason=REFUSED, detail=why, account=admitted.account, principal=admitted.principal)
        ends = [end for end in (admitted.ends_at, claim.not_after) if end is not None]
        limit = (claim.policy(self.region, admitted.account),)
        limits = (*admitted.limits, limit)
        return dataclasses.replace(admitted, limits=limits, ends_at=min(ends, default=None), claim=True)

    def _objection(self, tx: Tx, question: Admit, account: str, claim: Claim) -> str | None:
        why = claim.objection(now=self.clock.now(), address=question.peer)
        if why is not None:
            return f"{why} ({claim.certificate_id})"
        client_id = question.client_id
        if self.readers.things.get(tx, account, client_id) is not None:
            return f"the claim {claim.certificate_id} may not use the name of the thing {client_id} as client id"
        if self.holder(account, client_id) not in (None, claim.certificate_id):
            return f"the claim {claim.certificate_id} may not use the client id {client_id}, which another one uses"
        return None


def network(question: Admit) -> dict[str, str]:
    """Answer the policy variables that every connection has."""
    variables = {"iot:ClientId": question.client_id, "aws:SourceIp": question.peer}
    if question.server_name is not None:
        variables["iot:DomainName"] = question.server_name
    return variables
