"""What happens after a session's end: its row goes."""

from hedgerow.services.sts.sessions.store import forget
from hedgerow.store import Answer, FollowUp, Tx


class SessionFollowUps:
    """Deletes sessions that are over."""

    def on_session_expired(self, tx: Tx, row: FollowUp) -> Answer:
        forget(tx, row.account, row.key)
        return Answer()
