"""The end of a temporary claim: its row goes, and so does whoever is still connected with it."""

from hedgerow.core.events import PrincipalCut
from hedgerow.services.iot.claims.store import ClaimStore
from hedgerow.store import Answer, FollowUp, Tx


class ClaimFollowUps:
    """Handlers of the follow-ups of claims."""

    def __init__(self, *, claims: ClaimStore) -> None:
        self._claims = claims

    def on_over(self, tx: Tx, row: FollowUp) -> Answer:
        """Forget the claim, and end its connections."""
        self._claims.remove(tx, row.account, row.key)
        return Answer(events=(PrincipalCut(account=row.account, principal=row.key, reason="the claim has ended"),))
