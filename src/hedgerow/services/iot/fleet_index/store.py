"""The rows of the indexes: how each is set up, a document for each thing and group, and a row for each of its values.

A query becomes one SELECT over the documents, with a subquery over the values for each of its terms; both composite
indexes begin with account, index and path. Values longer than `TEXT` bytes are cut, paths longer than `PATH` left out.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    Row,
    Select,
    String,
    Table,
    Text,
    bindparam,
    delete,
    func,
    insert,
    select,
)
from sqlalchemy import update as update_rows

from hedgerow.core.fleetquery import Field, Node
from hedgerow.services.iot.fleet_index.model import OFF, THINGS, Document, Setup, Status
from hedgerow.services.iot.fleet_index.selecting import Columns, condition, exact, led
from hedgerow.store import Tx, metadata

TEXT: Final = 800  # bytes
PATH: Final = 512  # bytes


def _exact(length: int) -> Any:
    """Answer a type whose texts are in the order of their bytes on both engines."""
    return String(length).with_variant(String(length, collation="C"), "postgresql")


setups = Table(
    "iot_fleet_index",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("index_name", String(32), primary_key=True),
    Column("mode", String(32), nullable=False),
    Column("connectivity", String(16), nullable=False),
    Column("named_shadows", Text),
    Column("custom", Text, nullable=False),
    Column("places", Text),
    Column("sockets", Boolean),
    Column("status", String(16), nullable=False),
    Column("generation", Integer, nullable=False),
)
documents = Table(
    "iot_fleet_document",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("index_name", String(32), primary_key=True),
    Column("name", _exact(128), primary_key=True),
    Column("body", Text, nullable=False),
    Column("hidden", Text, nullable=False),
)
fields = Table(
    "iot_fleet_field",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("index_name", String(32), primary_key=True),
    Column("name", _exact(128), primary_key=True),
    Column("ordinal", Integer, primary_key=True),
    Column("path", _exact(PATH), nullable=False),
    Column("text", _exact(TEXT), nullable=False),
    Column("number", Float),
    Column("whole", Boolean, nullable=False),  # False: a word of a longer value
)
_KEY = (fields.c.account, fields.c.index_name, fields.c.path)
Index("ix_iot_fleet_field_text", *_KEY, fields.c.text, fields.c.name)
Index("ix_iot_fleet_field_number", *_KEY, fields.c.number, fields.c.name)

_ACCOUNT: Final[Any] = bindparam("account_")
_INDEX: Final[Any] = bindparam("index_")
_NAME: Final[Any] = bindparam("name_")
_AFTER: Final[Any] = bindparam("after")
_LIMIT: Final[Any] = bindparam("limit_")

_SETUP = select(setups).where(setups.c.account == _ACCOUNT, setups.c.index_name == _INDEX)
_INSERT_SETUP = insert(setups)
_UPDATE_SETUP = update_rows(setups).where(setups.c.account == _ACCOUNT, setups.c.index_name == _INDEX)

_IN_INDEX = (documents.c.account == _ACCOUNT) & (documents.c.index_name == _INDEX)
_GET = select(documents).where(_IN_INDEX, documents.c.name == _NAME)
_GET_SOME = select(documents).where(_IN_INDEX, documents.c.name.in_(bindparam("names", expanding=True)))
_INSERT = insert(documents)
_UPDATE = (
    update_rows(documents)
    .where(_IN_INDEX, documents.c.name == _NAME)
    .values(body=bindparam("body_"), hidden=bindparam("hidden_"))
)
_DELETE = delete(documents).where(_IN_INDEX, documents.c.name == _NAME)
_NAMES = select(documents.c.name).where(_IN_INDEX).order_by(documents.c.name).limit(_LIMIT)
_INSERT_FIELD = insert(fields)
_OF_DOCUMENT = (fields.c.account == _ACCOUNT) & (fields.c.index_name == _INDEX) & (fields.c.name == _NAME)
_DELETE_FIELDS = delete(fields).where(_OF_DOCUMENT, fields.c.ordinal >= bindparam("from_"))
_UPDATE_FIELD = (
    update_rows(fields)
    .where(
        fields.c.account == bindparam("b_account"),
        fields.c.index_name == bindparam("b_index_name"),
        fields.c.name == bindparam("b_name"),
        fields.c.ordinal == bindparam("b_ordinal"),
    )
    .values({name: bindparam(f"b_{name}") for name in ("path", "text", "number", "whole")})
)
_FOUND = select(documents).where(_IN_INDEX, documents.c.name > _AFTER).order_by(documents.c.name).limit(_LIMIT)
_VALUED = fields.alias("valued")
_VALUES = select(_VALUED.c.text, _VALUED.c.number).where(
    _VALUED.c.account == _ACCOUNT,
    _VALUED.c.index_name == _INDEX,
    _VALUED.c.path == bindparam("path_"),
    _VALUED.c.whole.is_(True),
)
_LED = fields.alias("led")
_COLUMNS = Columns(document=documents.c.name, account=_ACCOUNT, index=_INDEX, fields=fields)
_OF_LED = replace(_COLUMNS, document=_LED.c.name)
_OF_VALUES = replace(_COLUMNS, document=_VALUED.c.name)


class FleetIndexStore:
    """The indexes in the database. It holds nothing; one serves every transaction."""

    def setup(self, tx: Tx, account: str, index: str) -> Setup:
        """Answer how the index is set up; off when nobody ever did."""
        row = tx.one(_SETUP, account_=account, index_=index)
        return Setup(index=index) if row is None else _setup(row)

    def things_on(self, tx: Tx, account: str) -> bool:
        """Tell whether the account indexes its things."""
        return self.setup(tx, account, THINGS).on

    def page(self, tx: Tx, account: str, *, after: str, limit: int) -> Sequence[tuple[str, Sequence[Field]]]:
        """Answer name and values of indexed things by name, those after `after`."""
        rows = tx.all(_FOUND, account_=account, index_=THINGS, after=after, limit_=limit)
        return [(row.name, _document(row).fields()) for row in rows]

    def connectivity_on(self, tx: Tx, account: str) -> bool:
        """Tell whether the account indexes connectivity."""
        setup = self.setup(tx, account, THINGS)
        return setup.on and setup.connectivity != OFF

    def sockets_on(self, tx: Tx, account: str) -> bool:
        """Tell whether the account wants to know addresses and ports of connections."""
        return self.setup(tx, account, THINGS).sockets

    def places_of(self, tx: Tx, account: str) -> frozenset[str]:
        """Answer the fields of things whose locations are indexed."""
        return frozenset(name for name, _ in self.setup(tx, account, THINGS).places)

    def put_setup(self, tx: Tx, account: str, setup: Setup) -> None:
        values = {
            "mode": setup.mode,
            "connectivity": setup.connectivity,
            "named_shadows": None if setup.named_shadows is None else json.dumps(setup.named_shadows),
            "custom": json.dumps(setup.custom),
            "places": json.dumps(setup.places) if setup.places else None,
            "sockets": setup.sockets,
            "status": setup.status.value,
            "generation": setup.generation,
        }
        if not tx.run(_UPDATE_SETUP, account_=account, index_=setup.index, **values):
            tx.run(_INSERT_SETUP, account=account, index_name=setup.index, **values)

    def get(self, tx: Tx, account: str, index: str, name: str) -> Document | None:
        row = tx.one(_GET, account_=account, index_=index, name_=name)
        return None if row is None else _document(row)

    def put(self, tx: Tx, account: str, index: str, found: Sequence[Document]) -> Sequence[tuple[str, Sequence[Field]]]:
        """Write documents with their values; answer name and values of those that differ from what was there."""
        key = {"account_": account, "index_": index}
        names = [document.name for document in found]
        known = {row.name: row for row in tx.all(_GET_SOME, **key, names=names)} if names else {}
        changes = _Changes(account, index)
        for document in found:
            changes.add(document, known.get(document.name))
        tx.run_many(_INSERT, changes.new)
        tx.run_many(_UPDATE, changes.changed)
        tx.run_many(_UPDATE_FIELD, changes.changed_fields)
        tx.run_many(_INSERT_FIELD, changes.new_fields)
        tx.run_many(_DELETE_FIELDS, changes.fewer_fields)
        return changes.told

    def remove(self, tx: Tx, account: str, index: str, names: Sequence[str]) -> None:
        """Take out those of the documents that are there."""
        keys = [{"account_": account, "index_": index, "name_": name} for name in names]
        tx.run_many(_DELETE_FIELDS, [{**key, "from_": 0} for key in keys])
        tx.run_many(_DELETE, keys)

    def clear(self, tx: Tx, account: str, index: str, *, most: int) -> bool:
        """Take out some documents, `most` at once; tell whether there are none left."""
        found = tx.all(_NAMES, account_=account, index_=index, limit_=most)
        self.remove(tx, account, index, [row.name for row in found])
        return len(found) < most

    def search(
        self, tx: Tx, account: str, index: str, query: Node, *, after: str = "", limit: int
    ) -> Sequence[Document]:
        """Answer the documents that the query finds, by name, those after `after`."""
        rows = tx.all(_finding(query), account_=account, index_=index, after=after, limit_=limit)
        return [_document(row) for row in rows]

    def finds(self, tx: Tx, account: str, index: str, query: Node, name: str) -> bool:
        """Tell whether the query finds this one document."""
        statement = _GET.where(condition(query, _COLUMNS))
        return tx.one(statement, account_=account, index_=index, name_=name) is not None

    def values(self, tx: Tx, account: str, index: str, query: Node, path: str) -> Sequence[Row[Any]]:
        """Answer (text, number) of the field in every document that the query finds."""
        return tx.all(_VALUES.where(condition(query, _OF_VALUES)), account_=account, index_=index, path_=path)

    def counts(
        self, tx: Tx, account: str, index: str, query: Node, path: str, *, limit: int
    ) -> tuple[int, int, Sequence[tuple[str, int]]]:
        """Answer how many values there are, how many different ones, and the most frequent with their counts."""
        within = _VALUES.where(condition(query, _OF_VALUES))
        key = {"account_": account, "index_": index, "path_": path}
        some = within.with_only_columns(func.count(), func.count(_VALUED.c.text.distinct()))
        total: Any = tx.one(some, **key)
        often = (
            within.with_only_columns(_VALUED.c.text, func.count().label("times"))
            .group_by(_VALUED.c.text)
            .order_by(func.count().desc(), _VALUED.c.text)
            .limit(_LIMIT)
        )
        found: Sequence[Any] = tx.all(often, **key, limit_=limit)
        buckets = [(row[0], row[1]) for row in found]
        return (0, 0, []) if total is None else (total[0], total[1], buckets)


@lru_cache(maxsize=256)
def _finding(query: Node) -> Select[Any]:
    """Answer the statement of a query; building it costs more than running it."""
    leading = led(query)
    if leading is None:
        return _FOUND.where(condition(query, _COLUMNS))
    term, others = leading
    names = (
        select(_LED.c.name)
        .distinct()
        .where(_LED.c.account == _ACCOUNT, _LED.c.index_name == _INDEX, _LED.c.name > _AFTER)
        .where(_LED.c.path == term.field, _LED.c.text == exact(term))
        .where(*(condition(part, _OF_LED) for part in others))
        .order_by(_LED.c.name)
        .limit(_LIMIT)
        .subquery()
    )
    same = _IN_INDEX & (documents.c.name == names.c.name)
    # An outer join, though every value has its document: SQLite would go through all documents otherwise.
    return select(documents).select_from(names.outerjoin(documents, same)).order_by(names.c.name)


class _Changes:
    """What has to be written for some documents: rows for each of the statements."""

    def __init__(self, account: str, index: str) -> None:
        self._account = account
        self._index = index
        self.new: list[Mapping[str, Any]] = []
        self.changed: list[Mapping[str, Any]] = []
        self.new_fields: list[Mapping[str, Any]] = []
        self.changed_fields: list[Mapping[str, Any]] = []
        self.fewer_fields: list[Mapping[str, Any]] = []
        self.told: list[tuple[str, Sequence[Field]]] = []

    def add(self, document: Document, known: Row[Any] | None) -> None:
        name, body, hidden = document.name, _text(document.body), _text(document.hidden)
        if known is not None and (known.body, known.hidden) == (body, hidden):
            return
        found = document.fields()
        self.told.append((name, found))
        rows, before = _kept(found), () if known is None else _kept(_document(known).fields())
        if known is None:
            row = {"account": self._account, "index_name": self._index, "name": name, "body": body, "hidden": hidden}
            self.new.append(row)
        else:
            self.changed.append({**self._key(name), "body_": body, "hidden_": hidden})
        for ordinal, (new, old) in enumerate(zip(rows, before, strict=False)):
            if new != old:
                self.changed_fields.append(self._field(name, ordinal, new, prefix="b_"))
        for ordinal in range(len(before), len(rows)):
            self.new_fields.append(self._field(name, ordinal, rows[ordinal]))
        if len(rows) < len(before):
            self.fewer_fields.append({**self._key(name), "from_": len(rows)})

    def _key(self, name: str) -> dict[str, Any]:
        return {"account_": self._account, "index_": self._index, "name_": name}

    def _field(self, name: str, ordinal: int, one: Field, *, prefix: str = "") -> Mapping[str, Any]:
        return {
            f"{prefix}account": self._account,
            f"{prefix}index_name": self._index,
            f"{prefix}name": name,
            f"{prefix}ordinal": ordinal,
            f"{prefix}path": one.path,
            f"{prefix}text": one.text.encode()[:TEXT].decode(errors="ignore"),
            f"{prefix}number": one.number,
            f"{prefix}whole": one.whole,
        }


def _kept(found: Sequence[Field]) -> Sequence[Field]:
    return [one for one in found if len(one.path.encode()) <= PATH]


def _text(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _setup(row: Row[Any]) -> Setup:
    named = None if row.named_shadows is None else tuple(json.loads(row.named_shadows))
    return Setup(
        index=row.index_name,
        mode=row.mode,
        connectivity=row.connectivity,
        named_shadows=named,
        custom=_pairs(row.custom),
        places=_pairs(row.places),
        sockets=bool(row.sockets),
        status=Status(row.status),
        generation=row.generation,
    )


def _pairs(text: str | None) -> tuple[tuple[str, str], ...]:
    return tuple((name, kind) for name, kind in json.loads(text)) if text else ()


def _document(row: Row[Any]) -> Document:
    return Document(name=row.name, body=json.loads(row.body), hidden=json.loads(row.hidden))
