"""Two small tables, and operations on them, for the tests of the store itself."""

from collections.abc import Callable

from sqlalchemy import Column, Integer, MetaData, String, Table, bindparam, insert, select, update

from hedgerow.core.events import Published
from hedgerow.store import Answer, Tx
from hedgerow.store.schema import naming
from hedgerow.store.tx import follow_ups

ACCOUNT = "123456789012"

tables = MetaData(naming_convention=naming)
follow_ups.to_metadata(tables)
notes = Table(
    "note",
    tables,
    Column("account", String(12), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("count", Integer, nullable=False),
)

INSERT = insert(notes)
COUNT_UP = update(notes).where(notes.c.name == bindparam("name_")).values(count=notes.c.count + 1)
SET_COUNT = update(notes).where(notes.c.name == bindparam("name_")).values(count=bindparam("count_"))
NAMES = select(notes.c.name).order_by(notes.c.name)
COUNT = select(notes.c.count).where(notes.c.name == bindparam("name_"))


class Refused(Exception):
    """What a failing operation of these tests raises."""


def note(name: str) -> Callable[[Tx], Answer]:
    """An operation that writes a row and lets an event go."""

    def operation(tx: Tx) -> Answer:
        tx.run(INSERT, account=ACCOUNT, name=name, count=0)
        return Answer({"name": name}, events=(event(name),))

    return operation


def refused_after_writing(name: str) -> Callable[[Tx], Answer]:
    def operation(tx: Tx) -> Answer:
        note(name)(tx)
        raise Refused(name)

    return operation


def event(name: str) -> Published:
    return Published(account=ACCOUNT, topic=name, payload=b"")


def names(tx: Tx) -> list[str]:
    return [row.name for row in tx.all(NAMES)]
