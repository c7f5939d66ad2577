"""The rows of calls that were carried out, by their client token."""

import json
from typing import Any, Final

from sqlalchemy import Column, Float, String, Table, Text, bindparam, delete, insert, select

from hedgerow.services.hedgerow.devices.model import DeviceOrder
from hedgerow.store import Tx, metadata

orders = Table(
    "hedgerow_device_order",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("token", String(64), primary_key=True),
    Column("request", String(64), nullable=False),
    Column("certificate", String(64), nullable=False),
    Column("answer", Text, nullable=False),
    Column("at", Float, nullable=False),
)

_ACCOUNT: Final[Any] = bindparam("account_")
_TOKEN: Final[Any] = bindparam("token_")
_GET = select(orders).where(orders.c.account == _ACCOUNT, orders.c.token == _TOKEN)
_INSERT = insert(orders)
_DELETE = delete(orders).where(orders.c.account == _ACCOUNT, orders.c.token == _TOKEN)


class OrderStore:
    """Reads and writes them. It holds nothing of its own."""

    def get(self, tx: Tx, account: str, token: str) -> DeviceOrder | None:
        """Answer what was done for the token, or None."""
        row = tx.one(_GET, account_=account, token_=token)
        if row is None:
            return None
        return DeviceOrder(
            token=row.token,
            digest=row.request,
            certificate=row.certificate,
            answer=json.loads(row.answer),
            at=row.at,
        )

    def put(self, tx: Tx, account: str, order: DeviceOrder) -> None:
        """Write it, in place of the one with its token."""
        self.remove(tx, account, order.token)
        tx.run(
            _INSERT,
            account=account,
            token=order.token,
            request=order.digest,
            certificate=order.certificate,
            answer=json.dumps(order.answer),
            at=order.at,
        )

    def remove(self, tx: Tx, account: str, token: str) -> None:
        """Forget it."""
        tx.run(_DELETE, account_=account, token_=token)
