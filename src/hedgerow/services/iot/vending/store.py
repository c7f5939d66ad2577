"""The rows of devices at the vending machine. Tokens are here as keyed hashes only."""

import json
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Column, Float, Index, Row, String, Table, Text, bindparam, delete, insert, or_, select
from sqlalchemy import update as update_rows

from hedgerow.services.iot.vending.model import Device, State
from hedgerow.store import Tx, metadata

OVER: Final = "vending-waited"
"""Follow-up, key: serial number. Due when a device that nobody decided about is forgotten."""

devices = Table(
    "iot_vending",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("serial", String(128), primary_key=True),
    Column("state", String(8), nullable=False),
    Column("token", String(64), nullable=False),
    Column("requested_at", Float),
    Column("address", String(64)),
    Column("expires_at", Float),
    Column("template", String(36)),
    Column("parameters", Text),  # JSON
    Column("decided_at", Float),
    Column("decided_by", Text),
    Column("key", String(64)),
    Column("certificate_id", String(64)),
    Column("reply", Text),  # JSON
)
Index("ix_iot_vending_state", devices.c.account, devices.c.state, devices.c.serial)

_ACCOUNT: Final[Any] = bindparam("account_")
_SERIAL: Final[Any] = bindparam("serial_")
_STATE: Final[Any] = bindparam("state_")
_OWN: Final = (devices.c.account == _ACCOUNT) & (devices.c.serial == _SERIAL)

_GET = select(devices).where(_OWN)
_INSERT = insert(devices)
_UPDATE = update_rows(devices).where(_OWN)
_DELETE = delete(devices).where(_OWN)
_PENDING = select(devices.c.address).where(devices.c.account == _ACCOUNT, devices.c.state == State.PENDING.value)
_LIST = (
    select(devices)
    .where(
        devices.c.account == _ACCOUNT,
        devices.c.serial > bindparam("after"),
        or_(_STATE == "", devices.c.state == _STATE),
    )
    .order_by(devices.c.serial)
    .limit(bindparam("limit_"))
)


class VendingStore:
    """Devices at the vending machine, in the database. It holds nothing; one serves every transaction."""

    def get(self, tx: Tx, account: str, serial: str) -> Device | None:
        """Answer the device, or None."""
        row = tx.one(_GET, account_=account, serial_=serial)
        return None if row is None else _device(row)

    def pending(self, tx: Tx, account: str) -> Sequence[str | None]:
        """Answer the addresses of those that wait."""
        return [row.address for row in tx.all(_PENDING, account_=account)]

    def list(self, tx: Tx, account: str, *, state: str, after: str, limit: int) -> Sequence[Device]:
        """Answer devices by their serial numbers, those after one; "" is any state."""
        return [_device(row) for row in tx.all(_LIST, account_=account, state_=state, after=after, limit_=limit)]

    def put(self, tx: Tx, account: str, device: Device) -> None:
        """Write the device, new or changed."""
        columns = {
            "state": device.state.value,
            "token": device.token,
            "requested_at": device.requested_at,
            "address": device.address,
            "expires_at": device.expires_at,
            "template": device.template,
            "parameters": None if device.parameters is None else json.dumps(dict(device.parameters)),
            "decided_at": device.decided_at,
            "decided_by": device.decided_by,
            "key": device.key,
            "certificate_id": device.certificate_id,
            "reply": None if device.reply is None else json.dumps(dict(device.reply)),
        }
        if tx.run(_UPDATE, account_=account, serial_=device.serial, **columns) == 0:
            tx.run(_INSERT, account=account, serial=device.serial, **columns)

    def remove(self, tx: Tx, account: str, serial: str) -> None:
        tx.run(_DELETE, account_=account, serial_=serial)


def _device(row: Row[Any]) -> Device:
    return Device(
        serial=row.serial,
        state=State(row.state),
        token=row.token,
        requested_at=row.requested_at,
        address=row.address,
        expires_at=row.expires_at,
        template=row.template,
        parameters=None if row.parameters is None else json.loads(row.parameters),
        decided_at=row.decided_at,
        decided_by=row.decided_by,
        key=row.key,
        certificate_id=row.certificate_id,
        reply=None if row.reply is None else json.loads(row.reply),
    )
