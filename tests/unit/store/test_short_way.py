"""What takes the short way to SQLite answers as SQLAlchemy does: rows, counts, types, errors."""

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import (
    Boolean,
    Column,
    Executable,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    bindparam,
    delete,
    event,
    func,
    insert,
    select,
    text,
    tuple_,
    union_all,
    update,
)
from sqlalchemy.dialects.sqlite import insert as upsert
from sqlalchemy.exc import IntegrityError, OperationalError, StatementError

from hedgerow.store import Tx, open_engine
from hedgerow.store.short_way import LONG, LONGEST, short_way

tables = MetaData()
lamps = Table(
    "lamp",
    tables,
    Column("number", Integer, primary_key=True),
    Column("name", String(40), unique=True),
    Column("on", Boolean, nullable=False),
    Column("watts", Float),
    Column("photo", LargeBinary),
    Column("room", String(40), default="hall"),
)
ADD = insert(lamps)
_NAME: Any = bindparam("name_")
_NUMBER: Any = bindparam("number_")
BY_NAME = select(lamps).where(lamps.c.name == _NAME)
LIT = select(lamps.c.name, lamps.c.on).where(lamps.c.on, lamps.c.watts > bindparam("watts_")).order_by(lamps.c.number)
COUNT = select(func.count().label("many"), func.max(lamps.c.watts)).where(lamps.c.on == bindparam("on_"))
BOTH = union_all(select(lamps.c.name, lamps.c.on), select(lamps.c.room, ~lamps.c.on)).order_by("name")
OFF = update(lamps).where(lamps.c.number == _NUMBER).values(on=False)
CHANGE = update(lamps).where(lamps.c.number == _NUMBER)
DROP = delete(lamps).where(lamps.c.number >= _NUMBER)
PUT = upsert(lamps).on_conflict_do_update(index_elements=["number"], set_={"name": upsert(lamps).excluded.name})
SOME = select(lamps.c.name).where(lamps.c.number.in_(bindparam("numbers", expanding=True))).order_by(lamps.c.number)
LATE = select(lamps.c.name).where(
    lamps.c.on.in_(bindparam("states", expanding=True)),
    lamps.c.watts < bindparam("watts_"),
    lamps.c.name.in_(bindparam("names", expanding=True)),
)
PAIRS = select(lamps.c.name).where(tuple_(lamps.c.number, lamps.c.name).in_(bindparam("pairs", expanding=True)))
GIVEN_BACK = delete(lamps).where(lamps.c.number == _NUMBER).returning(lamps.c.name)
WHOLE = {"number": 1, "name": "a", "on": True, "watts": 7.5, "photo": b"\0\xff", "room": "attic"}


@pytest.fixture
def txs() -> Iterator[list[Tx]]:
    """Two transactions on databases of the same content: the second has only the long way."""
    engines = [open_engine("sqlite://") for _ in range(2)]
    event.listen(engines[1], "before_cursor_execute", lambda *_: None)
    for engine in engines:
        tables.create_all(engine)
    with engines[0].begin() as short, engines[1].begin() as long:
        found = [Tx(connection, 1.0) for connection in (short, long)]
        for tx in found:
            for number in range(1, 6):
                tx.run(ADD, **{**WHOLE, "number": number, "name": f"lamp {number}", "on": number % 2 == 1})
        yield found


def planned(tx: Tx, statement: Executable, **values: Any) -> bool:
    """Tell whether the statement would take the short way by now."""
    way = short_way(tx._connection)  # the test's own look inside
    return way is not None and way.plan(statement, values) is not None


@pytest.mark.parametrize(
    ("statement", "values"),
    [
        (BY_NAME, {"name_": "lamp 3"}),
        (BY_NAME, {"name_": "nobody"}),
        (BY_NAME, {"name_": None}),
        (LIT, {"watts_": 1}),
        (LIT, {"watts_": None}),
        (COUNT, {"on_": True}),
        (BOTH, {}),
        (SOME, {"numbers": [1, 3]}),
        (SOME, {"numbers": []}),
        (SOME, {"numbers": (4, 4, None)}),
        (LATE, {"states": [True, False], "watts_": 9, "names": ["lamp 1", "lamp 2", "x"]}),
        (LATE, {"states": [True], "watts_": 9.5, "names": []}),
    ],
)
def test_rows_are_the_same_on_both_ways(txs: list[Tx], statement: Executable, values: dict[str, Any]) -> None:
    short, long = txs
    for _ in range(LONG):
        short.all(statement, **values)

    rows, one = short.all(statement, **values), short.one(statement, **values)

    assert planned(short, statement, **values)
    assert not planned(long, statement, **values)
    expected = long.all(statement, **values)
    assert list(rows) == list(expected)
    assert [row._mapping for row in rows] == [row._mapping for row in expected]  # public in SQLAlchemy
    assert [[type(cell) for cell in row] for row in rows] == [[type(cell) for cell in row] for row in expected]
    assert one == long.one(statement, **values)


