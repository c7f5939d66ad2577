"""One transaction as operations see it, and what they answer."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Executable,
    Float,
    Index,
    Integer,
    Row,
    String,
    Table,
    Text,
    bindparam,
    delete,
    insert,
    select,
)

from hedgerow.core.events import Event
from hedgerow.store.schema import metadata
from hedgerow.store.short_way import short_way

follow_ups = Table(
    "follow_up",
    metadata,
    Column("seq", BigInteger().with_variant(Integer, "sqlite"), primary_key=True, autoincrement=True),
    Column("account", String(12), nullable=False),
    Column("kind", String(64), nullable=False),
    Column("key", String(512), nullable=False),
    Column("due_at", Float, nullable=False),
    Column("body", Text, nullable=False),
    Column("attempts", Integer, nullable=False, default=0),
    Column("dead", Integer, nullable=False, default=0),
    Column("error", Text),
    Column("retry_at", Float),  # not before this, after a failure; later rows of the same key wait with it
    # The dispatcher works for all accounts, kind by kind: the two indexes that do not begin with the account.
    Index("ix_follow_up_due", "kind", "dead", "due_at", "seq"),
    Index("ix_follow_up_retry", "kind", "retry_at"),
    Index("ix_follow_up_key", "account", "kind", "key", "seq"),
    sqlite_autoincrement=True,
)

_INSERT = insert(follow_ups)
_CANCEL = delete(follow_ups).where(
    follow_ups.c.account == bindparam("account_"),
    follow_ups.c.kind == bindparam("kind_"),
    follow_ups.c.key == bindparam("key_"),
)
_OTHERS = (
    select(follow_ups.c.seq, follow_ups.c.body)
    .where(
        follow_ups.c.kind == bindparam("kind_"),
        follow_ups.c.dead == 0,
        follow_ups.c.due_at <= bindparam("now_"),
        follow_ups.c.account == bindparam("account_"),
        follow_ups.c.attempts == 0,
    )
    .order_by(follow_ups.c.due_at, follow_ups.c.seq)
    .limit(bindparam("limit_"))
    .with_for_update(skip_locked=True)
)
_TAKE = delete(follow_ups).where(follow_ups.c.seq.in_(bindparam("seqs", expanding=True)))


@dataclass(frozen=True, slots=True)
class Answer:
    """What an operation answers: the output members, and what may happen once it is committed."""

    response: Mapping[str, Any] = field(default_factory=dict)
    events: tuple[Event, ...] = ()


class Tx:
    """One open transaction. Operations never open, commit or nest one themselves."""

    __slots__ = ("_connection", "_short", "now", "scheduled")

    def __init__(self, connection: Connection, now: float) -> None:
        self._connection = connection
        self._short = short_way(connection)
        self.now = now
        """The clock reading at the start, seconds since the epoch."""
        self.scheduled: dict[str, float] | None = None
        """When the follow-ups written here are due, the earliest of each kind; the runner tells the dispatcher."""

    def all(self, statement: Executable, **values: Any) -> Sequence[Row[Any]]:
        """Run a statement and answer all its rows."""
        plan = None if self._short is None else self._short.plan(statement, values)
        return self._connection.execute(statement, values).all() if plan is None else plan.all(values)

    def one(self, statement: Executable, **values: Any) -> Row[Any] | None:
        """Run a statement and answer its first row, or None."""
        plan = None if self._short is None else self._short.plan(statement, values)
        return self._connection.execute(statement, values).first() if plan is None else plan.one(values)

    def run(self, statement: Executable, **values: Any) -> int:
        """Run a statement that changes rows and answer how many it changed."""
        plan = None if self._short is None else self._short.plan(statement, values)
        return self._connection.execute(statement, values).rowcount if plan is None else plan.run(values)

    def run_many(self, statement: Executable, rows: Sequence[Mapping[str, Any]]) -> None:
        """Run a statement once for each row."""
        if len(rows) == 1:
            self.run(statement, **rows[0])
        elif rows:
            self._connection.execute(statement, rows)

    def follow_up(
        self, kind: str, *, account: str, key: str, body: Mapping[str, Any], due_at: float | None = None
    ) -> None:
        """Write down what must happen (at once, or at `due_at`): at least once, in order per (account, kind, key)."""
        self.follow_up_many(kind, account=account, rows=((key, body),), due_at=due_at)

    def follow_up_many(
        self, kind: str, *, account: str, rows: Sequence[tuple[str, Mapping[str, Any]]], due_at: float | None = None
    ) -> None:
        """Write down the same for many (key, body), as `follow_up` does for one."""
        if not rows:
            return
        due = self.now if due_at is None else due_at
        if self.scheduled is None:
            self.scheduled = {kind: due}
        elif due < self.scheduled.get(kind, math.inf):
            self.scheduled[kind] = due
        common = {"account": account, "kind": kind, "due_at": due, "attempts": 0, "dead": 0}
        values = [{**common, "key": key, "body": json.dumps(body)} for key, body in rows]
        self.run_many(_INSERT, values)

    def cancel_follow_ups(self, kind: str, *, account: str, key: str) -> None:
        """Forget what was to happen later (a timer that is no longer wanted)."""
        self.run(_CANCEL, account_=account, kind_=kind, key_=key)

    def take_follow_ups(self, kind: str, *, account: str, limit: int) -> Sequence[Mapping[str, Any]]:
        """Take over others of the kind that are due and never failed, the oldest first: answer their bodies.

        For handlers that only look at how things are now, so that the order and number of rows is nothing to them.
        """
        rows = self.all(_OTHERS, kind_=kind, account_=account, now_=self.now, limit_=limit)
        if rows:
            self.run(_TAKE, seqs=[row.seq for row in rows])
        return [json.loads(row.body) for row in rows]
