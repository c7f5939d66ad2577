"""The rows of functions and their versions."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import (
    BigInteger,
    Column,
    Float,
    Integer,
    Row,
    String,
    Table,
    Text,
    bindparam,
    delete,
    insert,
    select,
    update,
)

from hedgerow.services.lambda_.functions.model import LATEST, Code, Settings, Version
from hedgerow.store import Tx, metadata

functions = Table(
    "lambda_function",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("region", String(32), nullable=False),
    Column("last_version", Integer, nullable=False),  # the highest number ever given; none is given twice
    Column("tags", Text, nullable=False),
)
versions = Table(
    "lambda_version",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("name", String(64), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),  # 0 is $LATEST
    Column("settings", Text, nullable=False),
    Column("digest", String(64), nullable=False),
    Column("size", BigInteger, nullable=False),
    Column("modified_at", Float, nullable=False),
    Column("revision", String(36), nullable=False),
)

_FUNCTION: Final = (functions.c.account == bindparam("account_")) & (functions.c.name == bindparam("name_"))
_OF_FUNCTION: Final = (versions.c.account == bindparam("account_")) & (versions.c.name == bindparam("name_"))
_VERSION: Final = _OF_FUNCTION & (versions.c.number == bindparam("number_"))
_JOINED: Final = (
    select(versions, functions.c.region, functions.c.tags, functions.c.last_version)
    .join(functions, (functions.c.account == versions.c.account) & (functions.c.name == versions.c.name))
    .order_by(versions.c.name, versions.c.number)
)
_GET = _JOINED.where(_VERSION)
_VERSIONS = _JOINED.where(_OF_FUNCTION, versions.c.number > bindparam("after")).limit(bindparam("limit_"))
_LATEST = _JOINED.where(
    versions.c.account == bindparam("account_"), versions.c.number == 0, versions.c.name > bindparam("after")
).limit(bindparam("limit_"))
_ALL = _JOINED.where(
    versions.c.account == bindparam("account_"),
    (versions.c.name > bindparam("after"))
    | ((versions.c.name == bindparam("after")) & (versions.c.number > bindparam("number_"))),
).limit(bindparam("limit_"))
_LAST_NUMBER = select(functions.c.last_version).where(_FUNCTION)
_ADD_FUNCTION = insert(functions)
_SET_LAST = update(functions).where(_FUNCTION).values(last_version=bindparam("last_"))
_SET_TAGS = update(functions).where(_FUNCTION).values(tags=bindparam("tags_"))
_DROP_FUNCTION = delete(functions).where(_FUNCTION)
_ADD_VERSION = insert(versions)
_PUT_VERSION = (
    update(versions)
    .where(_VERSION)
    .values(
        settings=bindparam("settings_"),
        digest=bindparam("digest_"),
        size=bindparam("size_"),
        modified_at=bindparam("modified_at_"),
        revision=bindparam("revision_"),
    )
)
_DROP_VERSION = delete(versions).where(_VERSION)
_DROP_VERSIONS = delete(versions).where(_OF_FUNCTION)
_DIGESTS = select(versions.c.digest).where(versions.c.account == bindparam("account_")).distinct()
_DIGITS: Final = 18  # of a version's number: more fit in no column


class FunctionStore:
    """Functions in the database. It holds nothing; one serves every transaction."""

    def get(self, tx: Tx, account: str, name: str, version: str = LATEST) -> Version | None:
        if len(version) > _DIGITS:
            return None
        number = 0 if version == LATEST else int(version)
        row = tx.one(_GET, account_=account, name_=name, number_=number)
        return None if row is None else _version(row)

    def last_number(self, tx: Tx, account: str, name: str) -> int:
        """Answer the highest version number that was ever given, 0 when none was."""
        row = tx.one(_LAST_NUMBER, account_=account, name_=name)
        return 0 if row is None else int(row.last_version)

    def create(self, tx: Tx, version: Version) -> None:
        """Write a function that is not there yet, with its `$LATEST`."""
        tx.run(
            _ADD_FUNCTION,
            account=version.account,
            name=version.name,
            region=version.region,
            last_version=0,
            tags=json.dumps(dict(version.tags)),
        )
        self.add(tx, version)

    def add(self, tx: Tx, version: Version) -> None:
        """Write a version that is not there yet."""
        tx.run(_ADD_VERSION, account=version.account, name=version.name, number=version.number, **_values(version))
        if version.number:
            tx.run(_SET_LAST, account_=version.account, name_=version.name, last_=version.number)

    def put(self, tx: Tx, version: Version) -> None:
        """Write `$LATEST` anew."""
        values = {f"{name}_": value for name, value in _values(version).items()}
        tx.run(_PUT_VERSION, account_=version.account, name_=version.name, number_=version.number, **values)

    def put_tags(self, tx: Tx, account: str, name: str, tags: Mapping[str, str]) -> None:
        tx.run(_SET_TAGS, account_=account, name_=name, tags_=json.dumps(dict(tags)))

    def drop(self, tx: Tx, account: str, name: str) -> None:
        tx.run(_DROP_VERSIONS, account_=account, name_=name)
        tx.run(_DROP_FUNCTION, account_=account, name_=name)

    def drop_version(self, tx: Tx, account: str, name: str, number: int) -> int:
        return tx.run(_DROP_VERSION, account_=account, name_=name, number_=number)

    def latest(self, tx: Tx, account: str, *, after: str, limit: int) -> Sequence[Version]:
        """Answer the `$LATEST` of the account's functions, by name."""
        return [_version(row) for row in tx.all(_LATEST, account_=account, after=after, limit_=limit)]

    def all(self, tx: Tx, account: str, *, after: str, number: int, limit: int) -> Sequence[Version]:
        """Answer every version of every function of the account, by name and number."""
        found = tx.all(_ALL, account_=account, after=after, number_=number, limit_=limit)
        return [_version(row) for row in found]

    def versions(self, tx: Tx, account: str, name: str, *, after: int, limit: int) -> Sequence[Version]:
        """Answer a function's versions, `$LATEST` (number 0) first."""
        found = tx.all(_VERSIONS, account_=account, name_=name, after=after, limit_=limit)
        return [_version(row) for row in found]

    def digests(self, tx: Tx, account: str) -> set[str]:
        """Answer the blobs that the account's versions name."""
        return {row[0] for row in tx.all(_DIGESTS, account_=account)}


def _values(version: Version) -> dict[str, Any]:
    settings = version.settings
    text = {
        "runtime": settings.runtime,
        "role": settings.role,
        "handler": settings.handler,
        "description": settings.description,
        "timeout_s": settings.timeout_s,
        "memory_mb": settings.memory_mb,
        "environment": None if settings.environment is None else dict(settings.environment),
        "architectures": list(settings.architectures),
        "log_group": settings.log_group,
    }
    return {
        "settings": json.dumps(text),
        "digest": version.code.digest,
        "size": version.code.size,
        "modified_at": version.modified_at,
        "revision": version.revision,
    }


def _version(row: Row[Any]) -> Version:
    values = json.loads(row.settings)
    values["architectures"] = tuple(values["architectures"])
    return Version(
        account=row.account,
        region=row.region,
        name=row.name,
        version=str(row.number) if row.number else LATEST,
        settings=Settings(**values),
        code=Code(digest=row.digest, size=row.size),
        modified_at=row.modified_at,
        revision=row.revision,
        tags=json.loads(row.tags),
    )