@given(
    name=st.none() | st.text(st.characters(exclude_categories=["Cs"])),
    on=st.booleans(),
    watts=st.none() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False),
    photo=st.none() | st.binary(),
)
def test_whatever_is_written_is_read_the_same(
    name: str | None, on: bool, watts: float | None, photo: bytes | None
) -> None:
    engine = open_engine("sqlite://")
    tables.create_all(engine)
    values = {"on": on, "watts": watts, "photo": photo, "room": "attic"}
    with engine.begin() as connection:
        tx = Tx(connection, 1.0)
        for number in range(LONG + 2):
            tx.run(ADD, number=number, name=name if number > LONG else f"other {number}", **values)
        whole = select(lamps).where(lamps.c.number == _NUMBER)
        found = [tx.one(whole, number_=LONG + 1) for _ in range(LONG + 2)]
    engine.dispose()

    assert found == [(LONG + 1, name, *values.values())] * (LONG + 2)
    assert [type(cell) for cell in found[0] or ()] == [type(cell) for cell in found[-1] or ()]


def test_changes_change_the_same_on_both_ways(txs: list[Tx]) -> None:
    counts = []
    for tx in txs:
        done = [tx.run(OFF, number_=number) for number in (1, 1, 3, 5, 9)]
        done += [tx.run(CHANGE, number_=number, room="cellar") for number in (1, 2, 3, 4)]
        done += [tx.run(CHANGE, number_=number, on=True, name=f"new {number}") for number in (1, 2, 3, 4)]
        done += [tx.run(PUT, **{**WHOLE, "number": number, "name": f"put {number}"}) for number in (4, 5, 6, 7)]
        done += [tx.run(DROP, number_=number) for number in (9, 9, 7, 2)]
        counts.append(done)

    assert counts[0] == counts[1]
    assert planned(txs[0], OFF, number_=1)
    assert planned(txs[0], CHANGE, number_=1, room="")
    assert planned(txs[0], PUT, **WHOLE)
    assert list(txs[0].all(select(lamps))) == list(txs[1].all(select(lamps)))


def test_the_same_statement_with_other_values_is_another_plan(txs: list[Tx]) -> None:
    short, _ = txs
    for number in range(LONG + 2):
        short.run(CHANGE, number_=1, room=f"room {number}")
        short.run(CHANGE, number_=2, name=f"name {number}", room="attic")

    assert [(row.name, row.room) for row in short.all(select(lamps).where(lamps.c.number < 3))] == [
        ("lamp 1", f"room {LONG + 1}"),
        (f"name {LONG + 1}", "attic"),
    ]


@pytest.mark.parametrize(
    ("statement", "values"),
    [
        (SOME, {"numbers": list(range(LONGEST + 1))}),
        (PAIRS, {"pairs": [(1, "lamp 1"), (2, "lamp 1")]}),
        (ADD, {"number": 9, "name": "x", "on": True}),  # Python makes the room
        (GIVEN_BACK, {"number_": 3}),
        (text("SELECT name FROM lamp WHERE number = :number_"), {"number_": 3}),
    ],
    ids=["a long list", "a list of pairs", "a default", "rows of a change", "text"],
)
def test_what_a_plan_cannot_do_takes_the_long_way(txs: list[Tx], statement: Executable, values: dict[str, Any]) -> None:
    short, long = txs
    outcomes = []
    for tx in (short, long):
        for _ in range(LONG + 1):
            with tx._connection.begin_nested() as step:
                found = tx._connection.execute(statement, values)
                outcomes.append(found.all() if found.returns_rows else found.rowcount)
                step.rollback()

    assert not planned(short, statement, **values)
    assert outcomes[0] == outcomes[-1]


def test_a_statement_that_comes_once_or_twice_gets_no_plan(txs: list[Tx]) -> None:
    for number in range(10):
        made = select(lamps.c.name).where(lamps.c.number == number)

        assert txs[0].all(made) == txs[1].all(made)
        assert not planned(txs[0], made)


def test_lists_of_each_length_have_a_plan_of_their_own(txs: list[Tx]) -> None:
    short, long = txs
    lists = [list(range(length)) for length in range(LONGEST + 3)] * 2

    found = [(short.all(SOME, numbers=numbers), long.all(SOME, numbers=numbers)) for numbers in lists]

    assert all(one == other for one, other in found)
    assert planned(short, SOME, numbers=list(range(LONGEST)))


def test_errors_are_those_of_sqlalchemy(txs: list[Tx]) -> None:
    refused = []
    for tx in txs:
        for _ in range(LONG + 1):
            with pytest.raises(IntegrityError) as caught:
                tx.run(ADD, **{**WHOLE, "name": "lamp 2", "number": 9, "photo": None})
            with pytest.raises(StatementError):
                tx.all(BY_NAME)
            with pytest.raises(StatementError):
                tx.run(ADD, **WHOLE, colour="red")
        refused.append(caught.value)

    assert planned(txs[0], ADD, **WHOLE)
    assert str(refused[0]) == str(refused[1])
    assert refused[0].orig.__class__ is refused[1].orig.__class__
    assert getattr(refused[0].orig, "sqlite_errorcode", 0) == getattr(refused[1].orig, "sqlite_errorcode", 1)
    for tx in txs:
        tx._connection.exec_driver_sql("DROP TABLE lamp")
        with pytest.raises(OperationalError, match="no such table"):
            tx.run(OFF, number_=1)


def test_there_is_no_short_way_outside_of_a_transaction() -> None:
    engine = open_engine("sqlite://")
    with engine.connect() as connection:
        assert short_way(connection) is None
        with connection.begin():
            assert short_way(connection) is short_way(connection) is not None
