"""The rows of things and attachments; also what other subjects may ask about things."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from sqlalchemy import (
    Column,
    Float,
    Index,
    Integer,
    Row,
    String,
    Table,
    Text,
    and_,
    bindparam,
    delete,
    func,
    insert,
    or_,
    select,
)
from sqlalchemy import update as update_rows

from hedgerow.services.iot.things.model import Attachment, Thing, ThingPrincipal
from hedgerow.store import Tx, metadata

things = Table(
    "iot_thing",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("name", String(128), primary_key=True),
    Column("id", String(36), nullable=False),
    Column("type", String(128)),
    Column("attributes", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("created_at", Float, nullable=False),
)
Index("ix_iot_thing_type", things.c.account, things.c.type, things.c.name)

thing_attributes = Table(
    "iot_thing_attribute",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("thing", String(128), primary_key=True),
    Column("name", String(128), primary_key=True),
    Column("value", String(800), nullable=False),
)
Index(
    "ix_iot_thing_attribute_value",
    thing_attributes.c.account,
    thing_attributes.c.name,
    thing_attributes.c.value,
    thing_attributes.c.thing,
)

thing_principals = Table(
    "iot_thing_principal",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("thing", String(128), primary_key=True),
    Column("principal", String(256), primary_key=True),
    Column("attachment", String(24), nullable=False),
)
Index(
    "ix_iot_thing_principal_principal",
    thing_principals.c.account,
    thing_principals.c.principal,
    thing_principals.c.thing,
)

_ACCOUNT: Final[Any] = bindparam("account_")
_NAME: Final[Any] = bindparam("name_")
_AFTER: Final[Any] = bindparam("after")
_LIMIT: Final[Any] = bindparam("limit_")

_GET = select(things).where(things.c.account == _ACCOUNT, things.c.name == _NAME)
_GET_SOME = select(things).where(things.c.account == _ACCOUNT, things.c.name.in_(bindparam("names", expanding=True)))
_IDS = select(things.c.name, things.c.id).where(
    things.c.account == _ACCOUNT, things.c.name.in_(bindparam("names", expanding=True))
)
_INSERT = insert(things)
_UPDATE = update_rows(things).where(things.c.account == _ACCOUNT, things.c.name == _NAME)
_DELETE = delete(things).where(things.c.account == _ACCOUNT, things.c.name == _NAME)
_INSERT_ATTRIBUTE = insert(thing_attributes)
_OF_ATTRIBUTE = (
    (thing_attributes.c.account == _ACCOUNT)
    & (thing_attributes.c.thing == bindparam("thing_"))
    & (thing_attributes.c.name == _NAME)
)
_UPDATE_ATTRIBUTE = update_rows(thing_attributes).where(_OF_ATTRIBUTE).values(value=bindparam("value_"))
_DELETE_ATTRIBUTE = delete(thing_attributes).where(_OF_ATTRIBUTE)
_DELETE_ATTRIBUTES = delete(thing_attributes).where(
    thing_attributes.c.account == _ACCOUNT, thing_attributes.c.thing == _NAME
)

_LIST = select(things).where(things.c.account == _ACCOUNT, things.c.name > _AFTER).order_by(things.c.name).limit(_LIMIT)
_LIST_OF_TYPE = _LIST.where(things.c.type == bindparam("type_"))
_HAVING = (thing_attributes.c.account == things.c.account) & (thing_attributes.c.thing == things.c.name)
_PREFIX = func.substr(thing_attributes.c.value, 1, bindparam("length")) == bindparam("value_")


def _with(*conditions: Any) -> Any:
    return (
        select(thing_attributes.c.thing)
        .where(_HAVING, thing_attributes.c.name == bindparam("attribute"), *conditions)
        .exists()
    )


_BY_ATTRIBUTE: Final = {
    (kind, how): base.where(_with(*conditions))
    for kind, base in (("any", _LIST), ("type", _LIST_OF_TYPE))
    for how, conditions in (
        ("has", ()),
        ("is", (thing_attributes.c.value == bindparam("value_"),)),
        ("starts", (_PREFIX,)),
    )
}

_ATTACHED = thing_principals.c.account == _ACCOUNT
_GET_PRINCIPAL = select(thing_principals).where(
    _ATTACHED, thing_principals.c.thing == bindparam("thing_"), thing_principals.c.principal == bindparam("principal_")
)
_INSERT_PRINCIPAL = insert(thing_principals)
_DELETE_PRINCIPAL = delete(thing_principals).where(
    _ATTACHED, thing_principals.c.thing == bindparam("thing_"), thing_principals.c.principal == bindparam("principal_")
)
_PRINCIPALS_OF = (
    select(thing_principals)
    .where(_ATTACHED, thing_principals.c.thing == bindparam("thing_"), thing_principals.c.principal > _AFTER)
    .order_by(thing_principals.c.principal)
    .limit(_LIMIT)
)
_PRINCIPALS_OF_ALL = select(thing_principals.c.principal).where(
    _ATTACHED, thing_principals.c.thing.in_(bindparam("things", expanding=True))
)
_THINGS_OF = (
    select(thing_principals)
    .where(_ATTACHED, thing_principals.c.principal == bindparam("principal_"), thing_principals.c.thing > _AFTER)
    .order_by(thing_principals.c.thing)
    .limit(_LIMIT)
)
_SPOKEN_FOR = (
    select(things, thing_principals.c.attachment)
    .join(
        thing_principals,
        and_(thing_principals.c.account == things.c.account, thing_principals.c.thing == things.c.name),
    )
    .where(
        _ATTACHED,
        thing_principals.c.principal == bindparam("principal_"),
        or_(thing_principals.c.attachment == Attachment.EXCLUSIVE.value, thing_principals.c.thing == _NAME),
    )
    .order_by(thing_principals.c.attachment)  # the exclusive one first
    .limit(1)
)

ALL: Final = 1_000_000  # as a page size: no paging wanted
_AT_ONCE: Final = 500  # values in one IN list


Told = Callable[[Tx, str, str], None]
"""Account and name."""


class Watcher(Protocol):
    """Who is told of changes, with what was and what is."""

    def wants_things(self, account: str) -> bool:
        """Tell whether `thing_changed` is to be called."""
        ...

    def thing_changed(self, tx: Tx, account: str, before: Thing | None, after: Thing | None) -> None:
        """A thing was made (nothing before), changed or deleted (nothing after)."""
        ...


class ThingStore:
    """Things in the database. It holds nothing; one serves every transaction.

    `changed` and the watcher are told, in the same transaction, of every thing that is made, changed or deleted,
    `removed` of the last alone.
    """

    def __init__(
        self, *, changed: Told | None = None, removed: Told | None = None, watcher: Watcher | None = None
    ) -> None:
        self._changed = changed
        self._removed = removed
        self._watcher = watcher

    def _tell(self, tx: Tx, account: str, name: str) -> None:
        if self._changed is not None:
            self._changed(tx, account, name)

    def _watching(self, account: str) -> Watcher | None:
        """Answer the watcher when it wants to know: asked once for each change, as its mind may change meanwhile."""
        watcher = self._watcher
        return watcher if watcher is not None and watcher.wants_things(account) else None

    def get(self, tx: Tx, account: str, name: str) -> Thing | None:
        """Answer the thing, or None."""
        row = tx.one(_GET, account_=account, name_=name)
        return None if row is None else _thing(row)

    def some(self, tx: Tx, account: str, names: Sequence[str]) -> Mapping[str, Thing]:
        """Answer those of the things that there are, by name; at most 500 names."""
        rows = tx.all(_GET_SOME, account_=account, names=list(names)) if names else ()
        return {row.name: _thing(row) for row in rows}

    def exists(self, tx: Tx, account: str, name: str) -> bool:
        """Tell whether there is a thing of that name."""
        return tx.one(_GET, account_=account, name_=name) is not None

    def add(self, tx: Tx, account: str, thing: Thing) -> None:
        values = {"account": account, "id": thing.id, "created_at": tx.now, "name": thing.name}
        tx.run(_INSERT, **values, **_columns(thing))
        self._add_attributes(tx, account, thing.name, thing.attributes)
        self._tell(tx, account, thing.name)
        if (watcher := self._watching(account)) is not None:
            watcher.thing_changed(tx, account, None, thing)

    def put(self, tx: Tx, account: str, thing: Thing, *, before: Thing) -> None:
        """Write the thing, and those of its attributes that are not what they were before."""
        new, old = thing.attributes, before.attributes
        key = {"account_": account, "thing_": thing.name}
        tx.run(_UPDATE, account_=account, name_=thing.name, **_columns(thing))
        for name in old.keys() - new.keys():
            tx.run(_DELETE_ATTRIBUTE, **key, name_=name)
        for name in new.keys() & old.keys():
            if new[name] != old[name]:
                tx.run(_UPDATE_ATTRIBUTE, **key, name_=name, value_=new[name])
        self._add_attributes(tx, account, thing.name, {name: new[name] for name in new.keys() - old.keys()})
        self._tell(tx, account, thing.name)
        if (watcher := self._watching(account)) is not None:
            watcher.thing_changed(tx, account, before, thing)

    def remove(self, tx: Tx, account: str, name: str) -> None:
        watcher = self._watching(account)
        before = None if watcher is None else self.get(tx, account, name)
        tx.run(_DELETE_ATTRIBUTES, account_=account, name_=name)
        tx.run(_DELETE, account_=account, name_=name)
        self._tell(tx, account, name)
        if self._removed is not None:
            self._removed(tx, account, name)
        if watcher is not None:
            watcher.thing_changed(tx, account, before, None)

    def ids_of(self, tx: Tx, account: str, names: Sequence[str]) -> Mapping[str, str]:
        """Answer the ids of those things that are there, by name."""
        found: dict[str, str] = {}
        for start in range(0, len(names), _AT_ONCE):
            chunk = list(names[start : start + _AT_ONCE])
            found.update((row.name, row.id) for row in tx.all(_IDS, account_=account, names=chunk))
        return found

    def list(
        self,
        tx: Tx,
        account: str,
        *,
        after: str = "",
        limit: int = ALL,
        type_name: str | None = None,
        attribute: str | None = None,
        value: str | None = None,
        prefix: bool = False,
    ) -> Sequence[Thing]:
        """Answer things by name, those after `after`, of that type and with that attribute (value, or its start)."""
        values: dict[str, Any] = {"account_": account, "after": after, "limit_": limit}
        if type_name is not None:
            values["type_"] = type_name
        if attribute is None:
            statement: Any = _LIST if type_name is None else _LIST_OF_TYPE
        else:
            values["attribute"] = attribute
            how = "has" if value is None else "starts" if prefix else "is"
            if value is not None:
                values["value_"] = value
            if how == "starts":
                values["length"] = len(value or "")
            statement = _BY_ATTRIBUTE["any" if type_name is None else "type", how]
        return [_thing(row) for row in tx.all(statement, **values)]

    def attach(self, tx: Tx, account: str, link: ThingPrincipal) -> None:
        """Write the attachment, in place of one between the same two."""
        self.detach(tx, account, link.thing, link.principal)
        tx.run(
            _INSERT_PRINCIPAL,
            account=account,
            thing=link.thing,
            principal=link.principal,
            attachment=link.attachment.value,
        )

    def detach(self, tx: Tx, account: str, thing: str, principal: str) -> bool:
        """Take the attachment away; tell whether there was one."""
        return tx.run(_DELETE_PRINCIPAL, account_=account, thing_=thing, principal_=principal) > 0

    def attachment(self, tx: Tx, account: str, thing: str, principal: str) -> ThingPrincipal | None:
        """Answer how the principal (a certificate id) belongs to the thing, None when it does not."""
        row = tx.one(_GET_PRINCIPAL, account_=account, thing_=thing, principal_=principal)
        return None if row is None else _link(row)

    def principals_of(
        self, tx: Tx, account: str, thing: str, *, after: str = "", limit: int = ALL
    ) -> Sequence[ThingPrincipal]:
        """Answer the thing's principals (certificate ids), in order of their ids."""
        return [_link(row) for row in tx.all(_PRINCIPALS_OF, account_=account, thing_=thing, after=after, limit_=limit)]

    def principals_of_all(self, tx: Tx, account: str, things: Sequence[str]) -> frozenset[str]:
        """Answer the principals (certificate ids) of any of the things."""
        found: set[str] = set()
        for start in range(0, len(things), _AT_ONCE):
            chunk = list(things[start : start + _AT_ONCE])
            found.update(row.principal for row in tx.all(_PRINCIPALS_OF_ALL, account_=account, things=chunk))
        return frozenset(found)

    def things_of(
        self, tx: Tx, account: str, principal: str, *, after: str = "", limit: int = ALL
    ) -> Sequence[ThingPrincipal]:
        """Answer the things that the principal (a certificate id) is attached to, by name."""
        rows = tx.all(_THINGS_OF, account_=account, principal_=principal, after=after, limit_=limit)
        return [_link(row) for row in rows]

    def spoken_for(
        self, tx: Tx, account: str, principal: str, client_id: str | None = None
    ) -> tuple[Thing | None, bool]:
        """Answer the thing that a principal's connection speaks for, and whether it is attached exclusively.

        That is the one that is, else the one whose name is the client id.
        """
        row = tx.one(_SPOKEN_FOR, account_=account, principal_=principal, name_=client_id or "")
        return (None, False) if row is None else (_thing(row), Attachment(row.attachment) is Attachment.EXCLUSIVE)

    def _add_attributes(self, tx: Tx, account: str, thing: str, attributes: Mapping[str, str]) -> None:
        rows = [
            {"account": account, "thing": thing, "name": name, "value": value} for name, value in attributes.items()
        ]
        tx.run_many(_INSERT_ATTRIBUTE, rows)


def _columns(thing: Thing) -> Mapping[str, Any]:
    return {
        "type": thing.type,
        "attributes": json.dumps(dict(thing.attributes)),
        "version": thing.version,
    }


def _thing(row: Row[Any]) -> Thing:
    return Thing(name=row.name, id=row.id, type=row.type, attributes=json.loads(row.attributes), version=row.version)


def _link(row: Row[Any]) -> ThingPrincipal:
    return ThingPrincipal(thing=row.thing, principal=row.principal, attachment=Attachment(row.attachment))
