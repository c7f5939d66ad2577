"""CloudWatch Logs: one method per operation (Amazon CloudWatch Logs API reference, 2014-03-28)."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Row

from hedgerow.core.arn import arn
from hedgerow.core.caller import Caller
from hedgerow.core.paging import InvalidToken, Pager, scope_of
from hedgerow.core.request import Request
from hedgerow.services.logs.groups.errors import AlreadyExists, GroupNotFound, InvalidParameter, StreamNotFound
from hedgerow.services.logs.groups.model import DAY_MS, RETENTIONS, LogEvent, LogGroup, Rejected, accept, parse_filter
from hedgerow.services.logs.groups.store import LogStore
from hedgerow.store import Answer, Tx

FOREVER_MS = 1 << 62
MAX_READ = 10_000
RETENTION_FOLLOW_UP = "log-retention"
HOUR_S = 3600.0


class LogOperations:
    """Groups, streams, events."""

    def __init__(self, *, pager: Pager) -> None:
        self._pager = pager

    def create_log_group(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        logs = LogStore(tx, caller.account)
        name = request["logGroupName"]
        if logs.group(name) is not None:
            raise AlreadyExists("The specified log group already exists")
        logs.add_group(LogGroup(name=name, created_at=tx.now))
        return Answer()

    def delete_log_group(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        logs = LogStore(tx, caller.account)
        logs.delete_group(_group(logs, request["logGroupName"]).name)
        return Answer()

    def describe_log_groups(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        count = request.get("limit", 50)
        scope = scope_of(caller.account, "DescribeLogGroups", request)
        after = self._pager.position(scope, request.get("nextToken")) or ""
        prefix = request.get("logGroupNamePrefix", "")
        groups = LogStore(tx, caller.account).groups(prefix=prefix, after=after, count=count + 1)
        answer: dict[str, Any] = {"logGroups": [_shown_group(group, caller) for group in groups[:count]]}
        if len(groups) > count:
            answer["nextToken"] = self._pager.token(scope, groups[count - 1].name)
        return Answer(answer)

    def put_retention_policy(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        logs = LogStore(tx, caller.account)
        group = _group(logs, request["logGroupName"])
        days = request["retentionInDays"]
        if days not in RETENTIONS:
            raise InvalidParameter(f"retentionInDays must be one of {sorted(RETENTIONS)}, not {days}")
        logs.set_retention(group.name, days)
        tx.cancel_follow_ups(RETENTION_FOLLOW_UP, account=caller.account, key=group.name)
        tx.follow_up(RETENTION_FOLLOW_UP, account=caller.account, key=group.name, body={})
        return Answer()

    def delete_retention_policy(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        logs = LogStore(tx, caller.account)
        logs.set_retention(_group(logs, request["logGroupName"]).name, None)
        return Answer()

    def create_log_stream(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        logs = LogStore(tx, caller.account)
        group = _group(logs, request["logGroupName"])
        name = request["logStreamName"]
        if logs.stream(group.name, name) is not None:
            raise AlreadyExists("The specified log stream already exists")
        logs.add_stream(group.name, name)
        return Answer()

    def delete_log_stream(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        logs = LogStore(tx, caller.account)
        group = _group(logs, request["logGroupName"])
        name = request["logStreamName"]
        if logs.stream(group.name, name) is None:
            raise StreamNotFound(name)
        logs.delete_stream(group.name, name)
        return Answer()

    def describe_log_streams(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        logs = LogStore(tx, caller.account)
        group = _group(logs, _named(request))
        count = request.get("limit", 50)
        if request.get("orderBy", "LogStreamName") != "LogStreamName" or request.get("descending", False):
            return Answer({"logStreams": self._by_time(logs, group, request, count, caller)})
        scope = scope_of(caller.account, "DescribeLogStreams", request)
        after = self._pager.position(scope, request.get("nextToken")) or ""
        rows = logs.streams(group.name, prefix=request.get("logStreamNamePrefix", ""), after=after, count=count + 1)
        answer: dict[str, Any] = {"logStreams": [_shown_stream(row, caller) for row in rows[:count]]}
        if len(rows) > count:
            answer["nextToken"] = self._pager.token(scope, rows[count - 1].name)
        return Answer(answer)

    def _by_time(
        self, logs: LogStore, group: LogGroup, request: Request, count: int, caller: Caller
    ) -> list[dict[str, Any]]:
        """Answer the streams in another order than by name: one page of at most `limit`, out of the first 10,000."""
        rows = list(logs.streams(group.name, prefix=request.get("logStreamNamePrefix", ""), after="", count=MAX_READ))
        if request.get("orderBy") == "LastEventTime":
            if "logStreamNamePrefix" in request:
                raise InvalidParameter("Cannot order by LastEventTime with a logStreamNamePrefix.")
            rows.sort(key=lambda row: row.last_event_ms or 0)
        if request.get("descending", False):
            rows.reverse()
        return [_shown_stream(row, caller) for row in rows[:count]]

    def put_log_events(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        logs = LogStore(tx, caller.account)
        group = _group(logs, request["logGroupName"])
        stream = request["logStreamName"]
        if logs.stream(group.name, stream) is None:
            raise StreamNotFound(stream)
        request.get("sequenceToken")  # AWS no longer looks at it
        events = [LogEvent(event["timestamp"], event["message"]) for event in request["logEvents"]]
        now_ms = int(tx.now * 1000)
        kept, rejected = accept(events, now_ms=now_ms, retention_days=group.retention_days)
        logs.append(group.name, stream, kept, ingested_ms=now_ms)
        answer: dict[str, Any] = {"nextSequenceToken": caller.request_id}
        if rejected != Rejected():
            answer["rejectedLogEventsInfo"] = _shown_rejected(rejected)
        return Answer(answer)

    def get_log_events(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        logs = LogStore(tx, caller.account)
        group = _group(logs, _named(request))
        stream = request["logStreamName"]
        if logs.stream(group.name, stream) is None:
            raise StreamNotFound(stream)
        scope = json.dumps([caller.account, "GetLogEvents", group.name, stream])
        direction, seq = self._place(scope, request.get("nextToken"), from_head=request.get("startFromHead", False))
        read = logs.events_after if direction == "f" else logs.events_before
        rows = read(
            group.name,
            stream,
            seq=seq,
            start=request.get("startTime", 0),
            end=request.get("endTime", FOREVER_MS),
            count=request.get("limit", MAX_READ),
        )
        newest = rows[-1].seq if rows else seq
        oldest = rows[0].seq if rows else seq
        return Answer(
            {
                "events": [
                    {"timestamp": row.timestamp_ms, "message": row.message, "ingestionTime": row.ingested_ms}
                    for row in rows
                ],
                "nextForwardToken": f"f/{self._pager.token(scope, str(newest))}",
                "nextBackwardToken": f"b/{self._pager.token(scope, str(oldest))}",
            }
        )

    def _place(self, scope: str, token: str | None, *, from_head: bool) -> tuple[str, int]:
        """Answer where to read from, and in which direction: a token names both."""
        if token is None:
            return ("f", 0) if from_head else ("b", FOREVER_MS)
        direction, _, place = token.partition("/")
        try:
            position = self._pager.position(scope, place)
        except InvalidToken as error:
            raise InvalidParameter("The specified nextToken is invalid.") from error
        if direction not in ("f", "b") or position is None:
            raise InvalidParameter("The specified nextToken is invalid.")
        return direction, int(position)

    def filter_log_events(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        logs = LogStore(tx, caller.account)
        group = _group(logs, _named(request))
        count = request.get("limit", MAX_READ)
        scope = scope_of(caller.account, "FilterLogEvents", request)
        position = self._pager.position(scope, request.get("nextToken"))
        wanted = parse_filter(request.get("filterPattern", ""))
        streams = set(request["logStreamNames"]) if "logStreamNames" in request else None
        prefix = request.get("logStreamNamePrefix", "")
        request.get("interleaved")  # events of all streams are always interleaved, as AWS does today
        rows = logs.events_in_group(
            group.name,
            start=request.get("startTime", 0),
            end=request.get("endTime", FOREVER_MS),
            after=_read_position(position),
            count=MAX_READ,
        )
        found: list[Row[Any]] = []
        for row in rows:
            inside = row.stream in streams if streams is not None else row.stream.startswith(prefix)
            if inside and wanted.matches(row.message):
                found.append(row)
                if len(found) == count:
                    break
        answer: dict[str, Any] = {"events": [_shown_event(row) for row in found], "searchedLogStreams": []}
        last = found[-1] if len(found) == count else rows[-1] if len(rows) == MAX_READ else None
        if last is not None:
            answer["nextToken"] = self._pager.token(scope, f"{last.timestamp_ms}/{last.seq}/{last.stream}")
        return Answer(answer)

    def append(self, tx: Tx, account: str, group: str, stream: str, messages: Iterable[tuple[int, str]]) -> None:
        """Add events of Hedgerow's own (function logs, rule actions); the group and stream are made when absent."""
        logs = LogStore(tx, account)
        if logs.group(group) is None:
            logs.add_group(LogGroup(name=group, created_at=tx.now))
        if logs.stream(group, stream) is None:
            logs.add_stream(group, stream)
        events = sorted((LogEvent(timestamp, message) for timestamp, message in messages), key=_by_timestamp)
        logs.append(group, stream, events, ingested_ms=int(tx.now * 1000))

    def missing(self, tx: Tx, account: str, group: str, stream: str) -> frozenset[str]:
        """Answer what `append` would have to make: "group", "stream", both or neither."""
        logs = LogStore(tx, account)
        if logs.group(group) is None:
            return frozenset({"group", "stream"})
        return frozenset() if logs.stream(group, stream) is not None else frozenset({"stream"})

    def expire(self, tx: Tx, account: str, group: str) -> None:
        """Delete what is past the group's retention, and come back in an hour."""
        logs = LogStore(tx, account)
        found = logs.group(group)
        if found is None or found.retention_days is None:
            return
        logs.delete_older(group, int(tx.now * 1000) - found.retention_days * DAY_MS)
        tx.follow_up(RETENTION_FOLLOW_UP, account=account, key=group, body={}, due_at=tx.now + HOUR_S)


