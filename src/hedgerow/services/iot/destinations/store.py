"""Rows of rule destinations."""

from typing import Any, Final

from sqlalchemy import Column, Float, Row, String, Table, Text, bindparam, delete, insert, select, update

from hedgerow.services.iot.destinations.model import Destination, Status
from hedgerow.store import Tx, metadata

rule_destinations = Table(
    "rule_destination",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("id", String(36), primary_key=True),
    Column("url", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("reason", Text, nullable=False),
    Column("token", String(64), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
)

_D = rule_destinations.c
_KEY: Final = (_D.account == bindparam("account_"), _D.id == bindparam("id_"))
GET = select(rule_destinations).where(*_KEY)
BY_TOKEN = select(rule_destinations).where(_D.account == bindparam("account_"), _D.token == bindparam("token_"))
ALL = (
    select(rule_destinations)
    .where(_D.account == bindparam("account_"), _D.id > bindparam("after"))
    .order_by(_D.id)
    .limit(bindparam("count"))
)
ADD = insert(rule_destinations)
CHANGE = (
    update(rule_destinations)
    .where(*_KEY)
    .values(
        status=bindparam("status"), reason=bindparam("reason"), token=bindparam("token"), updated_at=bindparam("at")
    )
)
DELETE = delete(rule_destinations).where(*_KEY)


class DestinationStore:
    """The rows of one account."""

    def __init__(self, tx: Tx, account: str) -> None:
        self._tx = tx
        self._account = account

    def get(self, identifier: str) -> Destination | None:
        return _maybe(self._tx.one(GET, account_=self._account, id_=identifier))

    def by_token(self, token: str) -> Destination | None:
        return _maybe(self._tx.one(BY_TOKEN, account_=self._account, token_=token))

    def page(self, *, after: str, count: int) -> list[Destination]:
        return [_destination(row) for row in self._tx.all(ALL, account_=self._account, after=after, count=count)]

    def add(self, destination: Destination) -> None:
        self._tx.run(
            ADD,
            account=self._account,
            id=destination.id,
            url=destination.url,
            status=destination.status.value,
            reason=destination.reason,
            token=destination.token,
            created_at=destination.created_at,
            updated_at=destination.updated_at,
        )

    def change(self, destination: Destination) -> None:
        self._tx.run(
            CHANGE,
            account_=self._account,
            id_=destination.id,
            status=destination.status.value,
            reason=destination.reason,
            token=destination.token,
            at=destination.updated_at,
        )

    def delete(self, identifier: str) -> None:
        self._tx.run(DELETE, account_=self._account, id_=identifier)


def _maybe(row: Row[Any] | None) -> Destination | None:
    return None if row is None else _destination(row)


def _destination(row: Row[Any]) -> Destination:
    return Destination(
        id=row.id,
        url=row.url,
        status=Status(row.status),
        reason=row.reason,
        token=row.token,
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
