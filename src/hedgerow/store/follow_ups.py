"""The rows of `follow_up`: what is due, what waits after a failure, what is dead. Writing them is `Tx.follow_up`.

Order: the rows of one (account, kind, key) that are due are handled by their number. One that failed keeps its place:
it waits until `retry_at`, and the later rows of its key wait with it. A dead one steps aside.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Row, bindparam, case, delete, func, or_, select, update

from hedgerow.store.tx import Tx, follow_ups

_T: Final = follow_ups.c
ERROR_LENGTH: Final = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class FollowUp:
    """Something that must happen. `attempts` is how often it failed before."""

    seq: int
    account: str
    kind: str
    key: str
    due_at: float
    body: Mapping[str, Any]
    attempts: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """A follow-up that is not tried any more, kept until someone retries or discards it."""

    row: FollowUp
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The first due row of a key, and how many of its key are due."""

    row: FollowUp
    due: int


_COLUMNS: Final = (_T.seq, _T.account, _T.kind, _T.key, _T.due_at, _T.body, _T.attempts)

_FIRST = (
    select(func.min(_T.seq).label("seq"), func.count().label("due"))
    .where(_T.kind == bindparam("kind_"), _T.dead == 0, _T.due_at <= bindparam("now_"))
    .group_by(_T.account, _T.key)
    .subquery()
)
_HEADS = (
    select(*_COLUMNS, _FIRST.c.due)
    .join(_FIRST, _FIRST.c.seq == _T.seq)
    .where(or_(_T.retry_at.is_(None), _T.retry_at <= bindparam("now_")))
    .order_by(_T.seq)
    .limit(bindparam("limit_"))
)
_OF_KEY = (
    select(*_COLUMNS)
    .where(
        _T.account == bindparam("account_"),
        _T.kind == bindparam("kind_"),
        _T.key == bindparam("key_"),
        _T.dead == 0,
        _T.due_at <= bindparam("now_"),
    )
    .order_by(_T.seq)
    .limit(bindparam("limit_"))
)
_OLDEST = (
    select(*_COLUMNS)
    .where(
        _T.kind == bindparam("kind_"),
        _T.dead == 0,
        _T.due_at <= bindparam("now_"),
        or_(_T.retry_at.is_(None), _T.retry_at <= bindparam("now_")),
    )
    .order_by(_T.due_at, _T.seq)
    .limit(1)
)
_NEXT_DUE = select(func.min(_T.due_at)).where(
    _T.kind == bindparam("kind_"), _T.dead == 0, _T.due_at > bindparam("now_")
)
_NEXT_RETRY = select(func.min(_T.retry_at)).where(_T.kind == bindparam("kind_"), _T.retry_at > bindparam("now_"))
_DELETE = delete(follow_ups).where(_T.seq == bindparam("seq_"))
_PUT_BACK = (
    update(follow_ups)
    .where(_T.seq == bindparam("seq_"))
    .values(attempts=bindparam("attempts_"), retry_at=bindparam("retry_at_"), error=bindparam("error_"))
)
_BURY = (
    update(follow_ups)
    .where(_T.seq == bindparam("seq_"))
    .values(attempts=bindparam("attempts_"), dead=1, retry_at=None, error=bindparam("error_"))
)
_KINDS = select(_T.kind).where(_T.dead == 0).distinct()
_BURY_KIND = (
    update(follow_ups)
    .where(_T.kind == bindparam("kind_"), _T.dead == 0)
    .values(dead=1, retry_at=None, error=bindparam("error_"))
)
_COUNTS = select(
    _T.dead, case((_T.due_at <= bindparam("now_"), 1), else_=0).label("due"), func.count().label("many")
).group_by(_T.dead, "due")
_DEAD = select(*_COLUMNS, _T.error).where(_T.account == bindparam("account_"), _T.dead == 1).order_by(_T.seq)
_REVIVE = (
    update(follow_ups)
    .where(_T.account == bindparam("account_"), _T.seq == bindparam("seq_"), _T.dead == 1)
    .values(dead=0, attempts=0, retry_at=None, error=None)
)
_DISCARD = delete(follow_ups).where(_T.account == bindparam("account_"), _T.seq == bindparam("seq_"), _T.dead == 1)


