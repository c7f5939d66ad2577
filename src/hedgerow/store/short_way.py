"""Statements straight to SQLite: what SQLAlchemy makes of one is remembered, and the driver gets it without detours.

A statement that is a module's constant comes again and again, and SQLAlchemy's way from it to the driver and back costs
many times what SQLite does for it. So from its third time on, text, parameters and columns are taken from a plan, one
for each length of a list that is written out (`IN`). What a plan cannot do takes the long way as before: long lists,
values that Python makes (defaults), rows that a change answers (`RETURNING`), and everything on PostgreSQL. Errors are
SQLAlchemy's, and so are the rows.
"""

# hot path

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, Dialect, Executable, Row
from sqlalchemy.engine import result_tuple
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.dml import UpdateBase
from sqlalchemy.sql.selectable import SelectBase

LONG: Final = 2
"""So often a statement takes the long way first: one that was built for one time only is not worth a plan."""

LONGEST: Final = 32
"""Longer lists (`IN`) take the long way: every length is a plan of its own."""

_KEY: Final = "hedgerow short way"
Names = tuple[str, ...]
Lengths = tuple[int, ...]


class _NotPlain(Exception):
    """There is more to the statement than a plan can do."""


class Plan:
    """How one statement is run with values of the same names, on one connection."""

    __slots__ = ("_columns", "_constants", "_driver", "_lists", "_names", "_processed", "_refused", "_row", "_text")

    def __init__(self, written: "_Written", names: Names, driver: sqlite3.Connection, way: "ShortWay") -> None:
        """Raises _NotPlain."""
        self._driver = driver
        self._refused = way.refused
        self._text = written.text
        self._lists = written.lists
        self._names: list[str] = []
        self._constants: dict[str, Any] = {}
        self._processed: list[tuple[str, Callable[[Any], Any]]] = []
        compiled, items = written.compiled, {item for _, items in written.lists for item in items}
        for place, name in enumerate(written.places):
            if name in items:
                self._names.append(name)
            else:
                self._bind(compiled, place, name, names)
        for name in items & written.processors.keys():
            self._processed.append((name, written.processors[name]))
        entries = compiled._result_columns  # noqa: SLF001  # there is no public way
        self._row = result_tuple([entry.keyname for entry in entries])
        found = [entry.type._cached_result_processor(way.dialect, None) for entry in entries]  # noqa: SLF001
        self._columns = [(place, process) for place, process in enumerate(found) if process is not None]

    def all(self, values: Mapping[str, Any]) -> list[Row[Any]]:
        found = self._execute(values).fetchall()
        if self._columns:
            found = [self._converted(row) for row in found]
        return [self._row(row) for row in found]

    def one(self, values: Mapping[str, Any]) -> Row[Any] | None:
        found = self._execute(values).fetchone()
        if found is None:
            return None
        row: Row[Any] = self._row(self._converted(found) if self._columns else found)
        return row

    def run(self, values: Mapping[str, Any]) -> int:
        return self._execute(values).rowcount

    def _execute(self, values: Mapping[str, Any]) -> sqlite3.Cursor:
        if self._constants or self._processed or self._lists:
            values = {**values, **self._constants}
            for name, items in self._lists:
                values.update(zip(items, values[name], strict=True))
            for name, process in self._processed:
                values[name] = process(values[name])
        parameters = [values[name] for name in self._names]
        try:
            return self._driver.execute(self._text, parameters)
        except sqlite3.Error as error:
            raise self._refused(self._text, parameters, error) from error

    def _converted(self, row: tuple[Any, ...]) -> tuple[Any, ...]:
        cells = list(row)
        for place, process in self._columns:
            cells[place] = process(cells[place])
        return tuple(cells)

    def _bind(self, compiled: SQLCompiler, place: int, name: str, names: Names) -> None:
        bound, process = compiled.binds[name], compiled._bind_processors.get(name)  # noqa: SLF001
        if bound.callable is not None or isinstance(process, Sequence):
            raise _NotPlain
        if bound.key not in names:
            if bound.required:
                raise _NotPlain
            constant = f"{place} {name}"  # no name of a value
            self._constants[constant] = bound.value if process is None else process(bound.value)
            self._names.append(constant)
            return
        self._names.append(bound.key)
        if process is not None and (bound.key, process) not in self._processed:
            if any(key == bound.key for key, _ in self._processed):
                raise _NotPlain  # one value that is written in two ways
            self._processed.append((bound.key, process))


@dataclass(frozen=True, slots=True)
class _Written:
    """A statement as SQLAlchemy writes it, lists in full: the names of its places, and of each list's items."""

    compiled: SQLCompiler
    text: str
    places: Sequence[str]
    lists: Sequence[tuple[str, Sequence[str]]] = ()
    processors: Mapping[str, Callable[[Any], Any]] = field(default_factory=dict)


