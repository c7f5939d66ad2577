import asyncio
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from hedgerow.base.errors import Unusable
from hedgerow.core.mqtt.records import (
    Loaded,
    Queued,
    Record,
    Retained,
    SessionEnded,
    SessionSaved,
    Settled,
    SubscriptionsChanged,
)
from hedgerow.store.journal import SqliteJournal, _once
from tests.support.waiting import until

A = "123456789012"
B = "210987654321"


def session(
    client_id: str = "c", epoch: int = 1, *, account: str = A, gateway: str = "g", body: bytes = b"s"
) -> Record:
    return SessionSaved(account, client_id, epoch, gateway, body)


def message(number: int, epoch: int = 1, *, client_id: str = "c", account: str = A) -> Queued:
    return Queued(account, client_id, epoch, number, b"m%d" % number)


class Kept:
    """A journal whose answers are collected; each `append` waits for its own."""

    def __init__(self, path: Path, **options: int) -> None:
        self.path = path
        self.journal = SqliteJournal(path, call=self._call, **options)

    def _call(self, callback: Callable[[], None]) -> None:
        callback()

    def append(self, *records: Record) -> bool:
        answered = threading.Event()
        answers: list[bool] = []

        def done(ok: bool) -> None:
            answers.append(ok)
            answered.set()

        self.journal.append(records, done)
        assert answered.wait(5)
        return answers[0]

    def reopened(self) -> Loaded:
        """What another process finds."""
        self.journal.close()
        again = SqliteJournal(self.path, call=self._call)
        try:
            return again.load("g")
        finally:
            again.close()


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path / "journal.db")


def test_what_was_appended_is_there_after_a_restart_in_order(kept: Kept) -> None:
    assert kept.append(session(), message(2), message(1), Retained(A, "t", b"r"))

    loaded = kept.reopened()

    assert loaded == Loaded((session(),), (message(1), message(2)), (Retained(A, "t", b"r"),))  # type: ignore[arg-type]  # a Record


def test_what_is_settled_is_gone(kept: Kept) -> None:
    kept.append(session(), message(1), message(2), message(3))

    kept.append(Settled(A, "c", (1, 3)))

    assert kept.reopened().messages == (message(2),)


def test_a_message_that_is_settled_in_the_same_group_is_never_written(kept: Kept) -> None:
    assert kept.append(session(), message(1), Settled(A, "c", (1,)))

    assert kept.reopened().messages == ()


def test_a_session_that_began_and_ended_in_one_group_is_never_written(kept: Kept) -> None:
    assert kept.append(session(), message(1), SessionEnded(A, "c", 1), session("d"))

    assert kept.reopened() == Loaded((session("d"),))  # type: ignore[arg-type]  # a Record


def test_a_session_that_ended_and_began_again_in_one_group_is_there(kept: Kept) -> None:
    assert kept.append(session(body=b"old"), message(1), SessionEnded(A, "c", 1), session(epoch=2), message(2, epoch=2))

    loaded = kept.reopened()

    assert [one.epoch for one in loaded.sessions] == [2]
    assert loaded.messages == (message(2, epoch=2),)


def test_a_session_that_is_saved_often_in_one_group_is_written_once_as_it_stands_at_the_end(kept: Kept) -> None:
    again = [session(body=b"%d" % number) for number in range(100)]
    group = [session(), message(1), *again, message(2)]

    assert kept.append(*group)

    assert _once(group) == [again[-1], message(1), message(2)]
    loaded = kept.reopened()
    assert (loaded.sessions, loaded.messages) == ((session(body=b"99"),), (message(1), message(2)))


def change(body: bytes, epoch: int = 1, *, client_id: str = "c") -> SubscriptionsChanged:
    return SubscriptionsChanged(A, client_id, epoch, body)


def test_changes_of_subscriptions_are_there_in_order_until_the_session_is_saved_again(kept: Kept) -> None:
    assert kept.append(session(), change(b"1"))
    assert kept.append(change(b"2"))
    assert kept.append(session("d"), change(b"3", client_id="d"))
    assert kept.append(session("d", body=b"whole"))

    assert kept.reopened().changes == (change(b"1"), change(b"2"))


