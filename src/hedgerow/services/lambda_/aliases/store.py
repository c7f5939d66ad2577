"""The rows of aliases."""

import json
from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Column, Row, String, Table, Text, bindparam, delete, insert, select, update

from hedgerow.services.lambda_.aliases.model import Alias
from hedgerow.store import Tx, metadata

aliases = Table(
    "lambda_alias",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("function", String(64), primary_key=True),
    Column("name", String(128), primary_key=True),
    Column("region", String(32), nullable=False),
    Column("version", String(16), nullable=False),
    Column("description", Text, nullable=False),
    Column("weights", Text, nullable=False),
    Column("revision", String(36), nullable=False),
)

_OF_FUNCTION: Final = (aliases.c.account == bindparam("account_")) & (aliases.c.function == bindparam("function_"))
_KEY: Final = _OF_FUNCTION & (aliases.c.name == bindparam("name_"))
_GET = select(aliases).where(_KEY)
_LIST = (
    select(aliases)
    .where(_OF_FUNCTION, aliases.c.name > bindparam("after"))
    .order_by(aliases.c.name)
    .limit(bindparam("limit_"))
)
_ADD = insert(aliases)
_PUT = (
    update(aliases)
    .where(_KEY)
    .values(
        version=bindparam("version_"),
        description=bindparam("description_"),
        weights=bindparam("weights_"),
        revision=bindparam("revision_"),
    )
)
_DROP = delete(aliases).where(_KEY)
_DROP_ALL = delete(aliases).where(_OF_FUNCTION)
_EVERY: Final = 10_000


class AliasStore:
    """Aliases in the database, and what functions ask about them. It holds nothing; one serves every transaction."""

    def get(self, tx: Tx, account: str, function: str, name: str) -> Alias | None:
        row = tx.one(_GET, account_=account, function_=function, name_=name)
        return None if row is None else _alias(row)

    def add(self, tx: Tx, alias: Alias) -> None:
        tx.run(_ADD, account=alias.account, function=alias.function, name=alias.name, region=alias.region, **_of(alias))

    def put(self, tx: Tx, alias: Alias) -> None:
        values = {f"{name}_": value for name, value in _of(alias).items()}
        tx.run(_PUT, account_=alias.account, function_=alias.function, name_=alias.name, **values)

    def drop(self, tx: Tx, account: str, function: str, name: str) -> None:
        tx.run(_DROP, account_=account, function_=function, name_=name)

    def list(self, tx: Tx, account: str, function: str, *, after: str = "", limit: int = _EVERY) -> Sequence[Alias]:
        """Answer a function's aliases by name."""
        return [_alias(row) for row in tx.all(_LIST, account_=account, function_=function, after=after, limit_=limit)]

    def resolve(self, tx: Tx, account: str, name: str, alias: str, *, chance: float) -> str | None:
        """Answer the version that an alias stands for; with weights, `chance` (0 to 1) decides which."""
        found = self.get(tx, account, name, alias)
        return None if found is None else found.choose(chance)

    def in_the_way(self, tx: Tx, account: str, name: str, version: str) -> str | None:
        """Say which alias keeps a version from being deleted, or None."""
        for alias in self.list(tx, account, name):
            if version == alias.version or version in alias.weights:
                return (
                    f"An error occurred because the function version you are trying to delete is referenced by the "
                    f"alias {alias.name}; remove the alias or let it stand for another version"
                )
        return None

    def forget(self, tx: Tx, account: str, name: str, qualifier: str) -> None:
        """Delete the aliases of a deleted function; those of a deleted version were in its way."""
        if not qualifier:
            tx.run(_DROP_ALL, account_=account, function_=name)


def _of(alias: Alias) -> dict[str, Any]:
    return {
        "version": alias.version,
        "description": alias.description,
        "weights": json.dumps(dict(alias.weights)),
        "revision": alias.revision,
    }


def _alias(row: Row[Any]) -> Alias:
    return Alias(
        account=row.account,
        region=row.region,
        function=row.function,
        name=row.name,
        version=row.version,
        description=row.description,
        weights=json.loads(row.weights),
        revision=row.revision,
    )