class Plans:
    """The plans of a statement with lists, by their lengths."""

    def __init__(self, compiled: SQLCompiler, names: Names, driver: sqlite3.Connection, way: "ShortWay") -> None:
        """Raises _NotPlain."""
        bound = sorted(
            (each.key, name) for name, each in compiled.binds.items() if each in compiled.post_compile_params
        )
        if any(key not in names or key != name for key, name in bound):
            raise _NotPlain
        self._lists = [key for key, _ in bound]
        self._compiled, self._names, self._driver, self._way = compiled, names, driver, way
        self._known: dict[Lengths, Plan] = {}

    def of(self, values: Mapping[str, Any]) -> Plan | None:
        """Answer the plan for lists as long as these; None where one is too long. Raises _NotPlain."""
        lists = [values[name] for name in self._lists]
        if not all(isinstance(each, list | tuple) and len(each) <= LONGEST for each in lists):
            return None
        lengths = tuple(map(len, lists))
        plan = self._known.get(lengths)
        if plan is None and len(self._known) <= LONGEST:
            plan = self._known[lengths] = self._made(values)
        return plan

    def _made(self, values: Mapping[str, Any]) -> Plan:
        if any(isinstance(item, list | tuple) for name in self._lists for item in values[name]):
            raise _NotPlain  # each item is several columns
        state = self._compiled._process_parameters_for_postcompile(dict(values))  # noqa: SLF001
        processors: dict[str, Any] = dict(state.processors)
        if any(not callable(process) for process in processors.values()):
            raise _NotPlain
        lists = [(name, tuple(state.parameter_expansion[name])) for name in self._lists]
        written = _Written(self._compiled, state.statement, tuple(state.positiontup or ()), lists, processors)
        return Plan(written, self._names, self._driver, self._way)


class ShortWay:
    """The plans of one connection, which one thread at a time uses."""

    def __init__(self, driver: Any, dialect: Dialect, *, hide_parameters: bool) -> None:
        self.dialect = dialect
        self._driver = driver
        self._hide_parameters = hide_parameters
        self._known: WeakKeyDictionary[Executable, dict[Names, Plan | Plans | None]] = WeakKeyDictionary()
        self._seen: WeakKeyDictionary[Executable, int] = WeakKeyDictionary()

    def plan(self, statement: Executable, values: Mapping[str, Any]) -> Plan | None:
        """Answer the plan, or None for what has to take the long way."""
        names, known = tuple(values), self._known.get(statement)
        if known is None:
            times = self._seen.get(statement, 0)
            if times < LONG:
                self._seen[statement] = times + 1
                return None
            known = self._known[statement] = {}
        if names not in known:
            known[names] = self._made(statement, names)
        found = known[names]
        if not isinstance(found, Plans):
            return found
        try:
            return found.of(values)
        except (_NotPlain, SQLAlchemyError):
            known[names] = None
            return None

    def _made(self, statement: Executable, names: Names) -> Plan | Plans | None:
        if not isinstance(statement, SelectBase | UpdateBase):
            return None
        try:
            compiled = statement.compile(dialect=self.dialect, column_keys=sorted(names))
            if not isinstance(compiled, SQLCompiler) or _is_more(compiled):
                return None
            if compiled.post_compile_params:
                return Plans(compiled, names, self._driver, self)
            return Plan(_Written(compiled, compiled.string, compiled.positiontup or ()), names, self._driver, self)
        except (_NotPlain, SQLAlchemyError):  # the long way says what is wrong with it
            return None

    def refused(self, text: str, parameters: Sequence[Any], error: sqlite3.Error) -> Exception:
        """Answer the error as SQLAlchemy raises it."""
        thrown: Any = error
        return DBAPIError.instance(
            text,
            tuple(parameters),
            error,
            sqlite3.Error,
            hide_parameters=self._hide_parameters,
            connection_invalidated=self.dialect.is_disconnect(thrown, self._driver, None),
            dialect=self.dialect,
        )


def _is_more(compiled: SQLCompiler) -> bool:
    more = compiled.literal_execute_params or compiled.effective_returning
    return bool(more or compiled.insert_prefetch or compiled.update_prefetch)


def short_way(connection: Connection) -> ShortWay | None:
    """Answer the connection's short way while a transaction is open; None where there is none."""
    if connection.dialect.name != "sqlite" or not connection.in_transaction():
        return None
    if connection.dispatch.before_cursor_execute:  # somebody wants to see what is executed
        return None
    pooled = connection.connection
    found: ShortWay | None = pooled.info.get(_KEY)
    if found is None:
        found = ShortWay(
            pooled.driver_connection, connection.dialect, hide_parameters=connection.engine.hide_parameters
        )
        pooled.info[_KEY] = found
    return found
