"""What happens when a sign-in was not used in time: its row goes."""

from hedgerow.services.hedgerow.sign_ins.store import SignInStore
from hedgerow.store import Answer, FollowUp, Tx


class SignInFollowUps:
    """Deletes sign-ins that are over."""

    def on_sign_in_expired(self, tx: Tx, row: FollowUp) -> Answer:
        SignInStore(tx).delete(row.account, row.key)
        return Answer()
