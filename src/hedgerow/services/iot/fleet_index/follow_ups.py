"""What happens to the indexes later: documents are written anew, builds go on.

A document is written as things are now, so several changes are one writing, and what waits is done some at a time. One
that failed is tried by itself, so that it holds up no other.
"""

from typing import Final

from hedgerow.services.iot.fleet_index.indexing import CHANGED, Indexing
from hedgerow.services.iot.fleet_index.model import INDEXES
from hedgerow.store import Answer, FollowUp, Tx

OTHERS: Final = 63
"""So many documents are written along with the first: some ten milliseconds."""
PAUSE_S: Final = 0.04
"""Between two writings, so that the second finds more to write at once; the index lags so much behind."""


class FleetIndexFollowUps:
    """Handlers of the kinds `fleet-index` and `fleet-index-build`. Both may run twice."""

    def __init__(self, *, indexing: Indexing) -> None:
        self._indexing = indexing

    def on_changed(self, tx: Tx, row: FollowUp) -> Answer:
        waiting = [row.body]
        if row.attempts == 0:
            waiting += tx.take_follow_ups(CHANGED, account=row.account, limit=OTHERS)
        for index in INDEXES:
            names = list(dict.fromkeys(body["name"] for body in waiting if body["index"] == index))
            if names:
                self._indexing.write(tx, row.account, index, names)
        return Answer()

    def on_build(self, tx: Tx, row: FollowUp) -> Answer:
        body = row.body
        self._indexing.build(
            tx, row.account, body["index"], generation=body["generation"], phase=body["phase"], after=body["after"]
        )
        return Answer()
