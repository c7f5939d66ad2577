"""What an update writes is what a thing made so would have."""

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from hedgerow.services.iot.things import Thing, ThingStore
from hedgerow.services.iot.things.store import thing_attributes
from hedgerow.store import Tx
from tests.support.store import CALLER, OTHER_ACCOUNT, MemoryStore

STORE = ThingStore()
ATTRIBUTES = st.dictionaries(st.sampled_from("abcd"), st.sampled_from("12"))


def thing(attributes: Mapping[str, str], version: int = 1) -> Thing:
    return Thing(name="pump", id="id", type=None, attributes=attributes, version=version)


def rows(tx: Tx) -> list[tuple[str, str, str]]:
    order = (thing_attributes.c.account, thing_attributes.c.name)
    return [(row.account, row.name, row.value) for row in tx.all(select(thing_attributes).order_by(*order))]


@given(before=ATTRIBUTES, after=ATTRIBUTES)
def test_an_update_leaves_the_rows_that_a_new_thing_would_have(
    before: Mapping[str, str], after: Mapping[str, str]
) -> None:
    updated, fresh = MemoryStore(), MemoryStore()
    for store, attributes in ((updated, before), (fresh, after)):
        with store.tx() as tx:
            STORE.add(tx, CALLER.account, thing(attributes))
            STORE.add(tx, OTHER_ACCOUNT.account, thing({"a": "1", "b": "2"}))

    with updated.tx() as tx:
        STORE.put(tx, CALLER.account, thing(after, 2), before=thing(before))
        found, kept = rows(tx), STORE.get(tx, CALLER.account, "pump")
    with fresh.tx() as tx:
        expected = rows(tx)

    assert found == expected
    assert kept == thing(after, 2)
