"""The rows of shadows."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Column, Float, Integer, Row, String, Table, Text, bindparam, delete, insert, select
from sqlalchemy import update as update_rows

from hedgerow.core.shadow import Shadow, Texts
from hedgerow.services.iot.shadows.model import Kept, ShadowKey
from hedgerow.store import Tx, metadata

shadows = Table(
    "iot_shadow",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("thing", String(128), primary_key=True),
    Column("name", String(64), primary_key=True),  # "" is the classic shadow
    Column("version", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("metadata", Text, nullable=False),
    Column("updated_at", Float, nullable=False),
    Column("deleted_at", Float),
)

_OF_THING: Final = (shadows.c.account == bindparam("account_")) & (shadows.c.thing == bindparam("thing_"))
_KEY: Final = _OF_THING & (shadows.c.name == bindparam("name_"))
_GET = select(shadows).where(_KEY)
_LIVE_SOME = select(shadows).where(
    shadows.c.account == bindparam("account_"),
    shadows.c.thing.in_(bindparam("things", expanding=True)),
    shadows.c.name.in_(bindparam("names", expanding=True)),
    shadows.c.deleted_at.is_(None),
)
_INSERT = insert(shadows)
_UPDATE = (
    update_rows(shadows)
    .where(_KEY)
    .values(
        version=bindparam("version_"),
        state=bindparam("state_"),
        metadata=bindparam("metadata_"),
        updated_at=bindparam("updated_at_"),
        deleted_at=bindparam("deleted_at_"),
    )
)
_FORGET = delete(shadows).where(_KEY)
_NAMES = (
    select(shadows.c.name)
    .where(_OF_THING, shadows.c.name > bindparam("after"), shadows.c.deleted_at.is_(None))
    .order_by(shadows.c.name)
    .limit(bindparam("limit_"))
)


class ShadowStore:
    """Shadows in the database. It holds nothing; one serves every transaction.

    `changed` is told, in the same transaction, of every shadow that is written or deleted.
    """

    def __init__(self, *, changed: Callable[[Tx, ShadowKey], None] | None = None) -> None:
        self._changed = changed

    def get(self, tx: Tx, key: ShadowKey) -> Kept | None:
        """Answer the shadow, or what is remembered of a deleted one, or None."""
        row = tx.one(_GET, account_=key.account, thing_=key.thing, name_=key.name)
        return None if row is None else _kept(row)

    def put(self, tx: Tx, key: ShadowKey, kept: Kept) -> None:
        """Write the shadow in place of the one under the same key."""
        values = {
            "version": kept.shadow.version,
            "state": kept.texts.state,
            "metadata": kept.texts.metadata,
            "updated_at": tx.now,
            "deleted_at": kept.deleted_at,
        }
        changed = tx.run(
            _UPDATE,
            account_=key.account,
            thing_=key.thing,
            name_=key.name,
            **{f"{name}_": value for name, value in values.items()},
        )
        if not changed:
            tx.run(_INSERT, account=key.account, thing=key.thing, name=key.name, **values)
        if self._changed is not None:
            self._changed(tx, key)

    def live_some(
        self, tx: Tx, account: str, things: Sequence[str], names: Sequence[str]
    ) -> Mapping[tuple[str, str], tuple[Shadow, float]]:
        """Answer by thing and name ("" is the classic one) the shadows of up to 500 things, and since when."""
        wanted = {"account_": account, "things": list(things), "names": list(names)}
        rows = tx.all(_LIVE_SOME, **wanted) if things and names else ()
        return {(row.thing, row.name): (_kept(row).shadow, row.updated_at) for row in rows}

    def forget(self, tx: Tx, key: ShadowKey) -> None:
        tx.run(_FORGET, account_=key.account, thing_=key.thing, name_=key.name)

    def names(self, tx: Tx, account: str, thing: str, *, after: str, limit: int) -> Sequence[str]:
        """Answer the names of the thing's named shadows, in order, those after `after`."""
        return [row.name for row in tx.all(_NAMES, account_=account, thing_=thing, after=after, limit_=limit)]


def _kept(row: Row[Any]) -> Kept:
    shadow = Shadow(state=json.loads(row.state), metadata=json.loads(row.metadata), version=row.version)
    return Kept(shadow=shadow, texts=Texts(row.state, row.metadata, row.version), deleted_at=row.deleted_at)