def test_changes_before_a_whole_session_of_the_same_group_are_not_written(kept: Kept) -> None:
    group = [session(), change(b"1"), message(1), session(body=b"whole"), change(b"2")]

    assert kept.append(*group)

    assert _once(group) == [session(body=b"whole"), message(1), change(b"2")]
    assert kept.reopened().changes == (change(b"2"),)


def test_changes_go_with_their_session_and_none_comes_from_an_older_epoch(kept: Kept) -> None:
    assert kept.append(session(epoch=2), change(b"1", epoch=2))

    assert not kept.append(change(b"old", epoch=1))
    assert not kept.append(change(b"nobody", client_id="nobody"))
    assert kept.append(SessionEnded(A, "c", 2))

    assert kept.reopened() == Loaded()


def test_an_older_epochs_session_is_refused_in_the_group_of_a_newer_one(kept: Kept) -> None:
    refused = kept.append(session(epoch=2), session(epoch=1, body=b"old"))

    kept.append(session(epoch=2), session(epoch=3, body=b"new"))

    assert not refused
    assert kept.reopened().sessions == (session(epoch=3, body=b"new"),)


def test_a_session_that_ends_takes_its_messages_along(kept: Kept) -> None:
    kept.append(session(), message(1))

    kept.append(SessionEnded(A, "c", 1))

    assert kept.reopened() == Loaded()


def test_a_saved_session_is_replaced(kept: Kept) -> None:
    kept.append(session(body=b"old"), message(1))

    kept.append(session(epoch=2, body=b"new"))

    loaded = kept.reopened()
    assert [one.body for one in loaded.sessions] == [b"new"]
    assert loaded.messages == (message(1),)


@pytest.mark.parametrize("old", [session(epoch=1, body=b"old"), message(9, epoch=1)], ids=["a session", "a message"])
def test_what_an_older_epoch_writes_is_refused(kept: Kept, old: Record) -> None:
    kept.append(session(epoch=2, body=b"new"))

    assert not kept.append(old)

    loaded = kept.reopened()
    assert [one.body for one in loaded.sessions] == [b"new"]
    assert loaded.messages == ()


def test_an_older_epoch_cannot_end_a_session(kept: Kept) -> None:
    kept.append(session(epoch=2))

    kept.append(SessionEnded(A, "c", 1))

    assert len(kept.reopened().sessions) == 1


def test_a_refused_record_leaves_the_others_of_its_group(kept: Kept) -> None:
    kept.append(session("old", epoch=2), session("new", epoch=1))
    answers: list[bool] = []
    with kept.journal._ready:  # hold the writer back, so that these come in one group
        for record in (message(1, client_id="old"), message(1, client_id="new")):
            kept.journal._ready.release()
            kept.journal.append((record,), answers.append)
            kept.journal._ready.acquire()

    loaded = kept.reopened()

    assert answers == [False, True]
    assert loaded.messages == (message(1, client_id="new"),)


def test_a_message_for_no_session_is_refused(kept: Kept) -> None:
    assert not kept.append(message(1))


def test_accounts_do_not_meet(kept: Kept) -> None:
    kept.append(session(), session(account=B), message(1), Retained(A, "t", b"a"), Retained(B, "t", b"b"))

    kept.append(SessionEnded(B, "c", 1), Retained(B, "t", b""))

    assert kept.reopened() == Loaded((session(),), (message(1),), (Retained(A, "t", b"a"),))  # type: ignore[arg-type]  # a Record


def test_a_gateway_loads_its_own_sessions_only(kept: Kept) -> None:
    kept.append(session("mine"), session("theirs", gateway="h"), message(1, client_id="theirs"))

    loaded = kept.reopened()

    assert [one.client_id for one in loaded.sessions] == ["mine"]
    assert loaded.messages == ()


