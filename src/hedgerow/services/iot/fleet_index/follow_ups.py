"""What happens to the indexes later: documents are written anew, builds go on."""

from hedgerow.services.iot.fleet_index.indexing import Indexing
from hedgerow.store import Answer, FollowUp, Tx


class FleetIndexFollowUps:
    """Handlers of the kinds `fleet-index` and `fleet-index-build`. Both may run twice."""

    def __init__(self, *, indexing: Indexing) -> None:
        self._indexing = indexing

    def on_changed(self, tx: Tx, row: FollowUp) -> Answer:
        self._indexing.write(tx, row.account, row.body["index"], row.body["name"])
        return Answer()

    def on_build(self, tx: Tx, row: FollowUp) -> Answer:
        body = row.body
        self._indexing.build(
            tx, row.account, body["index"], generation=body["generation"], phase=body["phase"], after=body["after"]
        )
        return Answer()
