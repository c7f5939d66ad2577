"""A device that nobody decided about is forgotten after a week; when it asks again, it is news again."""

from hedgerow.services.iot.vending.model import State
from hedgerow.services.iot.vending.store import VendingStore
from hedgerow.store import Answer, FollowUp, Tx


class VendingFollowUps:
    """Handlers of the follow-ups of the vending machine."""

    def __init__(self, *, devices: VendingStore) -> None:
        self._devices = devices

    def on_over(self, tx: Tx, row: FollowUp) -> Answer:
        """Forget the device, unless somebody decided about it or it began to wait again meanwhile."""
        device = self._devices.get(tx, row.account, row.key)
        waits = device is not None and device.state is State.PENDING
        if device is not None and waits and (device.expires_at or 0) <= tx.now:
            self._devices.remove(tx, row.account, row.key)
        return Answer()