def test_a_taken_session_belongs_to_the_new_gateway_and_the_old_ones_writes_are_refused(tmp_path: Path) -> None:
    async def main() -> tuple[Loaded, Loaded, list[bool]]:
        journal = SqliteJournal(tmp_path / "journal.db", call=asyncio.get_running_loop().call_soon_threadsafe)
        journal.append((session(), message(1)))
        taken = await journal.take(A, "c", epoch=5, gateway="h")
        again = await journal.take(A, "c", epoch=6, gateway="h")
        answers: list[bool] = []
        answered = asyncio.Event()

        def done(ok: bool) -> None:
            answers.append(ok)
            answered.set()

        journal.append((message(2, epoch=1),), done)
        await asyncio.wait_for(answered.wait(), 5)
        journal.close()
        return taken, again, answers

    taken, again, answers = asyncio.run(main())

    assert taken == Loaded((session(),), (message(1),))  # type: ignore[arg-type]  # a Record
    assert again == Loaded()
    assert answers == [False]


def test_a_full_journal_refuses_and_says_so(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "journal.db", waiting=0)
    answers: list[bool] = []

    kept.journal.append((session(),), answers.append)

    assert answers == [False]
    assert kept.journal.statistics()["refused"] == 1
    kept.journal.close()


def test_a_journal_that_holds_too_many_bytes_refuses_more(tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    kept = Kept(path, waiting_bytes=10)
    answers: dict[str, bool] = {}
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        kept.journal.append((session(),), lambda ok: answers.update(first=ok))
        until("the writer to wait for the file", lambda: kept.journal.statistics()["waiting"] == 0)
        kept.journal.append((Retained(A, "large", b"x" * 100),), lambda ok: answers.update(large=ok))

        kept.journal.append((Retained(A, "more", b"x"),), lambda ok: answers.update(more=ok))
        refused = dict(answers)
        other.execute("ROLLBACK")
    kept.journal.close()

    assert refused == {"more": False}
    assert answers == {"first": True, "large": True, "more": False}


def test_a_closed_journal_refuses(kept: Kept) -> None:
    kept.journal.close()
    answers: list[bool] = []

    kept.journal.append((session(),), answers.append)

    assert answers == [False]


def test_a_file_that_cannot_be_written_refuses_and_the_thread_goes_on(kept: Kept) -> None:
    kept.append(session())
    with closing(sqlite3.connect(kept.path)) as other:
        other.execute("DROP TABLE queued")

    assert not kept.append(message(1))
    assert kept.append(session(epoch=2))
    kept.journal.close()


def test_a_record_that_cannot_be_written_is_refused_and_the_thread_goes_on(kept: Kept) -> None:
    bad: Any = "no record at all"

    assert not kept.append(bad)
    assert kept.append(session())
    kept.journal.close()


def test_a_path_that_is_no_file_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="cannot use the journal"):
        SqliteJournal(tmp_path, call=lambda callback: None)


def test_many_appends_cost_few_commits(kept: Kept) -> None:
    kept.append(session())

    for number in range(1, 2001):
        kept.journal.append((message(number),))
    loaded = kept.reopened()

    assert len(loaded.messages) == 2000
    assert kept.journal.commits < 200


def test_the_file_is_synced_in_full(kept: Kept) -> None:
    with closing(kept.journal._connect()) as connection:
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
    kept.journal.close()


def test_an_answer_that_fails_does_not_keep_the_others_from_theirs(tmp_path: Path) -> None:
    released = threading.Event()
    held: list[Callable[[], None]] = []
    journal = SqliteJournal(tmp_path / "journal.db", call=held.append)
    answers: list[bool] = []

    def fails(_ok: bool) -> None:
        raise ValueError("a bug of one client's")

    def last(ok: bool) -> None:
        answers.append(ok)
        released.set()

    journal.append([session()], fails)
    journal.append([message(1)], last)
    journal.close()
    for callback in held:
        callback()

    assert released.is_set()
    assert answers == [True]
