"""What other parts ask about claims: whether a certificate is one, and whether it may be used for this.

Admission and the HTTP shell ask by the certificate, enrolment by the caller.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from hedgerow.core.caller import Caller
from hedgerow.services.iot.claims.model import Claim, ClaimRefused, Kind, is_implied
from hedgerow.services.iot.claims.store import ClaimStore
from hedgerow.store import Tx


class Rights(Protocol):
    """What certificates may do."""

    def documents(self, tx: Tx, account: str, certificate_id: str) -> Sequence[str]:
        """Answer every policy document that counts for the certificate."""
        ...


class Things(Protocol):
    """What claims need of things."""

    def things_of(self, tx: Tx, account: str, principal: str, *, limit: int) -> Sequence[object]:
        """Answer the things that the certificate is attached to, `limit` at most."""
        ...


class ClaimReader:
    """Reads claims. It holds no state of its own."""

    def __init__(self, *, claims: ClaimStore, rights: Rights, things: Things) -> None:
        self._things = things
        self._claims = claims
        self._rights = rights

    def of(self, tx: Tx, account: str, certificate_id: str, documents: Sequence[str] | None = None) -> Claim | None:
        """Answer the claim that the certificate is, or None when it is an ordinary one.

        Who has read the policy documents that count for it hands them in.
        """
        found = self._claims.get(tx, account, certificate_id)
        if found is not None:
            return found
        if documents is None:
            documents = self._rights.documents(tx, account, certificate_id)
        if not is_implied(documents):
            return None
        if self._things.things_of(tx, account, certificate_id, limit=1):
            return None  # it speaks for a thing already
        return Claim(certificate_id=certificate_id, kind=Kind.IMPLIED)

    def temporary(self, tx: Tx, certificate_id: str) -> tuple[str, Claim] | None:
        """Answer (account, claim) of a temporary one, which is in no registry, or None."""
        return self._claims.temporary(tx, certificate_id)

    def is_temporary(self, tx: Tx, account: str, certificate_id: str) -> bool:
        """Tell whether the claim was made for a trusted user."""
        found = self._claims.get(tx, account, certificate_id)
        return found is not None and found.kind is Kind.TEMPORARY

    def check(self, tx: Tx, caller: Caller, template: str | None, *, again: bool) -> Callable[[], None]:
        """Raise ClaimRefused unless the caller may ask for a certificate, or be provisioned by the template.

        Answers what notes, in the same transaction, that the claim has provisioned one device more.

        One that asks `again`, for a device that it has provisioned, needs no further device. Who is no claim may, as
        far as claims are concerned.
        """
        claim = self._claim_of(tx, caller)
        if claim is None:
            return lambda: None
        why = claim.objection(now=tx.now, address=caller.source_ip)
        if why is None and template is not None:
            why = claim.objection_to(template)
        if why is not None:
            raise ClaimRefused(why)
        if again:
            return lambda: None
        changed = claim.with_device()
        if claim.kind is Kind.IMPLIED:
            return lambda: None
        return lambda: self._claims.put(tx, caller.account, changed)

    def _claim_of(self, tx: Tx, caller: Caller) -> Claim | None:
        if caller.certificate_id is None:
            return None
        return self.of(tx, caller.account, caller.certificate_id)
