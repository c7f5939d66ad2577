"""The rows of thing types; also what other subjects may ask about them."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final, Protocol

from sqlalchemy import Column, Float, Row, String, Table, Text, bindparam, delete, insert, select
from sqlalchemy import update as update_rows

from hedgerow.services.iot.thing_types.model import ThingType, checked_propagating
from hedgerow.store import Tx, metadata

thing_types = Table(
    "iot_thing_type",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("name", String(128), primary_key=True),
    Column("id", String(36), nullable=False),
    Column("description", Text),
    Column("searchable", Text, nullable=False),
    Column("created_at", Float, nullable=False),
    Column("deprecated_at", Float),
    Column("propagating", Text),  # JSON, as AWS writes it
)

_ACCOUNT: Final[Any] = bindparam("account_")
_NAME: Final[Any] = bindparam("name_")
_AFTER: Final[Any] = bindparam("after")
_LIMIT: Final[Any] = bindparam("limit_")

_GET_TYPE = select(thing_types).where(thing_types.c.account == _ACCOUNT, thing_types.c.name == _NAME)
_INSERT_TYPE = insert(thing_types)
_UPDATE_TYPE = update_rows(thing_types).where(thing_types.c.account == _ACCOUNT, thing_types.c.name == _NAME)
_DEPRECATE_TYPE = update_rows(thing_types).where(thing_types.c.account == _ACCOUNT, thing_types.c.name == _NAME)
_DELETE_TYPE = delete(thing_types).where(thing_types.c.account == _ACCOUNT, thing_types.c.name == _NAME)
_LIST_TYPES = (
    select(thing_types)
    .where(thing_types.c.account == _ACCOUNT, thing_types.c.name > _AFTER)
    .order_by(thing_types.c.name)
    .limit(_LIMIT)
)


ALL: Final = 1_000_000  # as a page size: no paging wanted


class Watcher(Protocol):
    """Who is told of changes, with what was and what is."""

    def wants_types(self, account: str) -> bool:
        """Tell whether `type_changed` is to be called."""
        ...

    def type_changed(self, tx: Tx, account: str, before: ThingType | None, after: ThingType | None) -> None:
        """A thing type was made (nothing before), changed or deleted (nothing after)."""
        ...


class ThingTypeStore:
    """Thing types in the database. The watcher is told, in the same transaction, of each that changes."""

    def __init__(self, *, watcher: Watcher | None = None) -> None:
        self._watcher = watcher

    def get(self, tx: Tx, account: str, name: str) -> ThingType | None:
        """Answer the thing type, or None."""
        row = tx.one(_GET_TYPE, account_=account, name_=name)
        return None if row is None else _type(row)

    def add(self, tx: Tx, account: str, kind: ThingType) -> None:
        with self._watched(tx, account, kind.name):
            tx.run(
                _INSERT_TYPE,
                account=account,
                name=kind.name,
                id=kind.id,
                description=kind.description,
                searchable=json.dumps(kind.searchable),
                created_at=kind.created_at,
                deprecated_at=kind.deprecated_at,
                propagating=_written(kind),
            )

    def put(self, tx: Tx, account: str, kind: ThingType) -> None:
        """Write what may change of the type, but whether it is deprecated."""
        changed = {
            "description": kind.description,
            "searchable": json.dumps(kind.searchable),
            "propagating": _written(kind),
        }
        with self._watched(tx, account, kind.name):
            tx.run(_UPDATE_TYPE, account_=account, name_=kind.name, **changed)

    def deprecate(self, tx: Tx, account: str, name: str, *, at: float | None) -> None:
        with self._watched(tx, account, name):
            tx.run(_DEPRECATE_TYPE, account_=account, name_=name, deprecated_at=at)

    def remove(self, tx: Tx, account: str, name: str) -> None:
        with self._watched(tx, account, name):
            tx.run(_DELETE_TYPE, account_=account, name_=name)

    def list(self, tx: Tx, account: str, *, after: str = "", limit: int = ALL) -> Sequence[ThingType]:
        return [_type(row) for row in tx.all(_LIST_TYPES, account_=account, after=after, limit_=limit)]

    @contextmanager
    def _watched(self, tx: Tx, account: str, name: str) -> Iterator[None]:
        """Tell the watcher, where it wants to know, how the type stood before and after the block."""
        watcher = self._watcher
        if watcher is None or not watcher.wants_types(account):
            yield
            return
        before = self.get(tx, account, name)
        yield
        watcher.type_changed(tx, account, before, self.get(tx, account, name))


def _written(kind: ThingType) -> str:
    return json.dumps([each.shown() for each in kind.propagating])


def _type(row: Row[Any]) -> ThingType:
    return ThingType(
        name=row.name,
        id=row.id,
        description=row.description,
        searchable=tuple(json.loads(row.searchable)),
        created_at=row.created_at,
        deprecated_at=row.deprecated_at,
        propagating=checked_propagating(json.loads(row.propagating or "[]")),
    )
