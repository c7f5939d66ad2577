"""The rows of rotations that are not confirmed yet."""

from typing import Any, Final

from sqlalchemy import Column, Float, Index, Row, String, Table, bindparam, delete, insert, select

from hedgerow.services.iot.rotation.model import Rotation
from hedgerow.store import Tx, metadata

rotations = Table(
    "iot_certificate_rotation",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("old", String(64), primary_key=True),
    Column("new", String(64), nullable=False),
    Column("request", String(64), nullable=False),
    Column("at", Float, nullable=False),
)
Index("ix_iot_certificate_rotation_new", rotations.c.account, rotations.c.new)

_ACCOUNT: Final[Any] = bindparam("account_")
_OF_OLD = select(rotations).where(rotations.c.account == _ACCOUNT, rotations.c.old == bindparam("old_"))
_TO_NEW = select(rotations).where(rotations.c.account == _ACCOUNT, rotations.c.new == bindparam("new_"))
_INSERT = insert(rotations)
_DELETE = delete(rotations).where(rotations.c.account == _ACCOUNT, rotations.c.old == bindparam("old_"))


class RotationStore:
    """Reads and writes them. It holds nothing of its own."""

    def of_old(self, tx: Tx, account: str, certificate_id: str) -> Rotation | None:
        """Answer the rotation that replaces this certificate, or None."""
        return _rotation(tx.one(_OF_OLD, account_=account, old_=certificate_id))

    def to_new(self, tx: Tx, account: str, certificate_id: str) -> Rotation | None:
        """Answer the rotation that brought this certificate, or None."""
        return _rotation(tx.one(_TO_NEW, account_=account, new_=certificate_id))

    def add(self, tx: Tx, account: str, rotation: Rotation) -> None:
        """Write it."""
        tx.run(_INSERT, account=account, old=rotation.old, new=rotation.new, request=rotation.request, at=rotation.at)

    def remove(self, tx: Tx, account: str, rotation: Rotation) -> None:
        """Forget it."""
        tx.run(_DELETE, account_=account, old_=rotation.old)


def _rotation(row: Row[Any] | None) -> Rotation | None:
    return None if row is None else Rotation(old=row.old, new=row.new, request=row.request, at=row.at)
