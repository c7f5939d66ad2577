"""The rows of connectivity: one for each thing that was ever connected, and client that is."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Boolean, Column, Float, Integer, Row, String, Table, bindparam, delete, insert, select

from hedgerow.services.iot.connectivity.model import Presence
from hedgerow.store import Tx, metadata

connectivity = Table(
    "iot_connectivity",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("thing", String(128), primary_key=True),
    Column("client_id", String(256), nullable=False),
    Column("connected", Boolean, nullable=False),
    Column("at", Float, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("reason", String(64), nullable=False),
    Column("clean_session", Boolean),
    Column("keep_alive_s", Integer),
    Column("session_expiry_s", Integer),
    Column("source_ip", String(64)),
    Column("source_port", Integer),
    Column("target_ip", String(64)),
    Column("target_port", Integer),
)
_KEY: Final = (connectivity.c.account == bindparam("account_")) & (connectivity.c.thing == bindparam("thing_"))
_GET = select(connectivity).where(_KEY)
_GET_SOME = select(connectivity).where(
    connectivity.c.account == bindparam("account_"), connectivity.c.thing.in_(bindparam("things", expanding=True))
)
_DELETE = delete(connectivity).where(_KEY)
_CONNECTED = select(connectivity).where(connectivity.c.connected.is_(True)).limit(bindparam("limit_"))
_INSERT = insert(connectivity)
_MEMBERS: Final = (
    "client_id",
    "connected",
    "at",
    "epoch",
    "reason",
    "clean_session",
    "keep_alive_s",
    "session_expiry_s",
    "source_ip",
    "source_port",
    "target_ip",
    "target_port",
)


class ConnectivityStore:
    """Connectivity in the database. It holds nothing; one serves every transaction."""

    def get(self, tx: Tx, account: str, thing: str) -> Presence | None:
        """Answer how the thing's last connection stands, None when it never had one."""
        row = tx.one(_GET, account_=account, thing_=thing)
        return None if row is None else _presence(row)

    def connected(self, tx: Tx, *, limit: int) -> Sequence[tuple[str, Presence]]:
        """Answer (account, presence) of things of all accounts that are connected, `limit` at most."""
        return [(row.account, _presence(row)) for row in tx.all(_CONNECTED, limit_=limit)]

    def of(self, tx: Tx, account: str, thing: str) -> Mapping[str, Any] | None:
        """Answer the members of AWS's ThingConnectivity, None when nothing is known."""
        found = self.get(tx, account, thing)
        return None if found is None else found.members()

    def of_some(self, tx: Tx, account: str, things: Sequence[str]) -> Mapping[str, Mapping[str, Any]]:
        """Answer the same, and the connection's version, for the things of which something is known; 500 at most."""
        rows = tx.all(_GET_SOME, account_=account, things=list(things)) if things else ()
        return {row.thing: {**_presence(row).members(), "version": row.epoch} for row in rows}

    def put(self, tx: Tx, account: str, new: Presence) -> bool:
        """Keep what is newer; tell whether it was."""
        if not new.supersedes(self.get(tx, account, new.thing)):
            return False
        tx.run(_DELETE, account_=account, thing_=new.thing)
        tx.run(_INSERT, account=account, thing=new.thing, **{name: getattr(new, name) for name in _MEMBERS})
        return True

    def forget(self, tx: Tx, account: str, end: Presence) -> None:
        """Keep nothing of a client that has no thing; a connection newer than this end stays."""
        known = self.get(tx, account, end.thing)
        if known is not None and end.supersedes(known):
            tx.run(_DELETE, account_=account, thing_=end.thing)


def _presence(row: Row[Any]) -> Presence:
    return Presence(thing=row.thing, **{name: getattr(row, name) for name in _MEMBERS})
