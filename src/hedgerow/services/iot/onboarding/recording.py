"""Writing the record, for everyone who lets devices in. Called in the transaction of what is recorded."""

import re
from typing import Final, Protocol

from hedgerow.core.caller import Caller
from hedgerow.services.iot.onboarding.follow_ups import NOTED
from hedgerow.services.iot.onboarding.model import (
    LONGEST_NAME,
    LONGEST_REASON,
    Attempt,
    Outcome,
    Way,
    shortened,
)
from hedgerow.services.iot.onboarding.store import OnboardingStore
from hedgerow.store import Tx

_VALUES: Final = re.compile(r"(AttributePayload: )\{[^}]*\}")
"""What a reason says of attributes, as AWS words it. Their values may be parameters of the template."""


class Claims(Protocol):
    """What the record asks about claims."""

    def is_temporary(self, tx: Tx, account: str, certificate_id: str) -> bool:
        """Tell whether the claim was made for a trusted user."""
        ...


class Attempts:
    """Writes attempts down. It holds no state of its own."""

    def __init__(self, *, store: OnboardingStore, claims: Claims) -> None:
        self._store = store
        self._claims = claims

    def note(
        self,
        tx: Tx,
        caller: Caller,
        *,
        way: str,
        why_not: str | None = None,
        device: str | None = None,
        certificate_id: str | None = None,
        template: str | None = None,
        remark: str | None = None,
    ) -> None:
        """Write down how an attempt ended: well, or `why_not`. A claim of a trusted user makes `CLAIM` another way."""
        claim = caller.certificate_id
        kind = Way(way)
        if kind is Way.CLAIM and claim is not None and self._claims.is_temporary(tx, caller.account, claim):
            kind = Way.TRUSTED_USER
        attempt = Attempt(
            at=tx.now,
            way=kind,
            outcome=Outcome.ACCEPTED if why_not is None else Outcome.REFUSED,
            reason=shortened(_VALUES.sub(r"\1{…}", why_not or remark or "") or None, LONGEST_REASON),
            device=shortened(device, LONGEST_NAME),
            certificate_id=certificate_id,
            template=shortened(template, 36),
            principal=caller.principal,
            client_id=shortened(caller.client_id, LONGEST_NAME),
            address=caller.source_ip,
        )
        number = self._store.add(tx, caller.account, attempt)
        told = {**attempt.told(), "at": int(attempt.at * 1000)}
        tx.follow_up(NOTED, account=caller.account, key=str(number), body=told)
