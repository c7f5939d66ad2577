"""What happens to shadows later: the version of a deleted one is forgotten."""

from hedgerow.services.iot.shadows.model import ShadowKey
from hedgerow.services.iot.shadows.store import ShadowStore
from hedgerow.store import Answer, FollowUp, Tx


class ShadowFollowUps:
    """Handlers of the kind `shadow-tombstone`."""

    def __init__(self, *, store: ShadowStore) -> None:
        self._store = store

    def on_tombstone(self, tx: Tx, row: FollowUp) -> Answer:
        """Forget a shadow that is still deleted. May run twice."""
        key = ShadowKey(row.account, row.body["thing"], row.body["name"])
        kept = self._store.get(tx, key)
        if kept is not None and kept.deleted_at is not None:
            self._store.forget(tx, key)
        return Answer()
