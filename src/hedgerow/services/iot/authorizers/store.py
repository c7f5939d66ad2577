"""The rows of custom authorizers."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from sqlalchemy import (
    Boolean,
    Column,
    Float,
    Index,
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
    text,
)
from sqlalchemy import update as update_rows

from hedgerow.services.iot.authorizers.model import Authorizer, AuthorizerStatus
from hedgerow.store import Tx, metadata

authorizers = Table(
    "iot_authorizer",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("name", String(128), primary_key=True),
    Column("function_arn", Text, nullable=False),
    Column("token_key_name", String(128)),
    Column("keys", Text, nullable=False),
    Column("status", String(10), nullable=False),
    Column("signing_disabled", Boolean, nullable=False),
    Column("caching_for_http", Boolean, nullable=False, server_default=text("false")),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
)
defaults = Table(
    "iot_default_authorizer",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("name", String(128), nullable=False),
)
Index("ix_iot_authorizer_created_at", authorizers.c.account, authorizers.c.created_at, authorizers.c.name)

_ACCOUNT: Final[Any] = bindparam("account_")
_NAME: Final[Any] = bindparam("name_")
_AT: Final[Any] = bindparam("at")
_AFTER: Final[Any] = bindparam("after")

_GET = select(authorizers).where(authorizers.c.account == _ACCOUNT, authorizers.c.name == _NAME)
_INSERT = insert(authorizers)
_UPDATE = update_rows(authorizers).where(authorizers.c.account == _ACCOUNT, authorizers.c.name == _NAME)
_DELETE = delete(authorizers).where(authorizers.c.account == _ACCOUNT, authorizers.c.name == _NAME)
_COUNT = select(func.count()).select_from(authorizers).where(authorizers.c.account == _ACCOUNT)
_COUNT_OF = _COUNT.where(authorizers.c.status == bindparam("status_"))
_DEFAULT = select(defaults.c.name).where(defaults.c.account == _ACCOUNT)
_SET_DEFAULT = insert(defaults)
_CLEAR_DEFAULT = delete(defaults).where(defaults.c.account == _ACCOUNT)
_LIST = (
    select(authorizers)
    .where(authorizers.c.account == _ACCOUNT, authorizers.c.status.in_(bindparam("statuses", expanding=True)))
    .limit(bindparam("limit_"))
)
_NEWEST = _LIST.order_by(authorizers.c.created_at.desc(), authorizers.c.name.desc())
_OLDEST = _LIST.order_by(authorizers.c.created_at, authorizers.c.name)
_BELOW = or_(authorizers.c.created_at < _AT, and_(authorizers.c.created_at == _AT, authorizers.c.name < _AFTER))
_ABOVE = or_(authorizers.c.created_at > _AT, and_(authorizers.c.created_at == _AT, authorizers.c.name > _AFTER))
_PAGES: Final[Mapping[tuple[bool, bool], Any]] = {  # (ascending, there is a beginning)
    (False, False): _NEWEST,
    (False, True): _NEWEST.where(_BELOW),
    (True, False): _OLDEST,
    (True, True): _OLDEST.where(_ABOVE),
}


class AuthorizerStore:
    """Authorizers in the database. It holds nothing; one serves every transaction."""

    def get(self, tx: Tx, account: str, name: str) -> Authorizer | None:
        """Answer the account's authorizer, or None."""
        row = tx.one(_GET, account_=account, name_=name)
        return None if row is None else _authorizer(row)

    def add(self, tx: Tx, account: str, authorizer: Authorizer) -> None:
        tx.run(_INSERT, account=account, name=authorizer.name, created_at=authorizer.created_at, **_columns(authorizer))

    def put(self, tx: Tx, account: str, authorizer: Authorizer) -> None:
        tx.run(_UPDATE, account_=account, name_=authorizer.name, **_columns(authorizer))

    def remove(self, tx: Tx, account: str, name: str) -> None:
        tx.run(_DELETE, account_=account, name_=name)

    def count(self, tx: Tx, account: str) -> int:
        """Answer how many authorizers the account has."""
        row = tx.one(_COUNT, account_=account)
        return 0 if row is None else int(row[0])

    def count_active(self, tx: Tx, account: str) -> int:
        """Answer how many of them are active."""
        row = tx.one(_COUNT_OF, account_=account, status_=AuthorizerStatus.ACTIVE.value)
        return 0 if row is None else int(row[0])

    def default(self, tx: Tx, account: str) -> str | None:
        """Answer the name of the account's default authorizer, or None."""
        row = tx.one(_DEFAULT, account_=account)
        return None if row is None else str(row[0])

    def make_default(self, tx: Tx, account: str, name: str | None) -> None:
        """Make an authorizer the default one instead of another; None: there is none."""
        tx.run(_CLEAR_DEFAULT, account_=account)
        if name is not None:
            tx.run(_SET_DEFAULT, account=account, name=name)

    def list(
        self,
        tx: Tx,
        account: str,
        *,
        status: AuthorizerStatus | None,
        after: tuple[Any, ...],
        limit: int,
        ascending: bool = False,
    ) -> Sequence[Authorizer]:
        """Answer authorizers, newest first unless `ascending`, those after (created_at, name); () is the beginning."""
        statuses = [each.value for each in AuthorizerStatus if status in (None, each)]
        values: dict[str, Any] = {"account_": account, "limit_": limit, "statuses": statuses}
        if after:
            values |= {"at": after[0], "after": after[1]}
        return [_authorizer(row) for row in tx.all(_PAGES[ascending, bool(after)], **values)]


def _columns(authorizer: Authorizer) -> dict[str, Any]:
    return {
        "function_arn": authorizer.function_arn,
        "token_key_name": authorizer.token_key_name,
        "keys": json.dumps(dict(authorizer.keys)),
        "status": authorizer.status.value,
        "signing_disabled": authorizer.signing_disabled,
        "caching_for_http": authorizer.caching_for_http,
        "updated_at": authorizer.updated_at,
    }


def _authorizer(row: Row[Any]) -> Authorizer:
    return Authorizer(
        name=row.name,
        function_arn=row.function_arn,
        token_key_name=row.token_key_name,
        keys=json.loads(row.keys),
        status=AuthorizerStatus(row.status),
        signing_disabled=bool(row.signing_disabled),
        caching_for_http=bool(row.caching_for_http),
        created_at=row.created_at,
        updated_at=row.updated_at,
    )
