"""The SELECT of a query finds what the plain evaluator finds, on whatever engine the tests run."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, select

from hedgerow.core.fleetquery import Node, finds, parse
from hedgerow.services.iot.fleet_index.model import THINGS, Document
from hedgerow.services.iot.fleet_index.store import FleetIndexStore, fields
from tests.support.store import CALLER, OTHER_ACCOUNT, MemoryStore
from tests.unit.core.fleetquery.queries import documents as bodies
from tests.unit.core.fleetquery.queries import fleets, trees

ACCOUNT = CALLER.account
STORE = FleetIndexStore()


def document(name: str, **body: Any) -> Document:
    return Document(
        name=name, body={"thingName": name, **body}, hidden={"registry": {"version": 7}}
    )  # a number that queries look for


@pytest.fixture
def store() -> MemoryStore:
    return MemoryStore()


def searched(store: MemoryStore, query: str | Node, account: str = ACCOUNT, **more: Any) -> list[str]:
    tree = parse(query) if isinstance(query, str) else query
    with store.tx() as tx:
        return [one.name for one in STORE.search(tx, account, THINGS, tree, **{"limit": 100, **more})]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(fleets, trees)
def test_the_select_finds_what_the_plain_evaluator_finds(fleet: dict[str, dict[str, Any]], tree: Node) -> None:
    store = MemoryStore()
    documents = [
        document(name, **{key: part for key, part in body.items() if key != "thingName"})
        for name, body in fleet.items()
    ]
    with store.tx() as tx:
        STORE.put(tx, ACCOUNT, THINGS, documents)

    expected = sorted(one.name for one in documents if finds(tree, one.fields()))
    assert searched(store, tree) == expected
    with store.tx() as tx:
        assert [one.name for one in documents if STORE.finds(tx, ACCOUNT, THINGS, tree, one.name)] == [
            one.name for one in documents if finds(tree, one.fields())
        ]


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(bodies, min_size=1, max_size=4))
def test_a_document_that_was_changed_is_indexed_as_one_that_was_always_so(versions: list[dict[str, Any]]) -> None:
    changed, fresh = MemoryStore(), MemoryStore()

    with changed.tx() as tx:
        for body in versions:
            STORE.put(tx, ACCOUNT, THINGS, [document("a", **body)])
        rows = tx.all(select(fields).order_by(fields.c.ordinal))
    with fresh.tx() as tx:
        STORE.put(tx, ACCOUNT, THINGS, [document("a", **versions[-1])])
        expected = tx.all(select(fields).order_by(fields.c.ordinal))

    assert rows == expected


def test_a_document_is_written_again_only_when_it_changed(store: MemoryStore) -> None:
    with store.tx() as tx:
        first = STORE.put(tx, ACCOUNT, THINGS, [document("a", attributes={"x": "1"})])
        again = STORE.put(tx, ACCOUNT, THINGS, [document("a", attributes={"x": "1"})])
        other = STORE.put(tx, ACCOUNT, THINGS, [document("a", attributes={"x": "2"})])

    assert ([name for name, _ in first], again, [name for name, _ in other]) == (["a"], [], ["a"])
    assert searched(store, "attributes.x:2") == ["a"]
    assert searched(store, "attributes.x:1") == []


def test_a_truth_value_is_another_value_than_a_number(store: MemoryStore) -> None:
    with store.tx() as tx:
        STORE.put(tx, ACCOUNT, THINGS, [document("a", shadow={"reported": {"on": 1}})])
        STORE.put(tx, ACCOUNT, THINGS, [document("a", shadow={"reported": {"on": True}})])

    assert (searched(store, "shadow.reported.on:true"), searched(store, "shadow.reported.on:1")) == (["a"], [])


def test_a_document_is_found_once_however_many_of_its_values_match(store: MemoryStore) -> None:
    with store.tx() as tx:
        for name in "ab":
            STORE.put(tx, ACCOUNT, THINGS, [document(name, shadow={"reported": {"tags": ["red blue", "red"]}})])

    assert searched(store, "shadow.reported.tags:red", limit=2) == ["a", "b"]


def test_what_was_taken_out_is_not_found(store: MemoryStore) -> None:
    with store.tx() as tx:
        STORE.put(tx, ACCOUNT, THINGS, [document("a", attributes={"x": "1"})])
        STORE.remove(tx, ACCOUNT, THINGS, ["a"])

    assert searched(store, "*") == searched(store, "attributes.x:1") == []


def test_accounts_and_indexes_share_nothing(store: MemoryStore) -> None:
    with store.tx() as tx:
        STORE.put(tx, ACCOUNT, THINGS, [document("a", attributes={"x": "1"})])
        STORE.put(tx, ACCOUNT, "AWS_ThingGroups", [document("g", attributes={"x": "1"})])
        STORE.put(tx, OTHER_ACCOUNT.account, THINGS, [document("b", attributes={"x": "1"})])

    assert searched(store, "attributes.x:1") == ["a"]
    assert searched(store, "NOT attributes.x:2", OTHER_ACCOUNT.account) == ["b"]


def test_pages_go_on_after_a_name_whatever_came_or_went(store: MemoryStore) -> None:
    with store.tx() as tx:
        for name in "bdfh":
            STORE.put(tx, ACCOUNT, THINGS, [document(name)])
    first = searched(store, "*", limit=2)
    with store.tx() as tx:
        STORE.remove(tx, ACCOUNT, THINGS, ["d"])
        STORE.put(tx, ACCOUNT, THINGS, [document("a")])
        STORE.put(tx, ACCOUNT, THINGS, [document("e")])

    assert first == ["b", "d"]
    assert searched(store, "*", after="d", limit=2) == ["e", "f"]


def test_long_values_and_paths_do_no_harm(store: MemoryStore) -> None:
    body = {"reported": {"x" * 600: 1, "y": "ä" * 2000, "z": "w " * 3000}}

    with store.tx() as tx:
        STORE.put(tx, ACCOUNT, THINGS, [document("a", shadow=body)])

    assert searched(store, "shadow.reported.y:ä*") == ["a"]
    assert searched(store, "shadow.reported.z:w") == ["a"]


def test_a_query_of_many_terms_uses_the_indexes_on_values(store: MemoryStore) -> None:
    seen: list[tuple[str, Any]] = []
    event.listen(store.engine, "before_cursor_execute", lambda _c, _k, *told: seen.append((told[0], told[1])))
    searched(store, 'attributes.a:x AND attributes.b:[1 TO 5] AND attributes.c:"a b" AND thingName:pump*')
    if store.engine.dialect.name != "sqlite":
        pytest.skip("looks at SQLite's plan")
    text, values = seen[-1]

    with store.engine.connect() as connection:
        plan = "\n".join(str(row[-1]) for row in connection.exec_driver_sql("EXPLAIN QUERY PLAN " + text, values))

    assert plan.count("ix_iot_fleet_field_") == 4
    assert "SCAN iot_fleet_field" not in plan
