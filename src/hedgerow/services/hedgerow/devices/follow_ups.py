"""What happens to a client token whose time is over: it is forgotten."""

from typing import Final

from hedgerow.services.hedgerow.devices.store import OrderStore
from hedgerow.store import Answer, FollowUp, Tx

OVER: Final = "hedgerow.device-order-over"


class DeviceFollowUps:
    """Handlers of the follow-ups of devices made by one call."""

    def __init__(self, *, orders: OrderStore) -> None:
        self._orders = orders

    def on_over(self, tx: Tx, row: FollowUp) -> Answer:
        self._orders.remove(tx, row.account, row.key)
        return Answer()