def heads(tx: Tx, kind: str, *, now: float, limit: int) -> Sequence[Head]:
    """Answer the first due row of each key that is not waiting after a failure."""
    rows = tx.all(_HEADS, kind_=kind, now_=now, limit_=limit)
    return [Head(row=_follow_up(row), due=row.due) for row in rows]


def count_follow_ups(tx: Tx, now: float) -> dict[str, int]:
    """Answer how many rows of all accounts are due (also those that wait after a failure), due later, or dead."""
    found = {"due": 0, "later": 0, "dead": 0}
    for row in tx.all(_COUNTS, now_=now):
        found["dead" if row.dead else "due" if row.due else "later"] += row.many
    return found


def oldest(tx: Tx, kind: str, *, now: float) -> Sequence[Head]:
    """Answer the first due row, of any key, that is not waiting after a failure; as fast however many there are."""
    return [Head(row=_follow_up(row), due=1) for row in tx.all(_OLDEST, kind_=kind, now_=now)]


def due_of_key(tx: Tx, like: FollowUp, *, now: float, limit: int) -> Sequence[FollowUp]:
    """Answer the due rows of the same account, kind and key, in order."""
    rows = tx.all(_OF_KEY, account_=like.account, kind_=like.kind, key_=like.key, now_=now, limit_=limit)
    return [_follow_up(row) for row in rows]


def next_due(tx: Tx, kind: str, *, now: float) -> float | None:
    """Answer when the next row that is not yet due will be, or may be tried again."""
    found = (tx.one(_NEXT_DUE, kind_=kind, now_=now), tx.one(_NEXT_RETRY, kind_=kind, now_=now))
    times = [row[0] for row in found if row is not None and row[0] is not None]
    return min(times, default=None)


def remove(tx: Tx, seq: int) -> bool:
    """Remove the row because it is done; False when it was cancelled or done before."""
    return tx.run(_DELETE, seq_=seq) == 1


def put_back(tx: Tx, row: FollowUp, *, retry_at: float, error: str) -> None:
    """Count a failure and have the row tried again at `retry_at`."""
    tx.run(_PUT_BACK, seq_=row.seq, attempts_=row.attempts + 1, retry_at_=retry_at, error_=error[:ERROR_LENGTH])


def bury(tx: Tx, row: FollowUp, *, error: str) -> None:
    """Count a failure and do not try again."""
    tx.run(_BURY, seq_=row.seq, attempts_=row.attempts + 1, error_=error[:ERROR_LENGTH])


def kinds(tx: Tx) -> Sequence[str]:
    """Answer the kinds of all rows that are not dead."""
    return [row[0] for row in tx.all(_KINDS)]


def bury_kind(tx: Tx, kind: str, *, error: str) -> int:
    """Make dead letters of all rows of a kind; answer how many."""
    return tx.run(_BURY_KIND, kind_=kind, error_=error)


def dead_letters(tx: Tx, account: str) -> Sequence[DeadLetter]:
    """Answer the account's dead letters, oldest first."""
    return [DeadLetter(row=_follow_up(row), error=row.error or "") for row in tx.all(_DEAD, account_=account)]


def revive(tx: Tx, account: str, seq: int) -> str | None:
    """Have a dead letter tried again, as if for the first time; answer its kind, None when there is no such one."""
    found = next((letter for letter in dead_letters(tx, account) if letter.row.seq == seq), None)
    if found is None:
        return None
    tx.run(_REVIVE, account_=account, seq_=seq)
    return found.row.kind


def discard(tx: Tx, account: str, seq: int) -> bool:
    """Forget a dead letter; False when there is no such one."""
    return tx.run(_DISCARD, account_=account, seq_=seq) == 1


def _follow_up(row: Row[Any]) -> FollowUp:
    return FollowUp(
        seq=row.seq,
        account=row.account,
        kind=row.kind,
        key=row.key,
        due_at=row.due_at,
        body=json.loads(row.body),
        attempts=row.attempts,
    )
