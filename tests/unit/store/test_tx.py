"""A handler may take over others of its kind."""

from sqlalchemy import select, update

from hedgerow.store.tx import Tx, follow_ups
from tests.support.store import CALLER, OTHER_ACCOUNT, MemoryStore

ACCOUNT = CALLER.account


def left(tx: Tx) -> list[str]:
    return [row.key for row in tx.all(select(follow_ups.c.key).order_by(follow_ups.c.seq))]


def test_what_is_due_is_taken_over_oldest_first_and_no_more_than_was_asked_for() -> None:
    with MemoryStore().tx() as tx:
        for number, ago in ((1, 5.0), (2, 9.0), (3, 1.0)):
            tx.follow_up("note", account=ACCOUNT, key=str(number), body={"n": number}, due_at=tx.now - ago)

        taken = tx.take_follow_ups("note", account=ACCOUNT, limit=2)

        assert ([body["n"] for body in taken], left(tx)) == ([2, 1], ["3"])


def test_what_is_not_due_has_failed_or_belongs_to_others_is_left() -> None:
    with MemoryStore().tx() as tx:
        tx.follow_up("note", account=ACCOUNT, key="later", body={}, due_at=tx.now + 1)
        tx.follow_up("note", account=ACCOUNT, key="failed", body={})
        tx.run(update(follow_ups).where(follow_ups.c.key == "failed").values(attempts=1))
        tx.follow_up("note", account=ACCOUNT, key="dead", body={})
        tx.run(update(follow_ups).where(follow_ups.c.key == "dead").values(dead=1))
        tx.follow_up("other", account=ACCOUNT, key="kind", body={})
        tx.follow_up("note", account=OTHER_ACCOUNT.account, key="account", body={})

        taken = tx.take_follow_ups("note", account=ACCOUNT, limit=9)

        assert (taken, left(tx)) == ([], ["later", "failed", "dead", "kind", "account"])
