"""What an update writes is what a thing made so would have; which thing a connection speaks for."""

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from hedgerow.services.iot.things import Attachment, Thing, ThingPrincipal, ThingStore
from hedgerow.services.iot.things.store import thing_attributes
from hedgerow.store import Tx
from tests.support.store import CALLER, OTHER_ACCOUNT, MemoryStore

STORE = ThingStore()
ATTRIBUTES = st.dictionaries(st.sampled_from("abcd"), st.sampled_from("12"))


def thing(name: str, attributes: Mapping[str, str], version: int = 1) -> Thing:
    return Thing(name=name, id="id", type=None, attributes=attributes, version=version)


def attach(tx: Tx, account: str, name: str, principal: str, attachment: Attachment) -> None:
    STORE.attach(tx, account, ThingPrincipal(thing=name, principal=principal, attachment=attachment))


def rows(tx: Tx, account: str, name: str) -> dict[str, str]:
    c = thing_attributes.c
    return {row.name: row.value for row in tx.all(select(c.name, c.value).where(c.account == account, c.thing == name))}


@given(before=ATTRIBUTES, after=ATTRIBUTES)
def test_an_update_leaves_the_rows_that_a_new_thing_would_have(
    before: Mapping[str, str], after: Mapping[str, str]
) -> None:
    store, theirs = MemoryStore(), {"a": "1", "b": "2"}
    with store.tx() as tx:
        STORE.add(tx, CALLER.account, thing("updated", before))
        STORE.add(tx, CALLER.account, thing("fresh", after))
        STORE.add(tx, OTHER_ACCOUNT.account, thing("updated", theirs))

    with store.tx() as tx:
        STORE.put(tx, CALLER.account, thing("updated", after, 2), before=thing("updated", before))

        assert rows(tx, CALLER.account, "updated") == rows(tx, CALLER.account, "fresh") == after
        assert rows(tx, OTHER_ACCOUNT.account, "updated") == theirs
        assert STORE.get(tx, CALLER.account, "updated") == thing("updated", after, 2)


def test_a_connection_speaks_for_its_only_thing_else_for_that_of_its_client_id() -> None:
    store = MemoryStore()
    with store.tx() as tx:
        for name in ("lamp", "pump", "sole"):
            STORE.add(tx, CALLER.account, thing(name, {"a": name}))
            STORE.add(tx, OTHER_ACCOUNT.account, thing(name, {}))
        for name in ("lamp", "pump"):
            attach(tx, CALLER.account, name, "shared", Attachment.SHARED)
        attach(tx, CALLER.account, "sole", "own", Attachment.EXCLUSIVE)
        attach(tx, OTHER_ACCOUNT.account, "lamp", "own", Attachment.EXCLUSIVE)

    with store.tx() as tx:
        account = CALLER.account
        found = {
            (principal, client_id): STORE.spoken_for(tx, account, principal, client_id)
            for principal in ("shared", "own", "nobody")
            for client_id in ("pump", "other", "sole", None)
        }

    assert found == {
        **dict.fromkeys(found, (None, False)),
        ("shared", "pump"): (thing("pump", {"a": "pump"}), False),
        **{("own", client_id): (thing("sole", {"a": "sole"}), True) for client_id in ("pump", "other", "sole", None)},
    }
