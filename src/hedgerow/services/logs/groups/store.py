"""Rows of log groups, streams and events. An event's `seq` is its place in its stream, for paging."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Index,
    Integer,
    Row,
    String,
    Table,
    Text,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)

from hedgerow.services.logs.groups.errors import StreamNotFound
from hedgerow.services.logs.groups.model import LogEvent, LogGroup
from hedgerow.store import Tx, metadata

log_groups = Table(
    "log_group",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("name", String(512), primary_key=True),
    Column("created_at", Float, nullable=False),
    Column("retention_days", Integer),
)
log_streams = Table(
    "log_stream",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("log_group", String(512), primary_key=True),
    Column("name", String(512), primary_key=True),
    Column("created_at", Float, nullable=False),
    Column("last_seq", BigInteger, nullable=False),
    Column("first_event_ms", BigInteger),
    Column("last_event_ms", BigInteger),
    Column("last_ingestion_ms", BigInteger),
)
log_events = Table(
    "log_event",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("log_group", String(512), primary_key=True),
    Column("stream", String(512), primary_key=True),
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("timestamp_ms", BigInteger, nullable=False),
    Column("ingested_ms", BigInteger, nullable=False),
    Column("message", Text, nullable=False),
    Index("ix_log_event_time", "account", "log_group", "timestamp_ms"),
)

_G, _S, _E = log_groups.c, log_streams.c, log_events.c
_GROUP = (_G.account == bindparam("account"), _G.name == bindparam("group"))
_STREAMS = (_S.account == bindparam("account"), _S.log_group == bindparam("group"))
_STREAM = (*_STREAMS, _S.name == bindparam("stream"))
_EVENTS = (_E.account == bindparam("account"), _E.log_group == bindparam("group"))
_STREAM_EVENTS = (*_EVENTS, _E.stream == bindparam("stream"))
_BETWEEN = (_E.timestamp_ms >= bindparam("start"), _E.timestamp_ms < bindparam("end"))

GET_GROUP = select(log_groups).where(*_GROUP)
LIST_GROUPS = (
    select(log_groups)
    .where(
        _G.account == bindparam("account"),
        _G.name > bindparam("after"),
        func.substr(_G.name, 1, func.length(bindparam("prefix"))) == bindparam("prefix"),
    )
    .order_by(_G.name)
    .limit(bindparam("count"))
)
ADD_GROUP = insert(log_groups)
SET_RETENTION = (
    update(log_groups)
    .where(_G.account == bindparam("account_"), _G.name == bindparam("group_"))
    .values(retention_days=bindparam("days"))
)
DELETE_GROUP = delete(log_groups).where(*_GROUP)
DELETE_GROUP_STREAMS = delete(log_streams).where(*_STREAMS)
DELETE_GROUP_EVENTS = delete(log_events).where(*_EVENTS)
GET_STREAM = select(log_streams).where(*_STREAM)
LIST_STREAMS = (
    select(log_streams)
    .where(
        *_STREAMS,
        _S.name > bindparam("after"),
        func.substr(_S.name, 1, func.length(bindparam("prefix"))) == bindparam("prefix"),
    )
    .order_by(_S.name)
    .limit(bindparam("count"))
)
ADD_STREAM = insert(log_streams)
ADVANCE_STREAM = (
    update(log_streams)
    .where(_S.account == bindparam("account_"), _S.log_group == bindparam("group_"), _S.name == bindparam("stream_"))
    .values(
        last_seq=bindparam("seq"),
        first_event_ms=bindparam("first"),
        last_event_ms=bindparam("last"),
        last_ingestion_ms=bindparam("ingested"),
    )
)
DELETE_STREAM = delete(log_streams).where(*_STREAM)
DELETE_STREAM_EVENTS = delete(log_events).where(*_STREAM_EVENTS)
ADD_EVENT = insert(log_events)
EVENTS_AFTER = (
    select(log_events)
    .where(*_STREAM_EVENTS, *_BETWEEN, _E.seq > bindparam("seq"))
    .order_by(_E.seq)
    .limit(bindparam("count"))
)
EVENTS_BEFORE = (
    select(log_events)
    .where(*_STREAM_EVENTS, *_BETWEEN, _E.seq < bindparam("seq"))
    .order_by(_E.seq.desc())
    .limit(bindparam("count"))
)
_PAST_TIME = _E.timestamp_ms > bindparam("at")
_PAST_STREAM = (_E.timestamp_ms == bindparam("at")) & (_E.stream > bindparam("after_stream"))
_PAST_SEQ = (
    (_E.timestamp_ms == bindparam("at")) & (_E.stream == bindparam("after_stream")) & (_E.seq > bindparam("after_seq"))
)
EVENTS_IN_GROUP = (
    select(log_events)
    .where(*_EVENTS, *_BETWEEN, _PAST_TIME | _PAST_STREAM | _PAST_SEQ)
    .order_by(_E.timestamp_ms, _E.stream, _E.seq)
    .limit(bindparam("count"))
)
DELETE_OLD = delete(log_events).where(*_EVENTS, _E.timestamp_ms < bindparam("before"))


class LogStore:
    """The rows of one account."""

    def __init__(self, tx: Tx, account: str) -> None:
        self._tx = tx
        self._account = account

    def group(self, name: str) -> LogGroup | None:
        row = self._tx.one(GET_GROUP, account=self._account, group=name)
        return None if row is None else _group(row)

    def groups(self, *, prefix: str, after: str, count: int) -> list[LogGroup]:
        rows = self._tx.all(LIST_GROUPS, account=self._account, prefix=prefix, after=after, count=count)
        return [_group(row) for row in rows]

    def add_group(self, group: LogGroup) -> None:
        self._tx.run(
            ADD_GROUP,
            account=self._account,
            name=group.name,
            created_at=group.created_at,
            retention_days=group.retention_days,
        )

    def set_retention(self, group: str, days: int | None) -> None:
        self._tx.run(SET_RETENTION, account_=self._account, group_=group, days=days)

    def delete_group(self, group: str) -> None:
        for statement in (DELETE_GROUP_EVENTS, DELETE_GROUP_STREAMS, DELETE_GROUP):
            self._tx.run(statement, account=self._account, group=group)

    def stream(self, group: str, name: str) -> Row[Any] | None:
        return self._tx.one(GET_STREAM, account=self._account, group=group, stream=name)

    def streams(self, group: str, *, prefix: str, after: str, count: int) -> Sequence[Row[Any]]:
        return self._tx.all(LIST_STREAMS, account=self._account, group=group, prefix=prefix, after=after, count=count)

    def add_stream(self, group: str, name: str) -> None:
        self._tx.run(ADD_STREAM, account=self._account, log_group=group, name=name, created_at=self._tx.now, last_seq=0)

    def delete_stream(self, group: str, name: str) -> None:
        for statement in (DELETE_STREAM_EVENTS, DELETE_STREAM):
            self._tx.run(statement, account=self._account, group=group, stream=name)

    def append(self, group: str, stream: str, events: Sequence[LogEvent], *, ingested_ms: int) -> None:
        """Add events at the end of a stream that exists."""
        row = self._tx.one(GET_STREAM, account=self._account, group=group, stream=stream)
        if row is None:
            raise StreamNotFound(stream)
        rows = [
            {
                "account": self._account,
                "log_group": group,
                "stream": stream,
                "seq": row.last_seq + index,
                "timestamp_ms": event.timestamp,
                "ingested_ms": ingested_ms,
                "message": event.message,
            }
            for index, event in enumerate(events, 1)
        ]
        if not rows:
            return
        self._tx.run_many(ADD_EVENT, rows)
        first, last = events[0].timestamp, events[-1].timestamp
        self._tx.run(
            ADVANCE_STREAM,
            account_=self._account,
            group_=group,
            stream_=stream,
            seq=row.last_seq + len(rows),
            first=first if row.first_event_ms is None else min(first, row.first_event_ms),
            last=last if row.last_event_ms is None else max(last, row.last_event_ms),
            ingested=ingested_ms,
        )

    def events_after(self, group: str, stream: str, *, seq: int, start: int, end: int, count: int) -> list[Row[Any]]:
        """Answer events of a stream behind a place, oldest first."""
        return list(
            self._tx.all(
                EVENTS_AFTER,
                account=self._account,
                group=group,
                stream=stream,
                seq=seq,
                start=start,
                end=end,
                count=count,
            )
        )

    def events_before(self, group: str, stream: str, *, seq: int, start: int, end: int, count: int) -> list[Row[Any]]:
        """Answer the last events of a stream before a place, oldest first."""
        rows = self._tx.all(
            EVENTS_BEFORE,
            account=self._account,
            group=group,
            stream=stream,
            seq=seq,
            start=start,
            end=end,
            count=count,
        )
        return list(reversed(rows))

    def events_in_group(
        self, group: str, *, start: int, end: int, after: tuple[int, str, int], count: int
    ) -> Sequence[Row[Any]]:
        """Answer events of all streams behind (time, stream, seq), in that order."""
        at, after_stream, after_seq = after
        return self._tx.all(
            EVENTS_IN_GROUP,
            account=self._account,
            group=group,
            start=start,
            end=end,
            at=at,
            after_stream=after_stream,
            after_seq=after_seq,
            count=count,
        )

    def delete_older(self, group: str, before_ms: int) -> int:
        """Delete the events that are older, and answer how many that were."""
        return self._tx.run(DELETE_OLD, account=self._account, group=group, before=before_ms)


def _group(row: Row[Any]) -> LogGroup:
    return LogGroup(name=row.name, created_at=row.created_at, retention_days=row.retention_days)
