"""The operations of access keys."""

from typing import Any

from hedgerow.base.ids import Ids
from hedgerow.core.arn import arn
from hedgerow.core.caller import Caller, Kind
from hedgerow.core.events import AuthorisationChanged
from hedgerow.core.request import Request
from hedgerow.services.iam.access_keys.errors import (
    KeyNotFound,
    KeyOwnerNotFound,
    LastRootKey,
    OwnerNeeded,
    StatusNotSettable,
    TooManyKeys,
)
from hedgerow.services.iam.access_keys.model import ACTIVE, INACTIVE, MOST_KEYS, ROOT, AccessKey
from hedgerow.services.iam.access_keys.store import AccessKeyStore
from hedgerow.services.iam.entities import Entities, Vault
from hedgerow.services.iam.pages import Pages
from hedgerow.store import Answer, Tx


class AccessKeyOperations:
    """Keys of users; without a name, those of the caller (root's too)."""

    def __init__(self, *, ids: Ids, vault: Vault, pages: Pages, users: Entities) -> None:
        self._ids = ids
        self._vault = vault
        self._pages = pages
        self._users = users

    def create_access_key(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        user = self._owner(tx, request, caller)
        store = AccessKeyStore(tx, caller.account, user)
        if len(store.all()) >= MOST_KEYS:
            raise TooManyKeys(MOST_KEYS)
        key = store.create(self._ids, self._vault)
        shown = {
            "UserName": user or "root",
            "AccessKeyId": key.id,
            "Status": ACTIVE,
            "SecretAccessKey": key.secret,
            "CreateDate": tx.now,
        }
        return Answer({"AccessKey": shown})

    def list_access_keys(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        user = self._owner(tx, request, caller)
        return Answer(
            self._pages.answer(
                request,
                caller,
                "ListAccessKeys",
                name="AccessKeyMetadata",
                items=AccessKeyStore(tx, caller.account, user).all(),
                key=lambda key: key.id,
                show=_shown,
                of=user,
            )
        )

    def update_access_key(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        user = self._owner(tx, request, caller)
        store = AccessKeyStore(tx, caller.account, user)
        key = _found(store, request["AccessKeyId"])
        status = request["Status"]
        if status not in (ACTIVE, INACTIVE):
            raise StatusNotSettable(status)
        if status != ACTIVE:
            _keep_one(store, user, key)
        store.set_status(key.id, status)
        return Answer({}, self._changed(tx, caller, user))

    def delete_access_key(self, tx: Tx, request: Request, caller: Caller) -> Answer:
        user = self._owner(tx, request, caller)
        store = AccessKeyStore(tx, caller.account, user)
        key = _found(store, request["AccessKeyId"])
        _keep_one(store, user, key)
        store.delete(key.id)
        return Answer({}, self._changed(tx, caller, user))

    def _owner(self, tx: Tx, request: Request, caller: Caller) -> str:
        name: str | None = request.get("UserName")
        if name:
            if not self._users.exists(tx, caller.account, name):
                raise KeyOwnerNotFound(name)
            return name
        if caller.kind is Kind.ROOT:
            return ROOT
        if caller.kind is Kind.USER:
            return caller.principal.rpartition("/")[2]
        raise OwnerNeeded

    def _changed(self, tx: Tx, caller: Caller, user: str) -> tuple[AuthorisationChanged, ...]:
        own = arn("iam", "", caller.account, "root") if user == ROOT else self._users.arn_of(tx, caller.account, user)
        return (AuthorisationChanged(account=caller.account, principals=frozenset({own} if own else ())),)


def _found(store: AccessKeyStore, key_id: str) -> AccessKey:
    key = store.get(key_id)
    if key is None:
        raise KeyNotFound(key_id)
    return key


def _keep_one(store: AccessKeyStore, user: str, key: AccessKey) -> None:
    if user == ROOT and not any(other.id != key.id and other.status == ACTIVE for other in store.all()):
        raise LastRootKey


def _shown(key: AccessKey) -> dict[str, Any]:
    return {
        "UserName": key.user or "root",
        "AccessKeyId": key.id,
        "Status": key.status,
        "CreateDate": key.created_at,
    }
