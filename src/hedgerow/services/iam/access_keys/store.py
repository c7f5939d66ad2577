"""The rows of access keys; also what authentication and accounts may do with them."""

from typing import Any, Final

from sqlalchemy import (
    Column,
    Float,
    Index,
    LargeBinary,
    Row,
    String,
    Table,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)

from hedgerow.base.ids import Ids
from hedgerow.services.iam.access_keys.model import ACTIVE, LONG_LIVED, ROOT, AccessKey, KeyUse, NewKey
from hedgerow.services.iam.entities import Vault
from hedgerow.store import Tx, metadata

access_keys = Table(
    "iam_access_key",
    metadata,
    Column("account", String(12), primary_key=True),
    Column("id", String(32), primary_key=True),
    Column("user", String(64), nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("status", String(8), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("last_used_at", Float),
    Column("last_used_service", String(64)),
    Column("last_used_region", String(64)),
)
Index("ix_iam_access_key_user", access_keys.c.account, access_keys.c.user)
# The one index without the account: a signature names its key only, and the key says whose it is.
Index("uq_iam_access_key_id", access_keys.c.id, unique=True)

_ACCOUNT: Final[Any] = bindparam("account_")
_ID: Final[Any] = bindparam("id_")
_OF_USER = (access_keys.c.account == _ACCOUNT) & (access_keys.c.user == bindparam("user_"))

_FIND = select(access_keys).where(access_keys.c.id == _ID)
_LIST = select(access_keys).where(_OF_USER).order_by(access_keys.c.id)
_GET = select(access_keys).where(_OF_USER, access_keys.c.id == _ID)
_INSERT = insert(access_keys)
_SET_STATUS = update(access_keys).where(_OF_USER, access_keys.c.id == _ID).values(status=bindparam("status_"))
_MOVE = update(access_keys).where(_OF_USER).values(user=bindparam("new_user"))
_OF_ACCOUNT = select(access_keys).where(access_keys.c.account == _ACCOUNT, access_keys.c.id == _ID)
_USED = (
    update(access_keys)
    .where(access_keys.c.id == _ID, func.coalesce(access_keys.c.last_used_at, -1.0) < bindparam("at"))
    .values(last_used_at=bindparam("at"), last_used_service=bindparam("service"), last_used_region=bindparam("region"))
)
_DELETE = delete(access_keys).where(_OF_USER, access_keys.c.id == _ID)


class AccessKeyStore:
    """The keys of one user (or of root) of one account."""

    def __init__(self, tx: Tx, account: str, user: str) -> None:
        self._tx = tx
        self._account = account
        self._user = user

    def all(self) -> list[AccessKey]:
        return [_key(row) for row in self._tx.all(_LIST, account_=self._account, user_=self._user)]

    def get(self, key_id: str) -> AccessKey | None:
        row = self._tx.one(_GET, account_=self._account, user_=self._user, id_=key_id)
        return None if row is None else _key(row)

    def create(self, ids: Ids, vault: Vault) -> NewKey:
        """Make a key; its secret is sealed under the key's id."""
        key = NewKey(id=LONG_LIVED + ids.upper(16), secret=ids.secret(40))
        self._tx.run(
            _INSERT,
            account=self._account,
            id=key.id,
            user=self._user,
            sealed=vault.seal(key.secret.encode("ascii"), context=_context(key.id)),
            status=ACTIVE,
            created_at=self._tx.now,
        )
        return key

    def set_status(self, key_id: str, status: str) -> None:
        self._tx.run(_SET_STATUS, account_=self._account, user_=self._user, id_=key_id, status_=status)

    def delete(self, key_id: str) -> None:
        self._tx.run(_DELETE, account_=self._account, user_=self._user, id_=key_id)


class AccessKeyReader:
    """What authentication and users ask about keys."""

    def __init__(self, *, vault: Vault) -> None:
        self._vault = vault

    def find(self, tx: Tx, key_id: str) -> tuple[AccessKey, str] | None:
        """Answer a key of whatever account with its secret, or None."""
        row = tx.one(_FIND, id_=key_id)
        if row is None:
            return None
        return _key(row), self._vault.open(row.sealed, context=_context(row.id)).decode("ascii")

    def has_any(self, tx: Tx, account: str, user: str) -> bool:
        """Answer whether a user has a key, active or not."""
        return bool(AccessKeyStore(tx, account, user).all())

    def rename_user(self, tx: Tx, account: str, user: str, new: str) -> None:
        """The user is called otherwise from now on; the keys stay."""
        tx.run(_MOVE, account_=account, user_=user, new_user=new)


class RootKeys:
    """Makes access keys of accounts themselves."""

    def __init__(self, *, ids: Ids, vault: Vault) -> None:
        self._ids = ids
        self._vault = vault

    def active(self, tx: Tx, account: str) -> str | None:
        """Answer the id of the account's oldest active key of its own, None when there is none."""
        keys = AccessKeyStore(tx, account, ROOT).all()
        return next((key.id for key in keys if key.active), None)

    def create(self, tx: Tx, account: str) -> NewKey:
        """Make a key that stands for everything in the account."""
        return AccessKeyStore(tx, account, ROOT).create(self._ids, self._vault)


def write_use(tx: Tx, key_id: str, use: KeyUse) -> None:
    """Write down that the key was used, unless a later use is known; nothing happens when the key is gone."""
    tx.run(_USED, id_=key_id, at=use.at, service=use.service[:64], region=use.region[:64])


def last_use(tx: Tx, account: str, key_id: str) -> tuple[str, KeyUse | None] | None:
    """Answer whose key of the account it is (ROOT for the account's own) and its last use; None when there is none."""
    row = tx.one(_OF_ACCOUNT, account_=account, id_=key_id)
    if row is None:
        return None
    if row.last_used_at is None:
        return row.user, None
    return row.user, KeyUse(at=row.last_used_at, service=row.last_used_service, region=row.last_used_region)


def _context(key_id: str) -> str:
    return f"iam access key {key_id}"


def _key(row: Row[Any]) -> AccessKey:
    return AccessKey(account=row.account, id=row.id, user=row.user, status=row.status, created_at=row.created_at)