def _by_timestamp(event: LogEvent) -> int:
    return event.timestamp


def _group(logs: LogStore, name: str) -> LogGroup:
    group = logs.group(name)
    if group is None:
        raise GroupNotFound(name)
    return group


def _named(request: Request) -> str:
    """Answer the group that a request names, by `logGroupName` or by `logGroupIdentifier` (name or ARN)."""
    if ("logGroupName" in request) == ("logGroupIdentifier" in request):
        raise InvalidParameter("Exactly one of logGroupName and logGroupIdentifier must be given.")
    if "logGroupName" in request:
        return str(request["logGroupName"])
    identifier = str(request["logGroupIdentifier"])
    return identifier.split(":", 6)[-1].removesuffix(":*") if identifier.startswith("arn:") else identifier


def _read_position(position: str | None) -> tuple[int, str, int]:
    if position is None:
        return -1, "", 0
    at, seq, stream = position.split("/", 2)
    return int(at), stream, int(seq)


def _group_arn(caller: Caller, name: str) -> str:
    return arn("logs", caller.region, caller.account, f"log-group:{name}")


def _shown_group(group: LogGroup, caller: Caller) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "logGroupName": group.name,
        "creationTime": int(group.created_at * 1000),
        "metricFilterCount": 0,
        "arn": _group_arn(caller, group.name) + ":*",
        "logGroupArn": _group_arn(caller, group.name),
        "logGroupClass": "STANDARD",
    }
    if group.retention_days is not None:
        shown["retentionInDays"] = group.retention_days
    return shown


def _shown_stream(row: Row[Any], caller: Caller) -> dict[str, Any]:
    times = {
        "firstEventTimestamp": row.first_event_ms,
        "lastEventTimestamp": row.last_event_ms,
        "lastIngestionTime": row.last_ingestion_ms,
    }
    return {
        "logStreamName": row.name,
        "creationTime": int(row.created_at * 1000),
        "arn": f"{_group_arn(caller, row.log_group)}:log-stream:{row.name}",
        **{name: value for name, value in times.items() if value is not None},
    }


def _shown_event(row: Row[Any]) -> Mapping[str, Any]:
    return {
        "logStreamName": row.stream,
        "timestamp": row.timestamp_ms,
        "message": row.message,
        "ingestionTime": row.ingested_ms,
        "eventId": f"{row.timestamp_ms:014d}{row.seq:020d}",
    }


def _shown_rejected(rejected: Rejected) -> Mapping[str, int]:
    shown: Sequence[tuple[str, int | None]] = (
        ("tooNewLogEventStartIndex", rejected.too_new_from),
        ("tooOldLogEventEndIndex", rejected.too_old_until),
        ("expiredLogEventEndIndex", rejected.expired_until),
    )
    return {name: index for name, index in shown if index is not None}
